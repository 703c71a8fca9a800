"""Sending approved payouts, so that a crash at any moment neither pays twice nor loses anything.

Persist the attempt (key and bytes) and commit; call; commit the answer. An answer that did not
come is *unknown*: the same bytes go out under the same key while the provider surely knows the
key; after that only a look-up by our own reference tells, and when even that can't, a person.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime

from django.db import connection, transaction
from django.db.models import QuerySet

from annotation_platform.clock import database_now
from contractors.models import User
from events.services import record
from payouts.encryption import decrypt_json, encrypt
from payouts.models import Payout, PayoutAttempt, PayoutFile, PayoutRun, Rail
from payouts.problems import WrongPayoutState, WrongRunState
from payouts.rails import Answer, ApiRail, Payment, Reply, Unreachable
from payouts.rails.registry import API_RAILS, FILE_RAILS, api_rail, file_rail
from payouts.services.outcomes import fail_payout

logger = logging.getLogger(__name__)

State = Payout.State
TO_SEND = (State.APPROVED, State.SENDING, State.UNKNOWN)


@dataclass(frozen=True)
class _Step:
    """What to do next about a payout, decided under its lock."""

    attempt: PayoutAttempt
    look_up: bool = False


def payment_of(payout: Payout) -> Payment:
    """What a rail is told; holds decrypted details."""
    return Payment(
        reference=payout.our_reference,
        amount_cents=payout.amount_cents,
        currency=payout.currency,
        name=payout.contractor.user.name or payout.contractor.user.email,
        details=decrypt_json(payout.method.details),
    )


def send_payout(*, payout_id: int, rail: ApiRail | None = None, now: datetime | None = None) -> str:
    """Send one payout through its API rail, or find out what became of sending it.

    Safe to call any number of times, from anywhere, after any crash. Only one worker at a time
    works on a payout; another one returns at once.

    Arguments:
        rail: default: the payout's own.
        now: default: the database's clock; judges the provider's key window.

    Returns the payout's state afterwards. Must not run inside a transaction: what it commits
    before it calls is what makes a crash harmless.
    """
    if connection.in_atomic_block:
        raise transaction.TransactionManagementError("send_payout commits before it calls.")
    with _alone(payout_id) as mine:
        if not mine:
            return _state(payout_id)
        for _ in range(2):  # a look-up that finds nothing is followed by a new attempt
            step = _next_step(payout_id, rail, now)
            if step is None:
                break
            chosen = rail or api_rail(step.attempt.payout.rail)
            if step.look_up:
                if not _settle_by_look_up(step.attempt, chosen):
                    break
            else:
                reply = chosen.send(bytes(step.attempt.request), step.attempt.idempotency_key)
                _record_reply(step.attempt, reply)
                break
        return _state(payout_id)


@transaction.atomic
def _next_step(payout_id: int, rail: ApiRail | None, now: datetime | None) -> _Step | None:
    payout = _locked(payout_id)
    if payout.state not in TO_SEND or payout.rail not in API_RAILS:
        return None
    moment = now or database_now()
    chosen = rail or api_rail(payout.rail)
    last = payout.attempts.order_by("-number").first()
    if last is not None and last.outcome == PayoutAttempt.Outcome.PENDING:
        last.payout = payout
        expired = moment - last.first_sent_at >= chosen.key_window
        return _Step(last, look_up=expired)
    number = last.number + 1 if last else 1
    request = chosen.request(payment_of(payout))
    attempt = PayoutAttempt.objects.create(
        payout=payout,
        number=number,
        idempotency_key=f"{payout.our_reference}-{number}",
        request=request,
        request_sha256=hashlib.sha256(request).hexdigest(),
        first_sent_at=moment,
    )
    if payout.state == State.APPROVED:
        payout.state = State.SENDING
        payout.save(update_fields=["state"])
    # A first attempt long after the approval: this may be a backup, restored after the payout
    # was sent. The provider may know it, though not its key any more.
    approved_at = payout.run.approved_at
    stale = approved_at is not None and moment - approved_at >= chosen.key_window
    return _Step(attempt, look_up=last is None and stale)


@transaction.atomic
def _record_reply(attempt: PayoutAttempt, reply: Reply) -> None:
    payout = _locked(attempt.payout_id)
    stored = PayoutAttempt.objects.get(pk=attempt.pk)
    if payout.state not in TO_SEND or stored.outcome != PayoutAttempt.Outcome.PENDING:
        return  # a webhook was faster
    if reply.answer is Answer.ACCEPTED:
        accept_payout(payout, stored, reply.reference)
    elif reply.answer is Answer.REFUSED:
        _answered(stored, PayoutAttempt.Outcome.REFUSED, reply.detail)
        if payout.state == State.APPROVED:
            payout.state = State.SENDING
        fail_payout(payout, key="refused", reason=f"Refused: {reply.detail}")
    else:
        stored.detail = reply.detail[:500]
        stored.save(update_fields=["detail"])
        payout.state = State.UNKNOWN
        payout.problem = f"No clear answer: {reply.detail}"[:500]
        payout.save(update_fields=["state", "problem"])


def _settle_by_look_up(attempt: PayoutAttempt, rail: ApiRail) -> bool:
    """After the key's window: adopt what the provider has. True: it has nothing, try anew."""
    try:
        found = rail.look_up(attempt.payout.our_reference)
    except Unreachable as error:
        _ask_a_person(attempt.payout_id, f"The provider can't be asked: {error}")
        return False
    with transaction.atomic():
        payout = _locked(attempt.payout_id)
        stored = PayoutAttempt.objects.get(pk=attempt.pk)
        if payout.state not in TO_SEND or stored.outcome != PayoutAttempt.Outcome.PENDING:
            return False
        if found:
            accept_payout(payout, stored, found)
            return False
        _answered(stored, PayoutAttempt.Outcome.ABSENT, "Looked up after the key's window: absent.")
        return True


