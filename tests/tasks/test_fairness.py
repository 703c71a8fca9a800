"""Active time that nobody can inflate, and what an hour of work pays."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest
from django.db import IntegrityError, transaction
from django.db.models import F

from events.models import Event
from tasks import problems, services
from tasks.models import ActiveTime, Assignment, Project, ProjectPace, Task
from tasks.rules import cents_per_hour
from tests import factories
from tests.factories import client_for
from tests.races.together import run_together
from tests.raw_sql import execute

pytestmark = pytest.mark.django_db


def claim(**settings: Any) -> Assignment:
    project = factories.project(**settings)
    factories.open_tasks(project)
    return factories.claimed(project)


def beat(assignment: Assignment, events: int = 1) -> float:
    return services.heartbeat(assignment=assignment, events=events) / 1000


def let_pass(assignment: Assignment, seconds: float) -> None:
    """Move everything the clock is compared with back: the database's clock can't be turned."""
    back = timedelta(seconds=seconds)
    Assignment.objects.filter(pk=assignment.pk).update(claimed_at=F("claimed_at") - back)
    ActiveTime.objects.filter(pk=assignment.pk).update(
        started_at=F("started_at") - back, last_active_at=F("last_active_at") - back
    )


def about(seconds: float) -> Any:
    return pytest.approx(seconds, abs=5)


def test_gaps_between_heartbeats_with_activity_add_up() -> None:
    assignment = claim()
    let_pass(assignment, 20)
    assert beat(assignment) == about(20)
    let_pass(assignment, 30)
    assert beat(assignment) == about(50)
    let_pass(assignment, 40)
    assert beat(assignment, events=0) == about(50), "a heartbeat without activity adds nothing"
    let_pass(assignment, 20)
    assert beat(assignment) == about(110), "the gap reaches back to the last activity"


def test_a_long_pause_counts_as_ninety_seconds() -> None:
    assignment = claim()
    let_pass(assignment, 3600)
    assert beat(assignment) == 90
    let_pass(assignment, 3600)
    assert beat(assignment) == 180


def test_a_flood_of_heartbeats_measures_no_more_than_the_clock() -> None:
    assignment = claim()
    let_pass(assignment, 10)
    total = 0.0
    for _ in range(30):
        total = beat(assignment, events=100_000)
    assert total == about(10)
    kept = ActiveTime.objects.get()
    wall = (kept.last_active_at - kept.started_at).total_seconds()
    assert kept.active_ms / 1000 <= wall
    assert kept.beats == 30


@pytest.mark.django_db(transaction=True)
def test_tabs_that_beat_at_once_share_one_gap() -> None:
    assignment = claim()
    beat(assignment)
    let_pass(assignment, 60)
    results = run_together([lambda: beat(assignment)] * 8)
    assert [r for r in results if isinstance(r, Exception)] == []
    assert max(results) == about(60)


@pytest.mark.parametrize("events", [0, 1])
def test_only_a_live_claim_is_measured(events: int) -> None:
    assignment = claim()
    factories.submitted(assignment)
    with pytest.raises(problems.AlreadySubmitted):
        beat(assignment, events)
    returned = claim()
    services.return_task(assignment=returned)
    with pytest.raises(problems.LeaseOver):
        beat(returned, events)
    assert not ActiveTime.objects.exists()


def test_the_database_refuses_more_than_wall_time() -> None:
    assignment = claim()
    let_pass(assignment, 30)
    beat(assignment)
    with pytest.raises(IntegrityError, match="active_time_within_wall_time"), transaction.atomic():
        execute("UPDATE tasks_activetime SET active_ms = active_ms + 60000")


def test_a_heartbeat_over_http() -> None:
    assignment = claim()
    let_pass(assignment, 30)
    address = f"/api/v1/assignments/{assignment.pk}/heartbeat/"
    client = client_for(assignment.contractor)
    answer = client.post(address, {"events": 3})
    assert (answer.status_code, answer.json()) == (200, {"active_seconds": about(30)})
    for wrong in ({}, {"events": -1}, {"events": "many"}, {"events": 10**9}):
        assert client.post(address, wrong).status_code == 400
    # A client's own total has no way in.
    told = client.post(address, {"events": 1, "active_seconds": 9999, "active_ms": 9_999_999})
    assert told.json() == {"active_seconds": about(30)}
    for stranger in (factories.worker(assignment.task.project), factories.manager()):
        assert client_for(stranger).post(address, {"events": 1}).status_code in (403, 404)
    assert client_for(None).post(address, {"events": 1}).status_code == 401


# --- pace -------------------------------------------------------------------------------


def handed_in(project: Project, *minutes: float) -> None:
    """One submission per length of active time."""
    for length in minutes:
        factories.open_tasks(project)
        assignment = factories.claimed(project)
        let_pass(assignment, length * 60)
        beat(assignment)
        ActiveTime.objects.filter(pk=assignment.pk).update(active_ms=length * 60_000)
        factories.submitted(assignment)


def test_the_median_and_its_rate_are_stored() -> None:
    project = factories.project(overlap=1)
    handed_in(project, 10, 60, 64, 70, 400)
    pace = services.measure_pace(project=project)
    assert (pace.samples, pace.median_active_ms) == (5, 64 * 60_000)
    assert pace.cents_per_hour == 1500
    assert not pace.below_floor


def test_too_few_to_tell_say_nothing() -> None:
    project = factories.project(overlap=1)
    handed_in(project, 10, 60, 64, 70)
    pace = services.measure_pace(project=project)
    assert (pace.samples, pace.median_active_ms, pace.cents_per_hour) == (4, None, None)


def test_work_that_was_not_handed_in_or_is_of_another_project_is_left_out() -> None:
    project, other = factories.project(overlap=1), factories.project(overlap=1)
    handed_in(project, 30, 30, 30, 30, 30)
    handed_in(other, 90, 90, 90)
    factories.open_tasks(project)
    live = factories.claimed(project)
    let_pass(live, 80)
    beat(live)
    pace = services.measure_pace(project=project)
    assert (pace.samples, pace.median_active_ms) == (5, 30 * 60_000)


def below_floor_events() -> list[dict[str, Any]]:
    told = Event.objects.filter(type="project.below_floor").order_by("pk")
    return [event.data for event in told]


def test_falling_below_the_floor_is_told_once_per_crossing() -> None:
    project = factories.project(overlap=1)
    handed_in(project, *[65] * 5)
    services.measure_paces()
    services.measure_paces()
    assert below_floor_events() == [
        {
            "cents_per_hour": 1476,
            "floor_cents_per_hour": 1500,
            "median_active_ms": 65 * 60_000,
            "samples": 5,
        }
    ]
    services.set_price(
        actor=None, project=project, price_cents=2000, screening_fee_cents=200, reason="Long"
    )
    services.measure_paces()
    assert not ProjectPace.objects.get().below_floor
    Project.objects.update(floor_cents_per_hour=1900)
    services.measure_paces()
    assert len(below_floor_events()) == 2
    assert ProjectPace.objects.get().below_floor_since is not None


@pytest.mark.django_db(transaction=True)
def test_two_measurements_at_once_tell_one_crossing() -> None:
    project = factories.project(overlap=1)
    handed_in(project, *[65] * 5)
    results = run_together([lambda: services.measure_pace(project=project)] * 4)
    assert [r for r in results if isinstance(r, Exception)] == []
    assert len(below_floor_events()) == 1


def test_the_rate_is_never_rounded_up() -> None:
    assert cents_per_hour(1600, 3_600_000) == 1600
    assert cents_per_hour(1600, 3_600_001) == 1599
    assert cents_per_hour(1, 3_600_001) == 0


def test_the_manager_is_warned() -> None:
    project = factories.project(overlap=1)
    client = client_for(factories.manager())
    address = f"/api/v1/projects/{project.pk}/fairness/"
    before = client.get(address).json()
    assert (before["measured_at"], before["below_floor"]) == (None, False)
    assert before["pay"]["cents_per_hour"] is None
    handed_in(project, *[96] * 5)
    services.measure_paces()
    told = client.get(address).json()
    assert told["pay"] == {
        "price_cents": 1600, "screening_fee_cents": 200, "currency": "USD", "samples": 5,
        "median_active_seconds": 5760.0, "cents_per_hour": 1000,
    }  # fmt: skip
    assert (told["floor_cents_per_hour"], told["below_floor"]) == (1500, True)
    assert told["below_floor_since"] == told["measured_at"]
    changed = client.patch(f"/api/v1/projects/{project.pk}/", {"floor_cents_per_hour": 900})
    assert changed.json()["floor_cents_per_hour"] == 900
    assert client.get(address).json()["below_floor"] is False
    for person in (factories.worker(project), factories.reviewer(), factories.finance()):
        assert client_for(person).get(address).status_code == 403
    assert client_for(None).get(address).status_code == 401
    assert client.get("/api/v1/projects/999999/fairness/").status_code == 404


# --- offers -----------------------------------------------------------------------------


def offers_of(person: Any) -> Any:
    answer = client_for(person).get("/api/v1/offers/")
    assert answer.status_code == 200
    return answer.json()["results"]


def test_an_offer_says_what_a_claim_means_before_it_is_made() -> None:
    project = factories.project(overlap=1, description="Kitchens")
    handed_in(project, *[48] * 5)
    services.measure_paces()
    person = factories.worker(project)
    first, _ = factories.open_tasks(project, 2, frames=450)
    events = Event.objects.count()

    (offer,) = offers_of(person)

    assert offer == {
        "project": project.pk,
        "name": project.name,
        "description": "Kitchens",
        "pay": {
            "price_cents": 1600, "screening_fee_cents": 200, "currency": "USD", "samples": 5,
            "median_active_seconds": 2880.0, "cents_per_hour": 2000,
        },
        "next_video": {"frame_count": 450, "seconds": 15.0},
        "may_claim": True,
        "refusals": [],
    }  # fmt: skip
    assert (Event.objects.count(), Assignment.objects.filter(contractor=person).count()) == (
        events,
        0,
    )
    first.refresh_from_db()
    assert (first.state, first.held_slots) == ("open", 0)


def test_the_next_video_is_the_one_that_a_claim_would_bring() -> None:
    project = factories.project(overlap=2)
    (held,) = factories.open_tasks(project, frames=300)
    person = factories.worker(project)
    factories.claimed(project, person)
    (offer,) = offers_of(person)
    assert offer["next_video"] is None, "the only task is in hand already"
    assert [r["type"] for r in offer["refusals"]] == ["/problems/queue-empty"]
    factories.open_tasks(project, frames=600)
    (urgent,) = factories.open_tasks(project, frames=900)
    Task.objects.filter(pk=urgent.pk).update(priority=5)
    (offer,) = offers_of(person)
    assert offer["next_video"]["frame_count"] == 900
    assert factories.claimed(project, person).task_id == urgent.pk
    assert held.pk


def test_every_refusal_is_told_before_the_claim() -> None:
    project = factories.project()
    factories.open_tasks(project)
    stranger = factories.contractor(area="US-NY", state="offered")
    (offer,) = offers_of(stranger)
    assert offer["may_claim"] is False
    assert [r["type"].rsplit("/")[-1] for r in offer["refusals"]] == [
        "account-not-active", "not-eligible", "guideline-not-acknowledged",
    ]  # fmt: skip
    assert offer["pay"]["price_cents"] == 1600


def test_the_newest_price_in_effect_is_offered() -> None:
    project, other = factories.project(), factories.project(price_cents=900)
    services.set_price(
        actor=None, project=project, price_cents=1800, screening_fee_cents=0, reason="More"
    )
    factories.project(state="paused")
    prices = {o["project"]: o["pay"]["price_cents"] for o in offers_of(factories.contractor())}
    assert prices == {project.pk: 1800, other.pk: 900}


def test_offers_are_for_contractors() -> None:
    for person in (factories.manager(), factories.reviewer()):
        assert client_for(person).get("/api/v1/offers/").status_code == 403
    assert client_for(None).get("/api/v1/offers/").status_code == 401


def test_an_offer_costs_its_guards_and_no_more(django_assert_num_queries: Any) -> None:
    """Five for the list; the guards' nine for each project, however deep its queue is."""
    person = factories.contractor()
    policy = factories.policy()
    made: Sequence[Project] = []
    for count in (1, 3):
        made = [*made, *[factories.project(policy=policy) for _ in range(count)]]
        for project in made:
            guideline = project.guidelines.get()
            services.acknowledge_guideline(contractor=person, guideline=guideline)
            factories.open_tasks(project, 2)
        offers_of(person)  # works the verdict out
        client = client_for(person)
        with django_assert_num_queries(5 + 9 * len(made)):
            rows = client.get("/api/v1/offers/").json()["results"]
        assert [row["may_claim"] for row in rows] == [True] * len(made)
