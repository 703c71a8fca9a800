"""The claim in two statements, for when nothing stands in the way.

`claims.claim_next_task` says what a claim is; this does the same for the common case without a
round trip per guard. Where any guard might refuse, or the queue looks empty, it answers None and
writes nothing: the guards then say why, in words. A test drives both on the same states and holds
them against each other.

Statement one locks the person (first in the lock order), checks every guard that no concurrent
claim of the same person can change, and locks the task. Statement two sees what committed while
the first one waited: it counts the person's live claims and the task's slots, and writes.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from time import monotonic
from typing import Any

from django.db import connection
from django.db.models import Model

from tasks.models import Assignment, Guideline, Project, QueueOrder, Task
from videos.models import Video, VideoJob

PICK = """
WITH person AS MATERIALIZED (
    SELECT user_id FROM contractors_contractor
    WHERE user_id = %(person)s AND state IN ('active', 'restricted')
    FOR NO KEY UPDATE
), terms AS MATERIALIZED (
    SELECT project.id, project.live_claim_cap, price.id AS price_id, price.price_cents,
           guideline.id AS guideline_id, verdict.id AS verdict_id
    FROM person CROSS JOIN tasks_project project
    CROSS JOIN LATERAL (
        SELECT id, price_cents FROM tasks_priceversion
        WHERE project_id = project.id AND effective_at <= statement_timestamp()
        ORDER BY number DESC LIMIT 1
    ) price
    CROSS JOIN LATERAL (
        SELECT id FROM tasks_guideline
        WHERE project_id = project.id AND published_at IS NOT NULL
        ORDER BY version DESC LIMIT 1
    ) guideline
    CROSS JOIN LATERAL (
        SELECT id FROM contractors_eligibilitypolicyversion
        WHERE policy_id = project.policy_id AND effective_at <= statement_timestamp()
        ORDER BY number DESC LIMIT 1
    ) policy
    JOIN contractors_residence residence
        ON residence.contractor_id = person.user_id
        AND residence.valid @> (statement_timestamp() AT TIME ZONE 'UTC')::date
    JOIN contractors_verdict verdict
        ON verdict.residence_id = residence.id AND verdict.policy_version_id = policy.id
        AND verdict.outcome = 'allow'
    WHERE project.id = %(project)s AND project.state = 'active'
        AND project.cool_down_seconds = 0
        AND EXISTS (
            SELECT FROM tasks_guidelineacknowledgement read
            WHERE read.contractor_id = person.user_id AND read.guideline_id = guideline.id
        )
        AND (NOT project.needs_qualification OR EXISTS (
            SELECT FROM tasks_qualification qualification
            WHERE qualification.contractor_id = person.user_id
                AND qualification.project_id = project.id AND qualification.ended_at IS NULL
        ))
        AND NOT EXISTS (
            SELECT FROM contractors_restriction restriction
            WHERE restriction.contractor_id = person.user_id AND restriction.lifted_at IS NULL
                AND restriction.scope IN ('all', %(scope)s)
                AND restriction.starts_at <= statement_timestamp()
                AND (restriction.ends_at IS NULL OR restriction.ends_at > statement_timestamp())
        )
)
SELECT task.id, task.rank, terms.live_claim_cap, terms.price_id, terms.guideline_id,
       terms.verdict_id, project.budget_limited
