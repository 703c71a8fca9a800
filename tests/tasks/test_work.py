from __future__ import annotations

from typing import Any

import pytest
from django.db import connection

from events.models import Event
from tasks import problems, services
from tasks.models import Assignment, Draft, Segment, Submission
from tests import factories
from timelines.segment import Hands
from timelines.segment import Segment as TimelineSegment

pytestmark = pytest.mark.django_db


def claim(**settings: Any) -> Assignment:
    project = factories.project(**settings)
    factories.open_tasks(project, frames=300)
    return factories.claimed(project)


def test_a_draft_grows_by_revisions_and_a_stale_save_gets_the_newer_one() -> None:
    assignment = claim()
    services.save_draft(assignment=assignment, body={"n": 1}, expected_revision=0)
    second = services.save_draft(assignment=assignment, body={"n": 2}, expected_revision=1)
    assert second.revision == 2

    with pytest.raises(problems.StaleDraft) as stale:
        services.save_draft(assignment=assignment, body={"n": 99}, expected_revision=1)

    assert stale.value.extra == {"revision": 2, "draft": {"n": 2}}
    assert Draft.objects.get().body == {"n": 2}


def test_a_draft_survives_the_claim_and_can_still_be_saved_after_expiry() -> None:
    assignment = claim()
    services.save_draft(assignment=assignment, body={"n": 1}, expected_revision=0)
    expire(assignment)
    services.save_draft(assignment=assignment, body={"n": 2}, expected_revision=1)
    assert Draft.objects.get().body == {"n": 2}


def expire(assignment: Assignment) -> None:
    for minutes in (31, 16):
        factories.age(assignment, minutes=minutes)
        services.expire_leases()
        assignment.refresh_from_db()
    assert assignment.state == "expired"


def test_submitting_freezes_the_timeline_in_order_and_ends_the_lease() -> None:
    assignment = claim()
    work = [
        TimelineSegment(90, 200, "pour", Hands.BOTH, "  Pour water  "),
        TimelineSegment(0, 90, "pick_up", Hands.RIGHT, "Pick up the cup"),
    ]
    submission = services.submit(
        assignment=assignment, segments=work, screening_verdict="usable", screening={}
    )
    assert list(
        submission.segments.values_list(
            "position", "start_frame", "end_frame", "hands", "action_type", "description"
        )
    ) == [
        (0, 0, 90, 2, "pick_up", "Pick up the cup"),
        (1, 90, 200, 3, "pour", "Pour water"),
    ]
    assignment.refresh_from_db()
    assert (assignment.state, assignment.lease_expires_at) == ("submitted", None)
    assert (submission.round, submission.frame_count, submission.segment_count) == (1, 300, 2)
    assert Event.objects.get(type="assignment.submitted").data["submission_id"] == submission.pk


def test_every_fault_of_a_timeline_is_located_and_nothing_is_saved() -> None:
    assignment = claim()
    work = [
        TimelineSegment(0, 90, "pick_up", Hands.RIGHT, "Pick up the cup"),
        TimelineSegment(120, 100, "pour", Hands.LEFT, "Pour"),
        TimelineSegment(250, 301, "pour", Hands.LEFT, "Pour"),
        TimelineSegment(80, 95, "pour", Hands.BOTH, "Pour"),
        TimelineSegment(100, 110, "pour", Hands.RIGHT, " "),
        TimelineSegment(110, 120, "juggle", Hands.RIGHT, "Juggle"),
    ]
    with pytest.raises(problems.InvalidTimeline) as refused:
        services.submit(assignment=assignment, segments=work, screening_verdict="usable")

    found = {(e["segment"], e["code"], e["pointer"]) for e in refused.value.extra["errors"]}
    assert found == {
        (2, "end_before_start", "/segments/1/end_frame"),
        (3, "past_the_end", "/segments/2/end_frame"),
        (4, "overlap_same_hand", "/segments/3/start_frame"),
        (5, "empty_description", "/segments/4/description"),
        (6, "unknown_action_type", "/segments/5/action_type"),
    }
    assert not Submission.objects.exists()
    assert not Segment.objects.exists()
    assignment.refresh_from_db()
    assert assignment.state == "active"


