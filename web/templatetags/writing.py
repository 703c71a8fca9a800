"""How pages write money and states."""

from __future__ import annotations

from django import template

from payouts.rules import money as in_words

register = template.Library()


@register.filter
def money(cents: int | None, currency: str = "USD") -> str:
    """`1600|money:"USD"` is `$16.00`; nothing for None."""
    return "" if cents is None else in_words(cents, currency)


@register.filter
def words(name: str) -> str:
    """`changes_requested` is `changes requested`."""
    return name.replace("_", " ")


@register.filter
def percent(share: float | None) -> str:
    """`0.8499|percent` is `84.9 %`: cut, never rounded up over a threshold."""
    return "" if share is None else f"{int(share * 1000 + 1e-9) / 10:.1f} %"


@register.filter
def hands(mask: int) -> str:
    """The bit mask of a segment in words."""
    return {0: "none", 1: "left", 2: "right", 3: "both"}[mask]
