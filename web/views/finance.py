"""Finance's pages: payout runs and their payouts, the banks' reports, holds, what waits."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

from django import forms
from django.contrib import messages
from django.db.models import Count, QuerySet, Sum
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from annotation_platform.api.problems import Problem
from annotation_platform.clock import database_now
from payouts import queries, services
from payouts.models import (
    BankReport,
    Hold,
    Payable,
    Payout,
    PayoutFile,
    PayoutRun,
    ProviderEvent,
)
from payouts.payout_views import attachment
from payouts.rails.registry import FILE_RAILS
from payouts.rules import money as in_words
from tasks.models import Project
from web.access import caller, for_roles, show
from web.pages import page_of

MAX_REPORT_BYTES = 5_000_000
SHOWN_LINES = 200


def attempt(request: HttpRequest, verb: Callable[[], object], done: str) -> bool:
    """One service call; its refusal is told on the next page. Whether it was done."""
    try:
        verb()
    except Problem as problem:
        messages.error(request, f"{problem.title} {problem.detail}".strip())
        return False
    messages.success(request, done)
    return True


def chosen(request: HttpRequest, name: str, among: list[str]) -> str:
    """A filter's value; empty when it is none of those that there are."""
    value = request.GET.get(name, "")
    return value if value in among else ""


def cents_of(text: str) -> int | None:
    """An amount with two decimals, in cents; 0 when nothing is there, None when it is none."""
    units, dot, cents = text.strip().partition(".")
    if not text.strip():
        return 0
    if not units.isdecimal() or (dot and not (len(cents) == 2 and cents.isdecimal())):
        return None
    return int(units[:12]) * 100 + int(cents or 0)


def _number(text: str | None) -> int:
    return int(text) if text and text.isascii() and text.isdecimal() and len(text) < 19 else 0


# --- runs -------------------------------------------------------------------------------------


@for_roles("finance")
@require_GET
def runs(request: HttpRequest) -> HttpResponse:
    """All payout runs, newest first."""
    state = chosen(request, "state", PayoutRun.State.values)
    rows = PayoutRun.objects.select_related("prepared_by", "approved_by").order_by("-pk")
    context = {
        "page": page_of(request, rows.filter(state=state) if state else rows),
        "states": PayoutRun.State.values,
        "state": state,
    }
    return show(request, "finance/runs.html", context)


@for_roles("finance")
@require_POST
def prepare(request: HttpRequest) -> HttpResponse:
    """Prepare the next run."""
    currency = request.POST.get("currency", "USD")
    if len(currency) != 3 or not currency.isalpha():
        messages.error(request, "A currency has three letters, such as USD.")
        return redirect("payout-runs")
    made: list[PayoutRun] = []
    attempt(
        request,
        lambda: made.append(services.prepare_run(actor=caller(request), currency=currency.upper())),
        "Prepared. Look at it, then lock it.",
    )
    return redirect("payout-run", made[0].pk) if made else redirect("payout-runs")


@for_roles("finance")
@require_GET
def run(request: HttpRequest, pk: int) -> HttpResponse:
    """One run: its totals three times over, its payouts, its files and reports, what is next."""
    found = get_object_or_404(PayoutRun.objects.select_related("prepared_by", "approved_by"), pk=pk)
    totals = services.run_totals(found)
    expected = {"count": found.payout_count, "cents": found.total_cents}
    compared = ("payouts", "items") if found.state == "draft" else tuple(totals)
    states = (
        Payout.objects.filter(run=found)
        .values_list("state")
        .annotate(number=Count("pk"), cents=Sum("amount_cents"))
        .order_by("state")
    )
    state = chosen(request, "state", Payout.State.values)
    payouts = queries.payouts_to_look_at().filter(run=found).order_by("pk")
    files = PayoutFile.objects.filter(run=found).defer("content").order_by("rail")
    context = {
        "run": found,
        "totals": totals,
        "differences": [
            (name, totals[name])
            for name in compared
            if totals[name] != expected and found.state != "cancelled"
        ],
        "expected": expected,
        "is_preparer": caller(request).pk == found.prepared_by_id,
        "states": states,
        "state": state,
        "page": page_of(request, payouts.filter(state=state) if state else payouts),
        "files": files,
        "reports": found.reports.defer("content", "differences")
        .select_related("uploaded_by")
        .order_by("-pk"),
    }
    return show(request, "finance/run.html", context)


