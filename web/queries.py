"""What the pages show, read in a number of queries that does not grow with the rows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Count, Exists, OuterRef, Prefetch, QuerySet, Subquery, Sum

from contractors.models import Contractor, Restriction
from contractors.rules import APPEAL_DAYS
from payouts.models import Payable
from payouts.queries import RESERVING, ProjectMoney
from reviews.models import Decision
from tasks import offers
from tasks.models import (
    Assignment,
    Draft,
    Guideline,
    GuidelineAcknowledgement,
    Project,
    Submission,
    Task,
)
from tasks.services import queue_empty
from web.remedies import Refusal, refusal

ENDED_TASKS = (Task.State.COMPLETED, Task.State.UNUSABLE, Task.State.CANCELLED)


@dataclass(frozen=True)
class Card:
    """A project as one contractor sees it before a claim, with what stands in the way."""

    offer: offers.Offer
    guideline: Guideline | None
    refusals: list[Refusal]

    @property
    def must_read(self) -> bool:
        """Whether reading the guideline is all that is missing."""
        return [refusal.slug for refusal in self.refusals] == ["guideline-not-acknowledged"]


def cards(person: Contractor, projects: Sequence[Project]) -> list[Card]:
    """The very guards that the claim asks, so that page and claim can't differ.

    Three queries for all projects, and the guards' own for each.
    """
    newest = {
        guideline.project_id: guideline
        for guideline in Guideline.objects.filter(project__in=projects, published_at__isnull=False)
        .order_by("project_id", "-version")
        .distinct("project_id")
        .defer("body")
    }
    found = []
    for offer in offers.offers(person, projects):
        problems = offer.refusals
        if not problems and offer.next_video is None:
            problems = [queue_empty()]
        refusals = [refusal(problem, offer.project) for problem in problems]
        found.append(Card(offer, newest.get(offer.project.pk), refusals))
    return found


def reclaimable(person: Contractor) -> QuerySet[Draft]:
    """Work kept from claims that ended without being handed in, newest first.

    Adds `assignment_id`, the claim that it comes from. Nothing of a task that this person holds
    again, handed in, or that takes no work any more.
    """
    ended = Assignment.objects.filter(
        task=OuterRef("task"), contractor=person, state__in=Assignment.GIVEN_UP
    ).order_by("-pk")
    alive = Assignment.objects.filter(task=OuterRef("task"), contractor=person).exclude(
        state__in=Assignment.GIVEN_UP
    )
    return (
        Draft.objects.filter(~Exists(alive), contractor=person, revision__gt=0)
        .exclude(task__state__in=[*ENDED_TASKS, Task.State.DRAFT])
        .annotate(assignment_id=Subquery(ended.values("pk")[:1]))
        .filter(assignment_id__isnull=False)
        .select_related("task__project", "task__video")
        .defer("task__video__frame_times")
        .order_by("-saved_at", "-pk")
    )


def last_acknowledged(person: Contractor, project: Project) -> Guideline | None:
    """The newest version of the project's guideline that this person has read."""
    read = GuidelineAcknowledgement.objects.filter(contractor=person).values("guideline")
    return Guideline.objects.filter(project=project, pk__in=read).order_by("-version").first()


def published_after(guideline: Guideline) -> list[Guideline]:
    """The versions that followed, newest first, without their text."""
    return list(
        Guideline.objects.filter(
            project=guideline.project_id,
            version__gt=guideline.version,
            published_at__isnull=False,
        )
        .order_by("-version")
        .defer("body")
    )


def live_claims(person: Contractor) -> QuerySet[Assignment]:
    """What the contractor may still write to; the lease that ends first comes first."""
    return (
        Assignment.objects.filter(contractor=person, state__in=Assignment.LEASED)
        .select_related("task__project", "task__video")
        .defer("task__video__frame_times")
        .order_by("lease_expires_at", "pk")
    )


def results(person: Contractor) -> QuerySet[Submission]:
    """Everything the contractor handed in, newest first, with the decision about pay."""
    about_work = Decision.objects.filter(about=Decision.About.WORK)
    return (
        Submission.objects.filter(assignment__contractor=person)
        .select_related("assignment__task__project", "assignment__task__video")
        .defer("assignment__task__video__frame_times")
        .prefetch_related(Prefetch("decisions", queryset=about_work, to_attr="about_work"))
        .order_by("-pk")
    )


def task_counts(projects: Iterable[Project]) -> dict[int, dict[str, int]]:
    """How many tasks each project has, by state."""
    counts: dict[int, dict[str, int]] = {}
    rows = (
        Task.objects.filter(project__in=projects)
        .values_list("project_id", "state")
        .annotate(number=Count("pk"))
        .order_by()
    )
    for project_id, state, number in rows:
        counts.setdefault(project_id, {})[state] = number
    return counts


def money_of(projects: Iterable[Project]) -> dict[int, list[ProjectMoney]]:
    """Reserved, earned and paid money of several projects, by project, per currency."""
    ids = [project.pk for project in projects]
    sums: dict[tuple[int, str], dict[str, int]] = {}
    reserved = (
        Assignment.objects.filter(task__project__in=ids, state__in=RESERVING)
        .values_list("task__project_id", "currency")
        .annotate(cents=Sum("price_cents"))
        .order_by()
    )
    for project_id, currency, cents in reserved:
        sums.setdefault((project_id, currency), {})["reserved_cents"] = cents
    earned = (
        Payable.objects.filter(project__in=ids)
        .values_list("project_id", "currency", "state")
        .annotate(cents=Sum("amount_cents"))
        .order_by()
    )
    for project_id, currency, state, cents in earned:
        entry = sums.setdefault((project_id, currency), {})
        entry["earned_cents"] = entry.get("earned_cents", 0) + cents
        if state == Payable.State.PAID:
            entry["paid_cents"] = cents
    found: dict[int, list[ProjectMoney]] = {}
    for (project_id, currency), entry in sorted(sums.items()):
        found.setdefault(project_id, []).append(ProjectMoney(currency, **entry))
    return found


@dataclass(frozen=True)
class Standing:
    """A restriction as its contractor and managers see it now."""

    restriction: Restriction
    where: str
    in_force: bool
    can_appeal: bool


def scope_names(rows: Iterable[Restriction]) -> dict[str, str]:
    """Names of the projects that these restrictions are about, by scope, in one query."""
    ids = [row.scope for row in rows if row.scope.isdecimal()]
    return {
        str(pk): name for pk, name in Project.objects.filter(pk__in=ids).values_list("pk", "name")
    }


def standing(row: Restriction, now: datetime, names: Mapping[str, str]) -> Standing:
    """What a restriction is worth at an instant."""
    in_force = row.lifted_at is None and (row.ends_at is None or row.ends_at > now)
    return Standing(
        row,
        names.get(row.scope, "all projects" if row.scope == Restriction.ALL else row.scope),
        in_force,
        in_force
        and row.appeal_state == Restriction.Appeal.NONE
        and now <= row.starts_at + timedelta(days=APPEAL_DAYS),
    )
