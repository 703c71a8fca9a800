"""From two timelines to a score, a decision and sixteen dollars."""

from __future__ import annotations

import threading

import pytest
from django.db import IntegrityError, connection, transaction

from events.models import Event
from payouts.models import LedgerTransaction, Payable
from reviews import queries, services
from reviews.models import Assessment, Decision, Review, Score, Scoring
from reviews.queries import tasks_due_for_scoring
from tasks.models import Submission, Task
from tasks.services import set_price, submit
from tests import factories
from tests.reviews.scene import CLOSE, FAR, GOOD, MIDDLING, handed_in, paid_cents, states
from timelines.score import score_timelines
from timelines.segment import Timeline

pytestmark = pytest.mark.django_db


def test_high_agreement_accepts_and_pays_both_exactly_once() -> None:
    task, submissions = handed_in(GOOD, CLOSE)
    services.score_task(task.pk)

    expected = score_timelines(Timeline(300, 30.0, GOOD), Timeline(300, 30.0, CLOSE))
    score = Score.objects.get()
    assert (score.reference_id, score.candidate_id) == (submissions[0].pk, submissions[1].pk)
    assert score.s == pytest.approx(expected.s, abs=1e-12)
    assert score.s > 0.9
    assert (score.rq, score.tp, score.fp, score.fn) == (1.0, 3, 0, 0)
    assert score.mean_boundary_error_frames == expected.mean_boundary_error_frames
    assert score.mean_boundary_error_ms == expected.mean_boundary_error_ms
    assert score.f1["0.50"] == 1.0
    assert score.parameters == services.current_scoring(task.project).parameters
    assert [(m["reference"], m["candidate"]) for m in score.alignment] == [(0, 0), (1, 1), (2, 2)]

    assert states(submissions) == ["accepted", "accepted"]
    assert [paid_cents(s) for s in submissions] == [[1600], [1600]]
    decisions = Decision.objects.order_by("submission")
    assert [d.submission_id for d in decisions] == [s.pk for s in submissions]
    for decision in decisions:
        assert decision.actor is None
        assert decision.rule == services.current_rule(task.project)
        assert decision.score_ids == [score.pk]
        assert (decision.s, decision.rq) == (score.s, score.rq)
        assert "85.0 %" in decision.explanation
    task.refresh_from_db()
    assert task.state == Task.State.COMPLETED


def test_scoring_twice_changes_nothing() -> None:
    task, submissions = handed_in(GOOD, CLOSE)
    services.score_task(task.pk)
    before = Event.objects.count()
    services.score_task(task.pk)
    assert Event.objects.count() == before
    assert Score.objects.count() == 1
    assert Decision.objects.count() == 2
    assert LedgerTransaction.objects.count() == 2
    assert [paid_cents(s) for s in submissions] == [[1600], [1600]]


@pytest.mark.django_db(transaction=True)
def test_scoring_in_many_threads_at_once_decides_once() -> None:
    task, submissions = handed_in(GOOD, CLOSE)
    start = threading.Barrier(6)
    failures: list[Exception] = []

    def run() -> None:
        start.wait()
        try:
            services.score_task(task.pk)
        except Exception as error:
            failures.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=run) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert Score.objects.count() == 1
    assert Decision.objects.count() == 2
    assert Event.objects.filter(type="task.assessed").count() == 1
    assert [paid_cents(s) for s in submissions] == [[1600], [1600]]


def test_the_price_pinned_at_the_claim_is_paid() -> None:
    project = factories.project()
    (task,) = factories.open_tasks(project)
    first = factories.claimed(project)
    set_price(actor=None, project=project, price_cents=1800, screening_fee_cents=200, reason="More")
    second = factories.claimed(project)
    submissions = [factories.submitted(first, GOOD), factories.submitted(second, CLOSE)]
    services.score_task(task.pk)
    assert [paid_cents(s) for s in submissions] == [[1600], [1800]]


def test_one_submission_alone_waits() -> None:
    task, submissions = handed_in(GOOD)
    assert services.score_task(task.pk) is None
    assert states(submissions) == ["submitted"]
    assert not Assessment.objects.exists()
    assert tasks_due_for_scoring(10) == []


def test_middling_agreement_asks_a_reviewer_and_pays_nobody() -> None:
    task, submissions = handed_in(GOOD, MIDDLING)
    services.score_task(task.pk)
    score = Score.objects.get()
    assert 0.70 <= score.s < 0.85
    assert states(submissions) == ["in_review", "in_review"]
    reviews = Review.objects.order_by("submission")
    assert [(r.submission_id, r.kind, r.state) for r in reviews] == [
        (s.pk, "decision", "queued") for s in submissions
    ]
    assert not Decision.objects.exists()
    assert not Payable.objects.exists()
    task.refresh_from_db()
    assert task.state == Task.State.FILLED


