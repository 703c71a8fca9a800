"""People at the reviewer's desk: who may take what, and what each outcome does."""

from __future__ import annotations

import threading
from datetime import timedelta
from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction
from django.db.models import F

from contractors.models import Role, User
from events.models import Event
from payouts.models import Payable
from reviews import services
from reviews.models import Decision, Review
from reviews.problems import (
    IncompleteDecision,
    NothingToReview,
    RejectionsWaiting,
    ReviewNotYours,
    WrongOutcome,
)
from reviews.services.reviewing import Findings
from tasks.models import Assignment, Project, Task
from tasks.problems import NoRoundsLeft
from tasks.services import submit
from tests import factories
from tests.reviews.scene import (
    CLOSE,
    EVIDENCE,
    FAR,
    GOOD,
    REJECTION,
    handed_in,
    in_review,
    lapse,
    paid_cents,
    states,
    take,
)

pytestmark = pytest.mark.django_db


# --- taking a review ----------------------------------------------------------------------


def test_the_oldest_review_is_taken_and_held_until_it_is_decided() -> None:
    _, submissions = in_review()
    reviewer = factories.reviewer()
    review = take(reviewer, submissions[0])
    assert (review.state, review.reviewer) == ("claimed", reviewer)
    assert review.lease_expires_at is not None
    assert review.claimed_at is not None
    assert review.lease_expires_at - review.claimed_at == timedelta(minutes=30)
    assert take(reviewer).pk == review.pk, "one at a time"
    assert take(factories.reviewer()).submission_id == submissions[1].pk
    with pytest.raises(NothingToReview):
        take(factories.reviewer())


def test_nobody_reviews_a_task_they_annotated() -> None:
    project = factories.project()
    (task,) = factories.open_tasks(project)
    both = factories.worker(project)
    both.user.roles = [Role.CONTRACTOR, Role.REVIEWER]
    both.user.save()
    factories.submitted(factories.claimed(project, both), GOOD)
    factories.submitted(factories.claimed(project), FAR)
    services.score_task(task.pk)
    assert Review.objects.filter(state="queued").count() == 2
    with pytest.raises(NothingToReview):
        services.claim_next_review(reviewer=both.user)
    assert Review.objects.filter(state="queued").count() == 2


def test_reviews_of_one_project_only() -> None:
    in_review()
    _, wanted = in_review()
    project = Project.objects.get(tasks__assignments__submissions=wanted[0])
    review = services.claim_next_review(reviewer=factories.reviewer(), project=project)
    assert review.submission_id == wanted[0].pk


@pytest.mark.django_db(transaction=True)
def test_many_reviewers_at_once_get_different_reviews() -> None:
    project = factories.project()
    for _ in range(4):
        task, _ = handed_in(GOOD, FAR, project=project)
        services.score_task(task.pk)
    reviewers = [factories.reviewer() for _ in range(8)]
    start = threading.Barrier(8)
    taken: list[int] = []

    def run(reviewer: User) -> None:
        start.wait()
        try:
            taken.append(services.claim_next_review(reviewer=reviewer).pk)
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=(reviewer,)) for reviewer in reviewers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(taken) == sorted(Review.objects.values_list("pk", flat=True))
    assert len(taken) == 8


def test_a_lapsed_lease_goes_back_to_the_queue() -> None:
    in_review()
    reviewer = factories.reviewer()
    review = take(reviewer)
    assert services.expire_leases() == 0
    lapse(review)
    services.renew_lease(reviewer=reviewer, review=review)
    assert services.expire_leases() == 0, "renewed in time"
    lapse(review)
    assert services.expire_leases() == 1
    review.refresh_from_db()
    assert (review.state, review.reviewer, review.lease_expires_at) == ("queued", None, None)
    with pytest.raises(ReviewNotYours):
        services.decide(reviewer=reviewer, review=review, findings=Findings(outcome="accepted"))
    assert not Decision.objects.exists()


