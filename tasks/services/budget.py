"""A project's budget: claims reserve from it, what is not paid comes back.

A project that was never funded is not limited.
"""

from __future__ import annotations

from django.db import connection, transaction
from django.db.models import F, Sum

from contractors.models import Contractor, User
from events.services import record
from tasks.models import Assignment, BudgetShare, Funding, Project
from tasks.models.budget import SHARES
from tasks.problems import BudgetExhausted


@transaction.atomic
def fund(*, actor: User | None, project: Project, amount_cents: int, reason: str) -> Funding:
    """Put money into the budget, or take free money out with a negative amount.

    The first funding limits the project and has to cover what is held or undecided at that
    moment: that was claimed without a reservation and gives its price back like the rest.

    Raises `BudgetExhausted` when more would be taken out than is free.
    """
    held_cents = 0
    if not _is_limited(project):
        _let_claims_end()
    locked = Project.objects.select_for_update(no_key=True).get(pk=project.pk)
    if not locked.budget_limited:
        BudgetShare.objects.bulk_create(
            BudgetShare(project=locked, number=number) for number in range(SHARES)
        )
        locked.budget_limited = True
        locked.save(update_fields=["budget_limited"])
        held_cents = _held_cents(locked)
        if amount_cents < held_cents:
            raise BudgetExhausted(f"Claims hold {held_cents} cents already: fund those first.")
    _spread(locked, amount_cents - held_cents)
    funding = Funding.objects.create(
        project=locked, amount_cents=amount_cents, reason=reason, created_by=actor
    )
    record(
        "project.funded",
        actor=actor,
        subject=locked,
        data={"amount_cents": amount_cents, "reason": reason},
    )
    return funding


def reserve(project: Project, amount_cents: int) -> None:
    """Take money out of the free budget in the caller's transaction.

    Raises `BudgetExhausted`; then nothing was taken.
    """
    if amount_cents == 0 or not _is_limited(project):
        return
    if not _take(project, amount_cents):
        _spread(project, -amount_cents)


@transaction.atomic
def reserve_owed(project: Project, amount_cents: int, reason: str) -> None:
    """Reserve for pay that is owed whatever the budget says, a won dispute say.

    What the free budget lacks is put in by the system, as a funding with the reason: the budget
    then shows the overrun, and the person is paid.
    """
    if amount_cents == 0 or not _is_limited(project) or _take(project, amount_cents):
        return
    # The project before its shares, as in `fund`.
    Project.objects.select_for_update(no_key=True).get(pk=project.pk)
    free = sum(share.free_cents for share in _locked_shares(project))
    if free < amount_cents:
        fund(actor=None, project=project, amount_cents=amount_cents - free, reason=reason)
    _spread(project, -amount_cents)


def give_back(project: Project, amount_cents: int) -> None:
    """Return reserved money that will not be paid, in the caller's transaction."""
    if amount_cents == 0 or not _is_limited(project):
        return
    share = _any_share(project)
    BudgetShare.objects.filter(pk=share.pk).update(free_cents=F("free_cents") + amount_cents)


def _is_limited(project: Project) -> bool:
    """A limit is for ever, so yes is believed; no is asked again: the project may be older than
    its first funding."""
    return (
        project.budget_limited
        or Project.objects.filter(pk=project.pk, budget_limited=True).exists()
    )


def _let_claims_end() -> None:
    """Wait for the claims under way, and let new ones wait for this transaction.

    They have read that the project has no budget, and reserve nothing. Every claim locks its
    person first, so the table's lock is enough; no funding but the first takes it.
    """
    with connection.cursor() as cursor:
        cursor.execute(f"LOCK TABLE {Contractor._meta.db_table} IN EXCLUSIVE MODE")


def _held_cents(project: Project) -> int:
    held = Assignment.objects.filter(
        task__project=project, state__in=[*Assignment.LEASED, Assignment.State.SUBMITTED]
    )
    return int(held.aggregate(total=Sum("price_cents"))["total"] or 0)


def _take(project: Project, amount_cents: int) -> bool:
    share = (
        BudgetShare.objects.select_for_update(skip_locked=True, no_key=True)
        .filter(project=project, free_cents__gte=amount_cents)
        .order_by("?")
        .first()
    )
    if share is None:
        return False
    BudgetShare.objects.filter(pk=share.pk).update(free_cents=F("free_cents") - amount_cents)
    return True


def _any_share(project: Project) -> BudgetShare:
    shares = BudgetShare.objects.filter(project=project).order_by("?")
    free = shares.select_for_update(skip_locked=True, no_key=True).first()
    return free or shares.select_for_update(no_key=True)[0]


def _spread(project: Project, change_cents: int) -> None:
    """Add to (or take from) all shares together and level them. Locks them in order."""
    shares = _locked_shares(project)
    total = sum(share.free_cents for share in shares) + change_cents
    if total < 0:
        raise BudgetExhausted(f"The budget of “{project}” has no {-change_cents} cents left.")
    each, rest = divmod(total, len(shares))
    for share in shares:
        share.free_cents = each + (1 if share.number < rest else 0)
    BudgetShare.objects.bulk_update(shares, ["free_cents"])


def _locked_shares(project: Project) -> list[BudgetShare]:
    return list(
        BudgetShare.objects.select_for_update(no_key=True)
        .filter(project=project)
        .order_by("number")
    )
