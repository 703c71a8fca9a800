"""Hidden references: what they are made of, and what scores against them lead to."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import pytest
from django.db import IntegrityError

from contractors.models import Contractor, Restriction
from contractors.services import appeal, decide_appeal
from events.models import Event
from payouts.models import Payable
from reviews import problems, services
from reviews.measure import Measures, measure
from reviews.models import GoldReference, GoldScore, GoldSettings, GoldSuspension
from reviews.services.decisions import Grounds
from reviews.services.gold import segments_of
from tasks.models import Project, Qualification, Submission, Task
from tasks.problems import InvalidTimeline, Restricted, WrongTaskState
from tasks.services import pause_task, record_decision, submit
from tasks.services import release as release_claim
from tests import factories
from tests.factories import client_for
from tests.races.together import run_together
from tests.raw_sql import execute
from tests.reviews.scene import CLOSE, FAR, GOOD, gold, handed_in, rules
from timelines.segment import Hands, Segment, Timeline

pytestmark = pytest.mark.django_db


# --- references -------------------------------------------------------------------------


def test_a_reference_of_ones_own_is_stored_frame_by_frame() -> None:
    (task,) = factories.open_tasks(factories.project())
    shuffled = [GOOD[2], GOOD[0], GOOD[1]]
    reference = gold(task, shuffled)
    assert segments_of(reference) == GOOD
    assert (reference.frame_count, reference.source, reference.submission_ids) == (300, "own", [])


@pytest.mark.parametrize(
    "wrong",
    [
        [],
        [Segment(0, 301, "pour", Hands.BOTH, "Pour")],
        [Segment(0, 10, "juggle", Hands.BOTH, "Juggle")],
        [Segment(0, 10, "pour", Hands.LEFT, "Pour"), Segment(9, 12, "pour", Hands.BOTH, "Pour")],
    ],
    ids=["empty", "past the end", "unknown type", "overlap"],
)
def test_a_reference_must_be_a_timeline_that_could_be_submitted(wrong: list[Segment]) -> None:
    (task,) = factories.open_tasks(factories.project())
    with pytest.raises(InvalidTimeline):
        gold(task, wrong)
    assert not GoldReference.objects.exists()


def test_a_reference_from_accepted_work() -> None:
    task, (first,) = handed_in(CLOSE, overlap=2)
    with pytest.raises(problems.NotAGoldSource):
        services.set_reference(actor=None, task=task, source="submission", submission=first)
    accepted = record_decision(submission=first, outcome="accepted", actor=factories.reviewer())
    other, _ = handed_in(overlap=2)
    with pytest.raises(problems.NotAGoldSource):
        services.set_reference(actor=None, task=other, source="submission", submission=accepted)
    with pytest.raises(problems.NotAGoldSource):
        services.set_reference(actor=None, task=task, source="consensus")
    reference = services.set_reference(
        actor=None, task=task, source="submission", submission=accepted
    )
    assert segments_of(reference) == CLOSE
    assert reference.submission_ids == [first.pk]
    assert services.score_gold(first.pk) is None, "it would be compared with itself"
    assert services.sweep_gold() == {"scored": 0, "failed": 0}


def test_a_reference_from_the_consensus() -> None:
    task, submissions = handed_in(GOOD, GOOD, overlap=3)
    services.score_task(task.pk)
    services.build_task_consensus(task.pk)
    reference = services.set_reference(actor=None, task=task, source="consensus")
    assert segments_of(reference) == GOOD
    assert reference.submission_ids == [s.pk for s in submissions]
    for submission in submissions:
        assert services.score_gold(submission.pk) is None
    third = factories.submitted(factories.claimed(task.project), CLOSE)
    score = services.score_gold(third.pk)
    assert score is not None
    assert score.submission_id == third.pk


def test_one_reference_per_task_until_it_is_retired() -> None:
    (task,) = factories.open_tasks(factories.project())
    first = gold(task)
    with pytest.raises(problems.GoldAlreadySet):
        gold(task)
    services.retire_reference(actor=None, reference=first, reason="A boundary is wrong")
    with pytest.raises(problems.GoldRetired):
        services.retire_reference(actor=None, reference=first, reason="Again")
    assert gold(task).pk != first.pk
    assert list(
        Event.objects.filter(type__startswith="gold.").order_by("pk").values_list("type", flat=True)
    ) == ["gold.set", "gold.retired", "gold.set"]


def test_a_task_that_ended_gets_no_reference() -> None:
    task, _ = handed_in(GOOD, GOOD, overlap=2)
    services.score_task(task.pk)
    task.refresh_from_db()
    assert task.state == "completed"
    with pytest.raises(WrongTaskState):
        gold(task)


def test_the_database_keeps_references_and_scores() -> None:
    (task,) = factories.open_tasks(factories.project())
    reference = gold(task)
    services.score_gold(factories.submitted(factories.claimed(task.project)).pk)
    for sql in (
        "UPDATE reviews_goldreference SET segments = '[1]'",
        "UPDATE reviews_goldreference SET retired_at = now(), frame_count = 1, retire_reason = 'x'",
        "DELETE FROM reviews_goldscore",
        "UPDATE reviews_goldscore SET s = 1",
        "DELETE FROM reviews_goldreference",
    ):
        with pytest.raises(IntegrityError, match=r"only ever retired|append-only"):
            execute(sql)
    with pytest.raises(IntegrityError, match="gold_reference_one_per_task"):
        execute(
            "INSERT INTO reviews_goldreference "
            "(task_id, source, submission_ids, frame_count, segments, retire_reason) "
            "SELECT task_id, source, submission_ids, frame_count, segments, '' "
            "FROM reviews_goldreference"
        )
    services.retire_reference(actor=None, reference=reference, reason="Old")
    with pytest.raises(IntegrityError, match="only ever retired"):
        execute("UPDATE reviews_goldreference SET retired_at = NULL, retire_reason = ''")


# --- scores -----------------------------------------------------------------------------


def test_the_first_hand_in_is_scored_once() -> None:
    project = factories.project(overlap=1)
    (task,) = factories.open_tasks(project)
    reference = gold(task)
    submission = factories.submitted(factories.claimed(project), CLOSE)
    score = services.score_gold(submission.pk)
    assert score is not None
    expected = measure(Timeline(300, 30.0, GOOD), Timeline(300, 30.0, CLOSE), Measures())
    assert (score.s, score.rq, score.sq) == (expected["s"], expected["rq"], expected["sq"])
    assert score.findings == expected["diagnosis"]["of_candidate"]
    assert (score.reference_id, score.contractor_id) == (
        reference.pk, submission.assignment.contractor_id,
    )  # fmt: skip
    assert services.score_gold(submission.pk) is None
    record_decision(submission=submission, outcome="changes_requested", actor=factories.reviewer())
    again = factories.submitted(submission.assignment, GOOD)
    assert services.score_gold(again.pk) is None, "a reviewer has helped by then"
    assert GoldScore.objects.count() == 1


def test_ordinary_work_and_screened_out_videos_are_not_scored() -> None:
    project = factories.project(overlap=1)
    factories.open_tasks(project)
    assert services.score_gold(factories.submitted(factories.claimed(project)).pk) is None
    (task,) = factories.open_tasks(project)
    gold(task)
    unusable = submit(
        assignment=factories.claimed(project), segments=[], screening_verdict="unusable"
    )
    assert services.score_gold(unusable.pk) is None


def test_the_sweep_finds_what_a_lost_message_left() -> None:
    project = factories.project(overlap=3, live_claim_cap=9)
    (task,) = factories.open_tasks(project)
    before = factories.submitted(factories.claimed(project))
    reference = gold(task)
    after = factories.submitted(factories.claimed(project))
    assert services.sweep_gold() == {"scored": 2, "failed": 0}
    assert services.sweep_gold() == {"scored": 0, "failed": 0}
    assert set(GoldScore.objects.values_list("submission", flat=True)) == {before.pk, after.pk}
    services.retire_reference(actor=None, reference=reference, reason="Old")
    factories.submitted(factories.claimed(project))
    assert services.sweep_gold() == {"scored": 0, "failed": 0}


def test_gold_is_paid_and_decided_like_any_other() -> None:
    paid = []
    for hidden in (False, True):
        project = factories.project(overlap=2)
        (task,) = factories.open_tasks(project)
        if hidden:
            gold(task, FAR)  # however badly it scores
        submissions = [factories.submitted(factories.claimed(project), w) for w in (GOOD, CLOSE)]
        for submission in submissions:
            services.score_gold(submission.pk)
        services.score_task(task.pk)
        task.refresh_from_db()
        paid.append(
            [task.state]
            + [
                (s.state, Payable.objects.get(submission=s).amount_cents)
                for s in Submission.objects.filter(assignment__task=task)
            ]
        )
    assert paid[0] == paid[1] == ["completed", ("accepted", 1600), ("accepted", 1600)]


# --- picking ----------------------------------------------------------------------------


def test_the_share_is_picked_the_same_every_time() -> None:
    project = factories.project()
    tasks = factories.open_tasks(project, 60)
    rules(project, share=0.2)
    first = services.pick_gold(actor=None, project=project)
    assert first.made == []
    assert first == services.pick_gold(actor=None, project=project)
    assert 2 <= len(first.wanted) <= 26  # binomial(60, 0.2): outside once in a million
    assert set(first.wanted) < {task.pk for task in tasks}
    gold(Task.objects.get(pk=first.wanted[0]))
    assert services.pick_gold(actor=None, project=project).wanted == first.wanted[1:]
    rules(project, share=0)
    assert services.pick_gold(actor=None, project=project).wanted == []


def test_accepted_work_becomes_gold_without_anybody() -> None:
    project = factories.project(overlap=2)
    task, (submission,) = handed_in(GOOD, project=project)
    record_decision(submission=submission, outcome="accepted", actor=factories.reviewer())
    rules(project, share=1)
    picked = services.pick_gold(actor=None, project=project)
    assert [(r.task_id, r.source) for r in picked.made] == [(task.pk, "submission")]
    assert picked.wanted == []


# --- what scores lead to ----------------------------------------------------------------


def works_on_gold(project: Project, person: Contractor, *works: Sequence[Segment]) -> list[int]:
    """One gold task per work, handed in and scored; the submissions' ids."""
    done = []
    for work in works:
        (task,) = factories.open_tasks(project)
        gold(task)
        submission = factories.submitted(factories.claimed(project, person), work)
        services.score_gold(submission.pk)
        done.append(submission.pk)
    return done


