"""What happens to money that has to be carried on with at once."""

from __future__ import annotations

from typing import Any

from events.services import receives
from payouts.jobs import follow_report, sweep_payouts


@receives("payout_run.sent")
def send_at_once(event_id: int, subject_id: int, data: dict[str, Any]) -> None:
    sweep_payouts.delay()


@receives("bank_report.follow_asked")
def follow_at_once(event_id: int, subject_id: int, data: dict[str, Any]) -> None:
    follow_report.delay(subject_id)
