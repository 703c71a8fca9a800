"""One timeline out of a task's usable work."""

from __future__ import annotations

from django.db import transaction

from annotation_platform.clock import database_now
from events.services import record
from reviews import queries
from reviews.models import TaskConsensus
from reviews.rules import LOW_CONFIDENCE
from reviews.services.batch import each
from tasks.models import Task
from timelines.consensus import build_consensus


def mark_stale(task_id: int) -> None:
    """Note, in the caller's transaction, that the task's consensus has to be built again."""
    TaskConsensus.objects.bulk_create(
        [TaskConsensus(task_id=task_id, stale=True)],
        update_conflicts=True,
        unique_fields=["task"],
        update_fields=["stale"],
    )


@transaction.atomic
def build_task_consensus(task_id: int) -> TaskConsensus | None:
    """Build the consensus of a task's accepted work, if it is stale; None if nothing was decided.

    Two people's work at least; with less it stays empty. Writes `task.consensus_built`.
    """
    task = (
        Task.objects.select_for_update(no_key=True, of=("self",))
        .select_related("video")
        .defer("video__frame_times")
        .get(pk=task_id)
    )
    consensus = TaskConsensus.objects.filter(task=task).first()
    if consensus is None or not consensus.stale:
        return consensus
    usable = queries.usable_submissions(task)
    if consensus.built_at is None or consensus.submission_ids != usable:
        _fill(consensus, task, usable)
    consensus.stale = False
    consensus.built_at = database_now()
    consensus.save()
    record(
        "task.consensus_built",
        actor=None,
        subject=task,
        data={
            "submission_ids": usable,
            "segments": len(consensus.segments),
            "disputed": len(consensus.disputed),
            "low_confidence": consensus.low_confidence_count,
        },
    )
    return consensus


def sweep_consensus(*, batch: int = 200) -> dict[str, int]:
    """Build what a lost message left stale. One task failing does not stop the others."""
    stale = TaskConsensus.objects.filter(stale=True).order_by("task").values_list("pk", flat=True)
    failure = "The consensus of task %s could not be built."
    built, failed = each(list(stale[:batch]), build_task_consensus, failure)
    return {"built": built, "failed": failed}


def _fill(consensus: TaskConsensus, task: Task, usable: list[int]) -> None:
    consensus.submission_ids = usable
    consensus.segments, consensus.disputed = [], []
    consensus.mean_confidence, consensus.low_confidence_count = None, 0
    if len(usable) < 2:
        return
    fps = task.video.fps
    assert fps is not None, "only tasks with a probed video open"
    timelines = queries.timelines(usable, fps=dict.fromkeys(usable, fps))
    built = build_consensus([timelines[pk] for pk in usable])
    consensus.segments = [segment.as_dict() for segment in built.segments]
    consensus.disputed = [disputed.as_dict() for disputed in built.disputed]
    confidences = [segment.confidence for segment in built.segments]
    if confidences:
        consensus.mean_confidence = sum(confidences) / len(confidences)
    consensus.low_confidence_count = sum(each < LOW_CONFIDENCE for each in confidences)
