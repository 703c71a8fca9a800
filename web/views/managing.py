"""Pages of managers and of finance: projects, their tasks, throughput and money."""

from __future__ import annotations

from datetime import timedelta
from zoneinfo import ZoneInfo

from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.views.decorators.http import require_GET

from annotation_platform.clock import database_now
from payouts.queries import budget_outlook, project_money
from reports.queries import Throughput, throughput
from reports.rules import DEFAULT_DAYS, Days
from reviews.models import Review
from reviews.queries import decisions_of_task, scores_of_task, tasks_not_annotated_by
from reviews.words import diagnosis_of, score_in_words
from tasks import offers
from tasks.models import Assignment, Project, Submission, Task
from tasks.queries import current_guideline, current_price, submissions_to_compare
from web import queries
from web.access import caller, for_roles, show
from web.drawing import drawn_beside, letters_of
from web.pages import chosen, number_of, page_of, text_of
from web.timeline_figure import figure
from web.views.releasing import LIVE

TASK_STATES = [str(state) for state in Task.State.values]
CHOICES_OF_PROJECTS = 200


def _last_days(project: Project | None) -> Throughput:
    """The last 14 days (UTC), today included."""
    today = database_now().date()
    first = today - timedelta(days=DEFAULT_DAYS - 1)
    return throughput(Days(first, today, ZoneInfo("UTC")), project=project)


def project_choices() -> list[tuple[int, str]]:
    """The newest projects, for a filter."""
    newest = Project.objects.order_by("-pk").values_list("pk", "name")
    return list(newest[:CHOICES_OF_PROJECTS])


@for_roles("manager")
@require_GET
def projects(request: HttpRequest) -> HttpResponse:
    """All projects with their tasks by state, and the throughput of all together."""
    filters = chosen(request, state=Project.State.values)
    found = Project.objects.filter(**filters).order_by("-pk")
    if q := text_of(request):
        found = found.filter(name__icontains=q)
    page = page_of(request, found)
    counts = queries.task_counts(page.object_list)
    rows = [
        (project, [counts.get(project.pk, {}).get(state, 0) for state in TASK_STATES])
        for project in page
    ]
    context = {
        "page": page,
        "rows": rows,
        "states": TASK_STATES,
        "project_states": Project.State.values,
        "chosen": filters,
        "q": q,
        "report": _last_days(None),
    }
    return show(request, "projects.html", context)


@for_roles("manager")
@require_GET
def project(request: HttpRequest, pk: int) -> HttpResponse:
    """One project: settings that matter, money, fairness, throughput of 14 days, tasks."""
    found = get_object_or_404(Project.objects.select_related("policy", "pace"), pk=pk)
    price = current_price(found)
    pay = offers.pay(found, price)
    rate = pay.cents_per_hour if pay else None
    context = {
        "project": found,
        "price": price,
        "pay": pay,
        "below_floor": rate is not None and rate < found.floor_cents_per_hour,
        "guideline": current_guideline(found),
        "money": project_money(found),
        "budget": budget_outlook(found),
        "report": _last_days(found),
        **_tasks(request, found.tasks.all()),
    }
    return show(request, "project.html", context)


@for_roles("manager")
@require_GET
def tasks(request: HttpRequest) -> HttpResponse:
    """The tasks of all projects, by state, project, number or title."""
    found = Task.objects.all()
    wanted = number_of(request, "project")
    if wanted is not None:
        found = found.filter(project=wanted)
    context = {"projects": project_choices(), "project_id": wanted, **_tasks(request, found)}
    return show(request, "tasks.html", context)


def _tasks(request: HttpRequest, found: QuerySet[Task]) -> dict[str, object]:
    """One page of tasks and the filters that chose it."""
    filters, q = chosen(request, state=TASK_STATES), text_of(request)
    found = found.filter(**filters).select_related("video", "project")
    if q:
        named = Q(video__title__icontains=q)
        found = found.filter(named | Q(pk=int(q)) if q.isdecimal() and len(q) < 19 else named)
    return {
        "page": page_of(request, found.defer("video__frame_times").order_by("-pk")),
        "task_states": TASK_STATES,
        "chosen": filters,
        "q": q,
    }