def accept_payout(payout: Payout, attempt: PayoutAttempt, reference: str) -> None:
    """The provider has it: → submitted. In the caller's transaction, with the payout locked."""
    _answered(attempt, PayoutAttempt.Outcome.ACCEPTED, "")
    payout.state = State.SUBMITTED
    payout.provider_reference = reference
    payout.submitted_at = database_now()
    payout.problem = ""
    payout.needs_person = False
    payout.save(
        update_fields=["state", "provider_reference", "submitted_at", "problem", "needs_person"]
    )
    record("payout.submitted", actor=None, subject=payout, data={"provider_reference": reference})


@transaction.atomic
def decide_unknown(*, actor: User, payout_id: int, provider_reference: str, note: str) -> Payout:
    """A person found out what the provider can't be asked: it paid (its reference), or never did.

    Arguments:
        provider_reference: the provider's name of the payment; empty: it never paid.
        note: how the person knows; kept on the attempt and in the log.

    Raises `WrongPayoutState` unless the payout waits for a person.
    """
    payout = _locked(payout_id)
    pending = payout.attempts.filter(outcome=PayoutAttempt.Outcome.PENDING).first()
    if not payout.needs_person or pending is None:
        raise WrongPayoutState(f"Payout {payout.pk} does not wait for a person.")
    if provider_reference:
        accept_payout(payout, pending, provider_reference)
    else:
        _answered(pending, PayoutAttempt.Outcome.ABSENT, note)
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
    for name in FILE_RAILS:
        payouts = Payout.objects.filter(run=locked, rail=name, state=State.APPROVED)
        if not payouts.exists():
            continue
        written = _Written()
        file_name, content = file_rail(name).render(
            written.payments(payouts), run=locked.pk, day=now.date()
        )
        PayoutFile.objects.create(
            run=locked,
            rail=Rail(name),
            name=file_name,
            content=encrypt(content),
            sha256=hashlib.sha256(content).hexdigest(),
            payout_count=written.count,
            total_cents=written.cents,
        )
        payouts.update(state=State.SUBMITTED, submitted_at=now)
    return list(PayoutFile.objects.filter(run=locked).order_by("rail"))


def _answered(attempt: PayoutAttempt, outcome: PayoutAttempt.Outcome, detail: str) -> None:
    attempt.outcome = outcome
    attempt.detail = detail[:500]
    attempt.answered_at = database_now()
    attempt.save(update_fields=["outcome", "detail", "answered_at"])


@transaction.atomic
def _ask_a_person(payout_id: int, problem: str) -> None:
    payout = _locked(payout_id)
    if payout.state in TO_SEND:
        payout.state = State.UNKNOWN
        payout.needs_person = True
        payout.problem = problem[:500]
        payout.save(update_fields=["state", "needs_person", "problem"])
        logger.error("Payout %s waits for a person: %s", payout_id, problem)


def _locked(payout_id: int) -> Payout:
    return (
        Payout.objects.select_for_update(no_key=True, of=("self",))
        .select_related("contractor__user", "method", "run")
        .get(pk=payout_id)
    )


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
