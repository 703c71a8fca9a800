"""Silence pays: what nobody decided in time is decided for the contractor."""

from __future__ import annotations

import logging
from datetime import timedelta

from django.db import transaction

from annotation_platform.clock import database_now
from reviews.models import Review
from reviews.rules import DAY_SECONDS
from reviews.services.decisions import Grounds, decide_work
from reviews.services.settings import current_rule
from tasks.models import Submission, Task

logger = logging.getLogger(__name__)


def auto_accept(*, batch: int = 200) -> dict[str, int]:
    """The sweep: undecided work past its project's review deadline is paid.

    It decides about pay only: an open review goes on as a look at the data. Returns how many
    were accepted and how many failed.
    """
    counts = {"accepted": 0, "failed": 0}
    # No deadline is shorter than a day (RuleParameters), so that younger work is not looked at.
    old = (
        Submission.objects.filter(
            state__in=Submission.UNDECIDED,
            submitted_at__lte=database_now() - timedelta(seconds=DAY_SECONDS),
        )
        .order_by("submitted_at")
        .values_list("pk", "assignment__task")
    )
    deadlines: dict[int, timedelta] = {}
    for pk, task_id in old.iterator(chunk_size=1000):
        if sum(counts.values()) >= batch:
            break
        try:
            counts["accepted"] += _accept_if_due(pk, task_id, deadlines)
        except Exception:
            logger.exception("Submission %s could not be accepted by deadline.", pk)
            counts["failed"] += 1
    return counts


@transaction.atomic
def _accept_if_due(pk: int, task_id: int, deadlines: dict[int, timedelta]) -> int:
    task = (
        Task.objects.select_for_update(no_key=True, of=("self",))
        .select_related("project")
        .get(pk=task_id)
    )
    if task.project_id not in deadlines:
        seconds = current_rule(task.project).values.review_deadline_seconds
        deadlines[task.project_id] = timedelta(seconds=seconds)
    deadline = deadlines[task.project_id]
    submission = Submission.objects.select_related("assignment").get(pk=pk)
    if submission.state not in Submission.UNDECIDED:
        return 0
    if submission.submitted_at > database_now() - deadline:
        return 0
    decide_work(
        submission=submission,
        outcome="auto_accepted",
        actor=None,
        grounds=Grounds(
            explanation=f"Nobody decided within {deadline.days} days, so the work is paid. "
            "Whether the data is used may still be looked at."
        ),
    )
    reviews = Review.objects.filter(submission=submission, state__in=Review.OPEN)
    reviews.filter(kind=Review.Kind.CONCURRENCE).update(
        state=Review.State.SUPERSEDED, lease_expires_at=None
    )
    reviews.filter(kind=Review.Kind.DECISION).update(kind=Review.Kind.SAMPLE)
    return 1
