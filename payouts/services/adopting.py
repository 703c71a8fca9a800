"""A payment that a rail already has becomes ours: a restored backup pays nothing twice.

A payout's reference is derived from the person, the currency and a number of its own series that
only a payment uses up. So a restored database arrives at the references of the history that it
lost, one after the other, and asks for each before it sends anything under it. What is found is
adopted; what it is worth must be known earnings, exactly, or a person decides.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from datetime import timedelta

from django.db import transaction

from annotation_platform.clock import database_now
from contractors.models import User
from events.services import record
from payouts import queries
from payouts.models import Payable, Payout, PayoutAttempt, PayoutItem
from payouts.problems import InvalidAmount, WrongPayoutState
from payouts.rails import ApiRail, Found
from payouts.rails.registry import API_RAILS, FILE_RAILS, api_rail
from payouts.rules import money, oldest_worth
from payouts.services.credits import credit_lost
from payouts.services.ledger import in_transit_account, open_accounts, payable_account, post
from payouts.services.outcomes import fail_payout
from payouts.services.witnesses import Lost
from tasks.models import Project
from tasks.services.claims import lock_person

logger = logging.getLogger(__name__)

State = Payout.State
TO_SEND = (State.APPROVED, State.SENDING, State.UNKNOWN)

# What a provider calls the moment of a payment is to the second, by its own clock.
_CLOCKS_DIFFER = timedelta(minutes=1)


def lock_to_send(payout_id: int) -> Payout:
    """The payout, locked, with what sending it takes."""
    return (
        Payout.objects.select_for_update(no_key=True, of=("self",))
        .select_related("contractor__user", "method", "run", "reserve")
        .get(pk=payout_id)
    )


def find_payment(
    payout: Payout, lost: dict[str, Lost], rail: ApiRail | None = None
) -> Found | None:
    """Ask every rail that may have paid under a payout's reference; changes nothing.

    Its own provider is always asked. Another rail (the way to be paid may have changed in the
    history that was lost) is asked when that history left a witness.

    Raises `Unreachable`.
    """
    reference = payout.our_reference
    trace = lost.get(reference)
    if trace is not None and trace.rail in FILE_RAILS:
        return Found(trace.rail, "", trace.amount_cents, trace.at)
    asked = {payout.rail, trace.rail if trace else payout.rail} & set(API_RAILS)
    for name in sorted(asked):
        provider = rail if rail is not None and rail.name == name else api_rail(name)
        found = provider.look_up(reference)
        if found is not None:
            return found
    return None


@transaction.atomic
def adopt_payment(payout_id: int, found: Found) -> Payout:
    """Take what a rail already has under a payout's reference for what became of it.

    The same amount: it is this payout. Another amount that came back: the number is used up and
    everything is owed again. Another amount that the person's oldest unpaid earnings of that time
    are worth exactly: a payout of those takes its place. Otherwise a person decides
    (`decide_found`), and nothing is sent. Returns the payout that has the reference now.
    """
    payout = lock_to_send(payout_id)
    if payout.state not in TO_SEND:
        return payout  # another worker or a webhook was faster
    pending = payout.attempts.filter(outcome=PayoutAttempt.Outcome.PENDING).first()
    if (found.amount_cents, found.rail) == (payout.amount_cents, payout.rail) and (
        pending is not None or found.came_back or _may_be_this(payout, found)
    ):
        accept_payout(payout, pending, found.reference)
        return payout
    if found.came_back:
        accept_payout(payout, pending, found.reference)
        said = money(found.amount_cents, payout.currency)
        return fail_payout(payout, key="came_back", reason=f"{said} under its reference came back.")
    possible = [payable for payable in _unpaid(payout) if _could_be_paid_at(payable, found)]
    worth = oldest_worth([p.amount_cents for p in possible], found.amount_cents)
    if worth:
        return _replace(payout, found, possible[:worth])
    payout.found_cents, payout.found_rail = found.amount_cents, found.rail
    payout.found_reference = found.reference
    ask_a_person(
        payout,
        f"{money(found.amount_cents, payout.currency)} was already paid under its reference, and "
        "which earnings that was for is not known here: was a backup restored?",
    )
    return payout


@transaction.atomic
def decide_found(
    *,
    actor: User,
    payout_id: int,
    earnings: Iterable[int],
    project: Project | None = None,
    note: str,
) -> Payout:
    """A person says which earnings a payment was for that a rail has and our records lost.

    Arguments:
        earnings: ids of unpaid earnings of that person, worth what was paid at most.
        project: what was paid beyond them was earned in it by work whose records are lost; it is
            credited with the note as its reason, so that the books say what really went out.
        note: how the person knows; kept in the log.

    Nothing is sent. The rest of the payout is owed again. Raises `WrongPayoutState` unless the
    payout waits for this decision and `InvalidAmount` when the amounts do not come out.
    """
    lock_person(Payout.objects.get(pk=payout_id).contractor_id)  # before what is theirs
    payout = lock_to_send(payout_id)
    if not payout.needs_person or payout.found_cents is None:
        raise WrongPayoutState(f"Payout {payout.pk} does not wait for this decision.")
    if actor.pk == payout.contractor_id:
        raise InvalidAmount("Nobody decides about their own payments.")
    named = set(earnings)
    unpaid = [payable for payable in _unpaid(payout) if payable.pk in named]
    if named != {payable.pk for payable in unpaid}:
        raise InvalidAmount("Choose among the unpaid earnings of this person.")
    found = Found(payout.found_rail, payout.found_reference, payout.found_cents, database_now())
    left = found.amount_cents - sum(payable.amount_cents for payable in unpaid)
    if left < 0:
        raise InvalidAmount(
            f"{money(found.amount_cents, payout.currency)} were paid; these earnings are worth "
            f"{money(found.amount_cents - left, payout.currency)}."
        )
    if left > 0:
        if project is None:
            raise InvalidAmount(
                f"{money(left, payout.currency)} of it is for none of these earnings: name the "
                "project in which it was earned."
            )
        unpaid.append(
            credit_lost(
                contractor=payout.contractor,
                project=project,
                amount_cents=left,
                currency=payout.currency,
                reference=payout.our_reference,
                actor=actor,
                reason=note,
            )
        )
    adopted = _replace(payout, found, unpaid)
    record(
        "payout.decided",
        actor=actor,
        subject=adopted,
        data={
            "provider_reference": found.reference,
            "earnings": sorted(named),
            "lost_cents": left,
            "note": note,
        },
    )
    return adopted


def accept_payout(payout: Payout, attempt: PayoutAttempt | None, reference: str) -> None:
    """The rail has it: → submitted. In the caller's transaction, with the payout locked."""
    if attempt is not None:
        answer_attempt(attempt, PayoutAttempt.Outcome.ACCEPTED, "")
    payout.state = State.SUBMITTED
    payout.provider_reference = reference
    payout.submitted_at = database_now()
    payout.problem = ""
    payout.needs_person = False
    payout.found_cents, payout.found_rail, payout.found_reference = None, "", ""
    payout.save(
        update_fields=[
            "state", "provider_reference", "submitted_at", "problem", "needs_person",
            "found_cents", "found_rail", "found_reference",
        ]
    )  # fmt: skip
    record("payout.submitted", actor=None, subject=payout, data={"provider_reference": reference})


