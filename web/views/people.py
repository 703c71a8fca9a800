"""A manager's pages about contractors: the list, and one person with what can be done."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.contrib import messages
from django.db.models import Q
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_GET, require_POST

from annotation_platform.api.problems import Problem
from annotation_platform.clock import database_now
from contractors import services
from contractors.models import Contractor, Restriction
from contractors.queries import with_area_today
from contractors.rules import name as place_name
from web import queries
from web.access import caller, for_roles, show
from web.forms import AppealAnswerForm, NeededReasonForm, RestrictForm
from web.pages import chosen, page_of, text_of
from web.views.contractor import tell_refusal
from web.views.managing import project_choices

# The step that follows each stage, and its button.
STEPS: dict[str, tuple[str, Any, Callable[..., Contractor]]] = {
    "applied": ("interview", gettext_lazy("Start the interview"), services.start_interview),
    "interviewing": ("quiz", gettext_lazy("Start the quiz"), services.start_quiz),
    "quizzing": ("offer", gettext_lazy("Make an offer"), services.make_offer),
    "offered": ("activate", gettext_lazy("Activate"), services.activate),
}
_BY_NAME = {name: step for name, _label, step in STEPS.values()}


@for_roles("manager")
@require_GET
def people(request: HttpRequest) -> HttpResponse:
    """Everybody who applied, by stage, name or email."""
    filters, q = chosen(request, state=Contractor.State.values), text_of(request)
    found = with_area_today(Contractor.objects.filter(**filters)).select_related("user")
    if q:
        found = found.filter(Q(user__name__icontains=q) | Q(user__email__icontains=q))
    page = page_of(request, found.order_by("-pk"))
    context = {
        "page": page,
        "rows": [(row, place_name(row.area_today) if row.area_today else "") for row in page],
        "states": Contractor.State.values,
        "chosen": filters,
        "q": q,
    }
    return show(request, "people.html", context)


@for_roles("manager")
@require_GET
def person(request: HttpRequest, pk: int) -> HttpResponse:
    """One contractor: stage and next step, residences, restrictions and appeals."""
    return _person(request, get_object_or_404(Contractor.objects.select_related("user"), pk=pk))


def _person(
    request: HttpRequest,
    found: Contractor,
    *,
    restrict_form: RestrictForm | None = None,
    status: int = 200,
) -> HttpResponse:
    page = page_of(request, found.restrictions.order_by("-pk"))
    now, names = database_now(), queries.scope_names(page.object_list)
    step = STEPS.get(found.state)
    choices = [(str(number), name) for number, name in project_choices()]
    context = {
        "person": found,
        "step": step,
        "may_decline": step is not None,
        "may_restrict": found.state in (Contractor.State.ACTIVE, Contractor.State.RESTRICTED),
        "residences": [(r, place_name(r.area)) for r in found.residences.order_by("-valid")],
        "page": page,
        "rows": [queries.standing(row, now, names) for row in page],
        "restrict_form": restrict_form or RestrictForm(projects=choices),
        "decline_form": NeededReasonForm(prefix="decline"),
        "answer_form": AppealAnswerForm(),
    }
    return show(request, "person.html", context, status=status)


@for_roles("manager")
@require_POST
def take_step(request: HttpRequest, pk: int, name: str) -> HttpResponse:
    """One step on the way from application to work."""
    found = get_object_or_404(Contractor, pk=pk)
    try:
        _BY_NAME[name](contractor=found, actor=caller(request))
    except Problem as problem:
        tell_refusal(request, problem)
    return redirect("person", pk=pk)


@for_roles("manager")
@require_POST
def decline(request: HttpRequest, pk: int) -> HttpResponse:
    """End an application, with the reason."""
    found = get_object_or_404(Contractor, pk=pk)
    form = NeededReasonForm(request.POST, prefix="decline")
    if not form.is_valid():
        messages.error(request, _("Nothing was changed: say why."))
        return redirect("person", pk=pk)
    try:
        services.decline(
            contractor=found, reason=form.cleaned_data["reason"], actor=caller(request)
        )
    except Problem as problem:
        tell_refusal(request, problem)
    return redirect("person", pk=pk)


@for_roles("manager")
@require_POST
def restrict(request: HttpRequest, pk: int) -> HttpResponse:
    """Stop somebody's new claims, for a cause."""
    found = get_object_or_404(Contractor.objects.select_related("user"), pk=pk)
    choices = [(str(number), name) for number, name in project_choices()]
    form = RestrictForm(request.POST, projects=choices)
    if form.is_valid():
        try:
            services.restrict(
                contractor=found,
                cause=form.cleaned_data["cause"],
                evidence=form.cleaned_data["evidence"],
                scope=form.cleaned_data["scope"],
                ends_at=form.ends_at,
                actor=caller(request),
            )
        except Problem as problem:
            form.add_error(None, f"{problem.title} {problem.detail}".strip())
        else:
            messages.success(request, _("No new claims from now on. Live ones can be finished."))
            return redirect("person", pk=pk)
    return _person(request, found, restrict_form=form, status=422)


@for_roles("manager")
@require_POST
def lift(request: HttpRequest, pk: int) -> HttpResponse:
    """End a restriction now, with a reason."""
    row = get_object_or_404(Restriction, pk=pk)
    form = NeededReasonForm(request.POST)
    if not form.is_valid():
        messages.error(request, _("Nothing was changed: say why."))
        return redirect("person", pk=row.contractor_id)
    try:
        services.lift(restriction=row, reason=form.cleaned_data["reason"], actor=caller(request))
    except Problem as problem:
        tell_refusal(request, problem)
    return redirect("person", pk=row.contractor_id)


@for_roles("manager")
@require_POST
def answer_appeal(request: HttpRequest, pk: int) -> HttpResponse:
    """Answer an appeal in writing; granting it lifts the restriction."""
    row = get_object_or_404(Restriction, pk=pk)
    form = AppealAnswerForm(request.POST)
    if not form.is_valid():
        messages.error(request, _("Nothing was changed: write an answer and choose."))
        return redirect("person", pk=row.contractor_id)
    try:
        services.decide_appeal(
            restriction=row,
            overturn=form.cleaned_data["overturn"] == "yes",
            answer=form.cleaned_data["answer"],
            actor=caller(request),
        )
    except Problem as problem:
        tell_refusal(request, problem)
    return redirect("person", pk=row.contractor_id)
