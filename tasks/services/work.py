"""Saving drafts and handing work in."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.db import connection, transaction

from annotation_platform.clock import database_now
from contractors.models import User
from events.services import record
from tasks.models import Assignment, Draft, Segment, Submission, Task
from tasks.problems import InvalidTimeline, LeaseOver, StaleDraft
from tasks.rules import MAX_SEGMENTS
from tasks.services.budget import reserve
from tasks.services.claims import lock_assignment, require_live
from tasks.services.fast_submit import int_array, text_array
from tasks.services.tasks import lock_task, take_slot
from timelines import lint
from timelines.segment import Segment as TimelineSegment


@transaction.atomic
def save_draft(*, assignment: Assignment, body: dict[str, Any], expected_revision: int) -> Draft:
    """Store the work in progress as the next revision.

    The draft belongs to the person and the task, not to the claim: it survives expiry and comes
    back with the task. It may be as unfinished as it likes; only a submission is checked.

    Arguments:
        expected_revision: the revision that the change was made on; 0 for the first save.

    Raises `StaleDraft` (with the newer revision and its body) when somebody else, say a second
    tab, has saved since, and `LeaseOver` when the claim ended other than by expiry.
    """
    # Only its state counts here; nothing of what hangs on it is read.
    locked = Assignment.objects.select_for_update(no_key=True).get(pk=assignment.pk)
    if locked.state != Assignment.State.EXPIRED:
        require_live(locked)
    mine = Draft.objects.filter(task=locked.task_id, contractor=locked.contractor_id)
    draft = mine.defer("body").first()  # the old text is only needed by somebody who is stale
    if draft is None:
        draft = Draft(task_id=locked.task_id, contractor_id=locked.contractor_id)
    if draft.revision != expected_revision:
        raise StaleDraft(
            f"You changed revision {expected_revision}; the newest is {draft.revision}.",
            headers={"ETag": etag(draft)},
            revision=draft.revision,
            draft=draft.body,
        )
    draft.revision += 1
    draft.body = body
    draft.saved_at = database_now()
    draft.save()
    return draft


def etag(draft: Draft | None) -> str:
    """The revision as an entity tag; `"0"` before the first save."""
    return f'"{draft.revision if draft else 0}"'


@transaction.atomic
def submit(
    *,
    assignment: Assignment,
    segments: Sequence[TimelineSegment],
    screening_verdict: str,
    screening: dict[str, Any] | None = None,
) -> Submission:
    """Hand in a timeline: freezes it as a submission, ends the lease, asks for its scoring.

    A claim in grace submits as if active. One that has expired is still taken while its slot is
    free: late work is better than lost work.

    Arguments:
        segments: in any order; frames are half-open and counted in displayed frames.
        screening_verdict: `usable`, `usable_with_issues` or `unusable`.
        screening: reason and frame range of what is wrong with the video.

    Raises `InvalidTimeline` (every problem, located), `AlreadySubmitted`, `LeaseOver`.
    """
    task = lock_task(assignment.task_id)
    locked = lock_assignment(assignment.pk)
    if locked.state == Assignment.State.EXPIRED:
        _take_late(locked, task)
    else:
        require_live(locked)
    frame_count = locked.task.video.frame_count
    assert frame_count is not None, "only tasks with a probed video open"
    usable = screening_verdict != Submission.Verdict.UNUSABLE
    check_timeline(segments, frame_count, locked.task.project.action_type_keys, usable=usable)

    now, earlier_rounds, draft_revision = _what_came_before(locked)
    submission = Submission.objects.create(
        assignment=locked,
        round=earlier_rounds + 1,
        screening_verdict=screening_verdict,
        screening=screening or {},
        frame_count=frame_count,
        segment_count=len(segments),
        draft_revision=draft_revision,
        submitted_at=now,
    )
    ordered = sorted(segments, key=lambda s: (s.start_frame, s.end_frame, s.hands))
    rows = [
        Segment(
            submission=submission,
            position=position,
            start_frame=segment.start_frame,
            end_frame=segment.end_frame,
            hands=int(segment.hands),
            action_type=segment.action_type,
            description=segment.description.strip(),
        )
        for position, segment in enumerate(ordered)
    ]
    _insert(rows)
    # As a prefetch leaves them: whoever answers with the submission need not read them back.
    written = submission.segments.all()
    written._result_cache = rows
    written._prefetch_done = True  # type: ignore[attr-defined]
    submission._prefetched_objects_cache = {"segments": written}  # type: ignore[attr-defined]
    _hand_in(locked, submission, actor=locked.contractor.user)
    return submission


def _what_came_before(assignment: Assignment) -> tuple[datetime, int, int | None]:
    """The database's clock, how many rounds were handed in, and the draft's revision."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT clock_timestamp(),
                (SELECT count(*) FROM tasks_submission WHERE assignment_id = %s),
                (SELECT revision FROM tasks_draft WHERE task_id = %s AND contractor_id = %s)
            """,
            [assignment.pk, assignment.task_id, assignment.contractor_id],
        )
        now, rounds, revision = cursor.fetchone()
    return now, rounds, revision


def _insert(rows: Sequence[Segment]) -> None:
    """`bulk_create` at a quarter of its cost, which was a quarter of a submission of fifty."""
    if not rows:
        return
    with connection.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO tasks_segment (
                submission_id, position, start_frame, end_frame, hands, action_type, description
            )
            SELECT %s, * FROM unnest(
                %s::integer[], %s::integer[], %s::integer[], %s::smallint[], %s::text[], %s::text[]
            )
            RETURNING position, id
            """,
            [
                rows[0].submission_id,
                int_array([row.position for row in rows]),
                int_array([row.start_frame for row in rows]),
                int_array([row.end_frame for row in rows]),
                int_array([row.hands for row in rows]),
                text_array([row.action_type for row in rows]),
                text_array([row.description for row in rows]),
            ],
        )
        ids = dict(cursor.fetchall())
    for row in rows:
        row.pk = ids[row.position]
        row._state.adding = False
        row._state.db = connection.alias


