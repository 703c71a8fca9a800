"""Scenes that the tests of reviewing start from."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from payouts.models import Payable
from tasks.models import Project, Submission, Task
from tests import factories
from timelines.segment import Hands, Segment

GOOD = factories.segments()
# Boundaries off by a few frames: S well above .85.
CLOSE = factories.segments(
    (0, 92, "pick_up", Hands.RIGHT, "Pick up the cup"),
    (92, 198, "pour", Hands.BOTH, "Pour water into the cup"),
    (198, 300, "put_down", Hands.RIGHT, "Put the cup down"),
)
# The same actions with other labels: everything is recognised, S is about .75.
MIDDLING = factories.segments(
    (0, 92, "move", Hands.RIGHT, "Pick up the cup"),
    (92, 198, "pour", Hands.BOTH, "Pour water into the cup"),
    (198, 300, "move", Hands.RIGHT, "Put the cup down"),
)
# Hardly anything in common.
FAR = factories.segments((120, 260, "cut", Hands.LEFT, "Cut a tomato"))


def handed_in(
    *works: Sequence[Segment], project: Project | None = None, **settings: Any
) -> tuple[Task, list[Submission]]:
    """One task with these timelines handed in by different people, in slot order; not scored."""
    project = project or factories.project(**settings)
    (task,) = factories.open_tasks(project)
    submissions = [factories.submitted(factories.claimed(project), work) for work in works]
    task.refresh_from_db()
    return task, submissions


def states(submissions: Sequence[Submission]) -> list[str]:
    for submission in submissions:
        submission.refresh_from_db()
    return [submission.state for submission in submissions]


def paid_cents(submission: Submission) -> list[int]:
    """Every payable of the submission's assignment."""
    return list(
        Payable.objects.filter(assignment=submission.assignment_id)
        .order_by("pk")
        .values_list("amount_cents", flat=True)
    )
