"""Token sign-in for programs: knox's hashed tokens, looked up in one query."""

from __future__ import annotations

from typing import Any

from django.utils import timezone
from knox.auth import TokenAuthentication as KnoxTokenAuthentication
from rest_framework.exceptions import AuthenticationFailed


class TokenAuthentication(KnoxTokenAuthentication):  # type: ignore[misc]
    """`Authorization: Token …`.

    knox reads all of the person's tokens on every request to delete stale ones; here only the
    token at hand is judged (`api.purge_idempotency_keys` sweeps the others), which saves a query
    per request.
    """

    def authenticate_credentials(self, token: bytes) -> Any:
        # knox decodes and looks up whatever was sent: a stray byte would be an error of ours.
        if not token.isalnum():
            raise AuthenticationFailed("Invalid token.")
        return super().authenticate_credentials(token)

    def _cleanup_token(self, auth_token: Any) -> bool:
        return auth_token.expiry is not None and auth_token.expiry < timezone.now()