def submit_overdue_rework(*, batch: int = 500) -> int:
    """The sweep: work sent back for changes whose deadline is over is handed in as it was.

    The last submitted round is copied as the next one, so that the reviewer decides about it and
    nothing is lost. One short transaction per claim. Returns how many.
    """
    overdue = list(
        Assignment.objects.filter(
            state=Assignment.State.REWORK, lease_expires_at__lte=database_now()
        ).values_list("pk", "task_id")[:batch]
    )
    return sum(_submit_as_it_was(pk, task_id) for pk, task_id in overdue)


@transaction.atomic
def _submit_as_it_was(pk: int, task_id: int) -> int:
    lock_task(task_id)
    assignment = lock_assignment(pk)
    deadline = assignment.lease_expires_at
    if assignment.state != Assignment.State.REWORK or deadline is None or deadline > database_now():
        return 0  # handed in or released just now
    last = assignment.submissions.order_by("-round")[0]
    segments = list(last.segments.all())
    submission = Submission.objects.create(
        assignment=assignment,
        round=last.round + 1,
        screening_verdict=last.screening_verdict,
        screening=last.screening,
        frame_count=last.frame_count,
        segment_count=last.segment_count,
        draft_revision=last.draft_revision,
        submitted_at=database_now(),
    )
    for segment in segments:
        segment.pk, segment.submission = None, submission
    Segment.objects.bulk_create(segments)
    _hand_in(assignment, submission, actor=None)
    return 1


def _hand_in(assignment: Assignment, submission: Submission, *, actor: User | None) -> None:
    """End the lease of a locked assignment with a submission, and ask for its scoring."""
    assignment.state = Assignment.State.SUBMITTED
    assignment.submitted_at = submission.submitted_at
    assignment.lease_expires_at = None
    assignment.save(
        update_fields=[
            "state",
            "submitted_at",
            "lease_expires_at",
            "occupies_slot",
            "slot",
            "ended_at",
            "end_reason",
        ]
    )
    record(
        "assignment.submitted",
        actor=actor,
        subject=assignment,
        data={
            "task_id": assignment.task_id,
            "submission_id": submission.pk,
            "round": submission.round,
            "verdict": submission.screening_verdict,
        },
    )


def _take_late(assignment: Assignment, task: Task) -> None:
    """Give an expired claim a slot again, if one is free."""
    claimed_again = (
        Assignment.objects.filter(task=task, contractor=assignment.contractor_id)
        .exclude(state__in=Assignment.GIVEN_UP)
        .exists()
    )
    slot = None
    if task.state == Task.State.OPEN and not claimed_again:
        slot = take_slot(task)
    if slot is None:
        raise LeaseOver(
            "Your lease ran out and somebody else has taken the place. Your draft is kept.",
            state=assignment.state,
        )
    reserve(assignment.task.project, assignment.price_cents)
    assignment.slot = slot
    assignment.occupies_slot = True
    assignment.ended_at = None
    assignment.end_reason = ""


def check_timeline(
    segments: Sequence[TimelineSegment],
    frame_count: int,
    action_types: Sequence[str],
    *,
    usable: bool,
) -> None:
    """Raise `InvalidTimeline` with every problem of a timeline, located.

    Arguments:
        frame_count: displayed frames of the video.
        action_types: the keys that the project knows.
        usable: whether the video is, so that there must be segments.
    """
    if usable and not segments:
        raise InvalidTimeline(
            [
                {
                    "pointer": "/segments",
                    "code": "no_segments",
                    "detail": "There is no segment yet. Add them, or screen the video as unusable.",
                }
            ]
        )
    if len(segments) > MAX_SEGMENTS:
        raise InvalidTimeline(
            [
                {
                    "pointer": "/segments",
                    "code": "too_many_segments",
                    "detail": f"{len(segments)} segments; at most {MAX_SEGMENTS} are taken.",
                }
            ]
        )
    found = lint.check_segments(segments, frame_count=frame_count, action_types=action_types)
    if found:
        raise InvalidTimeline(
            [
                {
                    "pointer": f"/segments/{problem.index}/{problem.field}",
                    "code": problem.code,
                    "detail": problem.detail,
                    "segment": problem.index + 1,
                    "frame": problem.frame,
                    "other_segment": None
                    if problem.other_index is None
                    else problem.other_index + 1,
                }
                for problem in found
            ]
        )
