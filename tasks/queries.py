"""Reads of the queue."""

from __future__ import annotations

from django.db.models import Exists, OuterRef, QuerySet
from django.db.models.functions import Now

from contractors.models import Contractor
from tasks.models import (
    Assignment,
    Draft,
    Guideline,
    GuidelineAcknowledgement,
    PriceVersion,
    Project,
    Submission,
    Task,
)


def current_price(project: Project) -> PriceVersion | None:
    """The price that a claim made now would pin."""
    return (
        project.price_versions.filter(effective_at__lte=Now()).order_by("-number").first()
    )


def current_guideline(project: Project) -> Guideline | None:
    """The newest published version."""
    return project.guidelines.filter(published_at__isnull=False).order_by("-version").first()


def has_acknowledged(contractor: Contractor, guideline: Guideline) -> bool:
    return GuidelineAcknowledgement.objects.filter(
        contractor=contractor, guideline=guideline
    ).exists()


def live_assignment_ids(contractor: Contractor, project: Project) -> QuerySet[Assignment, int]:
    """Ids of the claims that count against the cap: leased ones, rework included."""
    return Assignment.objects.filter(
        contractor=contractor, task__project=project, state__in=Assignment.LEASED
    ).values_list("pk", flat=True)


def next_open_task(project: Project, contractor: Contractor) -> Task | None:
    """The first open task in queue order that this person never held, locked.

    Rows that another claim holds at this moment are skipped, not waited for.
    """
    held_before = Assignment.objects.filter(task=OuterRef("pk"), contractor=contractor)
    return (
        Task.objects.select_for_update(skip_locked=True, no_key=True)
        .filter(~Exists(held_before), project=project, state=Task.State.OPEN)
        .order_by("-priority", "pk")
        .first()
    )


def draft_of(assignment: Assignment) -> Draft | None:
    """The draft that this person has on this task, from whichever claim."""
    return Draft.objects.filter(
        task=assignment.task_id, contractor=assignment.contractor_id
    ).first()


def submissions_to_compare(task: Task) -> QuerySet[Submission]:
    """The latest submission of each assignment that occupies a slot, in slot order."""
    later = Submission.objects.filter(
        assignment=OuterRef("assignment"), round__gt=OuterRef("round")
    )
    return (
        Submission.objects.filter(~Exists(later), assignment__task=task,
                                  assignment__occupies_slot=True)
        .select_related("assignment")
        .order_by("assignment__slot")
    )
