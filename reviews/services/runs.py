"""Runs over a whole project: start, one batch after another, stop."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from datetime import timedelta

from django.db import IntegrityError, transaction
from django.db.models import Q

from annotation_platform.clock import database_now
from contractors.models import User
from events.services import record
from reviews import queries
from reviews.models import Run, Scoring
from reviews.problems import RunGoesOn
from reviews.services.reliability import conclude_reliability, measure_tasks
from reviews.services.rescoring import conclude_rescore, rescore_tasks
from reviews.services.settings import current_scoring
from tasks.models import Project

logger = logging.getLogger(__name__)

BATCH_TASKS = 50
MAX_FAILURES = 5
IDLE_SECONDS = 60

Step = Callable[[Run, list[queries.ComparableTask]], None]

_STEPS: dict[str, Step] = {
    Run.Kind.RESCORE: rescore_tasks,
    Run.Kind.RELIABILITY: measure_tasks,
}
_CONCLUSIONS: dict[str, Callable[[Run], None]] = {
    Run.Kind.RESCORE: conclude_rescore,
    Run.Kind.RELIABILITY: conclude_reliability,
}


@transaction.atomic
def start_run(
    *, actor: User | None, project: Project, kind: str, scoring: Scoring | None = None
) -> Run:
    """Queue a run over the tasks that the project has now.

    Arguments:
        scoring: the version to score with; the newest one when not given.

    Raises `RunGoesOn` while one of the kind is under way.
    """
    last_task, total = queries.extent_of(project)
    try:
        with transaction.atomic():
            run = Run.objects.create(
                project=project,
                kind=kind,
                scoring=scoring or current_scoring(project),
                last_task=last_task,
                total=total,
                created_by=actor,
            )
    except IntegrityError as error:
        raise RunGoesOn(f"Wait for the {kind} run to end, or cancel it.") from error
    record("run.queued", actor=actor, subject=run, data={"kind": kind, "total": total})
    return run


@transaction.atomic
def cancel_run(*, actor: User, run: Run) -> Run:
    """Stop a run; what it has stored stays. An ended one stays as it is."""
    locked = Run.objects.select_for_update(no_key=True).get(pk=run.pk)
    if locked.state in Run.OPEN:
        _end(locked, Run.State.CANCELLED)
        record("run.cancelled", actor=actor, subject=locked)
    return locked


def work_on_run(run_id: int, *, seconds: float = 30.0, batch: int = BATCH_TASKS) -> bool:
    """Do batches of a run for about so long. True when there is more to do.

    Several workers on one run do not hurt: one holds the row, the others leave at once.
    """
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if not _step(run_id, batch):
            return False
    return True


def idle_runs() -> list[int]:
    """Open runs that nobody has moved for a while: their message or worker is lost."""
    limit = database_now() - timedelta(seconds=IDLE_SECONDS)
    return list(
        Run.objects.filter(Q(state__in=Run.OPEN) & Q(moved_at__lte=limit)).values_list(
            "pk", flat=True
        )
    )


def _step(run_id: int, batch: int) -> bool:
    """One batch in one transaction; True when there is more to do."""
    try:
        with transaction.atomic():
            run = (
                Run.objects.select_for_update(no_key=True, skip_locked=True, of=("self",))
                .select_related("project", "scoring")
                .filter(pk=run_id, state__in=Run.OPEN)
                .first()
            )
            return run is not None and _one_batch(run, batch)
    except Exception as error:
        logger.exception("A batch of run %s failed.", run_id)
        return _note_failure(run_id, error)


def _one_batch(run: Run, batch: int) -> bool:
    tasks = queries.tasks_to_compare(
        run.project_id, after=run.cursor, up_to=run.last_task, limit=batch
    )
    run.state = Run.State.RUNNING
    run.failures, run.error = 0, ""
    run.moved_at = database_now()
    if tasks:
        _STEPS[run.kind](run, tasks)
        run.cursor = tasks[-1].task_id
        run.done += len(tasks)
        run.save()
        return True
    _CONCLUSIONS[run.kind](run)
    _end(run, Run.State.DONE)
    record(
        "run.done", actor=None, subject=run, data={"done": run.done, "skipped": len(run.skipped)}
    )
    return False


@transaction.atomic
def _note_failure(run_id: int, error: Exception) -> bool:
    """Count a broken batch; after several in a row the run is given up."""
    run = Run.objects.select_for_update(no_key=True).get(pk=run_id)
    if run.state not in Run.OPEN:
        return False
    run.failures += 1
    run.error = f"{type(error).__name__}: {error}"[:1000]
    run.moved_at = database_now()
    run.save(update_fields=["failures", "error", "moved_at"])
    if run.failures >= MAX_FAILURES:
        _end(run, Run.State.FAILED)
        record("run.failed", actor=None, subject=run, data={"error": run.error})
    return False  # the sweep comes back to it


def _end(run: Run, state: Run.State) -> None:
    run.state = state
    run.finished_at = database_now()
    run.save()
