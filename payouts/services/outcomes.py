"""What becomes of a payout: settled, failed or returned. Each posts to the ledger once."""

from __future__ import annotations

from django.db import transaction
from django.db.models import QuerySet

from annotation_platform.clock import database_now
from events.services import record
from payouts.models import Payable, Payout, PayoutItem
from payouts.problems import WrongPayoutState
from payouts.services.ledger import (
    cash_account,
    in_transit_account,
    open_accounts,
    post,
    reverse,
)

State = Payout.State


def lock_payout(payout_id: int) -> Payout:
    """The payout, locked; its accounts come after it in the lock order."""
    return (
        Payout.objects.select_for_update(no_key=True, of=("self",))
        .select_related("reserve", "settle")
        .get(pk=payout_id)
    )


@transaction.atomic
def settle_payout(*, payout_id: int) -> Payout:
    """submitted → settled: in transit → cash, the payables are paid. Settled already: no change.

    Raises `WrongPayoutState`.
    """
    payout = lock_payout(payout_id)
    if payout.state == State.SETTLED:
        return payout
    if payout.state != State.SUBMITTED:
        raise WrongPayoutState(f"Payout {payout.pk} is {payout.state}.")
    in_transit, cash = open_accounts(
        [
            in_transit_account(payout.contractor_id, payout.currency),
            cash_account(payout.rail, payout.currency),
        ]
    )
    payout.settle = post(
        kind="settle",
        key=f"payout:{payout.pk}:settle",
        postings=[(in_transit, -payout.amount_cents), (cash, payout.amount_cents)],
    )
    payout.state = State.SETTLED
    payout.settled_at = database_now()
    payout.problem = ""
    payout.save(update_fields=["state", "settled_at", "settle", "problem"])
    _payables(payout).update(state=Payable.State.PAID)
    record(
        "payout.settled",
        actor=None,
        subject=payout,
        data={"amount_cents": payout.amount_cents, "contractor_id": payout.contractor_id},
    )
    return payout


def fail_payout(payout: Payout, *, key: str, reason: str) -> Payout:
    """sending | unknown | submitted → failed: the reservation is reversed, the payables are owed
    again. In the caller's transaction, with the payout locked."""
    assert payout.reserve is not None
    reverse(kind="fail", key=f"payout:{payout.pk}:{key}", reverses=payout.reserve)
    return _come_to_nothing(payout, State.FAILED, reason)


@transaction.atomic
def return_payout(*, payout_id: int, reason: str) -> Payout:
    """settled → returned: the money came back; the payables are owed again.

    Returned already: no change. Raises `WrongPayoutState`.
    """
    payout = lock_payout(payout_id)
    if payout.state == State.RETURNED:
        return payout
    if payout.state != State.SETTLED or payout.settle is None or payout.reserve is None:
        raise WrongPayoutState(f"Payout {payout.pk} is {payout.state}.")
    reverse(kind="return", key=f"payout:{payout.pk}:return", reverses=payout.settle)
    reverse(kind="fail", key=f"payout:{payout.pk}:returned", reverses=payout.reserve)
    return _come_to_nothing(payout, State.RETURNED, reason)


def _come_to_nothing(payout: Payout, state: Payout.State, reason: str) -> Payout:
    payout.state = state
    payout.problem = reason[:500]
    payout.needs_person = False
    payout.save(update_fields=["state", "problem", "needs_person"])
    _payables(payout).update(state=Payable.State.ACCRUED)
    PayoutItem.objects.filter(payout=payout).update(released=True)
    record(f"payout.{state.value}", actor=None, subject=payout, data={"reason": reason[:500]})
    return payout


def _payables(payout: Payout) -> QuerySet[Payable]:
    return Payable.objects.filter(payout_items__payout=payout, payout_items__released=False)
