"""A contractor's pages: what may I work on, what do I hold, what became of it, what did I earn."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from annotation_platform.api.problems import Problem
from annotation_platform.clock import database_now
from contractors.models import Contractor
from contractors.queries import residence_on
from contractors.rules import name as place_name
from payouts.queries import earned, payables_of, sentence
from tasks.models import Project
from tasks.permissions import visible_projects
from tasks.queries import current_guideline, has_acknowledged
from tasks.services import acknowledge_guideline, claim_next_task
from web import queries
from web.access import caller, for_roles, show
from web.pages import page_of

# Each project on the page is asked about with the guards of the claim, one by one.
PROJECTS_PER_PAGE = 5
NEWEST = 5


def _contractor(request: HttpRequest) -> Contractor:
    return get_object_or_404(Contractor.objects.select_related("user"), pk=caller(request).pk)


@for_roles("contractor")
@require_GET
def work(request: HttpRequest) -> HttpResponse:
    """The home: live claims, projects and why (not), latest results, earnings so far."""
    person = _contractor(request)
    residence = residence_on(person)
    projects = page_of(
        request,
        visible_projects(person.user)
        .filter(state=Project.State.ACTIVE)
        .select_related("policy")
        .order_by("-pk"),
        per_page=PROJECTS_PER_PAGE,
    )
    context = {
        "contractor": person,
        "place": place_name(residence.area) if residence else "",
        "claims": queries.live_claims(person),
        "offers": [queries.offer(person, project) for project in projects],
        "page": projects,
        "results": queries.results(person)[:NEWEST],
        "earned": earned(person.pk),
        "now": database_now(),
    }
    return show(request, "work.html", context)


@for_roles("contractor")
@require_POST
def claim(request: HttpRequest) -> HttpResponse:
    """Claim a project's next task; a refusal is told on the page."""
    person = _contractor(request)
    chosen = request.POST.get("project", "")
    project = get_object_or_404(
        visible_projects(person.user), pk=chosen if chosen.isdecimal() else 0
    )
    try:
        assignment = claim_next_task(contractor=person, project=project)
    except Problem as problem:
        messages.error(request, f"{problem.title} {problem.detail}".strip())
    else:
        messages.success(request, f"Task {assignment.task_id} is yours.")
    return redirect("work")


@for_roles("contractor")
@require_http_methods(["GET", "POST"])
def guideline(request: HttpRequest, project_id: int) -> HttpResponse:
    """The project's current guideline; POST says that one has read the version shown."""
    person = _contractor(request)
    project = get_object_or_404(visible_projects(person.user), pk=project_id)
    current = current_guideline(project)
    if request.method == "POST" and current is not None:
        if request.POST.get("version") == str(current.version):
            acknowledge_guideline(contractor=person, guideline=current)
            messages.success(request, f"Noted: you have read version {current.version}.")
            return redirect("work")
        messages.error(request, "A newer version came out meanwhile: this one.")
    context = {
        "project": project,
        "guideline": current,
        "is_read": current is not None and has_acknowledged(person, current),
    }
    return show(request, "guideline.html", context, status=200 if current else 404)


@for_roles("contractor")
@require_GET
def results(request: HttpRequest) -> HttpResponse:
    """Everything handed in, and what became of it."""
    return show(
        request, "results.html", {"page": page_of(request, queries.results(_contractor(request)))}
    )


@for_roles("contractor")
@require_GET
def earnings(request: HttpRequest) -> HttpResponse:
    """Each earning with why it is what it is, and the sums."""
    person = _contractor(request)
    page = page_of(
        request,
        payables_of(person.pk).defer("assignment__task__video__frame_times").order_by("-pk"),
    )
    lines = [(payable, sentence(payable)) for payable in page]
    return show(
        request, "earnings.html", {"page": page, "lines": lines, "earned": earned(person.pk)}
    )