@for_roles("finance")
@require_POST
def move_run(request: HttpRequest, pk: int, verb: str) -> HttpResponse:
    """Lock, approve, send or cancel a run."""
    found, actor = get_object_or_404(PayoutRun, pk=pk), caller(request)
    if verb == "lock":
        attempt(
            request,
            lambda: services.lock_run(actor=actor, run=found),
            "Locked. Somebody else approves it now.",
        )
    elif verb == "approve":
        attempt(
            request,
            lambda: services.approve_run(
                actor=actor,
                run=found,
                payout_count=_number(request.POST.get("payout_count")),
                total_cents=_number(request.POST.get("total_cents")),
            ),
            "Approved. Providers are called within a minute; make the bank files with “Send”.",
        )
    elif verb == "send":
        attempt(
            request,
            lambda: services.send_run(actor=actor, run=found),
            "Sent: the bank files are below, providers are being called.",
        )
    elif not request.POST.get("reason", "").strip():
        messages.error(request, "Say why the run is cancelled.")
    else:
        attempt(
            request,
            lambda: services.cancel_run(
                actor=actor, run=found, reason=request.POST["reason"].strip()[:500]
            ),
            "Cancelled. What was in it waits for the next run.",
        )
    return redirect("payout-run", pk)


@for_roles("finance")
@require_GET
def run_file(request: HttpRequest, pk: int, rail: str) -> HttpResponse:
    """The bytes of a bank file: always those that were made first."""
    if rail not in FILE_RAILS:
        raise Http404
    stored = get_object_or_404(PayoutFile, run=pk, rail=rail)
    return attachment(services.hand_out_file(stored), stored.name, "application/octet-stream")


# --- reports ----------------------------------------------------------------------------------


@for_roles("finance")
@require_POST
def upload_report(request: HttpRequest, pk: int) -> HttpResponse:
    """Take a bank's report about a run, and go to its comparison."""
    found = get_object_or_404(PayoutRun, pk=pk)
    upload = request.FILES.get("report")
    if upload is None or (upload.size or 0) > MAX_REPORT_BYTES:
        messages.error(request, "Choose the bank's report, a CSV file of at most 5 MB.")
        return redirect("payout-run", pk)
    taken: list[BankReport] = []
    attempt(
        request,
        lambda: taken.append(
            services.take_report(
                actor=caller(request),
                run=found,
                name=upload.name or "report.csv",
                content=upload.read(),
            )
        ),
        "Nothing has moved yet: look at the comparison first.",
    )
    return redirect("bank-report", taken[0].pk) if taken else redirect("payout-run", pk)


@for_roles("finance")
@require_http_methods(["GET", "POST"])
def report(request: HttpRequest, pk: int) -> HttpResponse:
    """A report beside our books, or how far its worker is; POST has it followed."""
    found = get_object_or_404(
        BankReport.objects.select_related("run", "uploaded_by", "follow_asked_by"), pk=pk
    )
    if request.method == "POST":
        attempt(
            request,
            lambda: services.ask_to_follow(actor=caller(request), report=found),
            "Handed to a worker, which follows it.",
        )
        return redirect("bank-report", pk)
    if found.state == BankReport.State.FOLLOWING:
        # What matches changes with every line: it is compared again at the end.
        return show(request, "finance/report.html", {"report": found})
    comparison = services.compare_report(found)
    sorts = (
        ("matched", "Matched: following the report moves these"),
        ("different", "Different from ours: nothing happens to these"),
        ("unexpected", "Unexpected: not in this run"),
        ("missing", "Missing: with the bank, and the report leaves them out"),
        ("unchanged", "Already where the report says"),
    )
    context = {
        "report": found,
        "sorts": [
            (name, title, len(lines), lines[:SHOWN_LINES])
            for name, title in sorts
            if (lines := getattr(comparison, name))
        ],
        "matched": len(comparison.matched),
    }
    return show(request, "finance/report.html", context)


# --- payouts ----------------------------------------------------------------------------------


@for_roles("finance")
@require_GET
def payout(request: HttpRequest, pk: int) -> HttpResponse:
    """One payout: every attempt to send it, what is in it, and what a person can decide."""
    found = get_object_or_404(queries.payouts_to_look_at().select_related("run"), pk=pk)
    items = (
        Payable.objects.filter(payout_items__payout=found).select_related("project").order_by("pk")
    )
    context = {
        "payout": found,
        "attempts": found.attempts.defer("request").order_by("number"),
        "page": page_of(request, items),
        "is_file": found.rail in FILE_RAILS,
        "can_decide_file": found.rail in FILE_RAILS
        and found.state in (Payout.State.SUBMITTED, Payout.State.SETTLED),
    }
    if found.found_cents is not None:
        unpaid = queries.unpaid_earnings(found).select_related("project")[:SHOWN_LINES]
        context |= {"unpaid": unpaid, "projects": Project.objects.order_by("name")}
    return show(request, "finance/payout.html", context)


