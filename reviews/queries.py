"""Reads of scoring and reviewing."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from fractions import Fraction
from typing import Any

from django.db import connection
from django.db.models import (
    Count,
    Exists,
    OuterRef,
    Q,
    QuerySet,
    Subquery,
    prefetch_related_objects,
)

from annotation_platform.clock import database_now
from reviews.models import Decision, DecisionRule, Review, Run, Score, Scoring
from tasks.models import Assignment, Project, Segment, Submission, Task
from tasks.queries import submissions_to_compare
from tasks.rules import KEEPS_SLOT
from timelines.segment import Hands, Timeline
from timelines.segment import Segment as TimelineSegment

# Submissions waiting for the rule stand in the small partial index of undecided ones; literals,
# not parameters, so that the planner sees that the index applies. A task is due when what could
# be compared is not what its last assessment looked at.
DUE_TASKS = """
SELECT t.id
FROM (
    SELECT DISTINCT a.task_id
    FROM tasks_submission s JOIN tasks_assignment a ON a.id = s.assignment_id
    WHERE s.state IN ('submitted', 'in_review') AND s.state = 'submitted' AND a.occupies_slot
) waiting
JOIN tasks_task t ON t.id = waiting.task_id
LEFT JOIN reviews_assessment x ON x.task_id = t.id
CROSS JOIN LATERAL (
    SELECT array_agg(latest.id ORDER BY latest.id) AS ids, count(*) AS number
    FROM tasks_assignment a CROSS JOIN LATERAL (
        SELECT s.id, s.state FROM tasks_submission s
        WHERE s.assignment_id = a.id ORDER BY s.round DESC LIMIT 1
    ) latest
    WHERE a.task_id = t.id AND a.occupies_slot AND latest.state <> 'changes_requested'
) comparable
WHERE (comparable.number >= 2 OR t.overlap = 1)
  AND (x.task_id IS NULL OR x.submission_ids IS DISTINCT FROM comparable.ids)
ORDER BY t.id
LIMIT %s
"""


# Every assignment's latest hand-in that is not being worked on again, whatever was decided about
# it: what agreement is about.
_COMPARABLE_TASKS = """
SELECT t.id, v.frame_count, v.time_base_num, v.time_base_den, v.duration_ticks,
       comparable.ids, comparable.guidelines
FROM tasks_task t
JOIN videos_video v ON v.id = t.video_id
CROSS JOIN LATERAL (
    SELECT array_agg(latest.id ORDER BY a.slot, a.id) AS ids,
           array_agg(g.version ORDER BY a.slot, a.id) AS guidelines
    FROM tasks_assignment a
    JOIN tasks_guideline g ON g.id = a.guideline_id
    CROSS JOIN LATERAL (
        SELECT s.id, s.state FROM tasks_submission s
        WHERE s.assignment_id = a.id ORDER BY s.round DESC LIMIT 1
    ) latest
    WHERE a.task_id = t.id AND latest.state <> 'changes_requested'
) comparable
WHERE t.project_id = %s AND t.id > %s AND t.id <= %s AND cardinality(comparable.ids) >= 2
ORDER BY t.id
"""

_SEEN = """
SELECT a.contractor_id, count(*), avg(score.s), var_samp(score.s), avg(score.rq),
       avg(score.mean_boundary_error_ms)
FROM reviews_score score
CROSS JOIN LATERAL (VALUES (score.reference_id), (score.candidate_id)) side (submission_id)
JOIN tasks_submission s ON s.id = side.submission_id
JOIN tasks_assignment a ON a.id = s.assignment_id
WHERE score.scoring_id = %s
GROUP BY a.contractor_id
ORDER BY a.contractor_id
"""


@dataclass(frozen=True, slots=True)
class ComparableTask:
    """A task with two or more hand-ins, in slot order, and the guideline version of each."""

    task_id: int
    fps: float
    submission_ids: list[int]
    guidelines: list[int]


def tasks_to_compare(
    project_id: int, *, after: int, up_to: int, limit: int
) -> list[ComparableTask]:
    """The project's next tasks with something to compare, by id, in one query."""
    with connection.cursor() as cursor:
        cursor.execute(_COMPARABLE_TASKS + "LIMIT %s", [project_id, after, up_to, limit])
        rows = cursor.fetchall()
    return [
        # The same number as `Video.fps`, without its table of frame times.
        ComparableTask(pk, float(frames / (ticks * Fraction(num, den))), ids, guidelines)
        for pk, frames, num, den, ticks, ids, guidelines in rows
    ]


