"""Cursor pages: a list stays right and fast while rows are being added at its head."""

from __future__ import annotations

import re
from typing import NoReturn

from rest_framework.exceptions import NotFound, ValidationError
from rest_framework.pagination import Cursor, CursorPagination
from rest_framework.request import Request

_PRIMARY_KEY = re.compile(r"\d{1,19}\Z", re.ASCII)


class NewestFirst(CursorPagination):
    """`?cursor=…&page_size=…` (50 by default, at most 200), newest first.

    A subclass may order by something else that is unique.
    """

    ordering = "-pk"
    page_size = 50
    max_page_size = 200
    page_size_query_param = "page_size"

    def decode_cursor(self, request: Request) -> Cursor | None:
        """The page's position. One that we never gave out is bad input: DRF would crash on it."""
        try:
            cursor = super().decode_cursor(request)
        except NotFound:
            self._refuse()
        position = "" if cursor is None else str(cursor.position or "")
        # `ordering` is a tuple by now.
        by_key = [field.lstrip("-") for field in self.ordering] == ["pk"]
        if position and by_key and not _PRIMARY_KEY.match(position):
            self._refuse()
        return cursor

    def _refuse(self) -> NoReturn:
        raise ValidationError({self.cursor_query_param: "This is not a cursor of this list."})


class OldestFirst(NewestFirst):
    ordering = "pk"
