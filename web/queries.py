"""What the pages show, read in a number of queries that does not grow with the rows."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from django.db.models import Count, Prefetch, QuerySet, Sum

from annotation_platform.api.problems import Problem
from contractors.models import Contractor
from payouts.models import Payable
from payouts.queries import RESERVING, ProjectMoney
from reviews.models import Decision
from tasks import guards, queries
from tasks.models import Assignment, Guideline, Project, Submission, Task
from tasks.problems import QueueEmpty


@dataclass
class Offer:
    """A project as one contractor sees it: what it pays, and what stops them from claiming."""

    project: Project
    price_cents: int | None
    currency: str
    guideline: Guideline | None
    refusals: list[Problem]

    @property
    def must_read(self) -> bool:
        """Whether reading the guideline is all that is missing."""
        return [problem.slug for problem in self.refusals] == ["guideline-not-acknowledged"]


def offer(person: Contractor, project: Project) -> Offer:
    """The very guards that the claim asks, so that page and claim can't differ."""
    refusals = list(guards.refusals(person, project))
    if not refusals and not queries.open_tasks_for(project, person).exists():
        refusals = [QueueEmpty("Every open task is taken, or you have already had it.")]
    price = queries.current_price(project)
    return Offer(
        project,
        price.price_cents if price else None,
        price.currency if price else "",
        queries.current_guideline(project),
        refusals,
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
