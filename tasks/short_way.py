"""The two busiest routes, claim and hand-in, without the layers that they do not need.

A program with a token that claims or hands in, and whom nothing refuses, is answered here: one
statement that checks the token, every guard and the state, and writes. Everything else (a session,
an `Idempotency-Key`, a body out of the ordinary, any refusal) goes on to the views, which decide
again and explain; nothing was written then. A test holds both ways against each other, headers
included.

Permissions are those of the views: a contractor, for their own claims. There is nothing here that
the views do not do; take the class out of `MIDDLEWARE` and only the speed changes.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.core.exceptions import DisallowedHost
from django.db import IntegrityError, OperationalError
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from knox.crypto import hash_token

from annotation_platform.api.parsers import storable_json
from tasks import answers
from tasks.services import fast_claim, fast_submit
from tasks.timeline_json import in_order, read_segments

_ROUTE = re.compile(r"/api/v1/assignments/(?:([0-9]{1,18})/submissions/)?")
_TOKEN = re.compile(r"Token ([0-9A-Za-z]{1,128})")
_MAX_BYTES = 1_000_000  # well below DATA_UPLOAD_MAX_MEMORY_SIZE
_LIST, _CREATE = "GET, POST, HEAD, OPTIONS", "POST, OPTIONS"


class ShortWay:
    """Middleware. What the ones after it would add to an answer is in `_response`."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if request.method == "POST":
            route = _ROUTE.fullmatch(request.path_info)
            if route is not None:
                answer = _answer(request, route[1])
                if answer is not None:
                    return answer
        return self._get_response(request)


def _answer(request: HttpRequest, assignment: str | None) -> HttpResponse | None:
    """The answer, or None where the view has to decide."""
    digest = _digest(request)
    body = _body(request) if digest is not None else None
    if digest is None or not isinstance(body, dict):
        return None
    try:
        if assignment is None:
            return _claim(digest, body)
        return _submit(digest, int(assignment), body)
    except (IntegrityError, OperationalError):
        # A race that only a constraint saw, or a connection that was lost: let the view look again.
        return None


def _digest(request: HttpRequest) -> str | None:
    """Of the token, where the request is the ordinary one."""
    meta = request.META
    token = _TOKEN.fullmatch(meta.get("HTTP_AUTHORIZATION", ""))
    ordinary = (
        token is not None
        and meta.get("CONTENT_TYPE") == "application/json"
        and meta.get("HTTP_ACCEPT", "*/*") in ("*/*", "application/json")
        and "HTTP_IDEMPOTENCY_KEY" not in meta
        and not meta.get("QUERY_STRING")
    )
    if token is None or not ordinary:
        return None
    try:
        request.get_host()
    except DisallowedHost:
        return None
    return str(hash_token(token[1]))


def _body(request: HttpRequest) -> Any:
    try:
        if not 0 < int(request.META.get("CONTENT_LENGTH") or 0) <= _MAX_BYTES:
            return None
        return storable_json(request.body)
    except (ValueError, RecursionError):
        return None


def _claim(digest: str, body: dict[str, Any]) -> HttpResponse | None:
    project = body.get("project")
    if type(project) is not int or not 0 < project < 2**63:
        return None
    claimed = fast_claim.claim_by_token(digest=digest, project_id=project)
    return None if claimed is None else _response(answers.of_claim(claimed), _LIST)


def _submit(digest: str, assignment: int, body: dict[str, Any]) -> HttpResponse | None:
    if body.get("screening") != {"verdict": "usable"}:
        return None
    segments = read_segments(body.get("segments"))
    if segments is None:
        return None
    ordered = in_order(segments)
    made = fast_submit.submit_by_token(digest=digest, assignment_id=assignment, segments=ordered)
    if made is None:
        return None
    return _response(answers.of_submission(assignment, made, ordered), _CREATE)


def _response(answer: dict[str, Any], allow: str) -> HttpResponse:
    text = json.dumps(answer, ensure_ascii=False, separators=(",", ":"))
    # As DRF's renderer: the two line separators that JavaScript once took for line ends.
    content = text.replace("\u2028", "\\u2028").replace("\u2029", "\\u2029").encode()
    return HttpResponse(
        content,
        status=201,
        content_type="application/json",
        headers={
            "Allow": allow,
            "X-Frame-Options": settings.X_FRAME_OPTIONS,
            "Content-Length": str(len(content)),
        },
    )
