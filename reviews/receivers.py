"""What happens in the queue that has to be scored."""

from __future__ import annotations

from typing import Any

from events.services import receives
from reviews.jobs import score_task


@receives("assignment.submitted")
def score_after_submit(event_id: int, subject_id: int, data: dict[str, Any]) -> None:
    score_task.delay(data["task_id"])