def extent_of(project: Project) -> tuple[int, int]:
    """Id of the last task with something to compare (0: none) and how many there are."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT coalesce(max(id), 0), count(*) FROM ({_COMPARABLE_TASKS}) tasks",
            [project.pk, 0, 2**62],
        )
        last, total = cursor.fetchone()
    return last, total


def scored_pairs(submission_ids: Collection[int], scoring: Scoring) -> set[frozenset[int]]:
    """Pairs of these submissions that have a score under this version."""
    pairs = Score.objects.filter(reference__in=submission_ids, scoring=scoring).values_list(
        "reference_id", "candidate_id"
    )
    return {frozenset(pair) for pair in pairs}


def usable_submissions(task: Task) -> list[int]:
    """Ids of the accepted submissions, in slot order, whose data nobody has ruled out since."""
    decisions = Decision.objects.filter(submission=OuterRef("pk"), about=Decision.About.DATA)
    newest = decisions.order_by("-pk").values("outcome")[:1]
    return list(
        Submission.objects.filter(assignment__task=task, state__in=KEEPS_SLOT)
        .annotate(ruled=Subquery(newest))
        .filter(Q(ruled__isnull=True) | ~Q(ruled="paid_unused"))
        .filter(segment_count__gt=0)
        .order_by("assignment__slot", "pk")
        .values_list("pk", flat=True)
    )


def annotators_of(scoring: Scoring) -> list[dict[str, Any]]:
    """What each annotator's scores look like under a scoring version, in one query."""
    with connection.cursor() as cursor:
        cursor.execute(_SEEN, [scoring.pk])
        rows = cursor.fetchall()
    names = ("contractor_id", "count", "mean", "variance", "mean_rq", "mean_boundary_error_ms")
    return [dict(zip(names, row, strict=True)) for row in rows]


def tasks_due_for_scoring(limit: int) -> list[int]:
    """Ids of tasks that the rule has not looked at as they are now: what messages may have lost."""
    with connection.cursor() as cursor:
        cursor.execute(DUE_TASKS, [limit])
        return [row[0] for row in cursor.fetchall()]


def comparable_submissions(task: Task) -> list[Submission]:
    """What a task's agreement is made of, in slot order: work sent back for changes is left out
    until it is handed in again."""
    return list(submissions_to_compare(task).exclude(state=Submission.State.CHANGES_REQUESTED))


def newest_scoring(project: Project) -> Scoring | None:
    """The scoring version that applies now."""
    return Scoring.objects.filter(project=project).order_by("-number").first()


def newest_rule(project: Project) -> DecisionRule | None:
    """The decision rule that applies now."""
    return DecisionRule.objects.filter(project=project).order_by("-number").first()


def timelines(submission_ids: Collection[int], *, fps: dict[int, float]) -> dict[int, Timeline]:
    """The submissions' timelines, in two queries however many they are.

    Arguments:
        fps: average frames per second by submission.
    """
    frame_counts = dict(
        Submission.objects.filter(pk__in=submission_ids).values_list("pk", "frame_count")
    )
    segments = segments_of(submission_ids)
    return {
        pk: Timeline(frame_count, fps[pk], segments[pk]) for pk, frame_count in frame_counts.items()
    }


def segments_of(submission_ids: Iterable[int]) -> defaultdict[int, list[TimelineSegment]]:
    """Segments by submission, in one query."""
    rows = (
        Segment.objects.filter(submission__in=submission_ids)
        .order_by("submission", "position")
        .values_list(
            "submission_id", "start_frame", "end_frame", "action_type", "hands", "description"
        )
    )
    found: defaultdict[int, list[TimelineSegment]] = defaultdict(list)
    for pk, start, end, action_type, hands, description in rows:
        found[pk].append(TimelineSegment(start, end, action_type, Hands(hands), description))
    return found


def scores_among(submission_ids: Collection[int], scoring: Scoring) -> list[Score]:
    """The stored scores between these submissions under one scoring version."""
    return list(
        Score.objects.filter(
            reference__in=submission_ids, candidate__in=submission_ids, scoring=scoring
        )
    )


