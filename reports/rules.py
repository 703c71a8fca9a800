"""Calendar days in a time zone, as instants. No database, no clock."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

DEFAULT_DAYS = 14
MAX_DAYS = 366


@dataclass(frozen=True)
class Days:
    """The days `first … last` (both included) of a time zone.

    Built on instants, so that a day has the length it really had: 23 or 25 hours when the clocks
    were changed, none at all when a country skipped it.
    """

    first: date
    last: date
    zone: ZoneInfo

    @property
    def dates(self) -> list[date]:
        """Each day, oldest first."""
        number = (self.last - self.first).days + 1
        return [self.first + timedelta(days=n) for n in range(number)]

    @property
    def bounds(self) -> list[datetime]:
        """The instant at which each day begins, and the one at which the last ends (UTC)."""
        return [
            _midnight(self.first + timedelta(days=n), self.zone)
            for n in range((self.last - self.first).days + 2)
        ]


def _midnight(day: date, zone: ZoneInfo) -> datetime:
    # fold=0: where midnight comes twice the day begins with the first, and where the clocks
    # jump over it, the offset of before makes it the very instant of the jump.
    return datetime.combine(day, time.min, tzinfo=zone).astimezone(UTC)
