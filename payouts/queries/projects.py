"""A project's money."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, timedelta

from django.db.models import Count, Max, Min, Q, Sum
from django.db.models.functions import Coalesce, Now, TruncDate

from payouts.models import Payable
from payouts.rules import PACE_DAYS, runs_out_on
from tasks.models import Assignment, Project
from tasks.queries import budget

# The states of a claim in which its pinned price is set aside for its contractor.
RESERVING = (
    Assignment.State.ACTIVE,
    Assignment.State.GRACE,
    Assignment.State.SUBMITTED,
    Assignment.State.REWORK,
)


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


@dataclass(frozen=True)
class PayDay:
    """One day of one project: what was earned and what was paid for it."""

    day: date
    currency: str
    earned_cents: int
    earned_count: int
    paid_cents: int
    paid_count: int


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


@dataclass(frozen=True)
class BudgetOutlook:
    """A project's budget and how long it lasts, in cents: `funded = free + reserved + earned`.

    Attributes:
        paid_cents: what contractors have received, also for work from before the first funding.
        daily_earned_cents: the pace that the forecast is made with.
        runs_out_on: see `payouts.rules.runs_out_on`.
    """

    limited: bool
    funded_cents: int
    free_cents: int
    reserved_cents: int
    earned_cents: int
    paid_cents: int
    daily_earned_cents: int
    runs_out_on: date | None


def budget_outlook(project: Project) -> BudgetOutlook:
    """Two queries. The pace is taken over the last 14 days, or since the first earning in them."""
    found = budget(project)
    since = Now() - timedelta(days=PACE_DAYS)
    sums = Payable.objects.filter(project=project).aggregate(
        paid=Sum("amount_cents", filter=Q(state=Payable.State.PAID), default=0),
        lately=Sum("amount_cents", filter=Q(accrued_at__gte=since), default=0),
        first=Min("accrued_at", filter=Q(accrued_at__gte=since)),
        now=Coalesce(Max(Now()), Now()),  # also when nothing was earned
    )
    today, first = sums["now"].astimezone(UTC).date(), sums["first"]
    days = (today - first.astimezone(UTC).date()).days + 1 if first else 1
    daily, runs_out = runs_out_on(
        free_cents=found.free_cents,
        earned_cents=sums["lately"],
        days=min(days, PACE_DAYS),
        today=today,
    )
    return BudgetOutlook(
        found.limited,
        found.funded_cents,
        found.free_cents,
        found.reserved_cents,
        found.spent_cents,
        sums["paid"],
        daily,
        runs_out if found.limited else None,
    )
