"""What managers do with tasks."""

from __future__ import annotations

from collections.abc import Iterable

from django.db import transaction

from annotation_platform.clock import database_now
from contractors.models import User
from events.services import record
from tasks import queries
from tasks.models import Assignment, Project, Task
from tasks.problems import ProjectNotReady, VideoNotReady, WrongTaskState
from tasks.rules import lowest_free_slot
from videos.models import Video


@transaction.atomic
def create_tasks(
    *, actor: User | None, project: Project, videos: Iterable[Video], priority: int = 0
) -> list[Task]:
    """One draft task per video that the project does not have yet; returns the new ones."""
    wanted = {video.pk: video for video in videos}
    known = set(
        Task.objects.filter(project=project, video_id__in=wanted).values_list("video_id", flat=True)
    )
    tasks = Task.objects.bulk_create(
        Task(
            project=project,
            video=video,
            overlap=project.overlap,
            max_overlap=project.max_overlap,
            priority=priority,
            queue_order=project.queue_order,
        )
        for pk, video in wanted.items()
        if pk not in known
    )
    record("tasks.created", actor=actor, subject=project, data={"task_ids": [t.pk for t in tasks]})
    return tasks


@transaction.atomic
def open_tasks(*, actor: User | None, tasks: Iterable[Task]) -> list[Task]:
    """draft → open. All or none.

    Raises `ProjectNotReady` (no published guideline), `VideoNotReady`, `WrongTaskState`.
    """
    ids = [task.pk for task in tasks]
    locked = list(
        Task.objects.select_for_update(no_key=True, of=("self",))
        .filter(pk__in=ids)
        .select_related("project", "video")
        .order_by("pk")
    )
    for project in {task.project for task in locked}:
        if queries.current_guideline(project) is None:
            raise ProjectNotReady(f"Publish a guideline for “{project}” first.")
    now = database_now()
    for task in locked:
        if task.state != Task.State.DRAFT:
            raise WrongTaskState(f"Task {task.pk} is {task.state}, not a draft.", task=task.pk)
        if task.video.state != Video.State.READY:
            raise VideoNotReady(
                f"Video “{task.video}” of task {task.pk} is {task.video.state}.", task=task.pk
            )
        task.state = Task.State.OPEN
        task.opened_at = now
    Task.objects.bulk_update(locked, ["state", "opened_at"])
    for task in locked:
        record("task.opened", actor=actor, subject=task, data={"project_id": task.project_id})
    return locked


@transaction.atomic
def pause_task(*, actor: User, task: Task, reason: str) -> Task:
    """open | filled → paused: no new claims; live claims stay valid and payable."""
    locked = lock_task(task.pk)
    if locked.state not in (Task.State.OPEN, Task.State.FILLED):
        raise WrongTaskState(f"Task {locked.pk} is {locked.state}; only open ones can be paused.")
    locked.state, locked.state_reason = Task.State.PAUSED, reason
    locked.save(update_fields=["state", "state_reason"])
    record("task.paused", actor=actor, subject=locked, data={"reason": reason})
    return locked


@transaction.atomic
def resume_task(*, actor: User, task: Task) -> Task:
    """paused → open, or filled when every slot is held."""
    locked = lock_task(task.pk)
    if locked.state != Task.State.PAUSED:
        raise WrongTaskState(f"Task {locked.pk} is {locked.state}, not paused.")
    locked.state, locked.state_reason = Task.State.OPEN, ""
    settle_slots(locked)
    locked.save(update_fields=["state", "state_reason"])
    record("task.resumed", actor=actor, subject=locked)
    return locked


@transaction.atomic
def cancel_task(*, actor: User, task: Task, reason: str) -> Task:
    """draft | open | paused → cancelled. Refused while somebody works on it: settle that first."""
    locked = lock_task(task.pk)
    if locked.state not in (Task.State.DRAFT, Task.State.OPEN, Task.State.PAUSED):
        raise WrongTaskState(f"Task {locked.pk} is {locked.state} and can't be cancelled.")
    if locked.assignments.filter(
        state__in=[*Assignment.LEASED, Assignment.State.SUBMITTED]
    ).exists():
        raise WrongTaskState(
            f"Somebody works on task {locked.pk}: decide or release their claims first."
        )
    locked.state, locked.state_reason = Task.State.CANCELLED, reason
    locked.ended_at = database_now()
    locked.save(update_fields=["state", "state_reason", "ended_at"])
    record("task.cancelled", actor=actor, subject=locked, data={"reason": reason})
    return locked


def lock_task(task_id: int) -> Task:
    """The task, locked; NO KEY so that rows which only refer to it can still be written."""
    return Task.objects.select_for_update(no_key=True).get(pk=task_id)


def settle_slots(task: Task) -> None:
    """Bring open/filled in line with the held slots (in memory; the caller saves)."""
    if task.state in (Task.State.OPEN, Task.State.FILLED):
        full = task.held_slots >= task.overlap
        task.state = Task.State.FILLED if full else Task.State.OPEN


def take_slot(task: Task) -> int | None:
    """Hold the lowest free slot of a locked task and save it; None when there is none."""
    occupied = set(
        Assignment.objects.filter(task=task, occupies_slot=True).values_list("slot", flat=True)
    )
    slot = lowest_free_slot(occupied, task.overlap)
    if slot is not None:
        task.held_slots = len(occupied) + 1
        settle_slots(task)
        task.save(update_fields=["held_slots", "state"])
    return slot


def free_slot(task: Task) -> None:
    """Give one held slot of a locked task back and save it."""
    task.held_slots -= 1
    settle_slots(task)
    task.save(update_fields=["held_slots", "state"])
