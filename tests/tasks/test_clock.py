"""A lease is so many seconds of the database's clock, whatever other clocks and calendars say."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from django.db import connection

from annotation_platform.clock import database_now
from tasks import services
from tasks.models import Assignment
from tests import factories

pytestmark = pytest.mark.django_db


def claim() -> Assignment:
    project = factories.project(lease_seconds=1800)
    factories.open_tasks(project)
    return factories.claimed(project)


@pytest.mark.parametrize("days", [-2, 2])
def test_a_web_server_with_a_wrong_clock_moves_no_lease(days: int) -> None:
    with time_machine.travel(datetime.now(UTC) + timedelta(days=days), tick=True):
        assignment = claim()
        assert assignment.lease_expires_at is not None
        assert services.expire_leases() == {"grace": 0, "expired": 0}
        renewed = services.renew_lease(assignment=assignment)
        assert renewed.lease_expires_at is not None
        left = renewed.lease_expires_at - database_now()
    assert timedelta(minutes=29) < left <= timedelta(minutes=30)
    assert renewed.state == "active"


# The hour that a clock on the wall has twice, the hour that it skips, and the last leap second.
NIGHTS = {
    "autumn": ("America/New_York", datetime(2026, 11, 1, 5, 45, tzinfo=UTC)),
    "spring": ("America/New_York", datetime(2026, 3, 8, 6, 45, tzinfo=UTC)),
    "leap second": ("UTC", datetime(2016, 12, 31, 23, 45, tzinfo=UTC)),
}


@pytest.mark.parametrize("night", NIGHTS)
def test_a_lease_over_a_strange_night_lasts_thirty_minutes(night: str) -> None:
    zone, claimed_at = NIGHTS[night]
    assignment = claim()
    with connection.cursor() as cursor:
        cursor.execute("SELECT set_config('TimeZone', %s, true)", [zone])
        cursor.execute(
            """
            UPDATE tasks_assignment SET claimed_at = %(at)s,
                lease_expires_at = %(at)s::timestamptz + make_interval(secs => 1800),
                lease_ceiling_at = %(at)s::timestamptz + make_interval(secs => 86400)
            WHERE id = %(id)s
            """,
            {"at": claimed_at, "id": assignment.pk},
        )
        cursor.execute(
            "SELECT extract(epoch FROM lease_expires_at - claimed_at)::int, "
            "extract(epoch FROM lease_ceiling_at - claimed_at)::int FROM tasks_assignment"
        )
        assert cursor.fetchone() == (1800, 86400)
        cursor.execute("SELECT set_config('TimeZone', 'UTC', true)")  # as Django reads
    assignment.refresh_from_db()
    assert assignment.lease_expires_at == claimed_at + timedelta(minutes=30)
    assert services.expire_leases()["grace"] == 1
