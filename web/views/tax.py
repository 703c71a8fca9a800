"""Tax: a contractor's own form, and finance's year. Figures, no tax advice."""

from __future__ import annotations

from datetime import UTC, date

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from annotation_platform.api.problems import Problem
from annotation_platform.api.throttles import ScopedThrottle
from annotation_platform.clock import database_now
from contractors.models import Contractor
from payouts import queries, services
from payouts.models import TaxForm
from payouts.tax_rules import FIRST_YEAR, REPORTED_CURRENCY, reporting_threshold_cents
from payouts.tax_views import tax_export
from web.access import caller, for_roles, show
from web.pages import page_of
from web.views.finance import attempt


def _today() -> date:
    return database_now().astimezone(UTC).date()


class _Password:
    """What asks for a password again, here and in the API, is counted together."""

    throttle_scope = "password"


def _may_try(request: HttpRequest) -> bool:
    """Whether this person may try a password again in this minute."""
    return ScopedThrottle().allow_request(request, _Password())  # type: ignore[arg-type]


# --- the contractor ---------------------------------------------------------------------------


class TaxFormForm(forms.Form):
    kind = forms.ChoiceField(choices=TaxForm.Kind.choices)
    name = forms.CharField(max_length=200)
    address = forms.CharField(max_length=500)
    country = forms.RegexField(
        r"^[A-Z]{2}$",
        error_messages={"invalid": "Two capital letters, such as US or CA."},
    )
    tin_kind = forms.ChoiceField(choices=[("", "none"), *TaxForm.TinKind.choices], required=False)
    tin = forms.CharField(max_length=40, required=False)
    signature = forms.CharField(max_length=200)
    password = forms.CharField(strip=False)


@sensitive_post_parameters("tin", "password")
@for_roles("contractor")
@require_http_methods(["GET", "POST"])
def tax_form(request: HttpRequest) -> HttpResponse:
    """The form that one gave, masked, and a new one."""
    person = get_object_or_404(Contractor.objects.select_related("user"), pk=caller(request).pk)
    form = TaxFormForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        if not _may_try(request):
            messages.error(request, "Too many attempts; wait a minute.")
        elif attempt(
            request,
            lambda: services.state_tax_form(contractor=person, **form.cleaned_data),
            "Thank you. Your tax form is stored, its number encrypted.",
        ):
            return redirect("tax-form")
    current, today = queries.current_tax_form(person.pk), _today()
    context = {
        "current": current,
        "status": queries.status_of(current, today),
        "form": form,
        "kinds": TaxForm.Kind.choices,
        "tin_kinds": [("", "None (W-8BEN only)"), *TaxForm.TinKind.choices],
        "years": queries.paid_in_years(person.pk),
    }
    return show(request, "tax_form.html", context, status=400 if form.errors else 200)


# --- finance ----------------------------------------------------------------------------------


def _year(request: HttpRequest, this_year: int) -> int:
    text = request.GET.get("year", "") or request.POST.get("year", "")
    year = int(text) if text.isascii() and text.isdecimal() and len(text) == 4 else this_year
    return year if FIRST_YEAR <= year <= this_year else this_year


@for_roles("finance")
@require_GET
def tax(request: HttpRequest) -> HttpResponse:
    """What contractors were paid in a year, who is over the threshold and who lacks a form."""
    today = _today()
    year = _year(request, today.year)
    only = request.GET.get("only", "")
    people = queries.tax_year(
        year,
        over_threshold=only in ("over", "over-lacks"),
        lacks_form_on=today if only in ("lacks", "over-lacks") else None,
    )
    page = page_of(request, people)
    context = {
        "page": page,
        "lines": queries.tax_lines(page, year=year, currency=REPORTED_CURRENCY, today=today),
        "year": year,
        "years": range(today.year, max(FIRST_YEAR, today.year - 8) - 1, -1),
        "only": only,
        "threshold_cents": reporting_threshold_cents(year),
    }
    return show(request, "finance/tax.html", context)


@for_roles("finance")
@require_GET
def tax_csv(request: HttpRequest) -> HttpResponse:
    """A year as CSV, numbers masked."""
    return tax_export(year=_year(request, _today().year), currency=REPORTED_CURRENCY, full=False)


@sensitive_post_parameters("password")
@for_roles("finance")
@require_POST
def tax_csv_full(request: HttpRequest) -> HttpResponse:
    """A year as CSV with full numbers: the password again, and a reason for the log."""
    year, reason = _year(request, _today().year), request.POST.get("reason", "").strip()[:400]
    if not reason:
        messages.error(request, "Say what the full numbers are for.")
    elif not _may_try(request):
        messages.error(request, "Too many attempts; wait a minute.")
    else:
        try:
            services.permit_full_export(
                actor=caller(request),
                year=year,
                password=request.POST.get("password", ""),
                reason=reason,
            )
        except Problem as problem:
            messages.error(request, f"{problem.title} {problem.detail}")
        else:
            return tax_export(year=year, currency=REPORTED_CURRENCY, full=True)
    return redirect("tax")