@for_roles("manager")
@require_GET
def task(request: HttpRequest, pk: int) -> HttpResponse:
    """One task: who holds and handed in what, the timelines on one axis, score and diagnosis.

    404 to a manager who annotated it: they would learn what others did.
    """
    found = get_object_or_404(
        tasks_not_annotated_by(caller(request).pk)
        .select_related("project", "video")
        .defer("video__frame_times"),
        pk=pk,
    )
    submissions = list(submissions_to_compare(found).prefetch_related("segments"))
    letters = letters_of(submissions)
    shown = {s.pk for s in submissions}
    scores = [s for s in scores_of_task(found) if {s.reference_id, s.candidate_id} <= shown]
    newest = [s for s in scores if s.scoring_id == scores[0].scoring_id]
    best = max(newest, key=lambda score: score.s, default=None)
    assignments = (
        Assignment.objects.filter(task=found)
        .select_related("contractor__user", "guideline")
        .order_by("-pk")
    )
    context = {
        "task": found,
        "project": found.project,
        "video": found.video,
        "figure": figure(
            drawn_beside(submissions, letters, None, best),
            frame_count=submissions[0].frame_count if submissions else 1,
            action_types=found.project.action_type_keys,
        )
        if submissions
        else None,
        "timelines": [(letters[s.pk], s, list(s.segments.all())) for s in submissions],
        "pairs": [
            (letters[score.reference_id], letters[score.candidate_id], score) for score in newest
        ],
        "score": best,
        "sentences": score_in_words(best) if best else [],
        "findings": [
            (letters[pk], diagnosis_of(best, pk)) for pk in (best.reference_id, best.candidate_id)
        ]
        if best
        else [],
        "page": page_of(request, assignments),
        "live": LIVE,
        "decisions": decisions_of_task(found),
        "letters": letters,
    }
    return show(request, "task.html", context)


@for_roles("manager")
@require_GET
def submissions(request: HttpRequest) -> HttpResponse:
    """What was handed in, by state, project, person or task."""
    filters, q = chosen(request, state=Submission.State.values), text_of(request)
    wanted = number_of(request, "project")
    found = (
        Submission.objects.filter(**filters)
        .select_related("assignment__task__project", "assignment__contractor__user")
        .order_by("-pk")
    )
    if wanted is not None:
        found = found.filter(assignment__task__project=wanted)
    if q:
        user = "assignment__contractor__user"
        named = Q(**{f"{user}__name__icontains": q}) | Q(**{f"{user}__email__icontains": q})
        is_number = q.isdecimal() and len(q) < 19
        found = found.filter(named | Q(assignment__task=int(q)) if is_number else named)
    context = {
        "page": page_of(request, found),
        "states": Submission.State.values,
        "chosen": filters,
        "q": q,
        "projects": project_choices(),
        "project_id": wanted,
    }
    return show(request, "submissions.html", context)


@for_roles("manager")
@require_GET
def all_reviews(request: HttpRequest) -> HttpResponse:
    """Every review: what waits for whom, what was decided."""
    filters = chosen(request, state=Review.State.values, kind=Review.Kind.values)
    wanted = number_of(request, "project")
    found = (
        Review.objects.filter(**filters)
        .select_related("project", "reviewer", "submission__assignment")
        .order_by("-pk")
    )
    if wanted is not None:
        found = found.filter(project=wanted)
    context = {
        "page": page_of(request, found),
        "states": Review.State.values,
        "kinds": Review.Kind.values,
        "chosen": filters,
        "projects": project_choices(),
        "project_id": wanted,
    }
    return show(request, "all_reviews.html", context)


@for_roles("finance")
@require_GET
def money(request: HttpRequest) -> HttpResponse:
    """What each project has reserved, owes and has paid, per currency."""
    page = page_of(request, Project.objects.order_by("-pk"))
    sums = queries.money_of(page.object_list)
    rows = [(project, sums.get(project.pk, [])) for project in page]
    return show(request, "money.html", {"page": page, "rows": rows, "report": _last_days(None)})
