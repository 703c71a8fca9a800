"""The hand-in in one call against what may happen to the same claim at the same moment."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from django.db import IntegrityError, connection

from annotation_platform.api.problems import Problem
from tasks import services
from tasks.models import Assignment, Segment, Submission, Task
from tasks.services import fast_submit
from tests import factories
from tests.races.together import run_together

pytestmark = pytest.mark.django_db(transaction=True)

ROUNDS = 6
STATE_CHECK = "\n        AND state IN ('active', 'grace', 'rework')"


@dataclass(frozen=True)
class Other:
    """What happens beside the hand-in; where each of the two ends when it alone comes first."""

    call: Callable[[Assignment], Any]
    wins: tuple[str, str]  # states of claim and task
    in_grace: bool = False


def hand_in(held: Assignment) -> Any:
    return fast_submit.submit(
        person_id=held.contractor_id, assignment_id=held.pk, segments=factories.segments()
    )


OTHERS = {
    "expire": Other(lambda held: services.expire_leases(), ("expired", "open"), in_grace=True),
    "submit": Other(hand_in, ("submitted", "filled")),
    "return": Other(lambda held: services.return_task(assignment=held), ("returned", "open")),
}


def scene(other: Other) -> tuple[Task, Assignment]:
    project = factories.project(overlap=1)
    task = factories.open_tasks(project)[0]
    held = factories.claimed(project)
    if other.in_grace:
        factories.age(held, minutes=31)
        services.expire_leases()
        factories.age(held, minutes=16)
        assert held.state == "grace"
    return task, held


@pytest.mark.parametrize("name", OTHERS)
def test_one_of_the_two_wins_and_the_other_writes_nothing(name: str) -> None:
    other = OTHERS[name]
    for first in (0, 1) * (ROUNDS // 2):
        task, held = scene(other)
        calls = [lambda held=held: hand_in(held), lambda held=held: other.call(held)]
        results = run_together(calls if first == 0 else calls[::-1])
        handed_in = [r for r in results if isinstance(r, fast_submit.HandedIn)]
        unexpected = [r for r in results if isinstance(r, Exception) and not isinstance(r, Problem)]
        assert not unexpected
        held.refresh_from_db()
        task.refresh_from_db()
        expected = ("submitted", "filled") if handed_in else other.wins
        assert (held.state, task.state, task.held_slots) == (*expected, expected[1] == "filled")
        assert held.submissions.count() == len(handed_in)
        assert len(handed_in) == (1 if held.state == "submitted" else 0)
        pieces = Segment.objects.filter(submission__assignment=held).count()
        assert pieces == len(factories.segments()) * len(handed_in)


@pytest.mark.parametrize("name", OTHERS)
def test_its_look_at_the_state_is_what_refuses(name: str) -> None:
    """Without it, only constraints are left in the way, and they have no words."""
    other = OTHERS[name]
    _, held = scene(other)
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_get_functiondef(oid) FROM pg_proc WHERE proname = 'tasks_submit'")
        (looking,) = cursor.fetchone()
        blind = looking.replace(STATE_CHECK, "")
        assert blind != looking
        cursor.execute(blind)
    try:
        other.call(held)
        before = Submission.objects.count()
        with pytest.raises(IntegrityError):
            hand_in(held)
        assert Submission.objects.count() == before
    finally:
        with connection.cursor() as cursor:
            cursor.execute(looking)
    assert hand_in(held) is None
