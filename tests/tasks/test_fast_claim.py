"""The two-statement claim against the plain one: the same claim, and never one more."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.forms.models import model_to_dict
from django.utils import timezone

from annotation_platform.api.problems import Problem
from contractors.models import Contractor, Restriction, Verdict
from events.models import Event
from tasks import guards, services
from tasks.models import Assignment, BudgetShare, Project, Qualification, Task
from tasks.services import fast_claim
from tests import factories
from videos.models import VideoJob

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def fresh_marks() -> Iterator[None]:
    fast_claim.low_water.forget()
    yield
    fast_claim.low_water.forget()


def ready(**settings: Any) -> tuple[Project, Contractor]:
    """A project with two open tasks and a person whose verdict is worked out already."""
    project = factories.project(**settings)
    factories.open_tasks(project, 2)
    person = factories.worker(project)
    list(guards.refusals(person, project))
    return project, person


def fast(person: Contractor, project: Project) -> Assignment | None:
    return fast_claim.claim(person_id=person.pk, project_id=project.pk)


def plain(person: Contractor, project: Project, monkeypatch: pytest.MonkeyPatch) -> Assignment:
    with monkeypatch.context() as patch:
        patch.setattr(fast_claim, "claim", lambda **_: None)
        return services.claim_next_task(contractor=person, project=project)


def test_both_ways_make_the_same_claim(monkeypatch: pytest.MonkeyPatch) -> None:
    project, person = ready(overlap=2)
    services.fund(actor=None, project=project, amount_cents=100_000, reason="Pilot")
    project.refresh_from_db()
    other = factories.worker(project)

    quick = fast(person, project)
    assert quick is not None
    slow = plain(other, project, monkeypatch)

    def pinned(assignment: Assignment) -> dict[str, Any]:
        row = model_to_dict(Assignment.objects.get(pk=assignment.pk))
        for own in ("id", "contractor", "slot", "residence"):
            row.pop(own)
        claimed_at = assignment.claimed_at
        for instant in ("lease_expires_at", "lease_ceiling_at"):
            row[instant] -= claimed_at
        row.pop("claimed_at")
        return row

    assert pinned(quick) == pinned(slow)
    assert (quick.slot, slow.slot) == (0, 1)
    assert quick == Assignment.objects.get(pk=quick.pk)
    assert model_to_dict(quick) == model_to_dict(Assignment.objects.get(pk=quick.pk))
    told = Event.objects.filter(type="assignment.claimed").order_by("pk")
    assert [(e.actor_id, e.subject_type, e.subject_id, e.data) for e in told] == [
        (
            claim.contractor_id,
            "tasks.assignment",
            claim.pk,
            {"task_id": claim.task_id, "slot": claim.slot, "price_cents": 1600},
        )
        for claim in (quick, slow)
    ]
    assert sum(BudgetShare.objects.values_list("free_cents", flat=True)) == 100_000 - 2 * 1600
    assert Task.objects.get(pk=quick.task_id).state == "filled"


def test_the_claim_brings_what_its_holder_is_shown() -> None:
    project, person = ready()
    video = Task.objects.order_by("pk")[0].video
    for stage in (VideoJob.Stage.PROXY, VideoJob.Stage.SCREEN):
        VideoJob.objects.create(
            video=video, stage=stage, state="done", finished_at=timezone.now(),
            result={"files": {"a": f"{stage}.mp4"}},
        )  # fmt: skip
    claimed = fast(person, project)
    assert claimed is not None
    stored = Assignment.objects.get(pk=claimed.pk)
    for name in ("key", "title", "frame_count", "duration_ticks", "width", "sha256"):
        assert getattr(claimed.task.video, name) == getattr(stored.task.video, name)
    assert claimed.task.video.times == stored.task.video.times
    assert claimed.task.project.action_types == project.action_types
    assert claimed.guideline.version == stored.guideline.version
    assert (claimed.task.state, claimed.task.held_slots) == (
        stored.task.state,
        stored.task.held_slots,
    )
    jobs = {(job.pk, job.stage, job.state): job.result for job in claimed.task.video.jobs.all()}
    assert jobs == {(job.pk, job.stage, job.state): job.result for job in VideoJob.objects.all()}
    assert len(jobs) == 2
    assert claimed.task.video.jobs.filter(stage="proxy").count() == 1


def test_each_claim_takes_its_price_from_exactly_one_share() -> None:
    project = factories.project(overlap=1, live_claim_cap=40)
    factories.open_tasks(project, 40)
    person = factories.worker(project)
    services.fund(actor=None, project=project, amount_cents=8_000_000, reason="Pilot")
    list(guards.refusals(person, project))
    with connection.cursor() as cursor:  # the plan that a table with statistics gets
        cursor.execute("ANALYZE tasks_budgetshare, tasks_priceversion")
    shares = BudgetShare.objects.filter(project=project).order_by("number")
    before = list(shares.values_list("free_cents", flat=True))
    for _ in range(40):
        assert fast(person, project) is not None
        after = list(shares.values_list("free_cents", flat=True))
        fallen = [was - now for was, now in zip(before, after, strict=True) if was != now]
        assert fallen == [1600]
        before = after


def restrict(project: Project, person: Contractor) -> None:
    Restriction.objects.create(contractor=person, scope=str(project.pk), cause="Copied text")


def unread(project: Project, person: Contractor) -> None:
    draft = services.write_guideline(
        actor=None, project=project, title="v2", body="x", changelog="y"
    )
    services.publish_guideline(actor=None, guideline=draft)


def fill_the_hand(project: Project, person: Contractor) -> None:
    Project.objects.filter(pk=project.pk).update(live_claim_cap=1)
    assert fast(person, project) is not None


def no_money(project: Project, person: Contractor) -> None:
    services.fund(actor=None, project=project, amount_cents=1599, reason="Too little")


def unqualified(project: Project, person: Contractor) -> None:
    Project.objects.filter(pk=project.pk).update(needs_qualification=True)


def cooling(project: Project, person: Contractor) -> None:
    Project.objects.filter(pk=project.pk).update(cool_down_seconds=600)
    claim = fast_claim.claim(person_id=person.pk, project_id=project.pk)
    services.return_task(
        assignment=claim
        or services.claim_next_task(contractor=person, project=Project.objects.get(pk=project.pk))
    )


def paused(project: Project, person: Contractor) -> None:
    Project.objects.filter(pk=project.pk).update(state="paused")


def inactive(project: Project, person: Contractor) -> None:
    Contractor.objects.filter(pk=person.pk).update(state="offered")


def moved(project: Project, person: Contractor) -> None:
    Verdict.objects.filter(residence__contractor=person).update(outcome="deny")


STATES: list[Callable[[Project, Contractor], None]] = [
    restrict, unread, fill_the_hand, no_money, unqualified, cooling, paused, inactive,
]  # fmt: skip


@pytest.mark.parametrize("make", STATES, ids=lambda make: make.__name__)
def test_where_a_guard_refuses_the_fast_way_writes_nothing(
    make: Callable[[Project, Contractor], None],
) -> None:
    project, person = ready()
    make(project, person)
    project.refresh_from_db()
    person.refresh_from_db()
    before = (Assignment.objects.count(), Event.objects.count())
    money = sum(BudgetShare.objects.values_list("free_cents", flat=True))

    assert list(guards.refusals(person, project)), "the guards see it"
    assert fast(person, project) is None
    with pytest.raises(Problem):
        services.claim_next_task(contractor=person, project=project)

    assert (Assignment.objects.count(), Event.objects.count()) == before
    assert sum(BudgetShare.objects.values_list("free_cents", flat=True)) == money


@pytest.mark.parametrize("make", [moved, inactive], ids=lambda make: make.__name__)
def test_only_an_allowing_verdict_lets_the_fast_way_through(
    make: Callable[[Project, Contractor], None],
) -> None:
    project, person = ready()
    make(project, person)
    assert fast(person, project) is None


def test_what_no_longer_refuses_lets_the_fast_way_through() -> None:
    project, person = ready(needs_qualification=True)
    Qualification.objects.create(contractor=person, project=project, reason="Quiz")
    Restriction.objects.create(
        contractor=person,
        cause="Long ago",
        starts_at=timezone.now() - timedelta(days=9),
        ends_at=timezone.now() - timedelta(days=2),
    )
    assert not list(guards.refusals(person, project))
    assert fast(person, project) is not None


def test_a_mark_never_hides_a_task() -> None:
    """What opens before the place where the last search ended is still found."""
    project, person = ready(overlap=1, live_claim_cap=9)
    first, second = Task.objects.order_by("pk")
    assert fast(person, project) is not None
    assert fast(person, project) is not None
    services.return_task(assignment=Assignment.objects.get(task=first))
    other = factories.worker(project)
    found = services.claim_next_task(contractor=other, project=project)
    assert found.task_id == first.pk
    assert second.pk > first.pk


def test_an_urgent_task_is_seen_within_a_second(monkeypatch: pytest.MonkeyPatch) -> None:
    project, person = ready(live_claim_cap=9, overlap=1)
    clock = [100.0]
    monkeypatch.setattr(fast_claim, "monotonic", lambda: clock[0])
    assert fast(person, project) is not None
    urgent = factories.open_tasks(project)[0]
    Task.objects.filter(pk=urgent.pk).update(priority=9)
    clock[0] += fast_claim.LowWater.PROJECT_SECONDS
    claim = fast(factories.worker(project), project)
    assert claim is None, "a newcomer's verdict is worked out by the plain way first"
    newcomer = factories.worker(project)
    list(guards.refusals(newcomer, project))
    claim = fast(newcomer, project)
    assert claim is not None
    assert claim.task_id == urgent.pk


def test_the_claim_walks_the_queue_by_its_index() -> None:
    """No part of the claim may grow with the tables: every scan is by an index."""
    from django.db import connection

    project, person = ready()
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
        cursor.execute(
            "EXPLAIN " + fast_claim.PICK,
            {"person": person.pk, "project": project.pk, "scope": "1", "rank": 0, "start": 0},
        )
        plan = "\n".join(row[0] for row in cursor.fetchall())
    assert "task_queue" in plan
    assert "Seq Scan" not in plan
