"""Reads of gold."""

from __future__ import annotations

from django.db import connection
from django.db.models import Avg, Count, QuerySet, Variance

from contractors.models import Contractor
from reviews.models import GoldReference, GoldScore, GoldSettings, GoldSuspension
from reviews.skill import Seen
from tasks.models import Assignment, Project, Submission, Task
from tasks.rules import KEEPS_SLOT

# First hand-ins on tasks with a live reference that nobody has scored yet; not those of whom the
# reference comes from.
_DUE = """
SELECT submission.id
FROM reviews_goldreference reference
JOIN tasks_assignment assignment ON assignment.task_id = reference.task_id
JOIN tasks_submission submission ON submission.assignment_id = assignment.id
WHERE reference.retired_at IS NULL AND submission.round = 1 AND submission.segment_count > 0
    AND submission.screening_verdict <> 'unusable'
    AND assignment.contractor_id IS DISTINCT FROM reference.created_by_id
    AND NOT EXISTS (
        SELECT FROM reviews_goldscore score WHERE score.submission_id = submission.id
    )
    AND NOT EXISTS (
        SELECT FROM tasks_submission source
        JOIN tasks_assignment made ON made.id = source.assignment_id
        WHERE source.id = ANY (reference.submission_ids)
            AND made.contractor_id = assignment.contractor_id
    )
ORDER BY submission.id
LIMIT %s
"""

_PICKED = """
SELECT task.id FROM tasks_task task
WHERE task.project_id = %s AND task.state = 'open'
    AND (hashint8extended(task.id, %s) & 1048575) < %s
    AND NOT EXISTS (
        SELECT FROM reviews_goldreference reference
        WHERE reference.task_id = task.id AND reference.retired_at IS NULL
    )
ORDER BY task.id
LIMIT %s
"""


def gold_settings(project: Project) -> GoldSettings:
    """The project's gold settings; the defaults, not stored, when nobody changed them."""
    return GoldSettings.objects.select_related("qualifies_for").filter(
        pk=project.pk
    ).first() or GoldSettings(project=project)


def live_reference(task_id: int) -> GoldReference | None:
    """The reference in use; None for an ordinary task."""
    return GoldReference.objects.filter(task=task_id, retired_at__isnull=True).first()


def scorable(submission_id: int) -> Submission | None:
    """A first hand-in with a timeline, with what its scoring looks at."""
    return (
        Submission.objects.filter(pk=submission_id, round=1, segment_count__gt=0)
        .exclude(screening_verdict=Submission.Verdict.UNUSABLE)
        .select_related("assignment__task__project", "assignment__task__video")
        .defer("assignment__task__video__frame_times")
        .first()
    )


def reference_for(submission: Submission) -> GoldReference | None:
    """The reference that this work may be judged by: never one of the same person's making."""
    assignment = submission.assignment
    reference = live_reference(assignment.task_id)
    if reference is None or reference.created_by_id == assignment.contractor_id:
        return None
    own = Assignment.objects.filter(
        submissions__in=reference.submission_ids, contractor=assignment.contractor_id
    )
    return None if own.exists() else reference


def submissions_due(limit: int) -> list[int]:
    """Ids of hand-ins on gold tasks that were not scored."""
    with connection.cursor() as cursor:
        cursor.execute(_DUE, [limit])
        return [row[0] for row in cursor.fetchall()]


def newest_scores(person: Contractor, project: Project, count: int) -> list[GoldScore]:
    """The person's newest scores in the project, without those that stopped them before."""
    suspended = GoldSuspension.objects.filter(contractor=person, project=project)
    used = [pk for ids in suspended.values_list("score_ids", flat=True) for pk in ids]
    scores = GoldScore.objects.filter(contractor=person, project=project)
    return list(scores.filter(pk__gt=max(used, default=0)).order_by("-pk")[:count])


def tasks_picked(project: Project, share: float, seed: int, limit: int) -> QuerySet[Task]:
    """Open tasks without a reference that the keyed hash picks, oldest first."""
    with connection.cursor() as cursor:
        cursor.execute(_PICKED, [project.pk, seed, int(share * 2**20), limit])
        ids = [row[0] for row in cursor.fetchall()]
    return Task.objects.filter(pk__in=ids).order_by("pk")


def accepted_submission(task: Task) -> Submission | None:
    """The task's first accepted work with segments."""
    return (
        Submission.objects.filter(assignment__task=task, state__in=KEEPS_SLOT, segment_count__gt=0)
        .select_related("assignment")
        .order_by("pk")
        .first()
    )


def gold_seen(project: Project) -> list[Seen]:
    """What each annotator's scores against hidden references look like, in one query."""
    rows = (
        GoldScore.objects.filter(project=project)
        .order_by()
        .values("contractor_id")
        .annotate(count=Count("pk"), mean=Avg("s"), variance=Variance("s", sample=True))
    )
    return [Seen(**row) for row in rows]


def works_in(project_id: int, person_id: int) -> bool:
    """Whether this person annotates in the project: then its gold is none of their business."""
    return Assignment.objects.filter(contractor=person_id, task__project=project_id).exists()
