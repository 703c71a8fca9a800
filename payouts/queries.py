"""Reads of money across tables. Nothing here locks or writes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from django.db import connection
from django.db.models import Count, QuerySet, Sum, Value
from django.db.models.functions import Coalesce, TruncDate

from contractors.models import Contractor
from payouts.models import Account, Balance, Entry, Payable, Payout
from payouts.rules import PAYING_OUTCOMES, WHY, money
from tasks.models import Assignment, Project, Submission

# The states of a claim in which its pinned price is set aside for its contractor.
RESERVING = (
    Assignment.State.ACTIVE,
    Assignment.State.GRACE,
    Assignment.State.SUBMITTED,
    Assignment.State.REWORK,
)
NOT_PAID = (Payable.State.ACCRUED, Payable.State.HELD, Payable.State.BATCHED)


@dataclass(frozen=True)
class ProjectMoney:
    """A project's money in one currency, in cents.

    Attributes:
        reserved_cents: prices pinned on claims that are not decided yet.
        earned_cents: everything accrued so far, paid or not.
        paid_cents: the part of it that reached contractors.
    """

    currency: str
    reserved_cents: int = 0
    earned_cents: int = 0
    paid_cents: int = 0

    @property
    def unpaid_cents(self) -> int:
        return self.earned_cents - self.paid_cents


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


@dataclass(frozen=True)
class PayDay:
    """One day of one project: what was earned and what was paid for it."""

    day: date
    currency: str
    earned_cents: int
    earned_count: int
    paid_cents: int
    paid_count: int


def payables_of(contractor_id: int) -> QuerySet[Payable]:
    """A contractor's earnings with all that their explanation needs, in one query."""
    return Payable.objects.filter(contractor_id=contractor_id).select_related(
        "project", "price_version", "submission", "assignment__task__video"
    )


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


def project_money(project: Project) -> list[ProjectMoney]:
    """A project's reserved, earned and paid money per currency, in two queries."""
    sums: dict[str, dict[str, int]] = {}
    reserved = (
        Assignment.objects.filter(task__project=project, state__in=RESERVING)
        .values_list("currency")
        .annotate(total=Sum("price_cents"))
        .order_by()
    )
    for currency, total in reserved:
        sums.setdefault(currency, {})["reserved_cents"] = total
    rows = (
        Payable.objects.filter(project=project)
        .values_list("currency", "state")
        .annotate(total=Sum("amount_cents"))
        .order_by()
    )
    for currency, state, total in rows:
        entry = sums.setdefault(currency, {})
        entry["earned_cents"] = entry.get("earned_cents", 0) + total
        if state == Payable.State.PAID:
            entry["paid_cents"] = total
    return [ProjectMoney(currency, **sums[currency]) for currency in sorted(sums)]


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


def account_balances(contractor: Contractor) -> dict[str, dict[str, int]]:
    """What is owed to a contractor and in transit, by currency, from the running balances."""
    rows = Balance.objects.filter(account__contractor=contractor).values_list(
        "account__currency", "account__kind", "balance_cents"
    )
    balances: dict[str, dict[str, int]] = {}
    for currency, kind, cents in rows:
        name = "payable_cents" if kind == Account.Kind.CONTRACTOR_PAYABLE else "in_transit_cents"
        balances.setdefault(currency, {"payable_cents": 0, "in_transit_cents": 0})[name] = cents
    return balances


def wrong_balances() -> Iterator[tuple[str, int, int]]:
    """Floored accounts whose running balance is not the sum of their entries.

    Yields (account code, running, recomputed). There should never be one.
    """
    rows = (
        Account.objects.filter(floor_cents__isnull=False)
        .annotate(
            running=Coalesce("balance__balance_cents", Value(0)),
            recomputed=Coalesce(Sum("entries__amount_cents"), Value(0)),
        )
        .values_list("code", "running", "recomputed")
        .order_by("pk")
    )
    for code, running, recomputed in rows.iterator():
        if running != int(recomputed):
            yield code, running, int(recomputed)


def unbalanced_transactions() -> list[int]:
    """Ids of ledger transactions that do not sum to zero per currency. There should be none."""
    return list(
        Entry.objects.values_list("transaction_id", "currency")
        .annotate(total=Sum("amount_cents"))
        .exclude(total=0)
        .order_by()
        .values_list("transaction_id", flat=True)
    )


def decided_but_unpaid() -> QuerySet[Submission]:
    """Submissions with a paying decision whose assignment has no earning; `PAYING_OUTCOMES` says
    which kind each calls for. Nothing earned may be lost: this is empty unless a caller of
    `tasks.services.record_decision` forgot to credit.
    """
    return (
        Submission.objects.filter(state__in=PAYING_OUTCOMES, assignment__payables__isnull=True)
        .exclude(state="unusable_confirmed", assignment__screening_fee_cents=0)
        .select_related("assignment__task")
        .order_by("pk")
    )


def money_per_day(project: Project, first: date, last: date) -> list[PayDay]:
    """Earned and paid figures of each day (UTC) that has any, oldest first."""
    found: dict[tuple[date, str], dict[str, int]] = {}
    accrued = (
        Payable.objects.filter(project=project, accrued_at__date__range=(first, last))
        .annotate(day=TruncDate("accrued_at"))
        .values_list("day", "currency")
        .annotate(cents=Sum("amount_cents"), lines=Count("pk"))
        .order_by()
    )
    for day, currency, cents, lines in accrued:
        found[day, currency] = {"earned_cents": cents, "earned_count": lines}
    paid = (
        Payable.objects.filter(
            project=project,
            state=Payable.State.PAID,
            payout_items__released=False,
            payout_items__payout__settled_at__date__range=(first, last),
        )
        .annotate(day=TruncDate("payout_items__payout__settled_at"))
        .values_list("day", "currency")
        .annotate(cents=Sum("amount_cents"), lines=Count("pk"))
        .order_by()
    )
    for day, currency, cents, lines in paid:
        found.setdefault((day, currency), {}).update(paid_cents=cents, paid_count=lines)
    nothing = {"earned_cents": 0, "earned_count": 0, "paid_cents": 0, "paid_count": 0}
    return [
        PayDay(day, currency, **(nothing | found[day, currency])) for day, currency in sorted(found)
    ]


def time_to_pay(since: datetime) -> dict[str, Any]:
    """How long people waited for their money: seconds from accrual to settlement.

    Over the payables settled since an instant. p50 and p95 are continuous percentiles
    (PostgreSQL's `percentile_cont`); None while nothing was settled.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT count(*), percentile_cont(ARRAY[0.5, 0.95]) WITHIN GROUP (
                ORDER BY extract(epoch FROM o.settled_at - p.accrued_at))
            FROM payouts_payable p
            JOIN payouts_payoutitem i ON i.payable_id = p.id AND NOT i.released
            JOIN payouts_payout o ON o.id = i.payout_id
            WHERE o.state = 'settled' AND o.settled_at >= %s
            """,
            [since],
        )
        count, percentiles = cursor.fetchone()
    p50, p95 = percentiles or (None, None)
    return {"count": count, "p50_seconds": p50, "p95_seconds": p95}


def payouts_of(contractor_id: int) -> QuerySet[Payout]:
    """A contractor's payouts, and how each goes on."""
    return Payout.objects.filter(contractor_id=contractor_id).select_related("method")
