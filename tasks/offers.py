"""What a person can know before a claim: pay, length, and how long it takes others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.db import connection
from django.db.models import Max, OuterRef, QuerySet, Subquery
from django.db.models.functions import Now

from annotation_platform.api.problems import Problem
from contractors.models import Contractor
from tasks import guards
from tasks.models import PriceVersion, Project, ProjectPace
from tasks.rules import cents_per_hour

# Only the head of each queue is read, by its index, and nothing is locked.
_NEXT_VIDEOS = """
SELECT project.id, next.frame_count, next.seconds
FROM unnest(%(projects)s::bigint[]) project (id)
CROSS JOIN LATERAL (
    SELECT video.frame_count,
        video.duration_ticks * video.time_base_num::numeric / video.time_base_den AS seconds
    FROM tasks_task task
    JOIN videos_video video ON video.id = task.video_id
    WHERE task.project_id = project.id AND task.state = 'open' AND NOT EXISTS (
        SELECT FROM tasks_assignment had
        WHERE had.task_id = task.id AND had.contractor_id = %(person)s
    )
    ORDER BY task.rank, task.id
    LIMIT 1
) next
"""


@dataclass(frozen=True)
class NextVideo:
    """How much there is to annotate in the task that a claim would most likely bring."""

    frame_count: int
    seconds: float


@dataclass(frozen=True)
class Pay:
    """A project's price and what people made of it."""

    price_cents: int
    screening_fee_cents: int
    currency: str
    samples: int
    median_active_seconds: float | None
    cents_per_hour: int | None


@dataclass(frozen=True)
class Offer:
    """One project as a person may see it before claiming."""

    project: Project
    pay: Pay | None
    next_video: NextVideo | None
    refusals: list[Problem]


def offers(person: Contractor, projects: Sequence[Project]) -> list[Offer]:
    """An offer per project. Two queries for all of them, and the guards' own for each.

    Arguments:
        projects: with `policy` and `pace` selected, see `projects_to_offer`.
    """
    prices = current_prices([project.pk for project in projects])
    videos = _next_videos(person, [project.pk for project in projects])
    return [
        Offer(
            project,
            pay(project, prices.get(project.pk)),
            videos.get(project.pk),
            list(guards.refusals(person, project)),
        )
        for project in projects
    ]


def projects_to_offer() -> QuerySet[Project]:
    """The projects that give out work."""
    return Project.objects.filter(state=Project.State.ACTIVE).select_related("policy", "pace")


def pay(project: Project, price: PriceVersion | None) -> Pay | None:
    """The price that a claim made now would pin, and its rate at the median pace."""
    if price is None:
        return None
    pace: ProjectPace | None = getattr(project, "pace", None)
    median = pace.median_active_ms if pace else None
    return Pay(
        price.price_cents,
        price.screening_fee_cents,
        price.currency,
        pace.samples if pace else 0,
        None if median is None else median / 1000,
        None if median is None else cents_per_hour(price.price_cents, median),
    )


def current_prices(project_ids: Sequence[int]) -> dict[int, PriceVersion]:
    """The price version in effect, by project, in one query."""
    newest = (
        PriceVersion.objects.filter(project=OuterRef("project"), effective_at__lte=Now())
        .order_by()
        .values("project")
        .annotate(newest=Max("number"))
        .values("newest")
    )
    found = PriceVersion.objects.filter(project__in=project_ids, number=Subquery(newest))
    return {price.project_id: price for price in found}


def _next_videos(person: Contractor, project_ids: list[int]) -> dict[int, NextVideo]:
    with connection.cursor() as cursor:
        cursor.execute(_NEXT_VIDEOS, {"projects": project_ids, "person": person.pk})
        rows: list[tuple[Any, ...]] = cursor.fetchall()
    return {pk: NextVideo(frames, float(seconds)) for pk, frames, seconds in rows}
