"""About oneself: where a contractor lives, and what stops them from claiming."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from annotation_platform.api.problems import Problem
from annotation_platform.clock import database_now
from contractors.models import Contractor, EligibilityPolicy, Restriction
from contractors.queries import decide_for, residence_on
from contractors.rules import (
    APPEAL_ANSWER_DAYS,
    APPEAL_DAYS,
    Decision,
    Place,
    find_places,
    is_complete,
)
from contractors.rules import name as place_name
from contractors.services import appeal as file_appeal
from contractors.services import declare_residence
from tasks.models import Project
from web import queries
from web.access import caller, for_roles, show
from web.forms import AppealForm, ResidenceForm
from web.pages import page_of
from web.views.contractor import contractor_of, tell_refusal

POLICIES = 5


@for_roles("contractor")
@require_http_methods(["GET", "POST"])
def residence(request: HttpRequest) -> HttpResponse:
    """Where one lives: declare it, its history, and what it means for each policy in use."""
    person = contractor_of(request)
    wanted = request.POST.get("q", "") or request.GET.get("q", "")
    form, status = ResidenceForm(), 200
    if request.method == "POST":
        form = ResidenceForm(request.POST)
        if not form.is_valid():
            status = 422
        else:
            try:
                declared = declare_residence(
                    contractor=person,
                    area=form.cleaned_data["area"],
                    from_date=form.cleaned_data["from_date"],
                    actor=person.user,
                )
            except Problem as problem:
                form.add_error(None, f"{problem.title} {problem.detail}".strip())
                status = 422
            else:
                messages.success(
                    request,
                    _("Noted: you live in %(place)s.") % {"place": place_name(declared.area)},
                )
                return redirect("residence")
    current = residence_on(person)
    history = page_of(request, person.residences.order_by("-valid"))
    context = {
        "form": form,
        "q": wanted,
        "places": _places(wanted),
        "chosen": form.data.get("area", ""),
        "current": current,
        "current_name": place_name(current.area) if current else "",
        "page": history,
        "history": [(row, place_name(row.area)) for row in history],
        "meanings": _meanings(current.area if current else None),
        "today": database_now().date(),
    }
    return show(request, "residence.html", context, status=status)


@for_roles("contractor")
@require_GET
def places(request: HttpRequest) -> HttpResponse:
    """The places that a name or code matches, for the form of `residence`."""
    wanted = request.GET.get("q", "")
    return show(request, "_places.html", {"q": wanted, "places": _places(wanted)})


def _places(wanted: str) -> list[tuple[Place, bool]]:
    return [(place, is_complete(place.code)) for place in find_places(wanted[:100])]


def _meanings(area: str | None) -> list[tuple[EligibilityPolicy, list[str], Decision]]:
    """What the policies of open projects say to a place: (policy, its projects, decision)."""
    named: dict[int, list[str]] = {}
    policies: dict[int, EligibilityPolicy] = {}
    open_projects = Project.objects.filter(state=Project.State.ACTIVE).select_related("policy")
    for project in open_projects.order_by("-pk")[:50]:
        policies.setdefault(project.policy_id, project.policy)
        named.setdefault(project.policy_id, []).append(project.name)
    return [(policy, named[pk], decide_for(policy, area)) for pk, policy in list(policies.items())][
        :POLICIES
    ]


@for_roles("contractor")
@require_GET
def restrictions(request: HttpRequest) -> HttpResponse:
    """What stops or stopped one from claiming: cause, evidence, end, appeal."""
    return _restrictions(request, contractor_of(request), AppealForm(), None, status=200)


@for_roles("contractor")
@require_POST
def appeal(request: HttpRequest, pk: int) -> HttpResponse:
    """Appeal against a restriction of one's own, once."""
    person = contractor_of(request)
    own = get_object_or_404(Restriction.objects.filter(contractor=person), pk=pk)
    form = AppealForm(request.POST)
    if not form.is_valid():
        return _restrictions(request, person, form, pk, status=422)
    try:
        file_appeal(restriction=own, text=form.cleaned_data["text"], actor=caller(request))
    except Problem as problem:
        tell_refusal(request, problem)
    else:
        messages.success(
            request,
            _("Your appeal is filed. Unanswered for %(days)s working days, it is granted.")
            % {"days": APPEAL_ANSWER_DAYS},
        )
    return redirect("restrictions")


def _restrictions(
    request: HttpRequest, person: Contractor, form: AppealForm, about: int | None, *, status: int
) -> HttpResponse:
    page = page_of(request, person.restrictions.order_by("-pk"))
    now = database_now()
    names = queries.scope_names(page.object_list)
    context = {
        "page": page,
        "rows": [queries.standing(row, now, names) for row in page],
        "form": form,
        "about": about,
        "appeal_days": APPEAL_DAYS,
    }
    return show(request, "restrictions.html", context, status=status)
