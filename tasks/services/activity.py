"""Measuring how long work takes, and what an hour of it pays."""

from __future__ import annotations

from django.db import connection, transaction

from annotation_platform.clock import database_now
from events.services import record
from tasks import queries
from tasks.models import ActiveTime, Assignment, Project, ProjectPace
from tasks.rules import MAX_GAP_SECONDS, MIN_PACE_SAMPLES, PACE_DAYS, cents_per_hour
from tasks.services.claims import lock_assignment, require_live

# One statement: the gap is read and added under the row's lock, so two tabs can't both add it.
# The subquery makes it one reading of the clock; the clock is read after the lock was got.
_BEAT = """
INSERT INTO tasks_activetime AS kept
    (assignment_id, project_id, started_at, last_active_at, active_ms, beats)
SELECT assignment.id, task.project_id, assignment.claimed_at, moment.now,
    floor(1000 * least(%(cap)s, extract(epoch FROM moment.now - assignment.claimed_at))), 1
FROM tasks_assignment assignment
JOIN tasks_task task ON task.id = assignment.task_id
CROSS JOIN LATERAL (
    SELECT greatest(clock_timestamp(), assignment.claimed_at) AS now OFFSET 0
) moment
WHERE assignment.id = %(assignment)s AND assignment.state IN ('active', 'grace', 'rework')
ON CONFLICT (assignment_id) DO UPDATE SET (active_ms, last_active_at, beats) = (
    SELECT kept.active_ms
            + floor(1000 * least(%(cap)s, extract(epoch FROM moment.now - kept.last_active_at))),
        moment.now, kept.beats + 1
    FROM (SELECT greatest(clock_timestamp(), kept.last_active_at) AS now OFFSET 0) moment
)
RETURNING active_ms
"""

_PACE = """
SELECT count(*), percentile_cont(0.5) WITHIN GROUP (ORDER BY measured.active_ms)
FROM tasks_activetime measured
JOIN tasks_assignment assignment ON assignment.id = measured.assignment_id
WHERE measured.project_id = %s
    AND measured.last_active_at > now() - make_interval(days => %s)
    AND measured.active_ms > 0
    AND assignment.state IN ('submitted', 'rework', 'closed')
"""


@transaction.atomic
def heartbeat(*, assignment: Assignment, events: int) -> int:
    """Note a sign of life from the page and return the claim's active milliseconds so far.

    With activity (`events` > 0) the time since the last sign of activity, or since the claim, is
    added, at most `MAX_GAP_SECONDS` of it. It is the server's measurement: how many events there
    were, how often they are told and in which order changes nothing else.

    Raises `AlreadySubmitted` or `LeaseOver` when the claim is not live.
    """
    if events > 0:
        with connection.cursor() as cursor:
            cursor.execute(_BEAT, {"assignment": assignment.pk, "cap": MAX_GAP_SECONDS})
            row = cursor.fetchone()
        if row is not None:
            return int(row[0])
    require_live(lock_assignment(assignment.pk))
    kept = ActiveTime.objects.filter(assignment=assignment.pk).first()
    return kept.active_ms if kept else 0


@transaction.atomic
def measure_pace(*, project: Project) -> ProjectPace:
    """Store the median active time of the last `PACE_DAYS` days' handed-in work, and its rate.

    The rate is today's price over that median; it needs `MIN_PACE_SAMPLES` claims. Falling below
    the project's floor writes `project.below_floor`, once until it has recovered.
    """
    # The project's row serialises two measurements, so that a crossing is told once.
    locked = Project.objects.select_for_update(no_key=True).get(pk=project.pk)
    with connection.cursor() as cursor:
        cursor.execute(_PACE, [locked.pk, PACE_DAYS])
        samples, median = cursor.fetchone()
    price = queries.current_price(locked)
    now = database_now()
    pace = ProjectPace.objects.filter(project=locked).first() or ProjectPace(project=locked)
    pace.samples, pace.measured_at = samples, now
    pace.median_active_ms = pace.cents_per_hour = None
    if samples >= MIN_PACE_SAMPLES and price is not None:
        pace.median_active_ms = max(1, round(median))
        pace.cents_per_hour = cents_per_hour(price.price_cents, pace.median_active_ms)
    was_below = pace.below_floor
    pace.below_floor = (
        pace.cents_per_hour is not None and pace.cents_per_hour < locked.floor_cents_per_hour
    )
    pace.below_floor_since = (pace.below_floor_since or now) if pace.below_floor else None
    pace.save()
    if pace.below_floor and not was_below:
        record(
            "project.below_floor",
            actor=None,
            subject=locked,
            data={
                "cents_per_hour": pace.cents_per_hour,
                "floor_cents_per_hour": locked.floor_cents_per_hour,
                "median_active_ms": pace.median_active_ms,
                "samples": samples,
            },
        )
    return pace


def measure_paces() -> int:
    """The periodic job: measure every project that gives out work. Returns how many."""
    projects = Project.objects.filter(state=Project.State.ACTIVE).order_by("pk")
    return len([measure_pace(project=project) for project in projects])
