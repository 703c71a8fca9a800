"""The claim in one call against the plain one: the same claim, and never one more."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import timedelta
from fractions import Fraction
from typing import Any

import pytest
import time_machine
from django.db import connection
from django.forms.models import model_to_dict
from django.utils import timezone
from rest_framework.renderers import JSONRenderer

from annotation_platform.api.problems import Problem
from contractors.models import Contractor, Restriction, Verdict
from events.models import Event
from tasks import answers, guards, services
from tasks.models import Assignment, BudgetShare, Project, Qualification, Task
from tasks.models.budget import SHARES
from tasks.serializers import LiveAssignmentSerializer
from tasks.services import fast_claim
from tests import factories
from videos.models import Video, VideoJob
from videos.timetable import FrameTimes

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
    made = fast_claim.claim(person_id=person.pk, project_id=project.pk)
    return made and Assignment.objects.get(pk=made.assignment_id)


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


@pytest.mark.parametrize("has_proxy", [False, True])
def test_the_answer_is_what_the_serializer_makes_of_the_stored_claim(has_proxy: bool) -> None:
    project, person = ready()
    video = Task.objects.order_by("pk")[0].video
    times = FrameTimes.of([7, 9, 12], Fraction(1, 30))
    Video.objects.filter(pk=video.pk).update(state="retired", retired_at=timezone.now())
    late = factories.video(frames=3)
    with connection.cursor() as cursor:  # frames never change: only past their trigger
        cursor.execute("SET LOCAL session_replication_role = replica")
        cursor.execute(
            "UPDATE videos_video SET frame_times = %s, duration_ticks = 7 WHERE id = %s",
            [times.pack(), late.pk],
        )
        cursor.execute("SET LOCAL session_replication_role = DEFAULT")
    Task.objects.filter(video=video).update(video=late)
    for stage in ("screen", "proxy")[: 1 + has_proxy]:
        VideoJob.objects.create(
            video=late, stage=stage, state="done", finished_at=timezone.now(),
            result={"files": {"a": f"{stage}.mp4"}},
        )  # fmt: skip
    claimed = fast_claim.claim(person_id=person.pk, project_id=project.pk)
    assert claimed is not None
    stored = Assignment.objects.get(pk=claimed.assignment_id)
    assert stored.task.video_id == late.pk
    with time_machine.travel(0, tick=False):  # the link says until when it is good
        answer = answers.of_claim(claimed)
        context = {"user": person.user, "server_time": stored.claimed_at}
        told = LiveAssignmentSerializer(stored, context=context).data
    assert answer == json.loads(JSONRenderer().render(told))
    assert answer["media"]["kind"] == ("proxy" if has_proxy else "source")
    assert answer["media"]["zero_seconds"] == (7 / 30 if has_proxy else 0)


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
    claim = fast(person, project)
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


def test_one_looks_at_the_head_again_and_the_others_need_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock = [100.0]
    monkeypatch.setattr(fast_claim, "monotonic", lambda: clock[0])
    marks = fast_claim.LowWater()
    marks.reached(1, "ada", rank=0, task_id=500)
    assert marks.start(1, "ben").task_id == 500
    clock[0] += marks.PROJECT_SECONDS
    assert [marks.start(1, who).task_id for who in ("ben", "cy", "dan")] == [0, 500, 500]
    assert marks.start(1, "ada").task_id == 500, "her own is good for longer"
    clock[0] += marks.PROJECT_SECONDS
    assert marks.start(1, "cy").task_id == 0


def test_as_many_shares_as_the_function_draws_from() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT prosrc FROM pg_proc WHERE proname = 'tasks_claim'")
        (source,) = cursor.fetchone()
    assert f"shares CONSTANT integer := {SHARES};" in source


def test_a_claim_finds_its_share_of_the_budget_by_its_index() -> None:
    """A table of a few rows is thought to be one page, however many dead ones lie in it."""
    project, person = ready()
    services.fund(actor=None, project=project, amount_cents=100_000, reason="Pilot")
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE tasks_budgetshare")
        before = scans()
        assert fast(person, project) is not None
        assert scans() == before


def scans() -> int:
    """How often this transaction has read the shares from end to end."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT seq_scan FROM pg_stat_xact_user_tables WHERE relname = 'tasks_budgetshare'"
        )
        return int(cursor.fetchone()[0])