def test_good_scores_qualify_with_evidence() -> None:
    trial = factories.project(overlap=1)
    hard = factories.project(needs_qualification=True)
    rules(trial, last_scores=3, qualifies_for=hard)
    person = factories.worker(trial)
    ids = works_on_gold(trial, person, GOOD, CLOSE)
    assert not Qualification.objects.exists()
    ids += works_on_gold(trial, person, GOOD)
    qualification = Qualification.objects.get(contractor=person, project=hard)
    assert qualification.granted_by is None
    for pk in ids:
        assert f"submission {pk}: " in qualification.reason
    assert "80.0 %" in qualification.reason
    works_on_gold(trial, person, GOOD)
    assert Qualification.objects.count() == 1


def test_skill_from_gold_stands_beside_skill_from_agreement() -> None:
    project = factories.project(overlap=1, live_claim_cap=9)
    rules(project, last_scores=9)
    good, fair = factories.worker(project), factories.worker(project)
    works_on_gold(project, good, GOOD, GOOD)
    works_on_gold(project, fair, CLOSE)
    address = f"/api/v1/projects/{project.pk}/annotators/"
    body = client_for(factories.manager()).get(address).json()
    assert [(row["contractor"], row["count"], row["skill"]) for row in body] == [
        (good.pk, 0, None),
        (fair.pk, 0, None),
    ]
    best, other = (row["gold"] for row in body)
    assert (best["count"], best["seen_mean"]) == (2, 1.0)
    assert best["low"] <= other["skill"] <= best["skill"] <= best["high"]