def answer_attempt(attempt: PayoutAttempt, outcome: PayoutAttempt.Outcome, detail: str) -> None:
    """Write what became of an attempt, once."""
    attempt.outcome = outcome
    attempt.detail = detail[:500]
    attempt.answered_at = database_now()
    attempt.save(update_fields=["outcome", "detail", "answered_at"])


def ask_a_person(payout: Payout, problem: str) -> None:
    """→ unknown, and finance sees it under what waits for them. The payout is locked."""
    leave_approved(payout)
    payout.state = State.UNKNOWN
    payout.needs_person = True
    payout.problem = problem[:500]
    payout.save(
        update_fields=[
            "state", "needs_person", "problem", "found_cents", "found_rail", "found_reference",
        ]
    )  # fmt: skip
    logger.error("Payout %s waits for a person: %s", payout.pk, problem)


def leave_approved(payout: Payout) -> None:
    """approved → sending: from there a payout can become anything."""
    if payout.state == State.APPROVED:
        payout.state = State.SENDING
        payout.save(update_fields=["state"])


def _unpaid(payout: Payout) -> list[Payable]:
    """What it can have been for, locked: the payout's own earnings first, each oldest first."""
    own = set(payout.items.filter(released=False).values_list("payable_id", flat=True))
    locked = (
        queries.unpaid_earnings(payout)
        .select_for_update(no_key=True, of=("self",))
        .select_related("assignment")
    )
    return sorted(locked, key=lambda payable: payable.pk not in own)


def _may_be_this(payout: Payout, found: Found) -> bool:
    items = Payable.objects.filter(payout_items__payout=payout, payout_items__released=False)
    return all(_could_be_paid_at(item, found) for item in items.select_related("assignment"))


def _could_be_paid_at(payable: Payable, found: Found) -> bool:
    """Work is claimed before it is paid, though the decision may have been made anew since."""
    began = payable.assignment.claimed_at if payable.assignment else payable.accrued_at
    return began <= found.at + _CLOCKS_DIFFER


def _replace(payout: Payout, found: Found, payables: Sequence[Payable]) -> Payout:
    """Another payout of these earnings takes the number, as the payment that the rail has."""
    total = sum(payable.amount_cents for payable in payables)
    assert total == found.amount_cents
    for pending in payout.attempts.filter(outcome=PayoutAttempt.Outcome.PENDING):
        answer_attempt(
            pending, PayoutAttempt.Outcome.ABSENT, "Another payment has this reference already."
        )
    leave_approved(payout)
    payout.found_cents, payout.found_rail, payout.found_reference = None, "", ""
    payout.save(update_fields=["found_cents", "found_rail", "found_reference"])
    said = money(total, payout.currency)
    fail_payout(payout, key="taken", reason=f"{said} was already paid under its reference.")
    adopted = Payout.objects.create(
        run=payout.run,
        contractor=payout.contractor,
        method=payout.method,
        rail=found.rail,
        currency=payout.currency,
        amount_cents=total,
        number=payout.number,
        our_reference=payout.our_reference,
    )
    Payable.objects.filter(pk__in=[p.pk for p in payables]).update(state=Payable.State.BATCHED)
    PayoutItem.objects.bulk_create(PayoutItem(payout=adopted, payable=p) for p in payables)
    owed, in_transit = open_accounts(
        [
            payable_account(payout.contractor_id, payout.currency),
            in_transit_account(payout.contractor_id, payout.currency),
        ]
    )
    adopted.reserve = post(
        kind="reserve",
        key=f"payout:{adopted.pk}:reserve",
        postings=[(owed, -total), (in_transit, total)],
    )
    for state in (State.LOCKED, State.APPROVED):
        adopted.state = state
        adopted.save(update_fields=["state", "reserve"])
    accept_payout(adopted, None, found.reference)
    record(
        "payout.adopted",
        actor=None,
        subject=adopted,
        data={"instead_of": payout.pk, "amount_cents": total, "rail": found.rail},
    )
    return adopted
