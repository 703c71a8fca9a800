"""Payouts, and how long they took."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.db import connection
from django.db.models import Q, QuerySet

from payouts.models import Payable, Payout, PayoutItem


def payouts_of(contractor_id: int) -> QuerySet[Payout]:
    """A contractor's payouts, and how each goes on."""
    return Payout.objects.filter(contractor_id=contractor_id).select_related("method")


def payouts_to_look_at() -> QuerySet[Payout]:
    """Everybody's payouts with whom and where they go to, in one query."""
    return Payout.objects.select_related("contractor__user", "method").defer("method__details")


def unpaid_earnings(payout: Payout) -> QuerySet[Payable]:
    """What a payment found under a payout's reference can have been for, the oldest first: what
    is in the payout, and what the person has earned beside it that is in no payout."""
    own = PayoutItem.objects.filter(payout=payout, released=False).values("payable")
    return (
        Payable.objects.filter(contractor_id=payout.contractor_id, currency=payout.currency)
        .filter(Q(pk__in=own) | Q(state=Payable.State.ACCRUED))
        .order_by("pk")
    )


def time_to_pay(since: datetime) -> dict[str, Any]:
    """How long people waited for their money: seconds from accrual to settlement.

    Over the payables settled since an instant. p50 and p95 are continuous percentiles
    (PostgreSQL's `percentile_cont`); None while nothing was settled.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT count(*), percentile_cont(ARRAY[0.5, 0.95]) WITHIN GROUP (
                ORDER BY extract(epoch FROM o.settled_at - p.accrued_at))
            FROM payouts_payable p
            JOIN payouts_payoutitem i ON i.payable_id = p.id AND NOT i.released
            JOIN payouts_payout o ON o.id = i.payout_id
            WHERE o.state = 'settled' AND o.settled_at >= %s
            """,
            [since],
        )
        count, percentiles = cursor.fetchone()
    p50, p95 = percentiles or (None, None)
    return {"count": count, "p50_seconds": p50, "p95_seconds": p95}
