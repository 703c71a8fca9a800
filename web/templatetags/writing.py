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


@register.filter
def duration(seconds: float | None) -> str:
    """`95.4|duration` is `1 min 35 s`; whole seconds, nothing for None."""
    if seconds is None:
        return ""
    whole = int(seconds)
    hours, minutes, rest = whole // 3600, whole // 60 % 60, whole % 60
    if hours:
        return f"{hours} h {minutes} min"
    if minutes >= 10 and rest == 0:
        return f"{minutes} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"