FROM terms
JOIN tasks_project project ON project.id = terms.id
CROSS JOIN LATERAL (
    SELECT task.id, task.rank FROM tasks_task task
    WHERE task.project_id = terms.id AND task.state = 'open'
        AND (task.rank, task.id) >= (%(rank)s, %(start)s)
        AND NOT EXISTS (
            SELECT FROM tasks_assignment had
            WHERE had.task_id = task.id AND had.contractor_id = %(person)s
        )
    ORDER BY task.rank, task.id
    LIMIT 1
    FOR NO KEY UPDATE SKIP LOCKED
) task
"""

WRITE = """
WITH slot AS (
    SELECT min(number) AS number
    FROM tasks_task task, generate_series(0, task.overlap - 1) number
    WHERE task.id = %(task)s AND task.state = 'open'
        AND NOT EXISTS (
            SELECT FROM tasks_assignment had
            WHERE had.task_id = task.id AND had.contractor_id = %(person)s
        )
        AND NOT EXISTS (
            SELECT FROM tasks_assignment held
            WHERE held.task_id = task.id AND held.slot = number AND held.occupies_slot
        )
        AND %(cap)s > (
            SELECT count(*) FROM tasks_assignment live
            JOIN tasks_task other ON other.id = live.task_id
            WHERE live.contractor_id = %(person)s AND other.project_id = task.project_id
                AND live.state IN ('active', 'grace', 'rework')
        )
), purse AS MATERIALIZED (
    -- Once and for all: as a subquery of the UPDATE it was rolled again for each comparison.
    SELECT free.id, price.price_cents
    FROM slot, tasks_priceversion price, tasks_budgetshare free
    WHERE price.id = %(price)s AND %(budget_limited)s AND slot.number IS NOT NULL
        AND free.project_id = %(project)s AND free.free_cents >= price.price_cents
    ORDER BY random() LIMIT 1
    FOR NO KEY UPDATE OF free SKIP LOCKED
), share AS (
    UPDATE tasks_budgetshare SET free_cents = free_cents - purse.price_cents
    FROM purse WHERE tasks_budgetshare.id = purse.id
    RETURNING tasks_budgetshare.id
), held AS (
    UPDATE tasks_task task SET
        held_slots = task.held_slots + 1,
        state = CASE WHEN task.held_slots + 1 >= task.overlap THEN 'filled' ELSE 'open' END
    FROM slot
    WHERE task.id = %(task)s AND slot.number IS NOT NULL
        AND (NOT %(budget_limited)s OR EXISTS (SELECT FROM share))
    RETURNING task.id
), claimed AS (
    INSERT INTO tasks_assignment (
        task_id, contractor_id, slot, occupies_slot, state, price_version_id, price_cents,
        screening_fee_cents, currency, guideline_id, policy_version_id, residence_id, eligibility,
        claimed_at, lease_expires_at, lease_ceiling_at, end_reason
    )
    SELECT held.id, %(person)s, slot.number, true, 'active', price.id, price.price_cents,
        price.screening_fee_cents, price.currency, %(guideline)s, verdict.policy_version_id,
        verdict.residence_id, verdict.decision, statement_timestamp(),
        statement_timestamp() + make_interval(secs => project.lease_seconds),
        statement_timestamp() + make_interval(secs => project.lease_ceiling_seconds), ''
    FROM held, slot, tasks_project project, tasks_priceversion price, contractors_verdict verdict
    WHERE project.id = %(project)s AND price.id = %(price)s AND verdict.id = %(verdict)s
    RETURNING *
), told AS (
    INSERT INTO events_event (type, actor_id, subject_type, subject_id, data)
    SELECT 'assignment.claimed', %(person)s, 'tasks.assignment', id,
        jsonb_build_object('task_id', task_id, 'slot', slot, 'price_cents', price_cents)
    FROM claimed
)
SELECT {columns}, (
    SELECT jsonb_agg(jsonb_build_array(job.id, job.video_id, job.stage, job.state, job.result))
    FROM videos_videojob job WHERE job.video_id = video.id
) AS jobs
FROM claimed
JOIN tasks_task task ON task.id = claimed.task_id
JOIN tasks_project project ON project.id = task.project_id
JOIN videos_video video ON video.id = task.video_id
JOIN tasks_guideline guideline ON guideline.id = claimed.guideline_id
"""


class _Part:
    """Some columns of the answer's row and the model they make; other fields load when asked for.

    What the answer to the claim shows comes with the claim instead of in four more look-ups.
    """

    def __init__(self, model: type[Model], alias: str, names: Sequence[str] = ()) -> None:
        fields = [f for f in model._meta.concrete_fields if not names or f.name in names]
        self.model = model
        self.columns = ", ".join(f"{alias}.{field.column}" for field in fields)
        self.attributes = [field.attname for field in fields]
        # A raw cursor leaves JSON as text.
        self.converters = [getattr(field, "from_db_value", None) for field in fields]

    def read(self, row: Iterator[Any]) -> Any:
        """The instance, from the next values of the row."""
        values = [
            convert(value, None, connection) if convert else value
            for convert, value in zip(self.converters, row, strict=False)
        ]
        return self.model.from_db("default", self.attributes, values)


_CLAIMED = _Part(Assignment, "claimed")
# Not its state and slots: this statement sees the task as it was before.
_TASK = _Part(Task, "task", ["id", "project", "video"])
_PROJECT = _Part(
    Project,
    "project",
    ["id", "name", "action_types", "lease_seconds", "budget_limited", "queue_order"],
)
_VIDEO = _Part(
    Video,
    "video",
    [
        "id", "key", "title", "state", "width", "height", "rotation", "frame_count",
        "time_base_num", "time_base_den", "frame_times", "duration_ticks",
    ],
)  # fmt: skip
_GUIDELINE = _Part(Guideline, "guideline", ["id", "project", "version", "title"])
_PARTS = (_CLAIMED, _TASK, _PROJECT, _VIDEO, _GUIDELINE)
WRITE = WRITE.replace("{columns}", ", ".join(part.columns for part in _PARTS))


@dataclass(frozen=True, slots=True)
class _Mark:
    rank: int
    task_id: int
    good_until: float  # monotonic seconds


_START = _Mark(-(2**31), 0, 0.0)


class LowWater:
    """Where in the queue to start looking, remembered in this process for a moment.

    Claimed tasks leave dead index entries at the queue's head until vacuum can remove them, which
    a long transaction elsewhere prevents; rows that others have locked lie there too. Starting at
    the place where the last claim ended up walks over neither. Tasks that open before that place
    (more urgent, or given back) are seen when the mark is forgotten. It only moves the start of
    the search: an empty answer is always searched for again from the beginning.
    """

    PROJECT_SECONDS = 1.0
    PERSON_SECONDS = 60.0
    LIMIT = 10_000

    def __init__(self) -> None:
        self._marks: dict[tuple[int, int], _Mark] = {}
        self._lock = threading.Lock()

    def start(self, project_id: int, person_id: int) -> _Mark:
        """The later of the project's mark and this person's own."""
        now = monotonic()
        marks = (
            self._marks.get((project_id, 0), _START),
            self._marks.get((project_id, person_id), _START),
        )
        live = [mark for mark in marks if mark.good_until > now]
        return max(live, key=lambda mark: (mark.rank, mark.task_id), default=_START)

    def reached(self, project_id: int, person_id: int, rank: int, task_id: int) -> None:
        """A search ended at this task: nothing free lay before it a moment ago."""
        now = monotonic()
        with self._lock:
            if len(self._marks) > self.LIMIT:
                self._marks.clear()
            for owner, seconds in ((0, self.PROJECT_SECONDS), (person_id, self.PERSON_SECONDS)):
                old = self._marks.get((project_id, owner), _START)
                # The age of a mark is that of its first step, or a busy queue would never look
                # at its head again.
                good_until = old.good_until if old.good_until > now else now + seconds
                self._marks[(project_id, owner)] = _Mark(rank, task_id, good_until)

    def forget(self) -> None:
        with self._lock:
            self._marks.clear()


low_water = LowWater()


def claim(*, person_id: int, project_id: int) -> Assignment | None:
    """Claim in the caller's transaction; None, with nothing written, when it can't be done here."""
    mark = low_water.start(project_id, person_id)
    with connection.cursor() as cursor:
        cursor.execute(
            PICK,
            {
                "person": person_id,
                "project": project_id,
                "scope": str(project_id),
                "rank": mark.rank,
                "start": mark.task_id,
            },
        )
        picked = cursor.fetchone()
        if picked is None:
            return None
        task_id, rank, cap, price_id, guideline_id, verdict_id, budget_limited = picked
        cursor.execute(
            WRITE,
            {
                "person": person_id,
                "project": project_id,
                "task": task_id,
                "cap": cap,
                "price": price_id,
                "guideline": guideline_id,
                "verdict": verdict_id,
                "budget_limited": budget_limited,
            },
        )
        row = cursor.fetchone()
        if row is None:
            return None
    claimed = _joined(row)
    # By depth or uncertainty tasks move ahead of the mark while they are worked on.
    if claimed.task.project.queue_order in (QueueOrder.AGE, QueueOrder.BREADTH_FIRST):
        low_water.reached(project_id, person_id, rank, task_id)
    return claimed


def _joined(row: Sequence[Any]) -> Assignment:
    """The claim with its task, project, video and guideline."""
    values = iter(row)
    claimed: Assignment = _CLAIMED.read(values)
    task: Task = _TASK.read(values)
    task.project = _PROJECT.read(values)
    task.video = _VIDEO.read(values)
    claimed.task = task
    claimed.guideline = _GUIDELINE.read(values)
    _prefetch_jobs(task.video, json.loads(next(values) or "[]"))
    return claimed


def _prefetch_jobs(video: Video, rows: list[list[Any]]) -> None:
    """All jobs of the video, as `prefetch_related("jobs")` leaves them."""
    jobs = video.jobs.all()
    names = ["id", "video_id", "stage", "state", "result"]  # in the model's order
    jobs._result_cache = [VideoJob.from_db("default", names, row) for row in rows]
    jobs._prefetch_done = True  # type: ignore[attr-defined]
    video._prefetched_objects_cache = {"jobs": jobs}  # type: ignore[attr-defined]
