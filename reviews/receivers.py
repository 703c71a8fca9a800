"""What happens in the queue that has to be scored."""

from __future__ import annotations

from typing import Any

from events.services import receives
from reviews.jobs import build_consensus, score_submission, work_on_run


@receives("assignment.submitted")
def score_after_submit(event_id: int, subject_id: int, data: dict[str, Any]) -> None:
    score_submission.delay(data["task_id"], data["submission_id"])


@receives("submission.decided")
def build_consensus_after_decision(event_id: int, subject_id: int, data: dict[str, Any]) -> None:
    build_consensus.delay(data["task_id"])


@receives("run.queued")
def work_on_run_once_queued(event_id: int, subject_id: int, data: dict[str, Any]) -> None:
    work_on_run.delay(subject_id)
