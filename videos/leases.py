"""Holding a row that a worker works on: a short lease, renewed from a thread while it lasts.

A claim is the pair of the lease and a fencing number (`attempts`): a worker that dies is noticed
when its lease ends, one that comes back late finds another number and changes nothing.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

from celery.exceptions import SoftTimeLimitExceeded
from django.db import DatabaseError, connection
from django.db.models import QuerySet

from annotation_platform.clock import database_now

LEASE_SECONDS = 60
HEARTBEAT_SECONDS = 15


def why(error: BaseException) -> str:
    """What a failure is called on the row that it stopped."""
    if isinstance(error, SoftTimeLimitExceeded):
        return "It took longer than its job may, reading and writing storage included."
    return f"{type(error).__name__}: {error}"


@contextmanager
def kept(rows: QuerySet[Any]) -> Iterator[None]:
    """Renew `running_until` of the claimed row while the work goes on.

    `rows` names the row with its fencing number and state: once another worker has it, nothing is
    renewed any more.
    """
    done = threading.Event()

    def beat() -> None:
        try:
            while not done.wait(HEARTBEAT_SECONDS):
                try:
                    rows.update(running_until=database_now() + timedelta(seconds=LEASE_SECONDS))
                except DatabaseError:
                    connection.close()  # the next beat tries a new one
        finally:
            connection.close()

    thread = threading.Thread(target=beat, name="heartbeat", daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()
