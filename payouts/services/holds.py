"""Holding a payable back: for a named reason, at most seven days, visible to the person."""

from __future__ import annotations

from datetime import datetime

from django.db import transaction

from annotation_platform.clock import database_now
from contractors.models import User
from events.services import record
from payouts.models import Hold, Payable
from payouts.problems import CannotHold, HoldTooLong
from payouts.rules import MAX_HOLD


@transaction.atomic
def hold_payable(
    *, actor: User, payable: Payable, case: str, reason: str, ends_at: datetime
) -> Hold:
    """accrued → held, once per payable. Writes `payable.held`.

    Arguments:
        case: what finance files it under.
        reason: the contractor reads it.
        ends_at: at most seven days away.

    Raises `HoldTooLong`, and `CannotHold` once it is in a payout or was held before.
    """
    now = database_now()
    if not now < ends_at <= now + MAX_HOLD:
        raise HoldTooLong("The end is in the past or more than seven days away.")
    if not (reason.strip() and case.strip()):
        raise CannotHold("A hold needs a named case and a reason: the contractor reads it.")
    locked = Payable.objects.select_for_update(no_key=True).get(pk=payable.pk)
    if locked.state != Payable.State.ACCRUED:
        raise CannotHold(f"Payable {locked.pk} is {locked.state}.")
    if Hold.objects.filter(payable=locked).exists():
        raise CannotHold("It was held before; seven days are all there is.")
    locked.state = Payable.State.HELD
    locked.save(update_fields=["state"])
    hold = Hold.objects.create(
        payable=locked,
        case=case.strip(),
        reason=reason.strip(),
        placed_by=actor,
        placed_at=now,
        ends_at=ends_at,
    )
    record(
        "payable.held",
        actor=actor,
        subject=locked,
        data={"case": hold.case, "reason": hold.reason, "ends_at": ends_at.isoformat()},
    )
    return hold


@transaction.atomic
def lift_hold(*, actor: User | None, hold: Hold) -> Payable:
    """held → accrued; writes `payable.released`. Lifted already: no change.

    Arguments:
        actor: None when its time is over.
    """
    payable = Payable.objects.select_for_update(no_key=True).get(pk=hold.payable_id)
    locked = Hold.objects.select_for_update(no_key=True).get(pk=hold.pk)
    if locked.lifted_at is None:
        locked.lifted_at, locked.lifted_by = database_now(), actor
        locked.save(update_fields=["lifted_at", "lifted_by"])
        payable.state = Payable.State.ACCRUED
        payable.save(update_fields=["state"])
        record("payable.released", actor=actor, subject=payable)
    return payable


def end_holds(*, batch: int = 500) -> int:
    """The sweep: lift the holds whose time is over; returns how many."""
    over = Hold.objects.filter(lifted_at=None, ends_at__lte=database_now()).order_by("pk")[:batch]
    return len([lift_hold(actor=None, hold=hold) for hold in over])
