"""Reads of the queue."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.db import connection
from django.db.models import Exists, Max, OuterRef, QuerySet, Subquery, Sum
from django.db.models.functions import Coalesce, Now

from annotation_platform.clock import database_now
from contractors.models import Contractor
from tasks.models import (
    Assignment,
    BudgetShare,
    Draft,
    Funding,
    Guideline,
    GuidelineAcknowledgement,
    PriceVersion,
    Project,
    Qualification,
    Submission,
    Task,
)
from tasks.rules import covered_frames, draft_spans


def current_price(project: Project) -> PriceVersion | None:
    """The price that a claim made now would pin."""
    return project.price_versions.filter(effective_at__lte=Now()).order_by("-number").first()


def current_guideline(project: Project) -> Guideline | None:
    """The newest published version."""
    return project.guidelines.filter(published_at__isnull=False).order_by("-version").first()


def has_acknowledged(contractor: Contractor, guideline: Guideline) -> bool:
    return GuidelineAcknowledgement.objects.filter(
        contractor=contractor, guideline=guideline
    ).exists()


def is_qualified(contractor: Contractor, project: Project) -> bool:
    return Qualification.objects.filter(
        contractor=contractor, project=project, ended_at__isnull=True
    ).exists()


def cool_down_left(contractor: Contractor, project: Project) -> int:
    """Whole seconds until this person may claim again after giving a task up; 0 when they may."""
    if project.cool_down_seconds == 0:
        return 0
    latest = Assignment.objects.filter(
        contractor=contractor, task__project=project, state__in=Assignment.GIVEN_UP
    ).aggregate(at=Max("ended_at"))["at"]
    if latest is None:
        return 0
    over_at = latest + timedelta(seconds=project.cool_down_seconds)
    left: float = (over_at - database_now()).total_seconds()
    return max(0, math.ceil(left))


def free_budget_cents(project: Project) -> int | None:
    """What claims may still reserve; None when the project is not limited."""
    if not project.budget_limited:
        return None
    total: int = project.budget_shares.aggregate(total=Sum("free_cents"))["total"]
    return total


@dataclass(frozen=True)
class Budget:
    """Where a project's money is: `funded = free + reserved + spent`, in cents."""

    limited: bool
    funded_cents: int
    free_cents: int
    reserved_cents: int
    spent_cents: int


def budget(project: Project) -> Budget:
    """The project's budget in one statement; all zeros when it was never funded.

    Reserved is the price of what is held or undecided; what is neither free nor reserved was
    earned.
    """
    funded = Funding.objects.filter(project=OuterRef("pk")).order_by().values("project")
    free = BudgetShare.objects.filter(project=OuterRef("pk")).order_by().values("project")
    held = (
        Assignment.objects.filter(
            task__project=OuterRef("pk"),
            state__in=[*Assignment.LEASED, Assignment.State.SUBMITTED],
        )
        .order_by()
        .values("task__project")
    )
    row = Project.objects.filter(pk=project.pk).values_list(
        "budget_limited",
        Coalesce(Subquery(funded.values(total=Sum("amount_cents"))), 0),
        Coalesce(Subquery(free.values(total=Sum("free_cents"))), 0),
        Coalesce(Subquery(held.values(total=Sum("price_cents"))), 0),
    )[0]
    limited, put_in, left, reserved = row
    if not limited:
        return Budget(False, 0, 0, 0, 0)
    return Budget(True, put_in, left, reserved, put_in - left - reserved)


def live_assignment_ids(contractor: Contractor, project: Project) -> QuerySet[Assignment, int]:
    """Ids of the claims that count against the cap: leased ones, rework included."""
    return Assignment.objects.filter(
        contractor=contractor, task__project=project, state__in=Assignment.LEASED
    ).values_list("pk", flat=True)


def next_open_task(project: Project, contractor: Contractor) -> Task | None:
    """The first open task in queue order that this person never held, locked.

    Rows that another claim holds at this moment are skipped, not waited for, as long as there
    is another. A skipped row may still have a slot when the other claim is done with it, so the
    queue is only empty for this person when a look without locks finds nothing either.
    """
    open_tasks = open_tasks_for(project, contractor).order_by("rank", "pk")
    while True:
        task = open_tasks.select_for_update(skip_locked=True, no_key=True).first()
        if task is None and open_tasks.exists():
            # Wait for the claim that is in the way; None when it took the last slot.
            task = open_tasks.select_for_update(no_key=True).first()
            if task is None:
                continue
        return task


def open_tasks_for(project: Project, contractor: Contractor) -> QuerySet[Task]:
    """The open tasks of the project that this person never held."""
    held_before = Assignment.objects.filter(task=OuterRef("pk"), contractor=contractor)
    return Task.objects.filter(~Exists(held_before), project=project, state=Task.State.OPEN)


def draft_of(assignment: Assignment) -> Draft | None:
    """The draft that this person has on this task, from whichever claim."""
    return Draft.objects.filter(
        task=assignment.task_id, contractor=assignment.contractor_id
    ).first()


def saved_frames(assignment: Assignment) -> tuple[int, int]:
    """(covered, all) frames of the video: how far the saved work on a claim has got.

    The draft or, when that covers less, the last round that was handed in.
    """
    frame_count = assignment.task.video.frame_count or 0
    draft = draft_of(assignment)
    covered = covered_frames(draft_spans(draft.body), frame_count) if draft else 0
    last = assignment.submissions.order_by("-round").first()
    if last is not None:
        handed_in = list(last.segments.values_list("start_frame", "end_frame"))
        covered = max(covered, covered_frames(handed_in, frame_count))
    return covered, frame_count


def submissions_to_compare(task: Task) -> QuerySet[Submission]:
    """The latest submission of each assignment that occupies a slot, in slot order."""
    later = Submission.objects.filter(
        assignment=OuterRef("assignment"), round__gt=OuterRef("round")
    )
    return (
        Submission.objects.filter(
            ~Exists(later), assignment__task=task, assignment__occupies_slot=True
        )
        .select_related("assignment")
        .order_by("assignment__slot")
    )


def submissions_under(guideline: Guideline) -> QuerySet[Submission]:
    """What was handed in by people who worked under this version, whenever they did."""
    return Submission.objects.filter(assignment__guideline=guideline)


def version_before(guideline: Guideline) -> Guideline | None:
    """The published version that this one followed."""
    return (
        Guideline.objects.filter(
            project=guideline.project_id, version__lt=guideline.version, published_at__isnull=False
        )
        .order_by("-version")
        .first()
    )


def empty_draft(assignment: Assignment) -> Draft:
    """What a draft looks like before its first save; not stored."""
    return Draft(
        task_id=assignment.task_id,
        contractor_id=assignment.contractor_id,
        revision=0,
        saved_at=assignment.claimed_at,
    )


def video_ids_of(project: Project) -> QuerySet[Any]:
    """The ids of the videos that the project has tasks on, as a sub-select."""
    return Task.objects.filter(project=project).values("video")


_OPEN_TASK_COUNTS = """
SELECT project.id, counted.number
FROM unnest(%s::bigint[]) project (id)
CROSS JOIN LATERAL (
    SELECT count(*) AS number FROM (
        SELECT FROM tasks_task task
        WHERE task.project_id = project.id AND task.state = 'open' LIMIT %s
    ) found
) counted
"""


def open_task_counts(project_ids: Sequence[int], *, up_to: int) -> dict[int, int]:
    """Open tasks by project, each counted to `up_to`. One query."""
    with connection.cursor() as cursor:
        cursor.execute(_OPEN_TASK_COUNTS, [list(project_ids), up_to])
        return dict(cursor.fetchall())
