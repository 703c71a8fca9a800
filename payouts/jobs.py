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


@shared_task(name="payouts.sweep_payouts")
def sweep_payouts() -> dict[str, int]:
    """Send, resend, look up and settle every unfinished payout."""
    return services.sweep_payouts()


@shared_task(name="payouts.end_holds")
def end_holds() -> int:
    """Give held payables back when their hold is over."""
    return services.end_holds()


@shared_task(name="payouts.make_statements")
def make_statements() -> int:
    """State every account until the end of the last whole week; running it again adds nothing."""
    return services.make_statements()