def test_middling_scores_lead_to_nothing() -> None:
    project = factories.project(overlap=1, needs_qualification=False)
    rules(project, last_scores=2, qualify_at=0.9, suspend_below=0.1)
    works_on_gold(project, factories.worker(project), CLOSE, FAR, CLOSE)
    assert not Qualification.objects.exists()
    assert not Restriction.objects.exists()


def suspended() -> tuple[Project, Contractor, list[int]]:
    project = factories.project(overlap=1, live_claim_cap=9)
    rules(project, last_scores=3)
    person = factories.worker(project)
    return project, person, works_on_gold(project, person, FAR, FAR, FAR)


def test_bad_scores_stop_new_claims_with_evidence_and_touch_nothing_else() -> None:
    project = factories.project(overlap=1, live_claim_cap=9)
    rules(project, last_scores=3, suspend_days=7)
    person = factories.worker(project)
    factories.open_tasks(project)
    live = factories.claimed(project, person)
    ids = works_on_gold(project, person, FAR, FAR)
    assert not Restriction.objects.exists()
    ids += works_on_gold(project, person, FAR)

    restriction = Restriction.objects.get()
    assert (restriction.contractor_id, restriction.scope, restriction.created_by) == (
        person.pk, str(project.pk), None,
    )  # fmt: skip
    for pk in ids:
        assert f"submission {pk}: " in restriction.evidence
    assert "Below 50.0 %" in restriction.evidence
    assert restriction.ends_at is not None
    assert (restriction.ends_at - restriction.starts_at).days in (6, 7)
    factories.open_tasks(project)
    with pytest.raises(Restricted):
        factories.claimed(project, person)
    person.refresh_from_db()
    assert person.state == "active", "one project only"

    finished = factories.submitted(live, GOOD)
    services.decide_work(
        submission=finished,
        outcome="accepted",
        actor=factories.reviewer(),
        grounds=Grounds(explanation="Good."),
    )
    assert Payable.objects.get().amount_cents == 1600
    assert not Submission.objects.filter(pk__in=ids).exclude(state="submitted").exists()


