"""HTTP ranges (RFC 9110, section 14). Pure.

Without them a browser cannot seek: Django's own file responses answer 200 to a Range.
"""

from __future__ import annotations

import re

_ONE_RANGE = re.compile(r"bytes=\s*(\d*)\s*-\s*(\d*)\s*", re.IGNORECASE | re.ASCII)
MAX_DIGITS = 18


class NotSatisfiable(Exception):
    """The range lies outside the file: answer 416."""


def wanted_range(header: str | None, size: int) -> tuple[int, int] | None:
    """The half-open byte range `[start, end)` that a Range header asks of a file of `size` bytes.

    None means the whole file: no header, another unit, several ranges or a malformed one, all of
    which a server may ignore. Raises `NotSatisfiable`.
    """
    match = _ONE_RANGE.fullmatch(header.strip()) if header else None
    if match is None:
        return None
    first, last = match.groups()
    if len(first) > MAX_DIGITS or len(last) > MAX_DIGITS:
        raise NotSatisfiable
    if not first:
        if not last:
            return None
        suffix = min(int(last), size)
        if suffix == 0:
            raise NotSatisfiable
        return size - suffix, size
    start = int(first)
    if last and int(last) < start:
        return None
    if start >= size:
        raise NotSatisfiable
    return start, min(int(last) + 1, size) if last else size


def if_range_holds(header: str | None, *, etag: str, last_modified: str) -> bool:
    """Whether a Range may be answered with a part: If-Range is absent or names this version."""
    return header is None or header.strip() in (etag, last_modified)
