"""One timeline out of a task's accepted work, kept up with what is decided."""

from __future__ import annotations

from typing import Any

import pytest

from reviews import services
from reviews.models import TaskConsensus
from reviews.services.reviewing import Findings
from tests import factories
from tests.reviews.scene import CLOSE, FAR, GOOD, handed_in
from timelines.consensus import build_consensus
from timelines.segment import Timeline

pytestmark = pytest.mark.django_db


def accepted(**settings: Any) -> Any:
    task, submissions = handed_in(GOOD, CLOSE, **settings)
    services.score_task(task.pk)
    return task, submissions


def test_accepted_work_becomes_one_timeline_with_confidence() -> None:
    task, submissions = accepted()
    assert TaskConsensus.objects.get().stale, "in the transaction of the decision"
    services.build_task_consensus(task.pk)
    consensus = TaskConsensus.objects.get()
    expected = build_consensus([Timeline(300, 30.0, GOOD), Timeline(300, 30.0, CLOSE)])
    assert consensus.submission_ids == [s.pk for s in submissions]
    assert consensus.segments == [s.as_dict() for s in expected.segments]
    assert len(consensus.segments) == 3
    assert consensus.disputed == []
    assert consensus.mean_confidence == pytest.approx(
        sum(s.confidence for s in expected.segments) / 3
    )
    assert consensus.low_confidence_count == 0
    assert not consensus.stale


def test_nothing_is_built_before_two_are_accepted() -> None:
    task, _ = handed_in(GOOD, FAR)
    services.score_task(task.pk)
    assert services.build_task_consensus(task.pk) is None
    reviewer = factories.reviewer()
    services.decide(
        reviewer=reviewer,
        review=services.claim_next_review(reviewer=reviewer),
        findings=Findings(outcome="accepted"),
    )
    built = services.build_task_consensus(task.pk)
    assert built is not None
    assert (len(built.submission_ids), built.segments) == (1, [])


def test_a_ruling_about_the_data_takes_work_out_again() -> None:
    project = factories.project()
    services.set_rule(actor=None, project=project, parameters={"sample_share": 1.0}, reason="All")
    task, submissions = accepted(project=project)
    services.build_task_consensus(task.pk)
    reviewer = factories.reviewer()
    services.decide(
        reviewer=reviewer,
        review=services.claim_next_review(reviewer=reviewer),
        findings=Findings(outcome="paid_unused", text="Copied."),
    )
    assert TaskConsensus.objects.get().stale
    services.build_task_consensus(task.pk)
    consensus = TaskConsensus.objects.get()
    assert consensus.submission_ids == [submissions[1].pk]
    assert consensus.segments == []


def test_the_sweep_builds_what_a_lost_message_left() -> None:
    accepted()
    accepted()
    assert services.sweep_consensus() == {"built": 2, "failed": 0}
    assert services.sweep_consensus() == {"built": 0, "failed": 0}


def test_managers_and_reviewers_read_it(django_assert_num_queries: Any) -> None:
    task, submissions = accepted()
    address = f"/api/v1/tasks/{task.pk}/consensus/"
    client = factories.client_for(factories.manager())
    assert client.get(address).status_code == 404, "not built yet"
    services.build_task_consensus(task.pk)
    with django_assert_num_queries(2):
        body = client.get(address).json()
    assert body["submission_ids"] == [s.pk for s in submissions]
    first = body["segments"][0]
    assert first["segment"]["hands"] == "right"
    assert first["support"] == 1.0
    assert [s["annotator"] for s in first["sources"]] == [0, 1]
    annotator = submissions[0].assignment.contractor.user
    annotator.roles = ["contractor", "reviewer"]
    annotator.save()
    assert factories.client_for(annotator).get(address).status_code == 404
    assert factories.client_for(factories.contractor()).get(address).status_code == 403