def test_a_released_review_can_be_taken_by_another() -> None:
    in_review()
    reviewer = factories.reviewer()
    review = take(reviewer)
    with pytest.raises(ReviewNotYours):
        services.release(reviewer=factories.reviewer(), review=review)
    services.release(reviewer=reviewer, review=review)
    assert take(reviewer).pk != review.pk, "what was given back stands last"
    assert take(factories.reviewer()).pk == review.pk


def test_what_pay_waits_for_is_taken_before_samples() -> None:
    project = factories.project()
    services.set_rule(actor=None, project=project, parameters={"sample_share": 1.0}, reason="All")
    sampled, _ = handed_in(GOOD, CLOSE, project=project)
    services.score_task(sampled.pk)
    _, submissions = in_review(project=project)
    first, second, third = (factories.reviewer() for _ in range(3))
    services.decide(reviewer=first, review=take(first, submissions[0]), findings=REJECTION)
    taken = [take(second), take(third), take(first)]
    assert [review.kind for review in taken] == ["concurrence", "decision", "sample"]


# --- outcomes -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("outcome", "cents", "task_state"),
    [
        ("accepted", [1600], "adjudicating"),
        ("accepted_with_fixes", [1600], "adjudicating"),
        ("paid_unused", [1600], "adjudicating"),
    ],
)
def test_outcomes_that_pay(outcome: str, cents: list[int], task_state: str) -> None:
    task, submissions = in_review()
    reviewer = factories.reviewer()
    services.decide(
        reviewer=reviewer,
        review=take(reviewer, submissions[0]),
        findings=Findings(outcome=outcome, text="Clean cuts."),
    )
    assert states(submissions) == [outcome, "in_review"]
    assert [paid_cents(s) for s in submissions] == [cents, []]
    decision = Decision.objects.get()
    assert (decision.actor, decision.outcome) == (reviewer, outcome)
    assert decision.explanation.endswith("Clean cuts.")
    assert decision.s is not None
    task.refresh_from_db()
    assert task.state == task_state


def test_adjudication_completes_the_task_once_both_are_decided() -> None:
    task, submissions = in_review()
    reviewer = factories.reviewer()
    for outcome in ("accepted", "paid_unused"):
        services.decide(
            reviewer=reviewer, review=take(reviewer), findings=Findings(outcome=outcome)
        )
    assert states(submissions) == ["accepted", "paid_unused"]
    task.refresh_from_db()
    assert task.state == Task.State.COMPLETED


def test_an_adjudicated_task_without_usable_work_opens_again() -> None:
    task, _ = in_review()
    reviewer = factories.reviewer()
    for _ in range(2):
        services.decide(
            reviewer=reviewer, review=take(reviewer), findings=Findings(outcome="paid_unused")
        )
    task.refresh_from_db()
    assert (task.state, task.held_slots) == (Task.State.OPEN, 0)


def test_changes_need_a_place_and_come_back_to_the_same_reviewer() -> None:
    task, submissions = in_review()
    reviewer, other = factories.reviewer(), factories.reviewer()
    review = take(reviewer, submissions[0])
    for evidence, pointer in (
        ([], "/evidence"),
        ([{"start_frame": 5, "end_frame": 5, "text": "x"}], "/evidence/0"),
        ([{"start_frame": 5, "end_frame": 301, "text": "x"}], "/evidence/0"),
        ([{"start_frame": 5, "end_frame": 50, "text": " "}], "/evidence/0"),
    ):
        with pytest.raises(IncompleteDecision) as refused:
            services.decide(
                reviewer=reviewer,
                review=review,
                findings=Findings(outcome="changes_requested", evidence=evidence),
            )
        assert refused.value.extra["errors"][0]["pointer"] == pointer
    assert states(submissions) == ["in_review", "in_review"]

    services.decide(
        reviewer=reviewer,
        review=review,
        findings=Findings(outcome="changes_requested", evidence=EVIDENCE),
    )
    assert states(submissions) == ["changes_requested", "in_review"]
    assert not Payable.objects.exists()
    decision = Decision.objects.get()
    assert decision.evidence == EVIDENCE
    assignment = Assignment.objects.get(pk=submissions[0].assignment_id)
    assert assignment.state == Assignment.State.REWORK

    again = factories.submitted(assignment, GOOD[:2])
    services.score_task(task.pk)
    again.refresh_from_db()
    assert (again.round, again.state) == (2, "in_review")
    assert take(other).submission_id == submissions[1].pk
    services.decide(
        reviewer=other,
        review=Review.objects.get(reviewer=other, state="claimed"),
        findings=Findings(outcome="accepted"),
    )
    with pytest.raises(NothingToReview):
        take(other)
    assert take(reviewer).submission_id == again.pk