@for_roles("finance")
@require_POST
def decide_payout(request: HttpRequest, pk: int) -> HttpResponse:
    """What a person found out about a payout, in a bank file or with a provider."""
    found = get_object_or_404(Payout, pk=pk)
    note, outcome = request.POST.get("note", "").strip()[:400], request.POST.get("outcome", "")
    reference = request.POST.get("provider_reference", "").strip()[:100]
    cents = cents_of(request.POST.get("amount", ""))
    if not note:
        messages.error(request, "Say how you know.")
    elif outcome == "found":
        named = [_number(text) for text in request.POST.getlist("earning")]
        project = Project.objects.filter(pk=_number(request.POST.get("project"))).first()
        adopted: list[Payout] = []
        attempt(
            request,
            lambda: adopted.append(
                services.decide_found(
                    actor=caller(request),
                    payout_id=pk,
                    earnings=named,
                    project=project,
                    note=note,
                )
            ),
            "Noted: this is the payment as it was made. The rest is owed again.",
        )
        return redirect("payout", adopted[0].pk if adopted else pk)
    elif found.rail in FILE_RAILS and outcome in ("settled", "failed", "returned"):
        attempt(
            request,
            lambda: services.decide_file_payout(
                actor=caller(request), payout_id=pk, outcome=outcome, note=note
            ),
            f"Noted: {outcome}.",
        )
    elif found.rail in FILE_RAILS or outcome not in ("sent", "never"):
        messages.error(request, "Choose what became of it.")
    elif outcome == "sent" and not reference:
        messages.error(request, "Give the provider's reference of the payment.")
    elif cents is None:
        messages.error(request, "Give the amount like 16.00.")
    else:
        attempt(
            request,
            lambda: services.decide_unknown(
                actor=caller(request),
                payout_id=pk,
                provider_reference=reference if outcome == "sent" else "",
                amount_cents=cents or None,
                note=note,
            ),
            "Noted.",
        )
    return redirect("payout", pk)


@for_roles("finance")
@require_GET
def waiting(request: HttpRequest) -> HttpResponse:
    """Payouts whose answer was lost, those that wait for a person first."""
    rows = (
        queries.payouts_to_look_at()
        .filter(state=Payout.State.UNKNOWN)
        .order_by("-needs_person", "pk")
    )
    return show(request, "finance/waiting.html", {"page": page_of(request, rows)})


@for_roles("finance")
@require_GET
def provider_events(request: HttpRequest) -> HttpResponse:
    """What providers told us, newest first."""
    rows = ProviderEvent.objects.order_by("-pk")
    only_open = request.GET.get("only") == "unhandled"
    context = {
        "page": page_of(request, rows.filter(handled_at=None) if only_open else rows),
        "only_open": only_open,
    }
    return show(request, "finance/events.html", context)


# --- earnings and holds -------------------------------------------------------------------------


@for_roles("finance")
@require_GET
def owed(request: HttpRequest) -> HttpResponse:
    """What everybody earned, to find what to hold."""
    state = chosen(request, "state", Payable.State.values)
    who = request.GET.get("who", "").strip()[:100]
    rows: QuerySet[Payable] = Payable.objects.select_related(
        "contractor__user", "project"
    ).order_by("-pk")
    if state:
        rows = rows.filter(state=state)
    if who:
        rows = rows.filter(contractor__user__email__istartswith=who)
    context = {
        "page": page_of(request, rows),
        "states": Payable.State.choices,
        "state": state,
        "who": who,
    }
    return show(request, "finance/owed.html", context)


class HoldForm(forms.Form):
    case = forms.CharField(max_length=60)
    reason = forms.CharField(max_length=500)
    days = forms.IntegerField(min_value=1, max_value=7)


@for_roles("finance")
@require_http_methods(["GET", "POST"])
def hold(request: HttpRequest, pk: int) -> HttpResponse:
    """Hold one earning: a case, a reason, an end."""
    payable = get_object_or_404(
        Payable.objects.select_related("contractor__user", "project"), pk=pk
    )
    form = HoldForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        words = in_words(payable.amount_cents, payable.currency)
        placed = attempt(
            request,
            lambda: services.hold_payable(
                actor=caller(request),
                payable=payable,
                case=form.cleaned_data["case"],
                reason=form.cleaned_data["reason"],
                # A minute less: the end is judged by the database's clock a moment later.
                ends_at=database_now()
                + timedelta(days=form.cleaned_data["days"])
                - timedelta(minutes=1),
            ),
            f"{words} is held; the contractor reads why.",
        )
        if placed:
            return redirect("holds")
    return show(request, "finance/hold.html", {"payable": payable, "form": form})


@for_roles("finance")
@require_GET
def holds(request: HttpRequest) -> HttpResponse:
    """Live holds, or all there ever were."""
    everything = request.GET.get("show") == "all"
    rows = Hold.objects.select_related(
        "payable__contractor__user", "placed_by", "lifted_by"
    ).order_by("-pk")
    context = {
        "page": page_of(request, rows if everything else rows.filter(lifted_at=None)),
        "everything": everything,
    }
    return show(request, "finance/holds.html", context)


@for_roles("finance")
@require_POST
def end_hold(request: HttpRequest, pk: int) -> HttpResponse:
    """End a hold before its time."""
    found = get_object_or_404(Hold, pk=pk)
    attempt(
        request,
        lambda: services.lift_hold(actor=caller(request), hold=found),
        "The hold is over; the earning is in the next run.",
    )
    return redirect("holds")
