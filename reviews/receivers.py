"""What happens in the queue that has to be scored."""

from __future__ import annotations

from typing import Any

from annotation_platform.gathered import Gathered
from events.services import receives
from reviews.jobs import build_consensus, score_handed_in, work_on_run

_to_score = Gathered(score_handed_in)


@receives("assignment.submitted")
def score_after_submit(event_id: int, subject_id: int, data: dict[str, Any]) -> None:
    _to_score.send([data["task_id"], data["submission_id"]])


@receives("submission.decided")
def build_consensus_after_decision(event_id: int, subject_id: int, data: dict[str, Any]) -> None:
    build_consensus.delay(data["task_id"])


@receives("run.queued")
def work_on_run_once_queued(event_id: int, subject_id: int, data: dict[str, Any]) -> None:
    work_on_run.delay(subject_id)