def test_after_a_day_another_reviewer_may_take_what_came_back() -> None:
    task, submissions = in_review()
    reviewer, other = factories.reviewer(), factories.reviewer()
    services.decide(
        reviewer=reviewer,
        review=take(reviewer, submissions[0]),
        findings=Findings(outcome="changes_requested", evidence=EVIDENCE),
    )
    again = factories.submitted(Assignment.objects.get(pk=submissions[0].assignment_id), GOOD)
    services.score_task(task.pk)
    Review.objects.filter(submission=again).update(queued_at=F("queued_at") - timedelta(days=2))
    assert take(other).submission_id == again.pk


def test_changes_can_be_asked_for_twice_only() -> None:
    task, submissions = in_review()
    reviewer = factories.reviewer()
    subject = submissions[0]
    for _ in range(2):
        review = Review.objects.get(submission=subject)
        assert take(reviewer).pk == review.pk
        services.decide(
            reviewer=reviewer,
            review=review,
            findings=Findings(outcome="changes_requested", evidence=EVIDENCE),
        )
        other = Review.objects.filter(submission=submissions[1], state="queued")
        other.update(queued_at=F("queued_at") + timedelta(0))
        subject = factories.submitted(Assignment.objects.get(pk=subject.assignment_id), GOOD)
        services.score_task(task.pk)
        Review.objects.filter(submission=submissions[1], state="queued").update(state="superseded")
    review = take(reviewer, subject)
    with pytest.raises(NoRoundsLeft):
        services.decide(
            reviewer=reviewer,
            review=review,
            findings=Findings(outcome="changes_requested", evidence=EVIDENCE),
        )
    review.refresh_from_db()
    assert review.state == "claimed", "the refused decision left nothing behind"


def test_a_rejection_must_be_complete() -> None:
    _, submissions = in_review()
    reviewer = factories.reviewer()
    review = take(reviewer)
    with pytest.raises(IncompleteDecision) as refused:
        services.decide(
            reviewer=reviewer, review=review, findings=Findings(outcome="rejected", text="Bad.")
        )
    assert [error["pointer"] for error in refused.value.extra["errors"]] == [
        "/reason_code", "/guideline_clause", "/text", "/evidence",
    ]  # fmt: skip
    assert states(submissions) == ["in_review", "in_review"]


def test_a_rejection_is_final_only_when_a_second_reviewer_concurs() -> None:
    _, submissions = in_review()
    first, second = factories.reviewer(), factories.reviewer()
    Review.objects.filter(submission=submissions[0]).update(state="superseded")
    review = take(first, submissions[1])
    services.decide(reviewer=first, review=review, findings=REJECTION)
    assert states(submissions) == ["in_review", "in_review"], "nothing is decided yet"
    assert not Decision.objects.exists()
    with pytest.raises(NothingToReview):
        take(first)

    concurrence = take(second, submissions[1])
    assert (concurrence.kind, concurrence.of) == ("concurrence", review)
    services.decide(
        reviewer=second, review=concurrence, findings=Findings(outcome="rejected", text="I agree.")
    )
    assert states(submissions) == ["in_review", "rejected"]
    decision = Decision.objects.get()
    assert (decision.actor, decision.concurred_by) == (first, second)
    assert decision.reason_code == "empty_or_random"
    assert decision.guideline_clause == "2.1 Cover every action"
    assert decision.evidence == EVIDENCE
    assert decision.explanation == REJECTION.text
    assert not Payable.objects.exists()
    assert not Assignment.objects.get(pk=submissions[1].assignment_id).occupies_slot


