"""Cursor pages: a list stays right and fast while rows are being added at its head."""

from __future__ import annotations

from rest_framework.pagination import CursorPagination


class NewestFirst(CursorPagination):
    """`?cursor=…&page_size=…` (50 by default, at most 200), newest first."""

    ordering = "-pk"
    page_size = 50
    max_page_size = 200
    page_size_query_param = "page_size"


class OldestFirst(NewestFirst):
    ordering = "pk"
