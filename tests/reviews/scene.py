"""Scenes that the tests of reviewing start from."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from django.db.models import F

from contractors.models import User
from payouts.models import Payable
from reviews import services
from reviews.models import GoldReference, Review
from reviews.services.reviewing import Findings
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


def gold(task: Task, work: Sequence[Segment] = GOOD) -> GoldReference:
    return services.set_reference(actor=factories.manager(), task=task, source="own", segments=work)


def rules(project: Project, **settings: Any) -> None:
    services.change_gold_settings(actor=None, project=project, changes=settings)


EVIDENCE = [{"start_frame": 10, "end_frame": 40, "text": "The cup is still on the table here."}]
REJECTION = Findings(
    outcome="rejected",
    text="The segments do not follow the video at all: a tomato is cut where water is poured, and "
    "two thirds of the video have no segment. " * 2,
    evidence=EVIDENCE,
    reason_code="empty_or_random",
    guideline_clause="2.1 Cover every action",
)


def in_review(**settings: Any) -> tuple[Task, list[Submission]]:
    """A task whose two submissions wait for a reviewer."""
    task, submissions = handed_in(GOOD, FAR, **settings)
    services.score_task(task.pk)
    return task, submissions


def take(reviewer: User, submission: Submission | None = None) -> Review:
    review = services.claim_next_review(reviewer=reviewer)
    if submission is not None:
        assert review.submission_id == submission.pk
    return review


def lapse(review: Review) -> None:
    Review.objects.filter(pk=review.pk).update(
        lease_expires_at=F("lease_expires_at") - timedelta(hours=1)
    )