def test_a_second_reviewer_who_disagrees_decides_instead() -> None:
    _, submissions = in_review()
    first, second = factories.reviewer(), factories.reviewer()
    Review.objects.filter(submission=submissions[0]).update(state="superseded")
    services.decide(reviewer=first, review=take(first), findings=REJECTION)
    services.decide(
        reviewer=second, review=take(second), findings=Findings(outcome="accepted", text="Fine.")
    )
    assert states(submissions) == ["in_review", "accepted"]
    decision = Decision.objects.get()
    assert (decision.actor, decision.outcome, decision.concurred_by) == (second, "accepted", None)
    assert paid_cents(submissions[1]) == [1600]


def test_who_rejects_faster_than_a_second_person_can_look_has_to_wait() -> None:
    project = factories.project()
    for _ in range(2):
        in_review(project=project)
    first, second = factories.reviewer(), factories.reviewer()
    for _ in range(3):
        services.decide(reviewer=first, review=take(first), findings=REJECTION)
    with pytest.raises(RejectionsWaiting):
        take(first)
    services.decide(reviewer=second, review=take(second), findings=Findings(outcome="accepted"))
    assert take(first).kind == "decision"


def test_work_that_waits_for_a_reviewer_is_accepted_when_the_other_comes_round() -> None:
    task, submissions = in_review()
    reviewer = factories.reviewer()
    review = take(reviewer, submissions[0])
    services.release(reviewer=reviewer, review=review)
    review = take(reviewer, submissions[1])
    services.decide(
        reviewer=reviewer,
        review=review,
        findings=Findings(outcome="changes_requested", evidence=EVIDENCE),
    )
    mended = factories.submitted(Assignment.objects.get(pk=submissions[1].assignment_id), CLOSE)
    services.score_task(task.pk)
    assert states([submissions[0], mended]) == ["accepted", "accepted"]
    assert [paid_cents(s) for s in (submissions[0], mended)] == [[1600], [1600]]
    assert Review.objects.get(submission=submissions[0], kind="decision").state == "superseded"


def test_work_that_a_reviewer_has_begun_to_look_at_stays_theirs() -> None:
    task, submissions = in_review()
    reviewer, other = factories.reviewer(), factories.reviewer()
    held = take(other, submissions[0])
    services.decide(
        reviewer=reviewer,
        review=take(reviewer, submissions[1]),
        findings=Findings(outcome="changes_requested", evidence=EVIDENCE),
    )
    mended = factories.submitted(Assignment.objects.get(pk=submissions[1].assignment_id), CLOSE)
    services.score_task(task.pk)
    assert states([submissions[0], mended]) == ["in_review", "accepted"]
    held.refresh_from_db()
    assert held.state == "claimed"


def test_an_unusable_video_ends_the_task_and_pays_everybody_who_worked_on_it() -> None:
    project = factories.project(overlap=4, max_overlap=4)
    (task,) = factories.open_tasks(project)
    said_so = [
        submit(assignment=factories.claimed(project), segments=[], screening_verdict="unusable")
        for _ in range(2)
    ]
    worked = factories.submitted(factories.claimed(project), GOOD)
    holder = factories.claimed(project)
    services.score_task(task.pk)
    reviewer = factories.reviewer()
    services.decide(
        reviewer=reviewer,
        review=take(reviewer, said_so[0]),
        findings=Findings(outcome="unusable_confirmed", text="The lens is covered."),
    )
    assert states([*said_so, worked]) == ["unusable_confirmed", "unusable_confirmed", "paid_unused"]
    assert [paid_cents(s) for s in (*said_so, worked)] == [[200], [200], [1600]]
    holder.refresh_from_db()
    assert holder.state == Assignment.State.RELEASED
    assert Payable.objects.get(assignment=holder).amount_cents == 200
    task.refresh_from_db()
    assert (task.state, task.held_slots) == (Task.State.UNUSABLE, 0)
    assert not Review.objects.filter(state__in=Review.OPEN).exists()


