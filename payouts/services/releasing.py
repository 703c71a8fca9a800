"""Ending a live claim: a manager's decision, paid for what was saved."""

from __future__ import annotations

from django.db import transaction

from contractors.models import User
from payouts.models import Payable
from payouts.rules import release_pay
from payouts.services.credits import credit_assignment
from tasks.models import Assignment
from tasks.queries import saved_frames
from tasks.services import release
from tasks.services.claims import lock_assignment
from tasks.services.tasks import lock_task


@transaction.atomic
def release_claim(
    *, actor: User, assignment: Assignment, reason: str, share_basis_points: int | None = None
) -> tuple[Assignment, Payable | None]:
    """active | grace | rework → released by a manager, with pay for the saved work.

    The pay is the pinned price times the share of the video's frames that the saved work covers
    (`payouts.rules.release_pay`). A manager may pay a larger share, not a smaller one: that would
    be a decision about quality, which is made about a submission, with its grounds. What is not
    paid goes back to the budget.

    Arguments:
        reason: the contractor reads it on the claim and on the earning.
        share_basis_points: 0 … 10,000, of the price.

    Returns the claim and what it earned; None when nothing was saved. Raises `AlreadySubmitted`
    or `LeaseOver`; nothing is written then.
    """
    lock_task(assignment.task_id)
    locked = lock_assignment(assignment.pk)  # nobody saves between measuring and paying
    saved, whole = saved_frames(locked)
    pay_cents = release_pay(
        locked.price_cents, saved=saved, whole=whole, share_basis_points=share_basis_points
    )
    released = release(actor=actor, assignment=locked, reason=reason, pay_cents=pay_cents)
    if pay_cents == 0:
        return released, None
    earning = credit_assignment(
        assignment=released,
        kind=Payable.Kind.PARTIAL,
        amount_cents=pay_cents,
        actor=actor,
        reason=f"{reason} (Saved: {saved} of {whole} frames.)",
    )
    return released, earning
