"""Earning: what a decision about work posts."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

from django.db import connection, transaction

from contractors.models import Contractor, User
from events.services import announce
from payouts.models import Account, Payable
from payouts.problems import CreditedDifferently, InvalidAmount, SourceKeyReused
from payouts.rules import (
    EARNING_KINDS,
    FULL_PRICE_KINDS,
    MAX_BONUS_CENTS,
    dispute_key,
    earning_key,
    money,
)
from payouts.services.ledger import expense_account, open_accounts, payable_account
from tasks.models import Assignment, Project, Submission
from tasks.services import reserve, reserve_owed
from tasks.services.claims import lock_person

ACCRUED = "payable.accrued"

_Result = TypeVar("_Result")
_Arguments = ParamSpec("_Arguments")


def joined(service: Callable[_Arguments, _Result]) -> Callable[_Arguments, _Result]:
    """Run in the caller's transaction, in one of its own when there is none.

    Without a savepoint, which would be two round trips: what is wrong is refused before anything
    is written.
    """

    @wraps(service)
    def inside(*args: _Arguments.args, **kwargs: _Arguments.kwargs) -> _Result:
        if connection.in_atomic_block:
            return service(*args, **kwargs)
        with transaction.atomic():
            return service(*args, **kwargs)

    return inside


def credit(
    *,
    submission: Submission,
    kind: str = "accepted",
    amount_cents: int | None = None,
    actor: User | None = None,
    reason: str = "",
) -> Payable:
    """Pay for a submission, in the caller's transaction; `credit_assignment` says how much."""
    return credit_assignment(
        assignment=submission.assignment,
        submission=submission,
        kind=kind,
        amount_cents=amount_cents,
        actor=actor,
        reason=reason,
    )


@joined
def credit_assignment(
    *,
    assignment: Assignment,
    submission: Submission | None = None,
    kind: str,
    amount_cents: int | None = None,
    actor: User | None = None,
    reason: str = "",
) -> Payable:
    """Post what an assignment earned, exactly once; writes `payable.accrued`.

    Never looks at region policy: eligibility does not touch earned money.

    Arguments:
        kind: accepted, auto_accepted, accepted_with_fixes, paid_unused: the price pinned at the
            claim; screening_fee: the pinned fee; partial: `amount_cents`, within the price;
            dispute: what is missing from `amount_cents` (default: the pinned price).
        amount_cents: for partial and dispute only.
        actor: who decided; None when the system did.
        reason: shown to the contractor.

    Returns the payable. An assignment that was paid at least as much before keeps what it has
    (nothing is taken back) and gets nothing more. Raises `CreditedDifferently` when it was paid
    less, which only a dispute can mend, and `InvalidAmount`.
    """
    amount = _amount(assignment, kind, amount_cents)
    if kind == Payable.Kind.DISPUTE:
        return _top_up(assignment, submission, amount, actor, reason)
    payable = _post(
        key=earning_key(assignment.pk),
        contractor_id=assignment.contractor_id,
        project_id=assignment.task.project_id,
        assignment=assignment,
        submission=submission,
        kind=kind,
        amount_cents=amount,
        currency=assignment.currency,
        actor=actor,
        reason=reason,
    )
    if payable.amount_cents < amount:
        raise CreditedDifferently(
            f"{money(payable.amount_cents, payable.currency)} was paid for it "
            f"({payable.kind}); a dispute can add the rest."
        )
    return payable


@transaction.atomic
def pay_bonus(
    *,
    contractor: Contractor,
    project: Project,
    amount_cents: int,
    reason: str,
    actor: User,
    key: str,
    currency: str = "USD",
) -> Payable:
    """Pay somebody a bonus out of a project's money, once per `key`; writes `payable.accrued`.

    Raises `InvalidAmount` (not 1 … MAX_BONUS_CENTS, no reason, or to oneself), `BudgetExhausted`
    and `SourceKeyReused` when the key already paid something else.
    """
    if not 1 <= amount_cents <= MAX_BONUS_CENTS:
        raise InvalidAmount(f"A bonus is {money(1)} to {money(MAX_BONUS_CENTS)}.")
    if not reason.strip():
        raise InvalidAmount("A bonus needs a reason: the contractor reads it.")
    if actor.pk == contractor.pk:
        raise InvalidAmount("Nobody pays a bonus to themselves.")
    # The person first: two requests with one key must not both reserve for it.
    lock_person(contractor.pk)
    if not Payable.objects.filter(source_key=f"bonus:{key}").exists():
        reserve(project, amount_cents)
    payable = _post(
        key=f"bonus:{key}",
        contractor_id=contractor.pk,
        project_id=project.pk,
        assignment=None,
        submission=None,
        kind=Payable.Kind.BONUS,
        amount_cents=amount_cents,
        currency=currency,
        actor=actor,
        reason=reason.strip(),
    )
    paid = (payable.contractor_id, payable.project_id, payable.amount_cents, payable.currency)
    if paid != (contractor.pk, project.pk, amount_cents, currency):
        raise SourceKeyReused(f"This key paid {money(payable.amount_cents, payable.currency)}.")
    return payable