def test_references_named_in_evidence_are_secret_no_more() -> None:
    suspended()
    assert not GoldReference.objects.filter(retired_at__isnull=True).exists()
    assert set(GoldReference.objects.values_list("retire_reason", flat=True)) == {
        "Named in the evidence of a suspension."
    }


def test_an_appeal_overturns_it_and_the_same_scores_never_count_again() -> None:
    project, person, _ = suspended()
    restriction = Restriction.objects.get()
    appeal(restriction=restriction, text="The video froze.", actor=person.user)
    decide_appeal(restriction=restriction, overturn=True, answer="True.", actor=factories.manager())
    works_on_gold(project, person, FAR, FAR)
    assert Restriction.objects.count() == 1
    works_on_gold(project, person, FAR)
    assert Restriction.objects.count() == 2
    counted = [
        pk for ids in GoldSuspension.objects.values_list("score_ids", flat=True) for pk in ids
    ]
    assert sorted(counted) == sorted(GoldScore.objects.values_list("pk", flat=True))


def test_the_rule_can_be_switched_off() -> None:
    project = factories.project(overlap=1)
    rules(project, last_scores=1, suspend_below=0)
    works_on_gold(project, factories.worker(project), FAR)
    assert not Restriction.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_the_same_hand_ins_scored_at_once_count_once() -> None:
    project = factories.project(overlap=1, live_claim_cap=9)
    rules(project, last_scores=2)
    person = factories.worker(project)
    ids = []
    for task in factories.open_tasks(project, 2):
        gold(task)
        ids.append(factories.submitted(factories.claimed(project, person), FAR).pk)
    results = run_together([partial(services.score_gold, pk) for pk in ids * 4])
    assert [r for r in results if isinstance(r, Exception)] == []
    assert sum(isinstance(r, GoldScore) for r in results) == 2
    assert (GoldScore.objects.count(), Restriction.objects.count()) == (2, 1)


# --- over HTTP --------------------------------------------------------------------------


def rows(work: Sequence[Segment]) -> list[dict[str, Any]]:
    hands = {Hands.RIGHT: "right", Hands.LEFT: "left", Hands.BOTH: "both", Hands.NONE: "none"}
    return [segment.as_dict() | {"hands": hands[segment.hands]} for segment in work]


