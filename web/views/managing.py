"""Pages of managers and of finance: projects, their tasks, throughput and money."""

from __future__ import annotations

from datetime import timedelta
from zoneinfo import ZoneInfo

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.views.decorators.http import require_GET

from annotation_platform.clock import database_now
from payouts.queries import budget_outlook, project_money
from reports.queries import Throughput, throughput
from reports.rules import DEFAULT_DAYS, Days
from tasks.models import Project, Task
from tasks.queries import current_guideline, current_price
from web import queries
from web.access import for_roles, show
from web.pages import page_of

TASK_STATES = [str(state) for state in Task.State.values]


def _last_days(project: Project | None) -> Throughput:
    """The last 14 days (UTC), today included."""
    today = database_now().date()
    first = today - timedelta(days=DEFAULT_DAYS - 1)
    return throughput(Days(first, today, ZoneInfo("UTC")), project=project)


@for_roles("manager")
@require_GET
def projects(request: HttpRequest) -> HttpResponse:
    """All projects with their tasks by state, and the throughput of all together."""
    page = page_of(request, Project.objects.order_by("-pk"))
    counts = queries.task_counts(page.object_list)
    rows = [
        (project, [counts.get(project.pk, {}).get(state, 0) for state in TASK_STATES])
        for project in page
    ]
    context = {"page": page, "rows": rows, "states": TASK_STATES, "report": _last_days(None)}
    return show(request, "projects.html", context)


@for_roles("manager")
@require_GET
def project(request: HttpRequest, pk: int) -> HttpResponse:
    """One project: settings that matter, money, throughput of 14 days, tasks."""
    found = get_object_or_404(Project.objects.select_related("policy"), pk=pk)
    tasks = found.tasks.select_related("video").defer("video__frame_times").order_by("-pk")
    context = {
        "project": found,
        "price": current_price(found),
        "guideline": current_guideline(found),
        "money": project_money(found),
        "budget": budget_outlook(found),
        "report": _last_days(found),
        "page": page_of(request, tasks),
    }
    return show(request, "project.html", context)


@for_roles("finance")
@require_GET
def money(request: HttpRequest) -> HttpResponse:
    """What each project has reserved, owes and has paid, per currency."""
    page = page_of(request, Project.objects.order_by("-pk"))
    sums = queries.money_of(page.object_list)
    rows = [(project, sums.get(project.pk, [])) for project in page]
    return show(request, "money.html", {"page": page, "rows": rows, "report": _last_days(None)})
