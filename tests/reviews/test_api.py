"""The same over HTTP: who may see what, what it looks like, how many queries it takes."""

from __future__ import annotations

from typing import Any

import pytest

from reviews import services
from reviews.models import Decision, Review, Score
from reviews.services.reviewing import Findings
from tests import factories
from tests.reviews.scene import CLOSE, FAR, GOOD, MIDDLING, handed_in, paid_cents, states

pytestmark = pytest.mark.django_db

REVIEWS = "/api/v1/reviews/"


def scored(*works: Any, **settings: Any) -> Any:
    task, submissions = handed_in(*works, **settings)
    services.score_task(task.pk)
    return task, submissions


def contractor_client(submission: Any) -> Any:
    return factories.client_for(submission.assignment.contractor)


def mentions_a_person(answer: Any, submissions: Any) -> list[str]:
    """E-mails and names of the contractors that stand anywhere in an answer."""
    text = answer.content.decode()
    users = [submission.assignment.contractor.user for submission in submissions]
    return [word for user in users for word in (user.email, user.name) if word in text]


# --- the reviewer's desk ------------------------------------------------------------------


def test_a_review_from_claim_to_decision() -> None:
    task, submissions = scored(GOOD, MIDDLING)
    reviewer = factories.reviewer()
    client = factories.client_for(reviewer)

    answer = client.post(REVIEWS, {}, headers={"Idempotency-Key": "one"})
    assert answer.status_code == 201, answer.content
    body = answer.json()
    assert (body["kind"], body["state"], body["submission"]) == (
        "decision", "claimed", submissions[0].pk,
    )  # fmt: skip
    assert body["task"] == task.pk
    assert body["guideline"]["version"] == 1
    assert body["video"]["frame_count"] == 300
    assert body["media"]["url"]
    assert [(t["letter"], t["id"], t["is_subject"]) for t in body["timelines"]] == [
        ("A", submissions[0].pk, True),
        ("B", submissions[1].pk, False),
    ]
    assert body["timelines"][1]["segments"][0] == {
        "start_frame": 0,
        "end_frame": 92,
        "hands": "right",
        "action_type": "move",
        "description": "Pick up the cup",
    }
    (score,) = body["scores"]
    assert score["s"] == Score.objects.get().s
    assert [(m["reference"], m["candidate"]) for m in score["alignment"]] == [
        (0, 0), (1, 1), (2, 2),
    ]  # fmt: skip
    findings = score["diagnosis"]["of_candidate"]
    assert [f["code"] for f in findings] == ["wrong_action_type", "wrong_action_type"]
    assert "instead of “pick_up”" in findings[0]["detail"]
    assert "rejected" in body["outcomes"]
    assert mentions_a_person(answer, submissions) == []

    again = client.post(REVIEWS, {}, headers={"Idempotency-Key": "one"})
    assert again.headers["Idempotency-Replayed"] == "true"
    assert client.post(REVIEWS, {}).status_code == 200, "the one they hold"

    address = f"{REVIEWS}{body['id']}/"
    assert client.post(f"{address}renew/").status_code == 200
    answer = client.post(f"{address}decision/", {"outcome": "accepted", "text": "Well cut."})
    assert answer.status_code == 200, answer.content
    assert answer.json()["state"] == "decided"
    assert states(submissions) == ["accepted", "in_review"]
    assert [paid_cents(s) for s in submissions] == [[1600], []]
    assert client.get(address).json()["media"] is None, "no link once it is over"
    assert client.post(f"{address}decision/", {"outcome": "accepted"}).status_code == 409


def test_a_decision_is_refused_place_by_place() -> None:
    scored(GOOD, FAR)
    client = factories.client_for(factories.reviewer())
    pk = client.post(REVIEWS, {}).json()["id"]
    answer = client.post(f"{REVIEWS}{pk}/decision/", {"outcome": "rejected", "text": "No."})
    assert answer.status_code == 422
    assert answer.json()["type"] == "/problems/incomplete-decision"
    assert [e["pointer"] for e in answer.json()["errors"]] == [
        "/reason_code", "/guideline_clause", "/text", "/evidence",
    ]  # fmt: skip
    answer = client.post(f"{REVIEWS}{pk}/decision/", {"outcome": "burned"})
    assert answer.status_code == 400
    assert answer.json()["errors"][0]["pointer"] == "/outcome"


def test_nothing_to_review_says_so() -> None:
    answer = factories.client_for(factories.reviewer()).post(REVIEWS, {})
    assert answer.status_code == 404
    assert answer.json()["type"] == "/problems/nothing-to-review"