def test_low_agreement_is_adjudicated_by_a_person() -> None:
    task, submissions = handed_in(GOOD, FAR)
    services.score_task(task.pk)
    assert Score.objects.get().s < 0.70
    assert states(submissions) == ["in_review", "in_review"]
    assert Review.objects.filter(state="queued").count() == 2
    assert not Payable.objects.exists()
    task.refresh_from_db()
    assert task.state == Task.State.ADJUDICATING


def test_low_agreement_raises_the_overlap_where_the_rule_says_so() -> None:
    project = factories.project()
    services.set_rule(
        actor=None, project=project, parameters={"raise_overlap": True}, reason="Third opinion"
    )
    task, submissions = handed_in(GOOD, FAR, project=project)
    services.score_task(task.pk)
    task.refresh_from_db()
    assert (task.state, task.overlap) == (Task.State.OPEN, 3)
    assert states(submissions) == ["submitted", "submitted"]
    assert not Review.objects.exists()
    assert tasks_due_for_scoring(10) == [], "waiting for a third person is not work left over"

    third = factories.submitted(factories.claimed(project), CLOSE)
    assert tasks_due_for_scoring(10) == [task.pk]
    services.score_task(task.pk)
    assert Score.objects.count() == 3
    assert states([*submissions, third]) == ["accepted", "in_review", "accepted"]
    review = Review.objects.get(kind="decision")
    assert review.submission == submissions[1]
    assert "Two others agree" in review.reason
    assert [paid_cents(s) for s in (*submissions, third)] == [[1600], [], [1600]]
    task.refresh_from_db()
    assert (task.state, task.overlap) == (Task.State.FILLED, 3)


def test_at_the_maximum_overlap_a_person_decides() -> None:
    project = factories.project(max_overlap=2)
    services.set_rule(actor=None, project=project, parameters={"raise_overlap": True}, reason="x")
    task, submissions = handed_in(GOOD, FAR, project=project)
    services.score_task(task.pk)
    task.refresh_from_db()
    assert (task.state, task.overlap) == (Task.State.ADJUDICATING, 2)
    assert states(submissions) == ["in_review", "in_review"]


def test_good_labels_with_poor_recognition_are_not_accepted() -> None:
    project = factories.project()
    rule = {"accept_s": 0.5, "accept_rq": 1.0, "review_s": 0.4}
    services.set_rule(actor=None, project=project, parameters=rule, reason="x")
    _, submissions = handed_in(GOOD, GOOD[:2], project=project)
    services.score_task(submissions[0].assignment.task_id)
    score = Score.objects.get()
    assert score.s > 0.5
    assert score.rq < 1.0
    assert states(submissions) == ["in_review", "in_review"]


def test_single_annotation_goes_to_a_reviewer_or_as_the_rule_says() -> None:
    task, submissions = handed_in(GOOD, overlap=1)
    assert tasks_due_for_scoring(10) == [task.pk]
    services.score_task(task.pk)
    assert states(submissions) == ["in_review"]

    project = factories.project(overlap=1)
    services.set_rule(actor=None, project=project, parameters={"single": "accept"}, reason="x")
    task, submissions = handed_in(GOOD, project=project)
    services.score_task(task.pk)
    assert states(submissions) == ["accepted"]
    assert paid_cents(submissions[0]) == [1600]


def test_a_video_called_unusable_is_looked_at_by_a_person() -> None:
    project = factories.project()
    (task,) = factories.open_tasks(project)
    submissions = [
        submit(assignment=factories.claimed(project), segments=[], screening_verdict="unusable")
        for _ in range(2)
    ]
    services.score_task(task.pk)
    score = Score.objects.get()
    assert (score.s, score.flags) == (1.0, ["both_empty"])
    assert states(submissions) == ["in_review", "in_review"], "agreeing on nothing pays nothing"


def test_a_sample_of_what_the_rule_accepts_is_reviewed_and_the_pay_stands() -> None:
    project = factories.project()
    services.set_rule(actor=None, project=project, parameters={"sample_share": 1.0}, reason="All")
    task, submissions = handed_in(GOOD, CLOSE, project=project)
    services.score_task(task.pk)
    assert states(submissions) == ["accepted", "accepted"]
    assert [r.kind for r in Review.objects.all()] == ["sample", "sample"]
    assert [paid_cents(s) for s in submissions] == [[1600], [1600]]


