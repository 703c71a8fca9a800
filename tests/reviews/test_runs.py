"""Runs over a project: every batch once, whatever is interrupted."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.db.models import F

from reviews import queries, services
from reviews.measure import measure
from reviews.models import Decision, Run, Score
from reviews.problems import RunGoesOn
from reviews.services import rescoring
from reviews.services import runs as run_services
from tasks.models import Project
from tasks.services import pause_task, publish_guideline, write_guideline
from tests import factories
from tests.reviews.scene import CLOSE, FAR, GOOD, MIDDLING, handed_in, paid_cents

pytestmark = pytest.mark.django_db

# Action types hardly count.
LENIENT = {"score": {"weight_action_type": 0.05, "weight_boundary": 0.70}}


@pytest.fixture
def project() -> Project:
    """Five tasks scored under version 1, one task with a single hand-in; version 2 waits."""
    project = factories.project()
    for work in (CLOSE, FAR, MIDDLING, CLOSE, FAR):
        task, _ = handed_in(GOOD, work, project=project)
        services.score_task(task.pk)
    single, _ = handed_in(GOOD, project=project)
    pause_task(actor=factories.manager(), task=single, reason="Keeps later claims off it")
    services.set_scoring(actor=None, project=project, parameters=LENIENT, reason="Pilot")
    return project


def numbers(project: Project) -> list[tuple[int, int]]:
    """(scoring version, scores) of a project."""
    scores = Score.objects.filter(task__project=project)
    return [(v, scores.filter(scoring__number=v).count()) for v in (1, 2)]


def test_a_project_is_scored_anew_and_nothing_else_changes(project: Project) -> None:
    decided = list(Decision.objects.values_list("pk", "outcome"))
    run = services.start_run(actor=None, project=project, kind="rescore")
    assert (run.state, run.total, run.done) == ("queued", 5, 0)
    assert services.work_on_run(run.pk, batch=2) is False
    run.refresh_from_db()
    assert (run.state, run.done, run.result) == ("done", 5, {"scores": 5, "skipped": 0})
    assert run.finished_at is not None
    assert numbers(project) == [(1, 5), (2, 5)]
    middling = project.tasks.order_by("pk")[2]
    before, after = Score.objects.filter(task=middling).order_by("pk")
    assert after.s > before.s + 0.1
    assert after.parameters["score"]["weight_action_type"] == 0.05
    assert after.parameters["score"]["version"] == "2"
    assert list(Decision.objects.values_list("pk", "outcome")) == decided


def test_scores_equal_those_of_scoring_one_task(project: Project) -> None:
    run = services.start_run(actor=None, project=project, kind="rescore")
    services.work_on_run(run.pk)
    task, _ = handed_in(GOOD, CLOSE, project=project)
    services.score_task(task.pk)
    single = Score.objects.get(task=task)
    batched = Score.objects.filter(scoring__number=2, task__project=project).order_by("pk")[0]
    for column in ("s", "rq", "sq", "f1", "edit_score", "alignment", "diagnosis", "parameters"):
        assert getattr(single, column) == getattr(batched, column), column


def test_a_run_goes_on_behind_its_last_batch(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = services.start_run(actor=None, project=project, kind="rescore")
    measured: list[Any] = []
    real = measure

    def counted(*args: Any) -> Any:
        measured.append(args)
        if len(measured) == 4:
            raise MemoryError("the worker dies")
        return real(*args)

    monkeypatch.setattr(rescoring, "measure", counted)
    services.work_on_run(run.pk, batch=2)
    run.refresh_from_db()
    assert (run.state, run.done, run.failures) == ("running", 2, 1)
    assert "the worker dies" in run.error
    assert numbers(project) == [(1, 5), (2, 2)], "the broken batch left nothing"

    assert services.work_on_run(run.pk, batch=2) is False
    run.refresh_from_db()
    assert (run.state, run.done, run.failures, run.error) == ("done", 5, 0, "")
    assert numbers(project) == [(1, 5), (2, 5)]
    assert len(measured) == 4 + 3, "the two of the first batch were not done again"


def test_a_run_that_keeps_breaking_is_given_up(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*args: Any) -> Any:
        raise MemoryError("again")

    monkeypatch.setattr(rescoring, "measure", broken)
    run = services.start_run(actor=None, project=project, kind="rescore")
    for _ in range(run_services.MAX_FAILURES):
        services.work_on_run(run.pk)
    run.refresh_from_db()
    assert (run.state, run.done) == ("failed", 0)
    assert "again" in run.error


def test_a_task_that_cannot_be_scored_is_skipped_and_named(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = measure
    calls: list[int] = []

    def picky(*args: Any) -> Any:
        calls.append(1)
        if len(calls) == 2:
            raise ValueError("another video")
        return real(*args)

    monkeypatch.setattr(rescoring, "measure", picky)
    run = services.start_run(actor=None, project=project, kind="rescore")
    services.work_on_run(run.pk)
    run.refresh_from_db()
    assert (run.state, run.done) == ("done", 5)
    assert [entry["error"] for entry in run.skipped] == ["another video"]
    assert run.result == {"scores": 4, "skipped": 1}


@pytest.mark.django_db(transaction=True)
def test_several_workers_on_one_run_do_each_batch_once(project: Project) -> None:
    run = services.start_run(actor=None, project=project, kind="rescore")
    start = threading.Barrier(4)

    def work() -> None:
        start.wait()
        try:
            services.work_on_run(run.pk, batch=1)
        finally:
            connection.close()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    services.work_on_run(run.pk, batch=1)
    run.refresh_from_db()
    assert (run.state, run.done, run.result) == ("done", 5, {"scores": 5, "skipped": 0})


def test_the_sweep_finds_runs_that_nobody_moves(project: Project) -> None:
    run = services.start_run(actor=None, project=project, kind="rescore")
    assert services.idle_runs() == []
    Run.objects.update(moved_at=F("moved_at") - timedelta(minutes=2))
    assert services.idle_runs() == [run.pk]
    services.work_on_run(run.pk)
    Run.objects.update(moved_at=F("moved_at") - timedelta(minutes=2))
    assert services.idle_runs() == []


def test_one_run_of_a_kind_at_a_time(project: Project) -> None:
    run = services.start_run(actor=None, project=project, kind="rescore")
    with pytest.raises(RunGoesOn):
        services.start_run(actor=None, project=project, kind="rescore")
    services.start_run(actor=None, project=project, kind="reliability")
    services.cancel_run(actor=factories.manager(), run=run)
    assert services.work_on_run(run.pk) is False
    assert numbers(project) == [(1, 5), (2, 0)]
    services.start_run(actor=None, project=project, kind="rescore")


def test_a_batch_reads_with_the_same_queries_however_many_tasks(
    project: Project, django_assert_max_num_queries: Any
) -> None:
    run = services.start_run(actor=None, project=project, kind="rescore")
    # two batches (the second finds the end), each with savepoint, row, tasks, clock, update;
    # the first with pairs, frame counts, segments, insert
    with django_assert_max_num_queries(20):
        services.work_on_run(run.pk, batch=50)


# --- reliability ---------------------------------------------------------------------------


def test_reliability_by_guideline_version(project: Project) -> None:
    draft = write_guideline(
        actor=None, project=project, title="Two", body="# Two", changelog="Clearer"
    )
    publish_guideline(actor=None, guideline=draft)
    for work in (CLOSE, CLOSE):
        handed_in(GOOD, work, project=project)
    run = services.start_run(actor=None, project=project, kind="reliability")
    while services.work_on_run(run.pk, batch=2):
        pass
    run.refresh_from_db()
    assert run.state == "done"
    assert run.result is not None
    assert [(g["guideline"], g["tasks"]) for g in run.result["guidelines"]] == [(2, 2), (1, 5)]
    clear, vague = run.result["guidelines"]
    assert clear["gamma"]["value"] > 0.8 > vague["gamma"]["value"]
    assert vague["action_types"]["confused"]
    assert clear["boundaries"]["mean_ms"] == pytest.approx(1000 * (4 * 2 / 6) / 30, rel=0.1)
    assert run.partial == {}


def test_reliability_is_the_same_in_one_batch_and_in_many(project: Project) -> None:
    results = []
    for batch in (1, 50):
        run = services.start_run(actor=None, project=project, kind="reliability")
        services.work_on_run(run.pk, batch=batch)
        run.refresh_from_db()
        results.append(run.result)
    assert results[0] == results[1]


# --- over HTTP --------------------------------------------------------------------------------


def test_a_manager_starts_and_follows_runs_and_reads_reliability(project: Project) -> None:
    client = factories.client_for(factories.manager())
    address = f"/api/v1/projects/{project.pk}/runs/"
    reliability = f"/api/v1/projects/{project.pk}/reliability/"
    assert client.get(reliability).status_code == 404
    answer = client.post(address, {"kind": "reliability"})
    assert answer.status_code == 201, answer.content
    assert client.post(address, {"kind": "reliability"}).status_code == 409
    pk = answer.json()["id"]
    services.work_on_run(pk)
    body = client.get(f"/api/v1/runs/{pk}/").json()
    assert (body["state"], body["done"], body["total"]) == ("done", 5, 5)
    assert [row["id"] for row in client.get(address).json()["results"]] == [pk]
    body = factories.client_for(factories.reviewer()).get(reliability).json()
    assert body["guidelines"][0]["tasks"] == 5
    assert set(body["guidelines"][0]["alpha"]) == {"left", "right"}
    assert client.post(address, {"kind": "guess"}).status_code == 400
    for role in ("contractor", "reviewer", "finance"):
        other = factories.client_for(factories.user(role))
        assert other.post(address, {"kind": "rescore"}).status_code == 403
        assert other.get(f"/api/v1/runs/{pk}/").status_code == 403


def test_annotators_and_their_skill(project: Project, django_assert_num_queries: Any) -> None:
    services.work_on_run(services.start_run(actor=None, project=project, kind="rescore").pk)
    client = factories.client_for(factories.manager())
    address = f"/api/v1/projects/{project.pk}/annotators/"
    with django_assert_num_queries(6):  # token, project, scoring, annotators, own work, gold
        body = client.get(address).json()
    assert len(body) == 10
    assert body == sorted(body, key=lambda row: (-row["skill"], row["contractor"]))
    for row in body:
        assert row["count"] == 1
        assert row["low"] <= row["skill"] <= row["high"]
        scores = queries.annotators_of(services.current_scoring(project))
        seen = {s["contractor_id"]: s["mean"] for s in scores}
        assert row["seen_mean"] == seen[row["contractor"]]
    for role in ("contractor", "reviewer", "finance"):
        assert factories.client_for(factories.user(role)).get(address).status_code == 403


@pytest.fixture(autouse=True)
def _nobody_is_paid_by_a_run() -> Iterator[None]:
    yield
    for decision in Decision.objects.select_related("submission__assignment"):
        assert paid_cents(decision.submission) == [1600]
