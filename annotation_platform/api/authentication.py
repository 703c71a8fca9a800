"""Token sign-in for programs: knox's hashed tokens, looked up in one query."""

from __future__ import annotations

from typing import Any

from django.utils import timezone
from knox.auth import TokenAuthentication as KnoxTokenAuthentication


class TokenAuthentication(KnoxTokenAuthentication):  # type: ignore[misc]
    """`Authorization: Token …`.

    knox reads all of the person's tokens on every request to delete stale ones; here only the
    token at hand is judged (`api.purge` sweeps the others), which saves a query per request.
    """

    def _cleanup_token(self, auth_token: Any) -> bool:
        return auth_token.expiry is not None and auth_token.expiry < timezone.now()
