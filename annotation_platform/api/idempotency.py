"""`Idempotency-Key`: repeating a creating POST returns the first answer and creates nothing.

The answer is stored in the transaction that did the work, under an advisory lock on the key:
either both are there or neither. A refused request (4xx) rolls back and is not stored, so the
same key can be used again once the input is mended.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar, cast

from django.db import connection, transaction
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response

from annotation_platform.api.models import StoredAnswer
from annotation_platform.api.problems import (
    IdempotencyKeyReused,
    IdempotencyKeyRunning,
    InvalidIdempotencyKey,
    NotSignedIn,
)

HEADER = "Idempotency-Key"
MAX_LENGTH = 255
KEEP_HOURS = 48
STORED_HEADERS = ("ETag", "Location")

Handler = TypeVar("Handler", bound=Callable[..., Response])


def idempotent(handler: Handler) -> Handler:
    """Make a view method that creates something honour `Idempotency-Key`.

    Without the header the method runs as it is. With it, the method runs inside one database
    transaction together with storing its answer.

    Errors: `IdempotencyKeyReused` (422) for another request under the key,
    `IdempotencyKeyRunning` (409) while the first one has not ended.
    """

    @wraps(handler)
    def wrapper(self: Any, request: Request, *args: Any, **kwargs: Any) -> Response:
        key = request.headers.get(HEADER)
        if key is None:
            return handler(self, request, *args, **kwargs)
        if not 1 <= len(key) <= MAX_LENGTH or not key.isprintable():
            raise InvalidIdempotencyKey(f"Use 1 to {MAX_LENGTH} printable characters.")
        user_id = request.user.pk
        if user_id is None:
            raise NotSignedIn("An Idempotency-Key belongs to a signed-in person.")
        fingerprint = _fingerprint(request)
        with transaction.atomic():
            if not _try_lock(f"{user_id}:{key}"):
                raise IdempotencyKeyRunning(headers={"Retry-After": "1"})
            stored = StoredAnswer.objects.filter(user_id=user_id, key=key).first()
            if stored is not None:
                return _replay(stored, fingerprint)
            response = handler(self, request, *args, **kwargs)
            if response.status_code < 300:
                StoredAnswer.objects.create(
                    user_id=user_id,
                    key=key,
                    request_sha256=fingerprint,
                    status=response.status_code,
                    headers={h: response[h] for h in STORED_HEADERS if h in response},
                    body=json.loads(JSONRenderer().render(response.data) or b"null"),
                )
            else:
                # An answer, not an exception, that refuses: nothing of it may stay either.
                transaction.set_rollback(True)
            return response

    wrapper.is_idempotent = True  # type: ignore[attr-defined]  # the schema documents the header
    return cast(Handler, wrapper)


def _fingerprint(request: Request) -> str:
    body = json.dumps(request.data, sort_keys=True, default=str)
    text = f"{request.method} {request.get_full_path()}\n{body}"
    return hashlib.sha256(text.encode()).hexdigest()


def _try_lock(name: str) -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(hashtextextended(%s, 0))", [name])
        row = cursor.fetchone()
    return bool(row[0])


def _replay(stored: StoredAnswer, fingerprint: str) -> Response:
    if stored.request_sha256 != fingerprint:
        raise IdempotencyKeyReused("Use a new key for a new request.")
    headers = stored.headers | {"Idempotency-Replayed": "true"}
    return Response(stored.body, status=stored.status, headers=headers)
