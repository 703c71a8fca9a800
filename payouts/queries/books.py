"""Looking at the books again: balances, and what should not be there."""

from __future__ import annotations

from collections.abc import Iterator

from django.db.models import QuerySet, Sum, Value
from django.db.models.functions import Coalesce

from contractors.models import Contractor
from payouts.models import Account, Balance, Entry
from payouts.rules import PAYING_OUTCOMES
from tasks.models import Submission


def account_balances(contractor: Contractor) -> dict[str, dict[str, int]]:
    """What is owed to a contractor and in transit, by currency, from the running balances."""
    rows = Balance.objects.filter(account__contractor=contractor).values_list(
        "account__currency", "account__kind", "balance_cents"
    )
    balances: dict[str, dict[str, int]] = {}
    for currency, kind, cents in rows:
        name = "payable_cents" if kind == Account.Kind.CONTRACTOR_PAYABLE else "in_transit_cents"
        balances.setdefault(currency, {"payable_cents": 0, "in_transit_cents": 0})[name] = cents
    return balances


def wrong_balances() -> Iterator[tuple[str, int, int]]:
    """Floored accounts whose running balance is not the sum of their entries.

    Yields (account code, running, recomputed). There should never be one.
    """
    rows = (
        Account.objects.filter(floor_cents__isnull=False)
        .annotate(
            running=Coalesce("balance__balance_cents", Value(0)),
            recomputed=Coalesce(Sum("entries__amount_cents"), Value(0)),
        )
        .values_list("code", "running", "recomputed")
        .order_by("pk")
    )
    for code, running, recomputed in rows.iterator():
        if running != int(recomputed):
            yield code, running, int(recomputed)


def unbalanced_transactions() -> list[int]:
    """Ids of ledger transactions that do not sum to zero per currency. There should be none."""
    return list(
        Entry.objects.values_list("transaction_id", "currency")
        .annotate(total=Sum("amount_cents"))
        .exclude(total=0)
        .order_by()
        .values_list("transaction_id", flat=True)
    )


def decided_but_unpaid() -> QuerySet[Submission]:
    """Submissions with a paying decision whose assignment has no earning; `PAYING_OUTCOMES` says
    which kind each calls for. Nothing earned may be lost: this is empty unless a caller of
    `tasks.services.record_decision` forgot to credit.
    """
    return (
        Submission.objects.filter(state__in=PAYING_OUTCOMES, assignment__payables__isnull=True)
        .exclude(state="unusable_confirmed", assignment__screening_fee_cents=0)
        .select_related("assignment__task")
        .order_by("pk")
    )
