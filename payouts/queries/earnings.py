"""What one contractor earned, why, where it is and when it should be there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from typing import Any

from django.db.models import FilteredRelation, OuterRef, Q, QuerySet, Subquery, Sum
from django.db.models.functions import Now

from contractors.models import Contractor
from payouts.models import Payable, Payout, PayoutItem
from payouts.queries.projects import RESERVING
from payouts.rules import MINIMUM_PAYOUT_CENTS, WHY, arrival_on, money, next_run_on
from tasks.models import Assignment


@dataclass(frozen=True)
class Earned:
    """Money that one contractor has in one currency, in cents, by how far it got."""

    currency: str
    reserved_cents: int = 0
    accrued_cents: int = 0
    held_cents: int = 0
    batched_cents: int = 0
    paid_cents: int = 0

    @property
    def earned_cents(self) -> int:
        """Everything ever earned; what is only reserved is not earned yet."""
        return self.accrued_cents + self.held_cents + self.batched_cents + self.paid_cents


def earned(contractor_id: int) -> list[Earned]:
    """What a contractor earned per currency, in two queries. Sorted by currency."""
    sums: dict[str, dict[str, int]] = {}
    rows = (
        Payable.objects.filter(contractor_id=contractor_id)
        .values_list("currency", "state")
        .annotate(total=Sum("amount_cents"))
        .order_by()
    )
    for currency, state, total in rows:
        sums.setdefault(currency, {})[f"{state}_cents"] = total
    reserved = (
        Assignment.objects.filter(contractor_id=contractor_id, state__in=RESERVING)
        .values_list("currency")
        .annotate(total=Sum("price_cents"))
        .order_by()
    )
    for currency, total in reserved:
        sums.setdefault(currency, {})["reserved_cents"] = total
    return [Earned(currency, **sums[currency]) for currency in sorted(sums)]


def payables_of(contractor_id: int) -> QuerySet[Payable]:
    """A contractor's earnings with all that `explanation` and `whereabouts` need, in one query.

    `live_item` is its place in a payout that has not come to nothing, `live_hold` the hold on it,
    `came_back` why the last payout of it failed or was returned; each None when there is none.
    """
    undone = PayoutItem.objects.filter(
        payable=OuterRef("pk"),
        released=True,
        payout__state__in=[Payout.State.FAILED, Payout.State.RETURNED],
    )
    # Lists: mypy's Django plugin does not know the names of filtered relations.
    with_it = ["project", "price_version", "submission", "assignment__task__video"]
    with_it += ["live_item__payout__method", "live_hold"]
    without = ["assignment__task__video__frame_times", "live_item__payout__method__details"]
    return (
        Payable.objects.filter(contractor_id=contractor_id)
        .annotate(
            live_item=FilteredRelation("payout_items", condition=Q(payout_items__released=False)),
            live_hold=FilteredRelation("holds", condition=Q(holds__lifted_at=None)),
            came_back=Subquery(undone.order_by("-pk").values("payout__problem")[:1]),
        )
        .select_related(*with_it)
        .defer(*without)
    )


def explanation(payable: Payable) -> dict[str, Any]:
    """Why a line is what it is: from the amount back to the work, the decision and the price.

    The payable comes from `payables_of`, so that this reads nothing more.
    """
    assignment, submission, price = payable.assignment, payable.submission, payable.price_version
    return {
        "sentence": sentence(payable),
        "decision": payable.kind,
        "reason": payable.reason,
        "decided_at": submission.decided_at if submission else payable.accrued_at,
        "project": {"id": payable.project_id, "name": payable.project.name},
        "task": None
        if assignment is None
        else {"id": assignment.task_id, "video": assignment.task.video.title},
        "assignment": payable.assignment_id,
        "claimed_at": assignment.claimed_at if assignment else None,
        "submission": None
        if submission is None
        else {
            "id": submission.pk,
            "round": submission.round,
            "submitted_at": submission.submitted_at,
        },
        "price": None
        if price is None or assignment is None
        else {
            "version": price.number,
            "price_cents": assignment.price_cents,
            "screening_fee_cents": assignment.screening_fee_cents,
            "currency": assignment.currency,
            "effective_at": price.effective_at,
        },
        "transaction": payable.transaction_id,
    }


def sentence(payable: Payable) -> str:
    """`$16.00: Your submission was accepted. The price was pinned when you claimed …`."""
    parts = [f"{money(payable.amount_cents, payable.currency)}: {WHY[payable.kind]}"]
    assignment, price = payable.assignment, payable.price_version
    if assignment is not None and price is not None:
        pinned = money(assignment.price_cents, assignment.currency)
        if payable.kind == Payable.Kind.SCREENING_FEE:
            pinned = money(assignment.screening_fee_cents, assignment.currency) + " for screening"
        parts.append(
            f"Price version {price.number}, {pinned}, was pinned when you claimed the task "
            f"on {assignment.claimed_at:%Y-%m-%d}."
        )
    if payable.reason:
        parts.append(payable.reason)
    return " ".join(parts)


@dataclass(frozen=True)
class Purse:
    """What decides about a contractor's next payout, beside the single earning.

    Attributes:
        today: the database's day (UTC).
        rail, to: where the money goes; empty while the contractor has not said.
        usable_from: a changed payout method waits until then.
        too_little: currencies of which less than the least payout is waiting.
    """

    today: date
    rail: str
    to: str
    usable_from: datetime | None
    too_little: frozenset[str]

    @property
    def next_run_on(self) -> date:
        """The run that pays what is ready now."""
        ready_at = datetime.combine(self.today, time.min, tzinfo=UTC)
        if self.usable_from is not None:
            ready_at = max(ready_at, self.usable_from)
        return next_run_on(ready_at=ready_at, today=self.today)


def purse(contractor_id: int, earnings: Sequence[Earned]) -> Purse:
    """One query. `earnings` comes from `earned`."""
    now, rail, to, usable_from = (
        Contractor.objects.filter(pk=contractor_id)
        .annotate(
            now=Now(),
            method=FilteredRelation("payout_methods", condition=Q(payout_methods__retired_at=None)),
        )
        .values_list("now", "method__rail", "method__label", "method__usable_from")
        .get()
    )
    return Purse(
        now.astimezone(UTC).date(),
        rail or "",
        to or "",
        usable_from,
        frozenset(
            line.currency for line in earnings if 0 < line.accrued_cents < MINIMUM_PAYOUT_CENTS
        ),
    )


@dataclass(frozen=True)
class Whereabouts:
    """Where one earning is, for the person whose money it is.

    Attributes:
        text: a sentence.
        expected_on: the day (UTC) on which it should be there; None when that can't be said, and
            for what is paid.
        held_until: when it is held.
        rail, to: the way it goes or went, and the masked account.
        reference: what we called the payout; it is on the bank's statement.
        provider_reference: the provider's own name of it.
        paid_at: when it was settled.
    """

    text: str
    expected_on: date | None = None
    held_until: datetime | None = None
    rail: str = ""
    to: str = ""
    reference: str = ""
    provider_reference: str = ""
    paid_at: datetime | None = None


def whereabouts(payable: Payable, purse: Purse) -> Whereabouts:
    """Where an earning is and when it should be there. The payable comes from `payables_of`, so
    that this reads nothing more; the dates are `payouts.rules.next_run_on` and `arrival_on`."""
    item = getattr(payable, "live_item", None)
    if item is not None:
        return _in_payout(item.payout, purse)
    hold = getattr(payable, "live_hold", None)
    ready_at, text = payable.accrued_at, ""
    if payable.state == Payable.State.HELD and hold is not None:
        ready_at = hold.ends_at
        text = f"Held until {hold.ends_at:%Y-%m-%d} at the latest: {hold.reason} "
    elif getattr(payable, "came_back", None):
        text = f"The last payout did not arrive ({payable.came_back}) "  # type: ignore[attr-defined]
    held_until = hold.ends_at if hold is not None else None
    if not purse.rail:
        return Whereabouts(text + "Tell us where to pay you.", held_until=held_until)
    if payable.currency in purse.too_little:
        least = money(MINIMUM_PAYOUT_CENTS, payable.currency)
        return Whereabouts(
            f"{text}It is paid as soon as {least} have come together.", held_until=held_until
        )
    assert purse.usable_from is not None
    run_on = next_run_on(ready_at=max(ready_at, purse.usable_from), today=purse.today)
    return Whereabouts(
        f"{text}In the payout run of {run_on:%Y-%m-%d}.",
        expected_on=arrival_on(sent_on=run_on, rail=purse.rail),
        held_until=held_until,
        rail=purse.rail,
        to=purse.to,
    )


def _in_payout(payout: Payout, purse: Purse) -> Whereabouts:
    sent_on = payout.submitted_at.astimezone(UTC).date() if payout.submitted_at else purse.today
    expected: date | None = arrival_on(sent_on=sent_on, rail=payout.rail)
    if payout.state == Payout.State.SETTLED:
        text, expected = f"Paid to the account {payout.method.label}.", None
    elif payout.state == Payout.State.SUBMITTED:
        text = "The bank or provider has it."
    elif payout.state == Payout.State.UNKNOWN:
        text = "Sent; we are finding out whether it arrived. It is paid exactly once."
        expected = None
    else:
        text = "In the payout run that is being made."
    return Whereabouts(
        text,
        expected_on=expected,
        rail=payout.rail,
        to=payout.method.label,
        reference=payout.our_reference,
        provider_reference=payout.provider_reference,
        paid_at=payout.settled_at,
    )
