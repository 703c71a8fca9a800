"""A year's payments by the day they were settled (UTC), and the tax form behind each person.

It prepares figures; it gives no tax advice.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from itertools import islice
from typing import Any

from django.db.models import Count, Exists, OuterRef, Q, QuerySet, Sum

from contractors.models import Contractor
from payouts.models import Payout, TaxForm
from payouts.tax_rules import (
    REPORTED_CURRENCY,
    form_status,
    is_reported,
    reporting_threshold_cents,
)


@dataclass(frozen=True)
class TaxLine:
    """One contractor's year in one currency.

    Attributes:
        paid_cents: settled in the year and not returned since.
        form: the current one, if there is any.
        form_status: missing, expired or current.
        reported: it reaches the year's threshold, and no W-8BEN says that it does not count.
    """

    contractor: int
    name: str
    email: str
    year: int
    currency: str
    paid_cents: int
    payout_count: int
    form: TaxForm | None
    form_status: str
    reported: bool


def current_tax_form(contractor_id: int) -> TaxForm | None:
    """The newest that the contractor gave, whether it has expired or not."""
    return TaxForm.objects.filter(contractor=contractor_id, replaced_at=None).first()


def status_of(form: TaxForm | None, today: date) -> str:
    """`missing`, `expired` or `current`."""
    if form is None:
        return "missing"
    return form_status(kind=form.kind, expires_on=form.expires_on, today=today)


def tax_year(
    year: int,
    *,
    currency: str = REPORTED_CURRENCY,
    over_threshold: bool = False,
    lacks_form_on: date | None = None,
) -> QuerySet[Contractor, Any]:
    """Who was paid in a year, with `paid_cents` and `payout_count`; `tax_lines` completes them.

    Arguments:
        over_threshold: only those who are reported, or would be if they gave a W-9.
        lacks_form_on: only those who have no form that counts on this day.
    """
    first = datetime(year, 1, 1, tzinfo=UTC)
    paid = (
        Contractor.objects.filter(
            payouts__state=Payout.State.SETTLED,
            payouts__currency=currency,
            payouts__settled_at__gte=first,
            payouts__settled_at__lt=first.replace(year=year + 1),
        )
        .select_related("user")
        .annotate(paid_cents=Sum("payouts__amount_cents"), payout_count=Count("payouts"))
        .order_by("pk")
    )
    forms = TaxForm.objects.filter(contractor=OuterRef("pk"), replaced_at=None)
    if lacks_form_on is not None:
        counts = Q(expires_on__isnull=True) | Q(expires_on__gte=lacks_form_on)
        paid = paid.filter(~Exists(forms.filter(counts)))
    if over_threshold:
        paid = paid.filter(
            ~Exists(forms.filter(kind=TaxForm.Kind.W8BEN)),
            paid_cents__gte=reporting_threshold_cents(year),
        )
        paid = paid if currency == REPORTED_CURRENCY else paid.none()
    return paid


def tax_lines(people: Iterable[Any], *, year: int, currency: str, today: date) -> list[TaxLine]:
    """Rows of `tax_year` with their forms, in one query more."""
    people = list(people)
    forms = {
        form.contractor_id: form
        for form in TaxForm.objects.filter(contractor__in=people, replaced_at=None)
    }
    lines = []
    for person in people:
        form = forms.get(person.pk)
        kind = form.kind if form else ""
        lines.append(
            TaxLine(
                contractor=person.pk,
                name=person.user.name,
                email=person.user.email,
                year=year,
                currency=currency,
                paid_cents=person.paid_cents,
                payout_count=person.payout_count,
                form=form,
                form_status=status_of(form, today),
                reported=is_reported(
                    kind=kind, currency=currency, paid_cents=person.paid_cents, year=year
                ),
            )
        )
    return lines


def all_tax_lines(
    people: QuerySet[Contractor, Any], *, year: int, currency: str, today: date, batch: int = 1000
) -> Iterator[TaxLine]:
    """Every line of a year for an export, `batch` people in memory at a time."""
    rows = people.iterator(chunk_size=batch)
    while chunk := list(islice(rows, batch)):
        yield from tax_lines(chunk, year=year, currency=currency, today=today)


def paid_in_years(contractor_id: int) -> list[tuple[int, str, int]]:
    """(year, currency, cents) of what one contractor was paid, newest year first."""
    rows = (
        Payout.objects.filter(contractor=contractor_id, state=Payout.State.SETTLED)
        .values_list("settled_at__year", "currency")
        .annotate(cents=Sum("amount_cents"))
        .order_by("-settled_at__year", "currency")
    )
    return [(year, currency, cents) for year, currency, cents in rows]
