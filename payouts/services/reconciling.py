"""Finding out what became of what was sent: webhooks and look-ups."""

from __future__ import annotations

import logging
from datetime import datetime

from django.db import transaction
from django.db.models import Q

from annotation_platform.clock import database_now
from payouts.models import Payout, ProviderEvent
from payouts.problems import WitnessesUnreachable
from payouts.rails import ApiRail, Status, Unreachable
from payouts.rails.registry import API_RAILS, api_rail
from payouts.services.adopting import TO_SEND, adopt_payment
from payouts.services.outcomes import fail_payout, lock_payout, return_payout, settle_payout
from payouts.services.sending import send_payout
from payouts.services.witnesses import lost_history

logger = logging.getLogger(__name__)

State = Payout.State

# Where a payout is when a rail says this of it; what is pending stays where it is.
TARGETS = {
    Status.PAID: State.SETTLED,
    Status.FAILED: State.FAILED,
    Status.RETURNED: State.RETURNED,
}


def refresh_payout(*, payout_id: int, rail: ApiRail | None = None) -> str:
    """Ask the provider about a payout it has, and follow: settle, fail or return it.

    Returns the state afterwards; an unreachable provider changes nothing.
    """
    payout = Payout.objects.get(pk=payout_id)
    if payout.state not in (State.SUBMITTED, State.SETTLED) or payout.rail not in API_RAILS:
        return payout.state
    try:
        status = (rail or api_rail(payout.rail)).status(payout.provider_reference)
    except Unreachable:
        return payout.state
    return follow_status(payout_id, status, "The provider says so.").state


@transaction.atomic
def follow_status(payout_id: int, status: Status, reason: str) -> Payout:
    """Settle, fail or return a payout as its rail says; what does not follow changes nothing.

    Raises `WrongPayoutState`.
    """
    payout = lock_payout(payout_id)
    if status is Status.PAID and payout.state == State.SUBMITTED:
        return settle_payout(payout_id=payout_id)
    if status is Status.FAILED and payout.state == State.SUBMITTED:
        return fail_payout(payout, key="failed", reason=reason)
    if status is Status.RETURNED and payout.state in (State.SUBMITTED, State.SETTLED):
        settle_payout(payout_id=payout_id)
        return return_payout(payout_id=payout_id, reason=reason)
    return payout


def receive_event(
    *, provider: str, event_id: str, kind: str, reference: str, our_reference: str
) -> bool:
    """Take a webhook: its id is stored first, and what it says is not believed but looked up.

    Arguments:
        reference: the provider's name of the payment.
        our_reference: what we called it (`AP-17`), when the provider repeats it.

    Returns False when the event was handled before; then nothing happens. One whose handling was
    cut short by a crash is handled when it is delivered again, or by the sweep.
    """
    event, _ = ProviderEvent.objects.get_or_create(
        provider=provider,
        event_id=event_id,
        defaults={"kind": kind, "reference": reference, "our_reference": our_reference},
    )
    if event.handled_at is not None:
        return False
    _handle(event)
    return True


def _handle(event: ProviderEvent) -> None:
    handle_event(
        provider=event.provider, reference=event.reference, our_reference=event.our_reference
    )
    event.handled_at = database_now()
    event.save(update_fields=["handled_at"])


def handle_event(
    *, provider: str, reference: str, our_reference: str = "", rail: ApiRail | None = None
) -> None:
    """Refetch what an event is about. One that comes before our own answer brings the answer.

    One about a payment that our records do not know (a backup was restored) is kept, and nothing
    more: the payment is found when its number comes.
    """
    payout = Payout.objects.filter(rail=provider, provider_reference=reference).first()
    if payout is None and our_reference:
        waiting = Payout.objects.filter(
            rail=provider, our_reference=our_reference, state__in=TO_SEND
        ).first()
        if waiting is None:
            return
        try:
            found = (rail or api_rail(provider)).look_up(our_reference)
        except Unreachable:
            return
        payout = adopt_payment(waiting.pk, found) if found is not None else None
    if payout is not None:
        refresh_payout(payout_id=payout.pk, rail=rail)


def sweep_payouts(*, batch: int = 200, now: datetime | None = None) -> dict[str, int]:
    """Carry on with every unfinished payout: send, resend, look up, settle. Law 2's sweep.

    Returns how many are in which state afterwards. Payouts that wait for a person are tried
    again too: the provider may have come back.
    """
    for event in ProviderEvent.objects.filter(handled_at=None).order_by("pk")[:batch]:
        _handle(event)
    states: dict[str, int] = {}
    unfinished = Payout.objects.filter(
        Q(rail__in=API_RAILS, state__in=[*TO_SEND, State.SUBMITTED]) | Q(state=State.UNKNOWN)
    ).order_by("pk")
    found = list(unfinished.values_list("pk", flat=True)[:batch])
    try:
        lost = lost_history() if found else {}
    except WitnessesUnreachable as problem:
        logger.error("Nothing is sent: %s", problem.detail)
        return states
    for payout_id in found:
        state = send_payout(payout_id=payout_id, now=now, lost=lost)
        if state == State.SUBMITTED:
            state = refresh_payout(payout_id=payout_id)
        states[state] = states.get(state, 0) + 1
    return states
