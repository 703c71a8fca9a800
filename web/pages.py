"""Splitting lists into pages, and reading their filters."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from django.core.paginator import Page, Paginator
from django.db.models import QuerySet
from django.http import HttpRequest

PER_PAGE = 25
LONGEST_TEXT = 100


def page_of(
    request: HttpRequest, rows: QuerySet[Any] | list[Any], *, per_page: int = PER_PAGE
) -> Page[Any]:
    """The page that `?page=` names; the nearest one when there is no such page."""
    return Paginator(rows, per_page).get_page(request.GET.get("page"))


def chosen(request: HttpRequest, **known: Collection[str]) -> dict[str, str]:
    """The filters that are set to one of their known values; anything else is as if not there."""
    found = {name: request.GET.get(name, "") for name in known}
    return {name: value for name, value in found.items() if value in known[name]}


def text_of(request: HttpRequest, name: str = "q") -> str:
    """What somebody looks for; no more of it than makes sense."""
    return request.GET.get(name, "").replace("\0", "").strip()[:LONGEST_TEXT]


def number_of(request: HttpRequest, name: str) -> int | None:
    """A row's number among the filters; None when it is none."""
    value = request.GET.get(name, "")
    return int(value) if value.isdecimal() and len(value) <= 18 else None
