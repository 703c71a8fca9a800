"""A contractor's work: what may I do, what do I hold, what became of what I handed in."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from annotation_platform.api.problems import Problem
from annotation_platform.clock import database_now
from contractors.models import Contractor, Restriction
from contractors.queries import residence_on
from contractors.rules import name as place_name
from payouts.queries import earned
from reviews.queries import decision_about_work, score_behind
from reviews.words import diagnosis_of, rule_in_words, score_in_words
from tasks.guideline_changes import changed_lines
from tasks.models import Assignment, Project, Submission
from tasks.offers import projects_to_offer
from tasks.permissions import visible_projects
from tasks.queries import current_guideline
from tasks.services import acknowledge_guideline, claim_next_task, reclaim, return_task
from web import queries
from web.access import caller, for_roles, show
from web.drawing import pure
from web.forms import ReasonForm
from web.markdown import as_html
from web.pages import chosen, page_of
from web.timeline_figure import Drawn, figure

# Each project on the page is asked about with the guards of the claim, one by one.
PROJECTS_PER_PAGE = 5
NEWEST = 5
DRAFTS = 10


def contractor_of(request: HttpRequest) -> Contractor:
    """The signed-in contractor; 404 for somebody who has the role and no row yet."""
    return get_object_or_404(Contractor.objects.select_related("user"), pk=caller(request).pk)


def tell_refusal(request: HttpRequest, problem: Problem) -> None:
    """A service's refusal in its own words, on the page that comes next."""
    messages.error(request, f"{problem.title} {problem.detail}".strip())


@for_roles("contractor")
@require_GET
def work(request: HttpRequest) -> HttpResponse:
    """The home: live claims, kept drafts, projects and why (not), results, earnings so far."""
    person = contractor_of(request)
    residence = residence_on(person)
    projects = page_of(request, projects_to_offer().order_by("-pk"), per_page=PROJECTS_PER_PAGE)
    context = {
        "contractor": person,
        "place": place_name(residence.area) if residence else "",
        "restrictions": Restriction.objects.in_force().filter(contractor=person).count(),
        "claims": queries.live_claims(person),
        "drafts": queries.reclaimable(person)[:DRAFTS],
        "cards": queries.cards(person, list(projects)),
        "page": projects,
        "results": queries.results(person)[:NEWEST],
        "earned": earned(person.pk),
        "now": database_now(),
    }
    return show(request, "work.html", context)


@for_roles("contractor")
@require_POST
def claim(request: HttpRequest) -> HttpResponse:
    """Claim a project's next task and go to the workbench; a refusal is told on the page."""
    person = contractor_of(request)
    chosen = request.POST.get("project", "")
    project = get_object_or_404(
        visible_projects(person.user), pk=chosen if chosen.isdecimal() else 0
    )
    try:
        assignment = claim_next_task(contractor=person, project=project)
    except Problem as problem:
        tell_refusal(request, problem)
        return redirect("work")
    return redirect("workbench", pk=assignment.pk)


@for_roles("contractor")
@require_POST
def give_back(request: HttpRequest, pk: int) -> HttpResponse:
    """Return a claim: no penalty, the draft is kept, somebody else can take the task."""
    assignment = _own(request, pk)
    form = ReasonForm(request.POST)
    reason = form.cleaned_data["reason"] if form.is_valid() else ""
    try:
        return_task(assignment=assignment, reason=reason)
    except Problem as problem:
        tell_refusal(request, problem)
    else:
        messages.success(
            request,
            _("Task %(task)s is given back. What you saved stays here.")
            % {"task": assignment.task_id},
        )
    return redirect("work")


@for_roles("contractor")
@require_POST
def take_again(request: HttpRequest, pk: int) -> HttpResponse:
    """Claim a task again whose draft was kept."""
    try:
        again = reclaim(assignment=_own(request, pk))
    except Problem as problem:
        tell_refusal(request, problem)
        return redirect("work")
    return redirect("workbench", pk=again.pk)


def _own(request: HttpRequest, pk: int) -> Assignment:
    return get_object_or_404(Assignment.objects.filter(contractor_id=caller(request).pk), pk=pk)


@for_roles("contractor")
@require_http_methods(["GET", "POST"])
def guideline(request: HttpRequest, project_id: int) -> HttpResponse:
    """The project's current guideline and what changed in it since one read it; POST says that
    one has read the version shown."""
    person = contractor_of(request)
    project: Project = get_object_or_404(visible_projects(person.user), pk=project_id)
    current = current_guideline(project)
    if request.method == "POST" and current is not None:
        if request.POST.get("version") == str(current.version):
            acknowledge_guideline(contractor=person, guideline=current)
            messages.success(
                request, _("Noted: you have read version %(n)s.") % {"n": current.version}
            )
            return redirect("work")
        messages.error(request, _("A newer version came out meanwhile: this one."))
    if current is None:
        return show(request, "guideline.html", {"project": project}, status=404)
    read = queries.last_acknowledged(person, project)
    is_read = read == current
    newer = [] if read is None else queries.published_after(read)
    context = {
        "project": project,
        "guideline": current,
        "html": as_html(current.body),
        "is_read": is_read,
        "read": read,
        "newer": newer,
        "hunks": [] if read is None or is_read else changed_lines(read.body, current.body),
    }
    return show(request, "guideline.html", context)


@for_roles("contractor")
@require_GET
def results(request: HttpRequest) -> HttpResponse:
    """Everything handed in, and what became of it."""
    filters = chosen(request, state=Submission.State.values)
    found = queries.results(contractor_of(request)).filter(**filters)
    context = {
        "page": page_of(request, found),
        "states": Submission.State.values,
        "state": filters.get("state", ""),
    }
    return show(request, "results.html", context)


@for_roles("contractor")
@require_GET
def result(request: HttpRequest, pk: int) -> HttpResponse:
    """One hand-in: the timeline, the decision with its reasons, and what differed where.

    Score and diagnosis are there once it is decided, so that nobody learns them while another
    annotator still works on the task.
    """
    person = contractor_of(request)
    submission = get_object_or_404(
        queries.results(person).select_related(
            "assignment__task__project", "assignment__task__video", "assignment__guideline"
        ),
        pk=pk,
    )
    decision = decision_about_work(submission)
    score = None if decision is None else score_behind(decision)
    findings = [] if score is None else diagnosis_of(score, submission.pk)
    segments = list(submission.segments.all())
    project = submission.assignment.task.project
    context = {
        "submission": submission,
        "project": project,
        "video": submission.assignment.task.video,
        "decision": decision,
        "rule": [] if decision is None or decision.rule is None else rule_in_words(decision.rule),
        "score": score,
        "sentences": score_in_words(score) if score else [],
        "findings": findings,
        "segments": [
            (segment, [f for f in findings if segment.position in f["candidates"]])
            for segment in segments
        ],
        "missed": [f for f in findings if not f["candidates"]],
        "figure": figure(
            [Drawn("", True, pure(segments))],
            frame_count=submission.frame_count,
            action_types=project.action_type_keys,
        ),
        "payables": list(submission.payables.all()),
    }
    return show(request, "result.html", context)
