"""Named refusals, rendered as RFC 9457 problems in one place (`handler.py`).

A domain exception subclasses :class:`Problem` and lets its class attributes name it:

    class QueueEmpty(Problem):
        slug, status, title = "queue-empty", 404, "No task is free for you right now."
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar


class Problem(Exception):
    """A refusal that the person can read.

    Arguments:
        detail: what is wrong with this request, in words a contractor understands.
        headers: response headers, e.g. ``{"Retry-After": "30"}``.
        extra: further members of the problem document; plain JSON values.
    """

    slug: ClassVar[str] = "problem"
    status: ClassVar[int] = 400
    title: ClassVar[str] = "The request could not be carried out."

    def __init__(
        self, detail: str = "", *, headers: dict[str, str] | None = None, **extra: Any
    ) -> None:
        super().__init__(detail or self.title)
        self.detail = detail
        self.headers = headers or {}
        self.extra = extra

    def as_dict(self, *, instance: str = "") -> dict[str, Any]:
        """The problem document (RFC 9457, section 3)."""
        document: dict[str, Any] = {
            "type": f"/problems/{self.slug}",
            "title": self.title,
            "status": self.status,
        }
        if self.detail:
            document["detail"] = self.detail
        if instance:
            document["instance"] = instance
        return document | self.extra


class InvalidInput(Problem):
    """Bad input, located: each error has a JSON pointer and a sentence."""

    slug, status, title = "invalid-input", 400, "Some of the input is not valid."

    def __init__(self, detail: str = "", *, errors: Sequence[dict[str, Any]] = ()) -> None:
        super().__init__(detail, errors=list(errors))


class NotSignedIn(Problem):
    slug, status, title = "not-signed-in", 401, "Sign in first."


class NotAllowed(Problem):
    slug, status, title = "not-allowed", 403, "You may not do this."


class NotFound(Problem):
    slug, status, title = "not-found", 404, "There is nothing here that you may see."


class WrongMethod(Problem):
    slug, status, title = "method-not-allowed", 405, "This address does not take that method."


class NotAcceptable(Problem):
    slug, status, title = "not-acceptable", 406, "This address answers in JSON only."


class UnsupportedMediaType(Problem):
    slug, status, title = "unsupported-media-type", 415, "Send JSON (application/json)."


class MalformedRequest(Problem):
    slug, status, title = "malformed-request", 400, "The request could not be read."


class TooManyRequests(Problem):
    slug, status, title = "too-many-requests", 429, "Too many requests; wait a moment."


class Conflict(Problem):
    slug, status, title = "conflict", 409, "This clashes with what is already there."


class ServerError(Problem):
    slug, status, title = "server-error", 500, "Something broke on our side. Nothing was saved."


class IdempotencyKeyReused(Problem):
    slug, status = "idempotency-key-reused", 422
    title = "This Idempotency-Key was already used for a different request."


class IdempotencyKeyRunning(Problem):
    slug, status = "idempotency-key-running", 409
    title = "A request with this Idempotency-Key is still running."


class InvalidIdempotencyKey(Problem):
    slug, status, title = "invalid-idempotency-key", 400, "Idempotency-Key is not usable."
