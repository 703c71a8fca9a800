"""Where contractors say they live."""

from __future__ import annotations

from datetime import date, timedelta

from django.db import IntegrityError, transaction
from django.db.backends.postgresql.psycopg_any import DateRange

from annotation_platform.clock import database_now
from contractors import rules
from contractors.models import Contractor, Residence, User
from contractors.problems import (
    ResidenceBeforeHistory,
    ResidenceDeclaredForThatDay,
    ResidenceInTheFuture,
    ResidenceUnchanged,
    UnknownArea,
)
from contractors.services.locks import locked
from events.services import record


@transaction.atomic
def declare_residence(
    *,
    contractor: Contractor,
    area: str,
    from_date: date,
    evidence: str = "",
    actor: User | None,
) -> Residence:
    """Declare that the contractor lives in `area` from `from_date` (a day, UTC) on.

    The current residence ends on that day. A move may be dated in the past, back to the first
    day of the current residence; days before it are history and stay as they were declared.
    Claims made meanwhile keep the residence that they pinned: moving voids no work.

    Event: contractor.residence_declared, with how many days it was dated back.
    Errors: `UnknownArea`, `ResidenceInTheFuture`, `ResidenceUnchanged`,
    `ResidenceDeclaredForThatDay`, `ResidenceBeforeHistory`.
    """
    if not rules.is_area(area):
        raise UnknownArea(f"“{area}” is not a place we know. Search for its full code.")
    today = database_now().date()
    # One day ahead: east of Greenwich tomorrow begins before it does in UTC.
    if from_date > today + timedelta(days=1):
        raise ResidenceInTheFuture(f"{from_date} is still to come. Declare it when you have moved.")
    person = locked(contractor)
    last = person.residences.order_by("-valid").first()
    if last is not None:
        _end(last, area, from_date)
    try:
        with transaction.atomic():
            residence = Residence.objects.create(
                contractor=person,
                area=area,
                valid=DateRange(from_date, None),
                evidence=evidence,
            )
    except IntegrityError as error:  # a history made by other means, with a gap or a fixed end
        raise ResidenceBeforeHistory(f"Another residence covers days after {from_date}.") from error
    record(
        "contractor.residence_declared",
        actor=actor,
        subject=person,
        data={
            "residence": residence.pk,
            "area": area,
            "from": from_date.isoformat(),
            "before": last.area if last is not None else None,
            "days_back": max(0, (today - from_date).days),
        },
    )
    return residence


def _end(last: Residence, area: str, day: date) -> None:
    first_day = last.valid.lower
    if day == first_day:
        raise ResidenceDeclaredForThatDay(
            f"{rules.name(last.area)} is declared from {first_day} on. One place per day: choose "
            "a later day, or ask a manager."
        )
    if day < first_day:
        raise ResidenceBeforeHistory(
            f"{rules.name(last.area)} is declared from {first_day} on; a move must be after that."
        )
    if last.valid.upper is None:
        if last.area == area:
            raise ResidenceUnchanged(
                f"{rules.name(area)} is declared from {first_day} on, with no end."
            )
        last.valid = DateRange(first_day, day)
        last.save(update_fields=["valid"])
