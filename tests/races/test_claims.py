"""Claims at the same moment, on real PostgreSQL. Each race is first shown to exist."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.db import IntegrityError, connection
from django.db.models import QuerySet

from contractors.models import Contractor
from tasks import guards, problems, services
from tasks.models import Assignment, Project, Submission, Task
from tasks.services import fast_claim
from tests import factories
from tests.races.together import run_together

pytestmark = pytest.mark.django_db(transaction=True)


def claim_each(people: list[Contractor], project: Project) -> list[Any]:
    """Everybody claims at once; each result is the assignment or the exception."""

    def claim(person: Contractor) -> Callable[[], Assignment]:
        return lambda: services.claim_next_task(contractor=person, project=project)

    return run_together([claim(person) for person in people])


@pytest.fixture(params=["fast", "plain"], autouse=True)
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Every race runs by the claim in one call and by the plain one."""
    fast_claim.low_water.forget()
    if request.param == "plain":
        monkeypatch.setattr(fast_claim, "claim", lambda **_: None)
    return str(request.param)


def workers(project: Project, count: int) -> list[Contractor]:
    """People whose verdict is worked out, so that their claims can go the fast way."""
    people = [factories.worker(project) for _ in range(count)]
    for person in people:
        assert not list(guards.refusals(person, project))
    return people


@pytest.fixture
def no_locks(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The same code with every row lock off."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_get_functiondef(oid) FROM pg_proc WHERE proname = 'tasks_claim'")
        (locking,) = cursor.fetchone()
        unlocked_claim = locking.replace("FOR NO KEY UPDATE SKIP LOCKED", "").replace(
            "FOR NO KEY UPDATE", ""
        )
        assert unlocked_claim != locking
        cursor.execute(unlocked_claim)

    def unlocked(self: QuerySet[Any], *args: Any, **kwargs: Any) -> QuerySet[Any]:
        return self.all()

    monkeypatch.setattr(QuerySet, "select_for_update", unlocked)
    yield
    with connection.cursor() as cursor:
        cursor.execute(locking)


def slots_taken() -> list[tuple[int, int]]:
    return sorted(Assignment.objects.filter(occupies_slot=True).values_list("task_id", "slot"))


def test_thirty_two_people_on_twenty_slots_get_exactly_twenty() -> None:
    project = factories.project(overlap=2)
    tasks = factories.open_tasks(project, 10)
    people = workers(project, 32)

    results = claim_each(people, project)

    kinds = Counter(type(result) for result in results)
    assert kinds == {Assignment: 20, problems.QueueEmpty: 12}
    assert slots_taken() == sorted((task.pk, slot) for task in tasks for slot in (0, 1))
    assert set(Task.objects.values_list("state", "held_slots")) == {("filled", 2)}


@pytest.mark.usefixtures("no_locks")
def test_without_the_locks_the_same_race_goes_wrong() -> None:
    """Not even the constraint's refusals make up for it: slots stay empty."""
    project = factories.project(overlap=2)
    factories.open_tasks(project, 5)
    people = workers(project, 16)

    results = claim_each(people, project)

    wrong = [r for r in results if isinstance(r, IntegrityError)]
    assert wrong, "nobody collided: the race test would not notice a missing lock"


def test_one_person_in_eight_tabs_stays_below_the_cap() -> None:
    project = factories.project(live_claim_cap=2)
    factories.open_tasks(project, 8)
    (person,) = workers(project, 1)

    results = claim_each([person] * 8, project)

    kinds = Counter(type(result) for result in results)
    assert kinds == {Assignment: 2, problems.LiveClaimCapReached: 6}
    assert Assignment.objects.count() == 2


@pytest.mark.usefixtures("no_locks")
def test_without_the_locks_one_person_exceeds_the_cap() -> None:
    project = factories.project(live_claim_cap=2, overlap=1)
    factories.open_tasks(project, 8)
    (person,) = workers(project, 1)
    results = claim_each([person] * 8, project)
    claimed = [r for r in results if isinstance(r, Assignment)]
    collided = [r for r in results if isinstance(r, IntegrityError)]
    assert len(claimed) > 2 or collided, "the race test would not notice a missing lock"


def test_two_submits_of_one_claim_make_one_submission() -> None:
    project = factories.project()
    factories.open_tasks(project)
    assignment = factories.claimed(project)
    results = run_together([lambda: factories.submitted(assignment)] * 8)
    kinds = Counter(type(result) for result in results)
    assert kinds == {Submission: 1, problems.AlreadySubmitted: 7}
    assert Submission.objects.count() == 1


def test_submit_and_return_at_once_end_in_one_of_the_two() -> None:
    project = factories.project()
    factories.open_tasks(project)
    assignment = factories.claimed(project)
    results = run_together(
        [
            lambda: factories.submitted(assignment),
            lambda: services.return_task(assignment=assignment),
        ]
        * 4
    )
    assert sum(not isinstance(result, Exception) for result in results) == 1
    assignment.refresh_from_db()
    assignment.task.refresh_from_db()
    expected = ("submitted", 1) if Submission.objects.exists() else ("returned", 0)
    assert (assignment.state, assignment.task.held_slots) == expected


def test_a_renewal_that_comes_first_is_not_expired() -> None:
    project = factories.project()
    factories.open_tasks(project)
    assignment = factories.claimed(project)
    factories.age(assignment, minutes=31)
    services.expire_leases()
    assignment.refresh_from_db()
    factories.age(assignment, minutes=16)

    results = run_together(
        [lambda: services.renew_lease(assignment=assignment), services.expire_leases] * 4
    )

    assignment.refresh_from_db()
    assignment.task.refresh_from_db()
    renewed = [r for r in results if isinstance(r, Assignment)]
    if assignment.state == "active":
        assert renewed
        assert assignment.task.held_slots == 1
    else:
        assert (assignment.state, assignment.task.held_slots) == ("expired", 0)
        assert not renewed


def test_drafts_saved_at_once_lose_nothing_silently() -> None:
    project = factories.project()
    factories.open_tasks(project)
    assignment = factories.claimed(project)

    def save(number: int) -> Callable[[], Any]:
        return lambda: services.save_draft(
            assignment=assignment, body={"n": number}, expected_revision=0
        )

    results = run_together([save(number) for number in range(8)])
    kinds = Counter(type(result).__name__ for result in results)
    assert kinds == {"Draft": 1, "StaleDraft": 7}
    winner = next(r for r in results if type(r).__name__ == "Draft")
    assert all(r.extra["draft"] == winner.body for r in results if r is not winner)
