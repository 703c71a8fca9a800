"""Turns every exception of an API view into `application/problem+json`. The only place."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from math import ceil
from typing import Any

from django.core.exceptions import PermissionDenied, RequestDataTooBig, TooManyFieldsSent
from django.core.exceptions import ValidationError as DjangoValidationError
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from rest_framework import exceptions
from rest_framework.response import Response
from rest_framework.views import set_rollback

from annotation_platform.api import problems
from annotation_platform.api.problems import Problem

CONTENT_TYPE = "application/problem+json"

logger = logging.getLogger(__name__)


def problem_response(exc: Exception, context: dict[str, Any]) -> Response | None:
    """DRF's EXCEPTION_HANDLER. Unknown exceptions stay unhandled, so they are logged as 500."""
    problem = as_problem(exc)
    if problem is None:
        return None
    set_rollback()
    request = context.get("request")
    response = Response(
        problem.as_dict(instance=request.path if request is not None else ""),
        status=problem.status,
        headers=problem.headers,
        content_type=CONTENT_TYPE,
    )
    if getattr(exc, "auth_header", None):
        response["WWW-Authenticate"] = exc.auth_header  # type: ignore[attr-defined]
    return response


def as_problem(exc: Exception) -> Problem | None:
    """The named problem behind an exception, or None when it is a bug of ours."""
    match exc:
        case Problem():
            return exc
        case exceptions.ValidationError():
            errors = list(_located(exc.detail, ""))
            return problems.InvalidInput(_summary(errors), errors=errors)
        case DjangoValidationError():
            located = exc.message_dict if hasattr(exc, "error_dict") else exc.messages
            errors = list(_located(located, ""))
            return problems.InvalidInput(_summary(errors), errors=errors)
        case exceptions.NotAuthenticated() | exceptions.AuthenticationFailed():
            return problems.NotSignedIn(str(exc.detail))
        case exceptions.PermissionDenied():
            return problems.NotAllowed(str(exc.detail))
        case PermissionDenied():
            return problems.NotAllowed(str(exc))
        case exceptions.NotFound() | Http404():
            return problems.NotFound()
        case exceptions.MethodNotAllowed():
            return problems.WrongMethod(str(exc.detail))
        case exceptions.NotAcceptable():
            return problems.NotAcceptable(str(exc.detail))
        case exceptions.UnsupportedMediaType():
            return problems.UnsupportedMediaType(str(exc.detail))
        case exceptions.ParseError():
            return problems.MalformedRequest(str(exc.detail))
        case RequestDataTooBig() | TooManyFieldsSent():
            return problems.MalformedRequest("The request is too large.")
        case exceptions.Throttled():
            seconds: float | None = getattr(exc, "wait", None)
            wait = {} if seconds is None else {"Retry-After": str(max(1, ceil(seconds)))}
            return problems.TooManyRequests(str(exc.detail), headers=wait)
        case exceptions.APIException() if exc.status_code < 500:
            return _unnamed(exc)
    return None


def _unnamed(exc: exceptions.APIException) -> Problem:
    """A refusal of DRF or of a library that has no problem of ours: keeps its status."""
    problem = Problem(str(exc.detail))
    problem.status = exc.status_code  # type: ignore[misc]  # this one instance only
    return problem


def _located(detail: Any, pointer: str) -> Iterator[dict[str, Any]]:
    """Flatten DRF's nested error detail to JSON pointers (RFC 6901)."""
    if isinstance(detail, dict):
        for key, value in detail.items():
            token = str(key).replace("~", "~0").replace("/", "~1")
            about_it_all = key in ("non_field_errors", "__all__")
            yield from _located(value, pointer if about_it_all else f"{pointer}/{token}")
    elif isinstance(detail, list):
        for index, value in enumerate(detail):
            nested = isinstance(value, (dict, list))
            yield from _located(value, f"{pointer}/{index}" if nested else pointer)
    else:
        code = getattr(detail, "code", "invalid")
        yield {"pointer": pointer, "detail": str(detail), "code": code}


def _summary(errors: list[dict[str, Any]]) -> str:
    if not errors:
        return ""
    first = errors[0]
    where = first["pointer"].lstrip("/") or "the request"
    more = f" (and {len(errors) - 1} more)" if len(errors) > 1 else ""
    return f"{where}: {first['detail']}{more}"


def _plain(problem: Problem, request: HttpRequest) -> HttpResponse:
    return JsonResponse(
        problem.as_dict(instance=request.path), status=problem.status, content_type=CONTENT_TYPE
    )


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    """`handler404`: a problem under /api/, a page elsewhere."""
    if request.path.startswith("/api/"):
        return _plain(problems.NotFound(f"There is no {request.path} in this API."), request)
    from django.views.defaults import page_not_found

    return page_not_found(request, exception)


def server_error(request: HttpRequest) -> HttpResponse:
    """`handler500`: a problem under /api/, a page elsewhere."""
    if request.path.startswith("/api/"):
        return _plain(problems.ServerError(), request)
    from django.views.defaults import server_error as page

    return page(request)