def test_release_gives_the_review_back() -> None:
    scored(GOOD, FAR)
    client = factories.client_for(factories.reviewer())
    pk = client.post(REVIEWS, {}).json()["id"]
    assert client.post(f"{REVIEWS}{pk}/release/").status_code == 204
    assert Review.objects.get(pk=pk).state == "queued"


def test_the_list_shows_own_reviews_and_how_many_wait(django_assert_num_queries: Any) -> None:
    project = factories.project(live_claim_cap=5)
    for _ in range(3):
        scored(GOOD, FAR, project=project)
    reviewer = factories.reviewer()
    client = factories.client_for(reviewer)
    for _ in range(3):
        pk = client.post(REVIEWS, {}).json()["id"]
        client.post(f"{REVIEWS}{pk}/decision/", {"outcome": "accepted"})
    factories.client_for(factories.reviewer()).post(REVIEWS, {})
    # token, page, counts with the clock: whatever the number of reviews
    with django_assert_num_queries(4):
        body = client.get(REVIEWS).json()
    assert [row["state"] for row in body["results"]] == ["decided"] * 3
    assert body["queue"] == {"decision": 2, "sample": 0, "concurrence": 0}


def test_a_review_takes_the_same_queries_however_long_the_timelines(
    django_assert_num_queries: Any,
) -> None:
    scored(GOOD, FAR)
    client = factories.client_for(factories.reviewer())
    pk = client.post(REVIEWS, {}).json()["id"]
    with django_assert_num_queries(7):
        client.get(f"{REVIEWS}{pk}/")


@pytest.mark.parametrize("path", ["", "renew/", "release/", "decision/"])
def test_another_reviewers_review_is_not_there(path: str) -> None:
    scored(GOOD, FAR)
    holder = factories.client_for(factories.reviewer())
    pk = holder.post(REVIEWS, {}).json()["id"]
    other = factories.client_for(factories.reviewer())
    call = other.post if path else other.get
    assert call(f"{REVIEWS}{pk}/{path}", {"outcome": "accepted"}).status_code == 404
    assert Review.objects.get(pk=pk).state == "claimed"


@pytest.mark.parametrize("role", ["contractor", "manager", "finance"])
def test_the_desk_is_for_reviewers(role: str) -> None:
    scored(GOOD, FAR)
    client = factories.client_for(factories.user(role))
    assert client.get(REVIEWS).status_code == 403
    assert client.post(REVIEWS, {}).status_code == 403
    assert factories.client_for(None).post(REVIEWS, {}).status_code == 401


# --- the contractor's result -----------------------------------------------------------------


def result(submission: Any) -> str:
    return f"/api/v1/submissions/{submission.pk}/result/"


def test_the_contractor_reads_score_diagnosis_and_decision_of_their_own_work() -> None:
    _, submissions = scored(GOOD, CLOSE)
    first, second = submissions
    answer = contractor_client(first).get(result(first))
    assert answer.status_code == 200, answer.content
    body = answer.json()
    assert body["submission"] == first.pk
    assert body["decision"]["outcome"] == "accepted"
    assert body["decision"]["by"] == "rule"
    assert "85.0 %" in body["decision"]["explanation"]
    assert body["score"]["s"] == Score.objects.get().s
    assert body["score"]["in_words"][1].startswith("3 segments were recognised by both")
    assert len(body["rule_in_words"]) == 5
    assert mentions_a_person(answer, [second]) == []
    assert str(second.pk) not in {str(v) for v in body["decision"].values()}


def test_each_side_reads_its_own_diagnosis() -> None:
    _, submissions = scored(GOOD, MIDDLING)
    reviewer = factories.reviewer()
    for _ in submissions:
        services.decide(
            reviewer=reviewer,
            review=services.claim_next_review(reviewer=reviewer),
            findings=Findings(outcome="accepted"),
        )
    told = [
        [f["detail"] for f in contractor_client(s).get(result(s)).json()["diagnosis"]]
        for s in submissions
    ]
    assert told[0][0] == "Segment 1: action type “pick_up” instead of “move”."
    assert told[1][0] == "Segment 1: action type “move” instead of “pick_up”."


def test_the_result_is_not_there_before_the_decision() -> None:
    _, submissions = scored(GOOD, FAR)
    answer = contractor_client(submissions[0]).get(result(submissions[0]))
    assert answer.status_code == 404
    assert answer.json()["type"] == "/problems/not-decided-yet"


def test_nobody_reads_anothers_result() -> None:
    _, submissions = scored(GOOD, CLOSE)
    for person in (
        submissions[1].assignment.contractor,
        factories.contractor(),
        factories.reviewer(),
        factories.manager(),
        factories.finance(),
    ):
        answer = factories.client_for(person).get(result(submissions[0]))
        assert answer.status_code == 404
        assert answer.json()["type"] == "/problems/not-found"
    assert factories.client_for(None).get(result(submissions[0])).status_code == 401