def scores_of(submission: Submission) -> list[Score]:
    """Its scores under the newest version that it has any of, best first."""
    found = list(
        Score.objects.filter(Q(reference=submission) | Q(candidate=submission))
        .select_related("scoring")
        .order_by("-scoring__number", "-s", "pk")
    )
    return [score for score in found if score.scoring_id == found[0].scoring_id]


def reviews_open_to(reviewer_id: int, *, now: datetime) -> QuerySet[Review]:
    """Queued reviews this person may take: what pay waits for before samples (the names of the
    kinds sort that way), then the oldest first.

    Never of a task they worked on themselves, never the second look at their own rejection. Work
    that came back after changes waits a day for the reviewer who asked for them.
    """
    own = Assignment.objects.filter(
        task=OuterRef("submission__assignment__task"), contractor=reviewer_id
    )
    for_somebody_else = (
        Q(preferred_reviewer__isnull=False)
        & ~Q(preferred_reviewer=reviewer_id)
        & Q(queued_at__gt=now - timedelta(days=1))
    )
    return (
        Review.objects.filter(~Exists(own), state=Review.State.QUEUED)
        .exclude(of__reviewer=reviewer_id)
        .exclude(for_somebody_else)
        .order_by("kind", "queued_at", "pk")
    )


def waiting_rejections(reviewer_id: int) -> int:
    """How many of this reviewer's rejections nobody has looked at yet."""
    return Review.objects.filter(
        kind=Review.Kind.CONCURRENCE, state__in=Review.OPEN, of__reviewer=reviewer_id
    ).count()


def untouched_by_reviewers(submissions: Collection[Submission]) -> set[int]:
    """Ids of those in review that no reviewer has begun to look at."""
    touched = Review.objects.filter(submission__in=submissions).exclude(
        kind=Review.Kind.DECISION, state=Review.State.QUEUED
    )
    return {s.pk for s in submissions} - set(touched.values_list("submission_id", flat=True))


def queue_counts(reviewer_id: int) -> dict[str, int]:
    """How many queued reviews this person could take now, by kind."""
    counts = dict.fromkeys(Review.Kind.values, 0)
    waiting = reviews_open_to(reviewer_id, now=database_now())
    counts |= dict(waiting.order_by().values_list("kind").annotate(Count("pk")))
    return counts


def timelines_beside(review: Review) -> list[Submission]:
    """The reviewed submission and those it is compared with, in slot order, with segments."""
    task = review.submission.assignment.task
    found = {s.pk: s for s in submissions_to_compare(task).prefetch_related("segments")}
    if review.submission_id not in found:  # its slot was freed, or a newer round came
        subject = review.submission
        prefetch_related_objects([subject], "segments")
        found[subject.pk] = subject
    return sorted(found.values(), key=lambda s: (s.assignment.slot, s.pk))


def score_behind(decision: Decision) -> Score | None:
    """The best of the scores that a decision stood on."""
    if not decision.score_ids:
        return None
    return Score.objects.select_related("scoring").get(pk=decision.score_ids[0])


def tasks_not_annotated_by(user_id: int) -> QuerySet[Task]:
    """Tasks that this person never held a claim on."""
    return Task.objects.exclude(assignments__contractor=user_id)


def scores_of_task(task: Task) -> list[Score]:
    """All scores of a task, the newest scoring version first."""
    return list(
        Score.objects.filter(task=task)
        .select_related("scoring")
        .order_by("-scoring__number", "reference", "candidate")
    )


def decisions_of_task(task: Task) -> list[Decision]:
    """All decisions about a task's submissions, oldest first."""
    return list(
        Decision.objects.filter(submission__assignment__task=task)
        .select_related("rule")
        .order_by("pk")
    )


def newest_reliability_runs(project_id: int) -> QuerySet[Run]:
    """Finished reliability runs of a project, newest first."""
    return Run.objects.filter(
        project=project_id, kind=Run.Kind.RELIABILITY, state=Run.State.DONE
    ).order_by("-pk")


def decision_about_work(submission: Submission) -> Decision | None:
    """The decision about pay and data; None while there is none."""
    return (
        Decision.objects.filter(submission=submission, about=Decision.About.WORK)
        .select_related("rule")
        .first()
    )