def test_the_sweep_finds_exactly_what_a_lost_message_left() -> None:
    lost, _ = handed_in(GOOD, CLOSE)
    done, _ = handed_in(GOOD, FAR)
    services.score_task(done.pk)
    handed_in(GOOD)
    assert tasks_due_for_scoring(10) == [lost.pk]
    assert services.sweep_scores() == {"scored": 1, "failed": 0}
    assert Score.objects.filter(task=lost).count() == 1
    assert tasks_due_for_scoring(10) == []
    assert services.sweep_scores() == {"scored": 0, "failed": 0}


def test_the_sweep_reads_the_index_of_undecided_work_and_not_the_table() -> None:
    task, _ = handed_in(GOOD, CLOSE)
    of = Submission.objects.filter(assignment__task=task)[0]
    with connection.cursor() as cursor:
        # Years of decided work, as many as a planner needs to tell the ways apart.
        cursor.execute(
            """INSERT INTO tasks_submission (assignment_id, round, state, screening_verdict,
                   screening, frame_count, segment_count, submitted_at, decided_at)
               SELECT assignment_id, 100 + n, 'accepted', screening_verdict, screening,
                   frame_count, segment_count, submitted_at, submitted_at
               FROM tasks_submission CROSS JOIN generate_series(1, 5000) n WHERE id = %s""",
            [of.pk],
        )
        cursor.execute("ANALYZE tasks_submission")
        cursor.execute("EXPLAIN " + queries.DUE_TASKS, [200])
        plan = "\n".join(row[0] for row in cursor.fetchall())
    assert "submission_one_undecided_per_assignment" in plan
    assert "Seq Scan on tasks_submission" not in plan


def test_the_sweep_goes_on_after_a_task_that_fails() -> None:
    broken, _ = handed_in(GOOD, CLOSE)
    whole, _ = handed_in(GOOD, CLOSE)
    # Settings that this version can't read.
    Scoring.objects.create(project=broken.project, number=1, parameters={"future": 1})
    assert services.sweep_scores() == {"scored": 1, "failed": 1}
    assert Submission.objects.filter(assignment__task=whole, state="accepted").count() == 2


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE reviews_score SET s = 1",
        "DELETE FROM reviews_score",
        "UPDATE reviews_decision SET outcome = 'rejected'",
        "DELETE FROM reviews_decision",
        "UPDATE reviews_decisionrule SET parameters = '{}'",
        "UPDATE reviews_scoring SET parameters = '{}'",
        # The same pair the other way round.
        """INSERT INTO reviews_score (task_id, scoring_id, reference_id, candidate_id, s, rq, sq,
             tp, fp, fn, f1, edit_score, flags, alignment, diagnosis, parameters)
           SELECT task_id, scoring_id, candidate_id, reference_id, s, rq, sq,
             tp, fp, fn, f1, edit_score, flags, alignment, diagnosis, parameters
           FROM reviews_score""",
        # A second decision about the same work.
        """INSERT INTO reviews_decision (submission_id, about, outcome, rule_id, score_ids,
             explanation, evidence, reason_code, guideline_clause, decided_at)
           SELECT submission_id, 'work', 'paid_unused', rule_id, score_ids,
             'again', evidence, '', '', decided_at FROM reviews_decision LIMIT 1""",
    ],
)
def test_the_database_refuses(sql: str) -> None:
    task, _ = handed_in(GOOD, CLOSE)
    services.score_task(task.pk)
    with pytest.raises(IntegrityError), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(sql)


def test_a_rule_version_applies_from_then_on_and_old_decisions_keep_theirs() -> None:
    project = factories.project()
    task, _ = handed_in(GOOD, CLOSE, project=project)
    services.score_task(task.pk)
    strict = services.set_rule(
        actor=factories.manager(),
        project=project,
        parameters={"accept_s": 1.0, "accept_rq": 1.0},
        reason="Pilot showed too much slips through",
    )
    later, submissions = handed_in(GOOD, CLOSE, project=project)
    services.score_task(later.pk)
    assert states(submissions) == ["in_review", "in_review"]
    assert Assessment.objects.get(task=later).rule == strict
    assert {d.rule.number for d in Decision.objects.all()} == {1}


def test_one_that_cannot_be_scored_does_not_stop_the_others() -> None:
    first, _ = handed_in(GOOD, CLOSE)
    second, _ = handed_in(GOOD, CLOSE)
    newest = [
        Submission.objects.filter(assignment__task=task).latest("id").pk for task in (first, second)
    ]
    nowhere = 10**9
    counts = services.score_handed_in(
        [(first.pk, newest[0]), (nowhere, nowhere), (second.pk, newest[1]), (first.pk, newest[0])]
    )
    assert counts == {"scored": 2, "failed": 1}
    assert set(Score.objects.values_list("task", flat=True)) == {first.pk, second.pk}
