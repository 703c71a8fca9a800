"""Where is my money: a contractor's earnings, statements and payout details."""

from __future__ import annotations

from pathlib import Path

from django.conf import settings
from django.contrib import messages
from django.http import FileResponse, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404, redirect
from django.utils.translation import gettext as _
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_GET, require_http_methods

from annotation_platform.api.problems import Problem
from annotation_platform.clock import database_now
from payouts import documents
from payouts.models import Payable, PayoutMethod, Statement
from payouts.payout_views import attachment
from payouts.queries import earned, payables_of, payouts_of, purse, sentence, whereabouts
from payouts.services import set_payout_method
from web.access import caller, for_roles, show
from web.forms import PayoutMethodForm
from web.pages import chosen, page_of
from web.views.contractor import contractor_of

VERIFIER = Path(settings.BASE_DIR) / "verify_statement.py"
_RENDER = {
    "json": (documents.as_json, "application/json"),
    "csv": (documents.as_csv, "text/csv; charset=utf-8"),
    "pdf": (documents.as_pdf, "application/pdf"),
}


@for_roles("contractor")
@require_GET
def earnings(request: HttpRequest) -> HttpResponse:
    """Each earning: why it is what it is, where it is, and the day it should be there."""
    person = contractor_of(request)
    found = payables_of(person.pk).defer("assignment__task__video__frame_times").order_by("-pk")
    filters = chosen(request, state=Payable.State.values)
    page = page_of(request, found.filter(**filters))
    sums = earned(person.pk)
    ways = purse(person.pk, sums)
    context = {
        "page": page,
        "lines": [(payable, sentence(payable), whereabouts(payable, ways)) for payable in page],
        "earned": sums,
        "purse": ways,
        "state": filters.get("state", ""),
        "states": Payable.State.choices,
    }
    return show(request, "earnings.html", context)


@for_roles("contractor")
@require_GET
def statements(request: HttpRequest) -> HttpResponse:
    """Weekly statements to take away, and how to check them without trusting us."""
    own = Statement.objects.filter(contractor_id=caller(request).pk).defer("document")
    return show(request, "statements.html", {"page": page_of(request, own.order_by("-pk"))})


@for_roles("contractor")
@require_GET
def statement(request: HttpRequest, pk: int, kind: str) -> HttpResponse:
    """One's own statement as JSON (to verify), CSV or PDF."""
    found = get_object_or_404(Statement.objects.filter(contractor_id=caller(request).pk), pk=pk)
    render, content_type = _RENDER[kind]
    name = f"statement-{found.currency}-{found.sequence}.{kind}"
    return attachment(render(found), name, content_type)


@require_GET
def verifier(request: HttpRequest) -> HttpResponseBase:
    """The program that checks a statement: one file, Python alone. Anybody may have it."""
    return FileResponse(
        VERIFIER.open("rb"),
        as_attachment=True,
        filename=VERIFIER.name,
        content_type="text/x-python",
    )


@sensitive_post_parameters("account", "routing", "password")
@for_roles("contractor")
@require_http_methods(["GET", "POST"])
def payout_details(request: HttpRequest) -> HttpResponse:
    """Where one is paid: the masked account, and a form that never shows what was typed."""
    person = contractor_of(request)
    form, status = PayoutMethodForm(), 200
    if request.method == "POST":
        form, status = PayoutMethodForm(request.POST), 422
        if form.is_valid():
            try:
                method = set_payout_method(
                    contractor=person,
                    rail=form.cleaned_data["rail"],
                    details=form.details,
                    password=form.cleaned_data["password"],
                )
            except Problem as problem:
                form.add_error(None, f"{problem.title} {problem.detail}".strip())
            else:
                messages.success(
                    request, _("You are paid to the account %(label)s.") % {"label": method.label}
                )
                return redirect("payout-details")
    current = PayoutMethod.objects.filter(contractor=person, retired_at=None).first()
    context = {
        "form": form,
        "method": current,
        "now": database_now(),
        "page": page_of(request, payouts_of(person.pk).order_by("-pk")),
    }
    return show(request, "payout_details.html", context, status=status)