def test_a_usable_video_needs_segments_and_an_unusable_one_does_not() -> None:
    assignment = claim()
    with pytest.raises(problems.InvalidTimeline, match="no segment yet"):
        services.submit(assignment=assignment, segments=[], screening_verdict="usable")
    submission = services.submit(
        assignment=assignment,
        segments=[],
        screening_verdict="unusable",
        screening={"reason": "too_dark"},
    )
    assert submission.screening == {"reason": "too_dark"}


def test_submitting_twice_answers_clearly() -> None:
    assignment = claim()
    factories.submitted(assignment)
    with pytest.raises(problems.AlreadySubmitted):
        factories.submitted(assignment)
    assert Submission.objects.count() == 1


def test_late_work_is_taken_while_its_place_is_free() -> None:
    assignment = claim(overlap=1)
    expire(assignment)
    factories.submitted(assignment)
    assignment.refresh_from_db()
    assert (assignment.state, assignment.occupies_slot, assignment.ended_at) == (
        "submitted", True, None,
    )  # fmt: skip
    assignment.task.refresh_from_db()
    assert (assignment.task.state, assignment.task.held_slots) == ("filled", 1)


def test_late_work_is_refused_once_somebody_else_has_the_place() -> None:
    assignment = claim(overlap=1)
    expire(assignment)
    factories.claimed(assignment.task.project)
    with pytest.raises(problems.LeaseOver):
        factories.submitted(assignment)
    assert not Submission.objects.exists()


def test_work_in_grace_is_submitted_as_if_active() -> None:
    assignment = claim()
    factories.age(assignment, minutes=31)
    assert services.expire_leases()["grace"] == 1
    assert factories.submitted(assignment).state == "submitted"


INSERT_SEGMENT = """
    INSERT INTO tasks_segment
        (submission_id, position, start_frame, end_frame, hands, action_type, description)
    VALUES (%s, %s, %s, %s, %s, 'pour', 'Pour')
"""


@pytest.mark.parametrize(
    ("first", "second", "refused"),
    [
        (Hands.LEFT, Hands.LEFT, True),
        (Hands.RIGHT, Hands.RIGHT, True),
        (Hands.LEFT, Hands.BOTH, True),
        (Hands.BOTH, Hands.RIGHT, True),
        (Hands.BOTH, Hands.BOTH, True),
        (Hands.NONE, Hands.NONE, True),
        (Hands.LEFT, Hands.RIGHT, False),
        (Hands.NONE, Hands.BOTH, False),
        (Hands.LEFT, Hands.NONE, False),
    ],
)
def test_the_database_refuses_overlapping_segments_of_one_hand(
    first: Hands, second: Hands, refused: bool
) -> None:
    submission = factories.submitted(
        claim(), [TimelineSegment(290, 300, "pour", Hands.BOTH, "Pour")]
    )
    with connection.cursor() as cursor:
        cursor.execute(INSERT_SEGMENT, [submission.pk, 1, 0, 50, int(first)])
        cursor.execute(INSERT_SEGMENT, [submission.pk, 2, 50, 60, int(first)])  # touching is legal
        if refused:
            with pytest.raises(Exception, match="segment_no_overlap_of_one_hand"):
                cursor.execute(INSERT_SEGMENT, [submission.pk, 3, 49, 50, int(second)])
        else:
            cursor.execute(INSERT_SEGMENT, [submission.pk, 3, 49, 50, int(second)])


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE tasks_segment SET end_frame = end_frame + 1",
        "DELETE FROM tasks_segment",
        "UPDATE tasks_priceversion SET price_cents = 1",
        "DELETE FROM tasks_priceversion",
    ],
)
def test_the_database_keeps_submitted_work_and_prices_as_they_are(sql: str) -> None:
    factories.submitted(claim())
    with connection.cursor() as cursor, pytest.raises(Exception, match="append-only"):
        cursor.execute(sql)
