"""Days as instants: every length that a day can have."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest

from reports.rules import Days


def hours(first: date, days: int, zone: str) -> list[float]:
    """The length of each day in hours."""
    bounds = Days(first, first + timedelta(days=days - 1), ZoneInfo(zone)).bounds
    return [(end - start) / timedelta(hours=1) for start, end in pairwise(bounds)]


@pytest.mark.parametrize(
    ("first", "zone", "expected"),
    [
        (date(2026, 3, 7), "UTC", [24, 24, 24]),
        (date(2026, 3, 7), "America/Toronto", [24, 23, 24]),  # clocks go forward on 8 March
        (date(2026, 10, 31), "America/Toronto", [24, 25, 24]),
        (date(2026, 9, 5), "America/Santiago", [24, 23, 24]),  # midnight itself is skipped
        (date(2025, 10, 31), "America/Havana", [24, 24, 25]),  # midnight comes twice
        (date(2011, 12, 29), "Pacific/Apia", [24, 0, 24]),  # 30 December did not take place
        (date(2026, 4, 4), "Australia/Lord_Howe", [24, 24.5, 24]),
    ],
)
def test_the_days_of_a_clock_change(first: date, zone: str, expected: list[float]) -> None:
    assert hours(first, 3, zone) == expected


def test_a_day_begins_at_local_midnight() -> None:
    days = Days(date(2026, 7, 1), date(2026, 7, 2), ZoneInfo("America/Toronto"))
    assert days.dates == [date(2026, 7, 1), date(2026, 7, 2)]
    assert days.bounds == [datetime(2026, 7, n, 4, tzinfo=UTC) for n in (1, 2, 3)]
