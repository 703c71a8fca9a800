"""Two moves at once on one task. Each race is run with its locks and, to show that it is one, with
the locks off and both sides held at the point where each has read and neither has written."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import pytest
from django.db import connection
from django.db.models import Count, F, Q, QuerySet

from annotation_platform.api.problems import Problem
from tasks import problems, queries, services
from tasks.models import Assignment, Project, Task
from tasks.services import claims, decisions, fast_claim, tasks, work
from tests import factories
from tests.races.together import run_together

pytestmark = pytest.mark.django_db(transaction=True)


@dataclass
class Race:
    """Two calls, and what must hold however they interleave (given their results).

    `writes_last` is the call that does the damage by writing last what it read first.
    """

    calls: list[Callable[[], Any]]
    holds: Callable[[list[Any]], bool]
    writes_last: int = 0

    def went_right(self, results: list[Any]) -> bool:
        """Nobody saw anything but a named refusal, and what must hold does."""
        errors = [result for result in results if isinstance(result, Exception)]
        named = all(isinstance(error, Problem) for error in errors)
        return named and self.holds(results)


def slots_add_up() -> bool:
    """held_slots of every task is the number of assignments that occupy one."""
    held = Count("assignments", filter=Q(assignments__occupies_slot=True))
    return not Task.objects.annotate(held=held).exclude(held_slots=F("held")).exists()


def task_with_claim(**settings: Any) -> tuple[Project, Task, Assignment]:
    project = factories.project(**settings)
    task = factories.open_tasks(project)[0]
    return project, task, factories.claimed(project)


def in_grace_and_over(assignment: Assignment) -> None:
    for minutes in (31, 16):
        factories.age(assignment, minutes=minutes)
        if minutes == 31:
            services.expire_leases()
        assignment.refresh_from_db()
    assert assignment.state == "grace"


def claim_and_expire() -> Race:
    project, _, held = task_with_claim(overlap=2)
    in_grace_and_over(held)
    person = factories.worker(project)

    def holds(results: list[Any]) -> bool:
        claimed = isinstance(results[0], Assignment)
        held.refresh_from_db()
        return slots_add_up() and claimed and held.state == "expired"

    return Race(
        [
            lambda: services.claim_next_task(contractor=person, project=project),
            services.expire_leases,
        ],
        holds,
    )


def claim_and_pause() -> Race:
    project, task, _ = task_with_claim(overlap=2)
    person, manager = factories.worker(project), factories.manager()

    def holds(results: list[Any]) -> bool:
        task.refresh_from_db()
        refused = isinstance(results[0], problems.QueueEmpty)
        return (
            slots_add_up()
            and isinstance(results[1], Task)
            and task.state == "paused"
            and task.held_slots == (1 if refused else 2)
        )

    return Race(
        [
            lambda: services.claim_next_task(contractor=person, project=project),
            lambda: services.pause_task(actor=manager, task=task, reason="Wrong guideline"),
        ],
        holds,
    )


def submit_and_expire() -> Race:
    _, task, held = task_with_claim(overlap=1)
    in_grace_and_over(held)

    def holds(results: list[Any]) -> bool:
        # Work that comes just too late is taken while its place is free: never lost.
        held.refresh_from_db()
        task.refresh_from_db()
        return (
            slots_add_up()
            and not any(isinstance(result, Exception) for result in results)
            and (held.state, task.state) == ("submitted", "filled")
        )

    return Race([lambda: factories.submitted(held), services.expire_leases], holds)


def renew_and_expire() -> Race:
    _, task, held = task_with_claim(overlap=1)
    in_grace_and_over(held)

    def holds(results: list[Any]) -> bool:
        held.refresh_from_db()
        task.refresh_from_db()
        renewed = not isinstance(results[0], Exception)
        expected = ("active", "filled") if renewed else ("expired", "open")
        return slots_add_up() and (held.state, task.state) == expected

    return Race([lambda: services.renew_lease(assignment=held), services.expire_leases], holds)


def two_submits() -> Race:
    _, _, held = task_with_claim()

    def holds(results: list[Any]) -> bool:
        kinds = {type(result).__name__ for result in results}
        return kinds == {"Submission", "AlreadySubmitted"}

    return Race([lambda: factories.submitted(held)] * 2, holds)


def return_and_submit() -> Race:
    _, task, held = task_with_claim(overlap=1)

    def holds(results: list[Any]) -> bool:
        held.refresh_from_db()
        task.refresh_from_db()
        won = [not isinstance(result, Problem) for result in results]
        expected = ("returned", "open") if won[0] else ("submitted", "filled")
        return sum(won) == 1 and slots_add_up() and (held.state, task.state) == expected

    return Race(
        [lambda: services.return_task(assignment=held), lambda: factories.submitted(held)], holds
    )


def raised_overlap_and_last_claim() -> Race:
    project = factories.project(overlap=1, max_overlap=2)
    task = factories.open_tasks(project)[0]
    person = factories.worker(project)

    def holds(results: list[Any]) -> bool:
        task.refresh_from_db()
        return (
            slots_add_up()
            and not any(isinstance(result, Exception) for result in results)
            and (task.overlap, task.held_slots, task.state) == (2, 1, "open")
        )

    return Race(
        [
            lambda: services.claim_next_task(contractor=person, project=project),
            lambda: services.raise_overlap(task=task),
        ],
        holds,
    )


RACES = [
    claim_and_expire,
    claim_and_pause,
    submit_and_expire,
    renew_and_expire,
    two_submits,
    return_and_submit,
    raised_overlap_and_last_claim,
]


@pytest.fixture(autouse=True)
def plain_way(monkeypatch: pytest.MonkeyPatch) -> None:
    """These races are about row locks in Python; `test_claims` races the fast way too."""
    monkeypatch.setattr(fast_claim, "claim", lambda **_: None)


@pytest.mark.parametrize("make", RACES, ids=lambda make: make.__name__)
def test_with_its_locks_either_order_is_right(make: Callable[[], Race]) -> None:
    race = make()
    results = run_together(race.calls)
    assert race.went_right(results), results


@pytest.mark.parametrize("make", RACES, ids=lambda make: make.__name__)
def test_with_its_locks_off_it_goes_wrong(
    make: Callable[[], Race], monkeypatch: pytest.MonkeyPatch
) -> None:
    race = make()
    both_have_read = threading.Barrier(2)
    other_has_written = threading.Event()
    late = threading.local()

    def as_side(number: int, call: Callable[[], Any]) -> Callable[[], Any]:
        def side() -> Any:
            late.mine = number == race.writes_last
            try:
                return call()
            finally:
                connection.close()  # ends its transaction before the other goes on
                if not late.mine:
                    other_has_written.set()

        return side

    def unlocked(self: QuerySet[Any], *args: Any, **kwargs: Any) -> QuerySet[Any]:
        return self.all()

    def then_wait(read: Callable[..., Any]) -> Callable[..., Any]:
        def wrapper(*args: Any) -> Any:
            row = read(*args)
            # The side that comes first waits here for the other, for as long as it may come.
            with suppress(threading.BrokenBarrierError):
                both_have_read.wait(timeout=1)
            if getattr(late, "mine", False):
                other_has_written.wait(timeout=1)
            return row

        return wrapper

    monkeypatch.setattr(QuerySet, "select_for_update", unlocked)
    for module in (claims, decisions, tasks, work):
        for name in ("lock_task", "lock_assignment"):
            if hasattr(module, name):
                monkeypatch.setattr(module, name, then_wait(getattr(module, name)))
    next_open_task = then_wait(queries.next_open_task)
    monkeypatch.setattr(queries, "next_open_task", next_open_task)

    results = run_together([as_side(*pair) for pair in enumerate(race.calls)])

    assert not race.went_right(results), "this would not notice a missing lock"