def test_who_annotated_a_video_that_turns_out_unusable_is_paid_in_full() -> None:
    project = factories.project()
    (task,) = factories.open_tasks(project)
    worked = factories.submitted(factories.claimed(project), GOOD)
    said_so = submit(
        assignment=factories.claimed(project), segments=[], screening_verdict="unusable"
    )
    services.score_task(task.pk)
    reviewer = factories.reviewer()
    services.decide(
        reviewer=reviewer,
        review=take(reviewer, worked),
        findings=Findings(outcome="unusable_confirmed", text="Frozen from frame 10 on."),
    )
    assert states([worked, said_so]) == ["paid_unused", "unusable_confirmed"]
    assert [paid_cents(s) for s in (worked, said_so)] == [[1600], [200]]


def test_a_sample_review_decides_about_the_data_and_never_about_the_pay() -> None:
    project = factories.project()
    services.set_rule(actor=None, project=project, parameters={"sample_share": 1.0}, reason="All")
    task, submissions = handed_in(GOOD, CLOSE, project=project)
    services.score_task(task.pk)
    reviewer = factories.reviewer()
    review = take(reviewer, submissions[0])
    with pytest.raises(WrongOutcome):
        services.decide(reviewer=reviewer, review=review, findings=REJECTION)
    services.decide(
        reviewer=reviewer, review=review, findings=Findings(outcome="paid_unused", text="Copied.")
    )
    assert states(submissions) == ["accepted", "accepted"]
    assert [paid_cents(s) for s in submissions] == [[1600], [1600]]
    about_data = Decision.objects.get(about="data")
    assert (about_data.submission, about_data.outcome) == (submissions[0], "paid_unused")


# --- what the database refuses -------------------------------------------------------------------


@pytest.mark.parametrize(
    "sql",
    [
        # A second open review of one kind.
        """INSERT INTO reviews_review (submission_id, project_id, kind, state, reason, queued_at,
             findings) SELECT submission_id, project_id, 'decision', 'queued', 'again', now(), '{}'
           FROM reviews_review WHERE state = 'queued' LIMIT 1""",
        # One reviewer with two live claims.
        """UPDATE reviews_review SET state = 'claimed', claimed_at = now(),
             lease_expires_at = now(),
             reviewer_id = (SELECT reviewer_id FROM reviews_review WHERE state = 'claimed')
           WHERE state = 'queued'""",
        "UPDATE reviews_review SET reviewer_id = NULL WHERE state = 'claimed'",
        "UPDATE reviews_review SET lease_expires_at = NULL WHERE state = 'claimed'",
        "UPDATE reviews_review SET state = 'decided' WHERE state = 'claimed'",
        "UPDATE reviews_review SET kind = 'concurrence' WHERE state = 'claimed'",
    ],
)
def test_the_database_refuses(sql: str) -> None:
    in_review()
    take(factories.reviewer())
    with pytest.raises(IntegrityError), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(sql)


def test_the_database_refuses_a_rejection_by_one_person() -> None:
    _, submissions = in_review()
    reviewer = factories.reviewer()
    fields: dict[str, Any] = {
        "submission": submissions[0],
        "outcome": "rejected",
        "rule": services.current_rule(submissions[0].assignment.task.project),
        "explanation": "No.",
        "reason_code": "copied",
        "guideline_clause": "1",
        "actor": reviewer,
        "decided_at": submissions[0].submitted_at,
    }
    for concurring in (None, reviewer):
        with pytest.raises(IntegrityError), transaction.atomic():
            Decision.objects.create(**fields, concurred_by=concurring)


def test_every_step_is_in_the_log() -> None:
    in_review()
    reviewer = factories.reviewer()
    review = take(reviewer)
    services.decide(reviewer=reviewer, review=review, findings=Findings(outcome="accepted"))
    told = Event.objects.filter(subject_type="reviews.review", subject_id=review.pk)
    assert list(told.order_by("pk").values_list("type", "actor")) == [
        ("review.claimed", reviewer.pk),
        ("review.decided", reviewer.pk),
    ]