def credit_lost(
    *,
    contractor: Contractor,
    project: Project,
    amount_cents: int,
    currency: str,
    reference: str,
    actor: User,
    reason: str,
) -> Payable:
    """Earn again what was paid under a reference and whose records a restored backup lost.

    Once per reference, in the transaction that adopts the payment, with the person locked; the
    project's budget is overdrawn if need be: the money has left. Writes `payable.accrued`.
    """
    reserve_owed(project, amount_cents, f"Paid as {reference}, records lost")
    return _post(
        key=f"lost:{reference}",
        contractor_id=contractor.pk,
        project_id=project.pk,
        assignment=None,
        submission=None,
        kind=Payable.Kind.BONUS,
        amount_cents=amount_cents,
        currency=currency,
        actor=actor,
        reason=f"Paid as {reference}; its records were lost. {reason.strip()}"[:500],
    )


def _amount(assignment: Assignment, kind: str, amount_cents: int | None) -> int:
    price = assignment.price_cents
    if kind in FULL_PRICE_KINDS and amount_cents in (None, price):
        return price
    if kind == Payable.Kind.SCREENING_FEE and amount_cents in (
        None,
        assignment.screening_fee_cents,
    ):
        return assignment.screening_fee_cents
    if kind == Payable.Kind.DISPUTE and amount_cents is None:
        return price
    if kind in (Payable.Kind.PARTIAL, Payable.Kind.DISPUTE) and amount_cents is not None:
        if 1 <= amount_cents <= price:
            return amount_cents
        raise InvalidAmount(f"From {money(1)} to the pinned price, {money(price)}.")
    raise InvalidAmount(f"{kind!r} does not pay {amount_cents} cents for this assignment.")


def _top_up(
    assignment: Assignment,
    submission: Submission | None,
    owed_cents: int,
    actor: User | None,
    reason: str,
) -> Payable:
    """What a dispute adds to the earning, if anything is missing."""
    # The assignment's row serialises disputes with the earning they look at.
    Assignment.objects.select_for_update(no_key=True).get(pk=assignment.pk)
    paid = list(
        Payable.objects.filter(
            assignment=assignment, kind__in=[*EARNING_KINDS, Payable.Kind.DISPUTE]
        ).order_by("-pk")
    )
    missing = owed_cents - sum(payable.amount_cents for payable in paid)
    if missing <= 0 and paid:
        return paid[0]
    # The decision gave this part of the price back to the budget.
    reserve_owed(assignment.task.project, missing, f"Dispute about assignment {assignment.pk}")
    return _post(
        key=dispute_key(assignment.pk),
        contractor_id=assignment.contractor_id,
        project_id=assignment.task.project_id,
        assignment=assignment,
        submission=submission,
        kind=Payable.Kind.DISPUTE,
        amount_cents=missing,
        currency=assignment.currency,
        actor=actor,
        reason=reason,
    )


def _post(
    *,
    key: str,
    contractor_id: int,
    project_id: int,
    assignment: Assignment | None,
    submission: Submission | None,
    kind: str,
    amount_cents: int,
    currency: str,
    actor: User | None,
    reason: str,
) -> Payable:
    """The earn posting and its payable under one key; the one already there when there is."""
    if not connection.in_atomic_block:
        raise transaction.TransactionManagementError("An earning belongs to its decision.")
    created = Payable(
        source_key=key,
        contractor_id=contractor_id,
        project_id=project_id,
        assignment=assignment,
        submission=submission,
        price_version_id=assignment.price_version_id if assignment else None,
        kind=kind,
        amount_cents=amount_cents,
        currency=currency,
        actor=actor,
        reason=reason,
        state=Payable.State.ACCRUED,
    )
    accounts = [expense_account(project_id, currency), payable_account(contractor_id, currency)]
    if not _insert(created, accounts):
        existing = Payable.objects.filter(source_key=key).first()
        if existing is not None:
            return existing
        open_accounts(accounts)  # somebody's first earning
        if not _insert(created, accounts):
            return Payable.objects.get(source_key=key)
    return created


def _insert(payable: Payable, accounts: list[Account]) -> bool:
    """Transaction, entries, payable and event in one call: the hottest write of the platform.

    The function is in migrations/0020. False when the key was posted before, or an account is
    not open yet; then nothing is written.
    """
    expense, owed = accounts
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT payable_id, posted_id, posted_at, event_id FROM payouts_post_earning("
            "%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)",
            [
                expense.code,
                owed.code,
                payable.source_key,
                payable.contractor_id,
                payable.project_id,
                payable.assignment_id,
                payable.submission_id,
                payable.price_version_id,
                str(payable.kind),
                payable.amount_cents,
                payable.currency,
                payable.actor_id,
                payable.reason,
                ACCRUED,
                payable._meta.label_lower,
            ],
        )
        row = cursor.fetchone()
    if row is None or row[0] is None:
        return False
    payable.pk, payable.transaction_id, payable.accrued_at, event_id = row
    payable._state.adding = False
    announce(
        ACCRUED,
        event_id=event_id,
        subject_id=payable.pk,
        data={
            "contractor_id": payable.contractor_id,
            "project_id": payable.project_id,
            "assignment_id": payable.assignment_id,
            "kind": str(payable.kind),
            "amount_cents": payable.amount_cents,
            "currency": payable.currency,
        },
    )
    return True
