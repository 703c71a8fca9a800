"""Finding out what became of what was sent: webhooks, look-ups, a bank's report file."""

from __future__ import annotations

import csv
import hashlib
import io
import logging
from dataclasses import dataclass, field
from datetime import datetime

from django.db import transaction
from django.db.models import Q

from annotation_platform.clock import database_now
from contractors.models import User
from events.services import record
from payouts.models import Payout, PayoutRun, ProviderEvent
from payouts.problems import UnreadableReport, WitnessesUnreachable, WrongPayoutState
from payouts.rails import ApiRail, Status, Unreachable
from payouts.rails.registry import API_RAILS, api_rail
from payouts.services.adopting import TO_SEND, adopt_payment
from payouts.services.outcomes import fail_payout, lock_payout, return_payout, settle_payout
from payouts.services.sending import send_payout
from payouts.services.witnesses import lost_history

logger = logging.getLogger(__name__)

State = Payout.State

# Where a payout is when a rail says this of it; what is pending stays where it is.
_TARGETS = {
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
    return _follow(payout_id, status, "The provider says so.").state


@transaction.atomic
def _follow(payout_id: int, status: Status, reason: str) -> Payout:
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


@dataclass
class Reconciliation:
    """What a bank's report changed, and every way in which it differs from our books."""

    settled: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    returned: list[str] = field(default_factory=list)
    unchanged: list[str] = field(default_factory=list)
    differences: list[str] = field(default_factory=list)


def reconcile_report(*, actor: User, run: PayoutRun, content: bytes) -> Reconciliation:
    """Read a bank's report (CSV: reference, amount, currency, status) about a run's file payouts.

    Status is `paid`, `failed` or `returned`. Each line is one transaction; a line whose amount,
    currency or reference does not match ours changes nothing and is listed as a difference, as
    are payouts that the report leaves out. Reading the same report again changes nothing, and
    costs no query for a line that was followed: a long report that was cut short is gone on with.

    Raises `UnreadableReport` when it is not such a file; nothing is changed then.
    """
    lines = read_report(content)
    found = Reconciliation()
    seen: set[int] = set()
    ours = {p.our_reference: p for p in Payout.objects.filter(run=run).order_by("pk")}
    for number, (reference, cents, currency, status) in enumerate(lines, start=2):
        payout = ours.get(reference)
        if payout is None:
            found.differences.append(f"line {number}: {reference} is not in this run")
            continue
        if payout.pk in seen:
            found.differences.append(f"line {number}: {reference} is there twice")
            continue
        seen.add(payout.pk)
        is_there = (payout.amount_cents, payout.currency, payout.state)
        if is_there == (cents, currency, _TARGETS.get(status)):
            found.unchanged.append(reference)
        else:
            _reconcile_line(found, number, payout.pk, cents, currency, status)
    for payout in Payout.objects.filter(run=run, state=State.SUBMITTED).exclude(pk__in=seen):
        found.differences.append(f"{payout.our_reference} is missing from the report")
    with transaction.atomic():
        record(
            "payout_run.reconciled",
            actor=actor,
            subject=run,
            data={
                "sha256": hashlib.sha256(content).hexdigest(),
                "settled": len(found.settled),
                "failed": len(found.failed),
                "returned": len(found.returned),
                "differences": found.differences[:100],
            },
        )
    return found


@transaction.atomic
def _reconcile_line(
    found: Reconciliation, number: int, payout_id: int, cents: int, currency: str, status: Status
) -> None:
    payout = lock_payout(payout_id)
    reference = payout.our_reference
    if (cents, currency) != (payout.amount_cents, payout.currency):
        found.differences.append(
            f"line {number}: {reference} is {cents} {currency}, "
            f"ours is {payout.amount_cents} {payout.currency}"
        )
        return
    before = payout.state
    try:
        after = _follow(payout_id, status, "The bank's report says so.").state
    except WrongPayoutState as problem:
        found.differences.append(f"line {number}: {problem.detail}")
        return
    if after != _TARGETS.get(status):
        found.differences.append(
            f"line {number}: {reference} is {after}, the bank says {status.value}"
        )
    elif before == after:
        found.unchanged.append(reference)
    else:
        getattr(found, after).append(reference)


def read_report(content: bytes) -> list[tuple[str, int, str, Status]]:
    """(our reference, cents, currency, status) of each line. Raises `UnreadableReport`."""
    try:
        rows = list(csv.DictReader(io.StringIO(content.decode("utf-8-sig"), newline="")))
        return [
            (row["reference"], _cents(row["amount"]), row["currency"], Status(row["status"]))
            for row in rows
        ]
    except (UnicodeDecodeError, KeyError, ValueError, TypeError, csv.Error) as error:
        raise UnreadableReport(
            f"Columns reference, amount (16.00), currency, status (paid, failed, returned): {error}"
        ) from error


def _cents(text: str) -> int:
    units, dot, cents = text.partition(".")
    if not (units.isdigit() and (not dot or (len(cents) == 2 and cents.isdigit()))):
        raise ValueError(f"{text!r} is not an amount with two decimals")
    return int(units) * 100 + int(cents or 0)
