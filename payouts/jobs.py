"""Background work of money: each job finds its work by looking at rows."""

from __future__ import annotations

from celery import shared_task

from payouts import services


@shared_task(name="payouts.credit_decided")
def credit_decided() -> int:
    """Pay decided work that was not credited. There should be none; returns how many."""
    return services.credit_decided()


@shared_task(name="payouts.check_ledger")
def check_ledger() -> list[str]:
    """Recompute every balance from its entries; returns what is wrong, and logs it as an error."""
    return services.check_ledger()
