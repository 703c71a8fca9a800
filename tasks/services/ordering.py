"""Which open task goes first: keeping what the rank is made of."""

from __future__ import annotations

from django.db import connection, transaction
from django.db.models import F

from tasks.models import Project, Task

# Tasks that a claim holds at this moment are left for the next batch. Materialised: a sub-select
# with a limit may be run again for each row of a join, and then the limit holds for none of them.
_SPREAD = """
WITH batch AS MATERIALIZED (
    SELECT id FROM tasks_task
    WHERE project_id = %(project)s AND ended_at IS NULL AND queue_order <> %(order)s
    LIMIT %(batch)s
    FOR NO KEY UPDATE SKIP LOCKED
)
UPDATE tasks_task SET queue_order = %(order)s FROM batch WHERE tasks_task.id = batch.id
"""


def spread_queue_order(*, batch: int = 5_000) -> int:
    """The sweep: bring the tasks of a project whose order was changed up to date, in batches.

    Each batch is a short transaction, so that claims go on meanwhile; until the last one the
    project's queue is ordered in part by the old way. Returns how many tasks were changed.
    """
    changed = 0
    behind = Project.objects.exclude(queue_order=F("queue_order_applied"))
    for project_id in list(behind.order_by("pk").values_list("pk", flat=True)):
        changed += _spread(project_id, batch)
    return changed


@transaction.atomic
def _spread(project_id: int, batch: int) -> int:
    # The project's row: its order can't be changed again between the batch and the last look.
    project = Project.objects.select_for_update(no_key=True).get(pk=project_id)
    with connection.cursor() as cursor:
        cursor.execute(
            _SPREAD, {"order": project.queue_order, "project": project.pk, "batch": batch}
        )
        changed: int = cursor.rowcount
    left = Task.objects.filter(project=project, ended_at__isnull=True)
    if not left.exclude(queue_order=project.queue_order).exists():
        project.queue_order_applied = project.queue_order
        project.save(update_fields=["queue_order_applied"])
    return changed


def note_agreement(*, task: Task, agreement: float) -> None:
    """Store how far a locked task's work agrees, for projects that order by uncertainty.

    Arguments:
        agreement: the mean task score of its pairs, 0 to 1.
    """
    uncertainty = round(1000 * (1 - agreement))
    Task.objects.filter(pk=task.pk).exclude(uncertainty=uncertainty).update(uncertainty=uncertainty)
