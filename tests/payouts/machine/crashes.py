"""A worker dies, where a SIGKILL would have left it: at a call of its rail or at a commit."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from django.db import connection
from django.db.backends.base.base import BaseDatabaseWrapper
from hypothesis import strategies as st

from payouts.rails import Found, Reply, Status
from payouts.rails.stripe_connect import StripeConnect

CRASHES = ("before_send", "after_send", "after_look_up", "after_status")


class Crash(BaseException):
    """The worker dies here."""


class CrashingRail(StripeConnect):
    """The real rail of a worker that dies at one moment."""

    def __init__(self, crash: str) -> None:
        super().__init__()
        self._crash = crash

    def _die(self, moment: str) -> None:
        if self._crash == moment:
            raise Crash

    def send(self, request: bytes, key: str) -> Reply:
        self._die("before_send")
        reply = super().send(request, key)
        self._die("after_send")
        return reply

    def look_up(self, reference: str) -> Found | None:
        found = super().look_up(reference)
        self._die("after_look_up")
        return found

    def status(self, provider_reference: str) -> Status:
        status = super().status(provider_reference)
        self._die("after_status")
        return status


@contextlib.contextmanager
def crashing(at: tuple[int, str] | None) -> Iterator[None]:
    """The block dies before or after its nth commit (unless it has fewer)."""
    commit = BaseDatabaseWrapper._commit  # type: ignore[attr-defined]
    commits, died = 0, False

    def counted(self: BaseDatabaseWrapper) -> None:
        nonlocal commits, died
        commits += 1
        if at == (commits, "before"):
            died = True
            raise Crash
        commit(self)
        if at == (commits, "after"):
            died = True
            raise Crash

    BaseDatabaseWrapper._commit = counted  # type: ignore[attr-defined]
    try:
        yield
    except Crash:
        pass
    except Exception:  # Django stumbles over the wreck on its way out
        if not died:
            raise
    finally:
        BaseDatabaseWrapper._commit = commit  # type: ignore[attr-defined]
        if died:
            connection.in_atomic_block = False  # as for a process that starts anew
            connection.savepoint_ids = []
            connection.needs_rollback = False
            connection.run_on_commit = []
            connection.close()


CRASHING = st.none() | st.tuples(st.integers(1, 3), st.sampled_from(["before", "after"]))
