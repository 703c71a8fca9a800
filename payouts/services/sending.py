"""Sending approved payouts, so that a crash at any moment neither pays twice nor loses anything.

Before anything goes out the rail is asked for our reference: this may be a restored backup, and
what it has is adopted (payouts/services/adopting.py). Then persist the attempt (key and bytes) and
commit; call; commit the answer. An answer that did not come is *unknown*: the same bytes go out
under the same key while the provider surely knows the key; after that only the look-up tells, and
when even that can't, a person.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime

from django.db import connection, transaction
from django.db.models import QuerySet

from annotation_platform.clock import database_now
from contractors.models import User
from events.services import record
from payouts.encryption import decrypt, decrypt_json, encrypt
from payouts.models import Payout, PayoutAttempt, PayoutFile, PayoutRun, Rail
from payouts.problems import (
    ProviderUnreachable,
    WitnessesUnreachable,
    WrongPayoutState,
    WrongRunState,
)
from payouts.rails import Answer, ApiRail, Found, Payment, Reply, Unreachable
from payouts.rails.registry import API_RAILS, FILE_RAILS, api_rail, file_rail
from payouts.services.adopting import (
    TO_SEND,
    accept_payout,
    adopt_payment,
    answer_attempt,
    ask_a_person,
    find_payment,
    leave_approved,
    lock_to_send,
)
from payouts.services.outcomes import fail_payout
from payouts.services.witnesses import Lost, lost_history, testify

State = Payout.State
Outcome = PayoutAttempt.Outcome


def payment_of(payout: Payout) -> Payment:
    """What a rail is told; holds decrypted details."""
    return Payment(
        reference=payout.our_reference,
        amount_cents=payout.amount_cents,
        currency=payout.currency,
        name=payout.contractor.user.name or payout.contractor.user.email,
        details=decrypt_json(payout.method.details),
    )


def send_payout(
    *,
    payout_id: int,
    rail: ApiRail | None = None,
    now: datetime | None = None,
    lost: dict[str, Lost] | None = None,
) -> str:
    """Send one payout through its API rail, or find out what became of sending it.

    Safe to call any number of times, from anywhere, after any crash and any restored backup. Only
    one worker at a time works on a payout; another one returns at once. A bank file's payout is
    never sent here, but one that waits for a person is looked at again.

    Arguments:
        rail: default: the payout's own.
        now: default: the database's clock; judges the provider's key window.
        lost: `lost_history()`, when the caller has read it.

    Returns the payout's state afterwards. Must not run inside a transaction: what it commits
    before it calls is what makes a crash harmless.
    """
    if connection.in_atomic_block:
        raise transaction.TransactionManagementError("send_payout commits before it calls.")
    with _alone(payout_id) as mine:
        payout = Payout.objects.get(pk=payout_id)
        if not mine or payout.state not in TO_SEND or not _may_be_asked_about(payout):
            return payout.state
        try:
            found = find_payment(payout, lost_history() if lost is None else lost, rail)
        except (Unreachable, WitnessesUnreachable) as error:
            return _not_asked(payout_id, rail, now, str(error))
        if found is not None:
            return adopt_payment(payout_id, found).state
        if payout.rail not in API_RAILS:
            return payout.state
        attempt = _next_attempt(payout_id, rail, now)
        if attempt is not None:
            chosen = rail or api_rail(payout.rail)
            reply = chosen.send(bytes(attempt.request), attempt.idempotency_key)
            _record_reply(attempt, reply)
        return _state(payout_id)


def _may_be_asked_about(payout: Payout) -> bool:
    return payout.rail in API_RAILS or payout.state == State.UNKNOWN


@transaction.atomic
def _next_attempt(
    payout_id: int, rail: ApiRail | None, now: datetime | None
) -> PayoutAttempt | None:
    """The attempt to send now that the provider has nothing: the one whose answer was lost, as
    long as the provider surely knows its key, or else a new one. None: it is over already."""
    payout = lock_to_send(payout_id)
    if payout.state not in TO_SEND:
        return None
    moment = now or database_now()
    chosen = rail or api_rail(payout.rail)
    last = payout.attempts.order_by("-number").first()
    if last is not None and last.outcome == Outcome.PENDING:
        if moment - last.first_sent_at < chosen.key_window:
            return last
        answer_attempt(last, Outcome.ABSENT, "Looked up after the key's window: absent.")
    request = chosen.request(payment_of(payout))
    # A payout that was refused gave its number, and so its reference, to the next one.
    tries = PayoutAttempt.objects.filter(payout__our_reference=payout.our_reference).count()
    leave_approved(payout)
    return PayoutAttempt.objects.create(
        payout=payout,
        number=last.number + 1 if last else 1,
        idempotency_key=f"{payout.our_reference}-{tries + 1}",
        request=request,
        request_sha256=hashlib.sha256(request).hexdigest(),
        first_sent_at=moment,
    )


@transaction.atomic
def _record_reply(attempt: PayoutAttempt, reply: Reply) -> None:
    payout = lock_to_send(attempt.payout_id)
    stored = PayoutAttempt.objects.get(pk=attempt.pk)
    if payout.state not in TO_SEND or stored.outcome != Outcome.PENDING:
        return  # a webhook was faster
    if reply.answer is Answer.ACCEPTED:
        accept_payout(payout, stored, reply.reference)
    elif reply.answer is Answer.REFUSED:
        answer_attempt(stored, Outcome.REFUSED, reply.detail)
        fail_payout(payout, key="refused", reason=f"Refused: {reply.detail}")
    else:
        stored.detail = reply.detail[:500]
        stored.save(update_fields=["detail"])
        payout.state = State.UNKNOWN
        payout.problem = f"No clear answer: {reply.detail}"[:500]
        payout.save(update_fields=["state", "problem"])


@transaction.atomic
def _not_asked(
    payout_id: int, rail: ApiRail | None, now: datetime | None, said: str
) -> Payout.State:
    """Nobody can say whether it was paid, so nothing is sent. The sweep asks again.

    A person is asked when a request was made and the provider does not know its key any more.
    """
    payout = lock_to_send(payout_id)
    if payout.state not in TO_SEND or payout.found_cents is not None:
        return State(payout.state)
    problem = f"The provider can't be asked: {said}"
    pending = payout.attempts.filter(outcome=Outcome.PENDING).first()
    window = (rail or api_rail(payout.rail)).key_window if payout.rail in API_RAILS else None
    if pending and window and (now or database_now()) - pending.first_sent_at >= window:
        ask_a_person(payout, problem)
    else:
        payout.problem = problem[:500]
        payout.save(update_fields=["problem"])
    return State(payout.state)


@transaction.atomic
def decide_unknown(
    *,
    actor: User,
    payout_id: int,
    provider_reference: str,
    note: str,
    amount_cents: int | None = None,
) -> Payout:
    """A person found out what the provider can't be asked: it paid (its reference), or never did.

    Arguments:
        provider_reference: the provider's name of the payment; empty: it never paid.
        amount_cents: what the provider says that it paid; default: this payout's amount. Another
            one is adopted as if it had been looked up (`adopt_payment`).
        note: how the person knows; kept on the attempt and in the log.

    Raises `WrongPayoutState` unless the payout waits for a person.
    """
    payout = lock_to_send(payout_id)
    pending = payout.attempts.filter(outcome=Outcome.PENDING).first()
    if not payout.needs_person or pending is None or payout.found_cents is not None:
        raise WrongPayoutState(f"Payout {payout.pk} does not wait for this decision.")
    if provider_reference:
        cents = payout.amount_cents if amount_cents is None else amount_cents
        found = Found(payout.rail, provider_reference, cents, database_now())
        payout = adopt_payment(payout_id, found)
    else:
        answer_attempt(pending, Outcome.ABSENT, note)
        fail_payout(payout, key="decided", reason=f"Never paid: {note}")
    record(
        "payout.decided",
        actor=actor,
        subject=payout,
        data={"provider_reference": provider_reference, "note": note},
    )
    return payout


@dataclass
class _Written:
    """What went into a file: counted as it goes by, never held in memory."""

    count: int = 0
    cents: int = 0

    def payments(self, payouts: QuerySet[Payout]) -> Iterator[Payment]:
        locked = (
            payouts.select_for_update(no_key=True, of=("self",))
            .select_related("contractor__user", "method")
            .order_by("pk")
        )
        for payout in locked.iterator(chunk_size=500):
            self.count += 1
            self.cents += payout.amount_cents
            yield payment_of(payout)


@transaction.atomic
def send_run(*, actor: User, run: PayoutRun) -> list[PayoutFile]:
    """Make an approved run's bank files and have its other payouts sent now.

    The event `payout_run.sent` wakes the sweep that sends; without it they go within a minute.
    Again: the same files. Raises what `write_files` raises.
    """
    files = write_files(run=run)
    record("payout_run.sent", actor=actor, subject=run, data={"files": [f.name for f in files]})
    return files


@transaction.atomic
def write_files(*, run: PayoutRun) -> list[PayoutFile]:
    """Turn a run's file payouts into one file per rail, once; they are submitted with it.

    The bytes are stored encrypted: a repetition returns the same file. Raises `WrongRunState`
    before approval and `InvalidPayoutDetails` when the file would not be valid.
    """
    locked = PayoutRun.objects.select_for_update(no_key=True).get(pk=run.pk)
    if locked.state != PayoutRun.State.APPROVED:
        raise WrongRunState(f"Run {locked.pk} is {locked.state}.")
    now = database_now()
    _adopt_lost(locked)
    for name in FILE_RAILS:
        payouts = Payout.objects.filter(run=locked, rail=name, state=State.APPROVED)
        if not payouts.exists():
            continue
        written = _Written()
        file_name, content = file_rail(name).render(
            written.payments(payouts), run=locked.pk, day=now.date()
        )
        file = PayoutFile.objects.create(
            run=locked,
            rail=Rail(name),
            name=file_name,
            content=encrypt(content),
            sha256=hashlib.sha256(content).hexdigest(),
            payout_count=written.count,
            total_cents=written.cents,
        )
        payouts.update(state=State.SUBMITTED, submitted_at=now, file=file)
    return list(PayoutFile.objects.filter(run=locked).order_by("rail"))


def hand_out_file(file: PayoutFile) -> bytes:
    """The bytes of a payout file as they were generated, checked against their digest.

    From now on its payments may be made, and no restored database may forget it: the witness is
    written first. Raises `WitnessesUnreachable`.
    """
    content = decrypt(file.content)
    assert hashlib.sha256(content).hexdigest() == file.sha256
    with transaction.atomic():
        payments = dict(file.payouts.values_list("our_reference", "amount_cents"))
        testify(run=file.run, rail=file.rail, payments=payments)
    return content


def _adopt_lost(run: PayoutRun) -> None:
    """Keep out of the files what a lost history may have paid already: it is adopted instead."""
    lost = lost_history()
    if not lost:
        return
    payouts = Payout.objects.filter(
        run=run, rail__in=FILE_RAILS, state=State.APPROVED, our_reference__in=list(lost)
    )
    for payout in payouts.order_by("pk"):
        try:
            found = find_payment(payout, lost)
        except Unreachable as error:
            raise ProviderUnreachable(f"{payout.our_reference}: {error}") from error
        if found is not None:
            adopt_payment(payout.pk, found)


def _state(payout_id: int) -> str:
    return Payout.objects.values_list("state", flat=True).get(pk=payout_id)


@contextmanager
def _alone(payout_id: int) -> Iterator[bool]:
    """A session lock on one payout: held across commits, gone with the connection on a crash."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(7305002, %s)", [payout_id])
        (mine,) = cursor.fetchone()
    try:
        yield bool(mine)
    finally:
        if mine:
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_advisory_unlock(7305002, %s)", [payout_id])