def test_a_manager_sets_picks_reads_and_retires_gold() -> None:
    project = factories.project(overlap=1)
    task, other = factories.open_tasks(project, 2)
    client = client_for(factories.manager())
    base = f"/api/v1/projects/{project.pk}"
    assert client.get(f"{base}/gold-settings/").json() == {
        "share": 0.05, "last_scores": 5, "qualify_at": 0.8, "suspend_below": 0.5,
        "suspend_days": 14, "qualifies_for": None,
    }  # fmt: skip
    assert not GoldSettings.objects.exists()
    changed = client.patch(f"{base}/gold-settings/", {"share": 1})
    assert (changed.status_code, changed.json()["share"]) == (200, 1.0)
    wrong = client.patch(f"{base}/gold-settings/", {"suspend_below": 0.9})
    assert wrong.json()["errors"][0]["pointer"] == "/suspend_below"
    assert client.post(f"{base}/gold-references/pick/").json() == {
        "made": [], "wanted": [task.pk, other.pk],
    }  # fmt: skip

    body = {"task": task.pk, "source": "own", "segments": rows(GOOD)}
    made = client.post(f"{base}/gold-references/", body)
    assert (made.status_code, made.json()["segments"]) == (201, rows(GOOD))
    assert client.post(f"{base}/gold-references/", body).status_code == 409
    past_the_end = [rows(GOOD)[0] | {"end_frame": 301}]
    bad = {"task": other.pk, "source": "own", "segments": past_the_end}
    refused = client.post(f"{base}/gold-references/", bad)
    assert (refused.status_code, refused.json()["errors"][0]["code"]) == (422, "past_the_end")
    elsewhere = factories.open_tasks(factories.project())[0]
    stray = client.post(
        f"{base}/gold-references/", {"task": elsewhere.pk, "source": "own", "segments": rows(GOOD)}
    )
    assert stray.status_code == 404

    person = factories.worker(project)
    submission = factories.submitted(factories.claimed(project, person), CLOSE)
    services.score_gold(submission.pk)
    scores = client.get(f"{base}/gold-scores/", {"contractor": person.pk}).json()["results"]
    assert [(s["submission"], s["task"], s["reference"]) for s in scores] == [
        (submission.pk, task.pk, made.json()["id"])
    ]
    retired = client.post(
        f"{base}/gold-references/{made.json()['id']}/retire/", {"reason": "Wrong boundary"}
    )
    assert (retired.status_code, retired.json()["retire_reason"]) == (200, "Wrong boundary")
    live = client.get(f"{base}/gold-references/", {"retired_at__isnull": "true"}).json()
    assert live["results"] == []


def test_gold_is_hidden_from_everybody_who_annotates() -> None:
    project = factories.project(overlap=1)
    (task,) = factories.open_tasks(project)
    reference = gold(task)
    worker = factories.worker(project)
    factories.claimed(project, worker)
    worker.user.roles = ["contractor", "manager"]
    worker.user.save(update_fields=["roles"])
    base = f"/api/v1/projects/{project.pk}"
    calls = [
        ("get", "gold-settings/"), ("patch", "gold-settings/"), ("get", "gold-references/"),
        ("post", "gold-references/"), ("post", "gold-references/pick/"),
        ("post", f"gold-references/{reference.pk}/retire/"), ("get", "gold-scores/"),
    ]  # fmt: skip
    for method, path in calls:
        address = f"{base}/{path}"
        for person in (factories.contractor(), factories.reviewer(), factories.finance()):
            assert getattr(client_for(person), method)(address).status_code == 403, path
        both = getattr(client_for(worker), method)(address, {"reason": "x"})
        assert both.status_code == 404, path
        assert getattr(client_for(None), method)(address).status_code == 401, path
    reference.refresh_from_db()
    assert reference.retired_at is None


def test_lists_take_the_same_queries_however_long(django_assert_num_queries: Any) -> None:
    project = factories.project(overlap=1, live_claim_cap=9)
    person = factories.worker(project)
    client = client_for(factories.manager())
    for count in (1, 3):
        works_on_gold(project, person, *[CLOSE] * count)
        for path in ("gold-references", "gold-scores"):
            with django_assert_num_queries(4):  # token, own work, project, rows
                found = client.get(f"/api/v1/projects/{project.pk}/{path}/").json()["results"]
            assert found


def test_pausing_and_releasing_gold_work_as_ever() -> None:
    project = factories.project(overlap=2)
    (task,) = factories.open_tasks(project)
    gold(task)
    claim = factories.claimed(project)
    manager = factories.manager()
    pause_task(actor=manager, task=task, reason="Look")
    release_claim(actor=manager, assignment=claim, reason="Look")
    claim.refresh_from_db()
    assert claim.state == "released"
