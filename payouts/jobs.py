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


@shared_task(name="payouts.follow_report")
def follow_report(report_id: int) -> None:
    """Follow a bank's report for a while, then stand in line again, so that others get a turn."""
    if services.follow_report(report_id):
        follow_report.delay(report_id)


@shared_task(name="payouts.sweep_reports")
def sweep_reports() -> int:
    """Go on with reports whose message or worker was lost. Returns how many are unfinished."""
    unfinished = services.unfinished_reports()
    for report_id in unfinished:
        follow_report.delay(report_id)
    return len(unfinished)


@shared_task(name="payouts.end_holds")
def end_holds() -> int:
    """Give held payables back when their hold is over."""
    return services.end_holds()


@shared_task(name="payouts.make_statements")
def make_statements() -> int:
    """State every account until the end of the last whole week; running it again adds nothing."""
    return services.make_statements()
