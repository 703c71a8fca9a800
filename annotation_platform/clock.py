"""The one clock that decides: the database's.

Leases, deadlines and ledger instants compare with this clock only, so a web server whose own
clock is wrong cannot lengthen a lease or move a payment.
"""

from __future__ import annotations

from datetime import datetime

from django.db import connection


def database_now() -> datetime:
    """Return the database's wall clock (timezone-aware, UTC), also inside a long transaction."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        row = cursor.fetchone()
    now: datetime = row[0]
    return now
