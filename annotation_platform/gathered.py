"""One message to the broker for what happened in a moment, instead of one for each happening.

To publish a message costs a web server as much as all the rest of a hand-in of fifty segments
(docs/performance.md). The rows say what has to be done, the message only that it may be done now;
so the first is sent at once, and whatever follows within a moment goes together.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from threading import Lock, Thread
from time import sleep
from typing import Any, Protocol

from django.conf import settings

logger = logging.getLogger(__name__)

MOST = 100  # in one message: two workers share what one process gathered


class Job(Protocol):
    """What a Celery job has. It takes one argument: a list."""

    name: str

    @property
    def delay(self) -> Callable[..., Any]:
        """Have it done by a worker."""


class Gathered:
    """Enqueues a job that takes a list, from any thread, without waiting for the broker.

    With `GATHER_JOBS_SECONDS` = 0 each item is sent alone, by the caller. An item is lost when the
    broker is away or the process is killed: the job must have a sweep.
    """

    def __init__(self, job: Job) -> None:
        self._job = job
        self._lock = Lock()
        self._waiting: list[Any] = []
        self._sender: Thread | None = None

    def send(self, item: Any) -> None:
        """Have the job done for this item: plain JSON."""
        if not settings.GATHER_JOBS_SECONDS:
            self._job.delay([item])
            return
        with self._lock:
            self._waiting.append(item)
            # In the child of a fork the thread is there, but does not run.
            if self._sender is None or not self._sender.is_alive():
                # Not a daemon: an orderly exit waits for the last message.
                self._sender = Thread(target=self._send_while_any, name=f"gather {self._job.name}")
                self._sender.start()

    def _send_while_any(self) -> None:
        while items := self._taken():
            for start in range(0, len(items), MOST):
                try:
                    self._job.delay(items[start : start + MOST])
                except Exception:
                    logger.warning(
                        "No message for %s; its sweep will find the work.",
                        self._job.name,
                        exc_info=True,
                    )
            sleep(settings.GATHER_JOBS_SECONDS)

    def _taken(self) -> list[Any]:
        with self._lock:
            items, self._waiting = self._waiting, []
            if not items:
                self._sender = None
            return items
