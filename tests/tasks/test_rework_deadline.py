"""Changes that nobody made in time: the work is handed in as it was."""

from __future__ import annotations

from collections import Counter

import pytest
from django.db import transaction

from events.models import Event
from tasks import problems, services
from tasks.models import Assignment, Submission
from tests import factories
from tests.races.together import run_together

pytestmark = pytest.mark.django_db


def sent_back() -> Submission:
    project = factories.project(overlap=1, rework_seconds=3600)
    factories.open_tasks(project)
    submission = factories.submitted(factories.claimed(project))
    return services.record_decision(
        submission=submission, outcome="changes_requested", actor=factories.reviewer()
    )


def content(submission: Submission) -> list[tuple[object, ...]]:
    return list(
        submission.segments.values_list(
            "position", "start_frame", "end_frame", "hands", "action_type", "description"
        )
    )


def test_at_the_deadline_the_last_round_is_handed_in_again() -> None:
    first = sent_back()
    assignment = first.assignment
    assert services.submit_overdue_rework() == 0, "an hour is left"
    factories.age(assignment, minutes=61)

    assert services.submit_overdue_rework() == 1
    assert services.submit_overdue_rework() == 0

    assignment.refresh_from_db()
    assert (assignment.state, assignment.lease_expires_at, assignment.occupies_slot) == (
        "submitted", None, True,
    )  # fmt: skip
    again = Submission.objects.get(assignment=assignment, round=2)
    assert (again.state, again.segment_count, again.screening_verdict) == (
        "submitted", 3, "usable",
    )  # fmt: skip
    assert content(again) == content(first) != []
    first.refresh_from_db()
    assert first.state == "changes_requested"
    told = Event.objects.filter(type="assignment.submitted").order_by("pk")
    assert [(e.actor_id, e.data["submission_id"], e.data["round"]) for e in told] == [
        (assignment.contractor_id, first.pk, 1),
        (None, again.pk, 2),
    ]


def test_the_reviewer_decides_about_it() -> None:
    first = sent_back()
    factories.age(first.assignment, minutes=61)
    services.submit_overdue_rework()
    again = Submission.objects.get(round=2)
    services.record_decision(submission=again, outcome="accepted", actor=factories.reviewer())
    first.assignment.refresh_from_db()
    assert first.assignment.state == "closed"


def test_other_leases_are_left_alone() -> None:
    project = factories.project()
    factories.open_tasks(project)
    live = factories.claimed(project)
    factories.age(live, hours=2)
    assert services.submit_overdue_rework() == 0
    assert not Submission.objects.exists()


def test_late_changes_are_taken_until_the_sweep_comes() -> None:
    first = sent_back()
    factories.age(first.assignment, minutes=61)
    factories.submitted(first.assignment, factories.segments()[:2])
    assert services.submit_overdue_rework() == 0
    assert Submission.objects.get(round=2).segment_count == 2


@pytest.mark.django_db(transaction=True)
def test_sweeps_and_a_late_submit_at_once_make_one_round() -> None:
    with transaction.atomic():
        first = sent_back()
    factories.age(first.assignment, minutes=61)
    results = run_together(
        [services.submit_overdue_rework] * 3 + [lambda: factories.submitted(first.assignment)] * 3
    )
    made = sum(r for r in results if isinstance(r, int)) + sum(
        isinstance(r, Submission) for r in results
    )
    assert made == 1
    kinds = Counter(type(r) for r in results if isinstance(r, Exception))
    assert set(kinds) <= {problems.AlreadySubmitted}
    assert list(Submission.objects.order_by("round").values_list("round", flat=True)) == [1, 2]
    assert Assignment.objects.get().state == "submitted"
