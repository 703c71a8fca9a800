"""Throughput of projects, computed by the database from rows in a fixed number of queries."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date as calendar_date
from datetime import datetime
from typing import Any

from django.contrib.postgres.fields import ArrayField
from django.db.models import Count, DateTimeField, F, Func, IntegerField, Q, QuerySet, Sum, Value

from payouts.models import Payable
from payouts.queries import RESERVING
from reports.rules import Days
from tasks.models import Assignment, Project, Submission
from tasks.rules import KEEPS_SLOT


@dataclass
class Money:
    """Cents of one currency. What was claimed that day put `reserved_cents` aside; `earned_cents`
    were posted to contractors that day, of which `paid_cents` have reached them by now."""

    currency: str
    reserved_cents: int = 0
    earned_cents: int = 0
    paid_cents: int = 0


@dataclass
class Figures:
    """How often something happened, and the money of it.

    `submitted` counts the first hand-in of a claim, `accepted` decisions by rule or reviewer,
    `earned` the earnings posted and `paid` those among them that have reached the contractor.
    """

    claimed: int = 0
    submitted: int = 0
    accepted: int = 0
    earned: int = 0
    paid: int = 0
    money: list[Money] = field(default_factory=list)


@dataclass
class Day(Figures):
    """One calendar day."""

    date: calendar_date = calendar_date.min


@dataclass
class Throughput:
    """Days in order, their sums, and what is reserved at this moment, whenever it was claimed."""

    days: list[Day]
    totals: Figures
    reserved_now: list[Money]


def throughput(days: Days, *, project: Project | None = None) -> Throughput:
    """Claimed, submitted, accepted, earned and paid per day, in five queries.

    Arguments:
        days: the days to report; each comes in the answer, also when nothing happened.
        project: None for all projects together.
    """
    found = [Day(date=day) for day in days.dates]
    totals = Figures()
    in_task = Q() if project is None else Q(task__project=project)
    in_assignment = Q() if project is None else Q(assignment__task__project=project)
    in_payable = Q() if project is None else Q(project=project)

    def add(day: int, name: str, number: int) -> None:
        for figures in (found[day - 1], totals):
            setattr(figures, name, getattr(figures, name) + number)

    def add_money(day: int, currency: str, **cents: int) -> None:
        for figures in (found[day - 1], totals):
            line = _line(figures.money, currency)
            for name, amount in cents.items():
                setattr(line, name, getattr(line, name) + amount)

    claims = _by_day(Assignment.objects.filter(in_task), "claimed_at", days, "currency")
    for day, currency, number, cents in claims.annotate(Count("pk"), Sum("price_cents")):
        add(day, "claimed", number)
        add_money(day, currency, reserved_cents=cents)

    hand_ins = Submission.objects.filter(in_assignment, round=1)
    for day, number in _by_day(hand_ins, "submitted_at", days).annotate(Count("pk")):
        add(day, "submitted", number)

    accepted = Submission.objects.filter(in_assignment, state__in=KEEPS_SLOT)
    for day, number in _by_day(accepted, "decided_at", days).annotate(Count("pk")):
        add(day, "accepted", number)

    is_paid = Q(state=Payable.State.PAID)
    earnings = _by_day(Payable.objects.filter(in_payable), "accrued_at", days, "currency")
    for day, currency, earned, paid, earned_cents, paid_cents in earnings.annotate(
        earned=Count("pk"),
        paid=Count("pk", filter=is_paid),
        earned_cents=Sum("amount_cents"),
        paid_cents=Sum("amount_cents", filter=is_paid, default=0),
    ):
        add(day, "earned", earned)
        add(day, "paid", paid)
        add_money(day, currency, earned_cents=earned_cents, paid_cents=paid_cents)

    reserved = (
        Assignment.objects.filter(in_task, state__in=RESERVING)
        .values_list("currency")
        .annotate(Sum("price_cents"))
        .order_by("currency")
    )
    _fill_up([*found, totals])
    return Throughput(found, totals, [Money(currency, cents) for currency, cents in reserved])


def _by_day(
    rows: QuerySet[Any], instant: str, days: Days, *group_by: str
) -> QuerySet[Any, tuple[Any, ...]]:
    """Rows grouped by the number (from 1) of the day that `instant` is in, and by `group_by`."""
    bounds = days.bounds
    grouped: QuerySet[Any, tuple[Any, ...]] = (
        rows.filter(**{f"{instant}__gte": bounds[0], f"{instant}__lt": bounds[-1]})
        .annotate(day=_DayIndex(instant, bounds))
        .values_list("day", *group_by)
        .order_by("day")
    )
    return grouped


class _DayIndex(Func):
    """The number, from 1 on, of the interval between two bounds that an instant is in.

    The bounds come from Python: one source of time zones, whatever the database knows.
    """

    function = "width_bucket"
    output_field = IntegerField()

    def __init__(self, instant: str, bounds: list[datetime]) -> None:
        super().__init__(F(instant), Value(bounds, output_field=ArrayField(DateTimeField())))


def _line(lines: list[Money], currency: str) -> Money:
    for line in lines:
        if line.currency == currency:
            return line
    lines.append(Money(currency))
    return lines[-1]


def _fill_up(figures: Iterable[Figures]) -> None:
    """The same currencies everywhere, sorted, so that every day is a row of the same table."""
    figures = list(figures)
    currencies = {line.currency for each in figures for line in each.money}
    for each in figures:
        for currency in currencies:
            _line(each.money, currency)
        each.money.sort(key=lambda line: line.currency)