def test_a_result_without_a_score() -> None:
    _, (submission,) = scored(GOOD, overlap=1)
    reviewer = factories.reviewer()
    services.decide(
        reviewer=reviewer,
        review=services.claim_next_review(reviewer=reviewer),
        findings=Findings(outcome="accepted"),
    )
    body = contractor_client(submission).get(result(submission)).json()
    assert (body["score"], body["diagnosis"]) == (None, [])


def test_the_result_takes_four_queries(django_assert_num_queries: Any) -> None:
    _, submissions = scored(GOOD, CLOSE)
    client = contractor_client(submissions[0])
    with django_assert_num_queries(4):  # token, submission, decision with rule, score
        client.get(result(submissions[0]))


# --- agreement of a task -----------------------------------------------------------------------


def test_managers_and_reviewers_read_a_tasks_agreement(django_assert_num_queries: Any) -> None:
    task, submissions = scored(GOOD, CLOSE)
    for person in (factories.manager(), factories.reviewer()):
        client = factories.client_for(person)
        with django_assert_num_queries(4):  # token, task with assessment, scores, decisions
            answer = client.get(f"/api/v1/tasks/{task.pk}/agreement/")
        body = answer.json()
        assert body["assessment"]["submission_ids"] == [s.pk for s in submissions]
        assert {o["action"] for o in body["assessment"]["outcomes"].values()} == {"accept"}
        assert [s["s"] for s in body["scores"]] == [Score.objects.get().s]
        assert [d["outcome"] for d in body["decisions"]] == ["accepted", "accepted"]
        assert mentions_a_person(answer, submissions) == []


def test_who_annotated_a_task_does_not_read_its_agreement() -> None:
    task, submissions = scored(GOOD, FAR)
    annotator = submissions[0].assignment.contractor.user
    annotator.roles = ["contractor", "reviewer"]
    annotator.save()
    assert (
        factories.client_for(annotator).get(f"/api/v1/tasks/{task.pk}/agreement/").status_code
        == 404
    )
    for role in ("contractor", "finance"):
        client = factories.client_for(factories.user(role))
        assert client.get(f"/api/v1/tasks/{task.pk}/agreement/").status_code == 403


# --- settings ---------------------------------------------------------------------------


def test_rules_are_versions_that_managers_write_and_everybody_may_read() -> None:
    project = factories.project()
    address = f"/api/v1/projects/{project.pk}/decision-rules/"
    manager = factories.client_for(factories.manager())
    answer = manager.post(
        address, {"parameters": {"accept_s": 0.9}, "reason": "Pilot: too much slips through"}
    )
    assert answer.status_code == 201, answer.content
    assert answer.json()["number"] == 2
    assert answer.json()["parameters"]["accept_s"] == 0.9
    assert "From 90.0 % agreement" in answer.json()["in_words"][0]
    for bad in ({"accept_s": 2}, {"acept_s": 0.9}, {"accept_s": "high"}):
        answer = manager.post(address, {"parameters": bad, "reason": "x"})
        assert answer.status_code == 422, answer.content
        assert answer.json()["type"] == "/problems/invalid-settings"
    contractor = factories.client_for(factories.contractor())
    assert [r["number"] for r in contractor.get(address).json()["results"]] == [2, 1]
    assert contractor.post(address, {"parameters": {}, "reason": "x"}).status_code == 403


def test_scorings_are_versions_that_managers_write() -> None:
    project = factories.project()
    address = f"/api/v1/projects/{project.pk}/scorings/"
    manager = factories.client_for(factories.manager())
    answer = manager.post(
        address,
        {
            "parameters": {
                "score": {"weight_description": 0.0, "weight_boundary": 0.6},
                "diagnosis": {"tolerance_seconds": 0.2},
            },
            "reason": "Descriptions are free",
        },
    )
    assert answer.status_code == 201, answer.content
    assert answer.json()["parameters"]["score"]["version"] == "2"
    assert answer.json()["parameters"]["diagnosis"]["tolerance_seconds"] == 0.2
    answer = manager.post(
        address, {"parameters": {"score": {"weight_boundary": 0.9}}, "reason": "x"}
    )
    assert answer.status_code == 422
    assert factories.client_for(factories.contractor()).get(address).status_code == 403

    task, _ = scored(GOOD, CLOSE, project=project)
    assert Score.objects.get(task=task).parameters["score"]["weight_boundary"] == 0.6
    assert Decision.objects.filter(submission__assignment__task=task).count() == 2
