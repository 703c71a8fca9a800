"""Serving local media by signed link: ranges, conditions, HEAD. S3 serves its own."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

from django.http import (
    HttpRequest,
    HttpResponse,
    HttpResponseBase,
    JsonResponse,
    StreamingHttpResponse,
)
from django.utils.http import http_date
from django.views.decorators.http import require_safe

from annotation_platform.api.handler import CONTENT_TYPE
from annotation_platform.api.problems import NotFound, Problem
from videos import rules, storage
from videos.links import read_grant
from videos.ranges import NotSatisfiable, if_range_holds, wanted_range

CHUNK = 256 * 1024


@require_safe
def media(request: HttpRequest, token: str) -> HttpResponseBase:
    """The bytes behind a signed link: 200, 206, 304, 403, 404 or 416."""
    try:
        grant = read_grant(token)
        path = Path(storage.media().path(grant.key))
        if not path.is_file():
            raise NotFound()
    except Problem as problem:
        document = problem.as_dict(instance=request.path)
        return JsonResponse(document, status=problem.status, content_type=CONTENT_TYPE)
    return _answer(request, path, grant.key)


def _answer(request: HttpRequest, path: Path, key: str) -> HttpResponseBase:
    stat = path.stat()
    version = f"{key}:{stat.st_mtime_ns}:{stat.st_size}"
    etag = f'"{hashlib.sha256(version.encode()).hexdigest()[:32]}"'
    modified = http_date(stat.st_mtime)
    headers = {
        "Accept-Ranges": "bytes",
        "ETag": etag,
        "Last-Modified": modified,
        "Cache-Control": "private, max-age=3600",
        "Content-Type": rules.content_type(key),
        "X-Content-Type-Options": "nosniff",
        # Nothing uploaded may ever run as a page of this site.
        "Content-Security-Policy": "default-src 'none'; sandbox",
        "Cross-Origin-Resource-Policy": "same-site",
    }
    if _not_modified(request, etag, modified):
        return HttpResponse(status=304, headers=headers)
    asked = request.headers.get("Range")
    if not if_range_holds(request.headers.get("If-Range"), etag=etag, last_modified=modified):
        asked = None
    try:
        part = wanted_range(asked, stat.st_size)
    except NotSatisfiable:
        return HttpResponse(
            status=416, headers=headers | {"Content-Range": f"bytes */{stat.st_size}"}
        )
    start, end = part or (0, stat.st_size)
    headers["Content-Length"] = str(end - start)
    if part is not None:
        headers["Content-Range"] = f"bytes {start}-{end - 1}/{stat.st_size}"
    status = 200 if part is None else 206
    if request.method == "HEAD":
        return HttpResponse(status=status, headers=headers)
    return StreamingHttpResponse(_chunks(path, start, end), status=status, headers=headers)


def _not_modified(request: HttpRequest, etag: str, modified: str) -> bool:
    wanted = request.headers.get("If-None-Match")
    if wanted is not None:
        tags = [tag.strip().removeprefix("W/") for tag in wanted.split(",")]
        return etag in tags or "*" in tags
    return request.headers.get("If-Modified-Since") == modified


def _chunks(path: Path, start: int, end: int) -> Iterator[bytes]:
    with path.open("rb") as file:
        file.seek(start)
        left = end - start
        while left > 0 and (chunk := file.read(min(CHUNK, left))):
            left -= len(chunk)
            yield chunk
