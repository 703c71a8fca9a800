"""Restrictions: what they stop, how they end, and the appeal."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import IntegrityError
from pytest_django import DjangoAssertNumQueries

from annotation_platform.clock import database_now
from contractors import jobs, problems, rules, services
from contractors.models import Contractor, Restriction
from contractors.queries import active_restrictions
from events.models import Event
from tests import factories, raw_sql
from tests.factories import client_for

pytestmark = pytest.mark.django_db


def restricted(**arguments: Any) -> tuple[Contractor, Restriction]:
    person = factories.contractor()
    made = services.restrict(
        contractor=person, cause="Too many gold failures", actor=None, **arguments
    )
    return person, made


def age(restriction: Restriction, **by: float) -> None:
    """Move a restriction's instants into the past: the clock is the database's own."""
    fields = ("starts_at", "ends_at", "appealed_at")
    row = Restriction.objects.get(pk=restriction.pk)
    moved = {f: getattr(row, f) - timedelta(**by) for f in fields if getattr(row, f)}
    Restriction.objects.filter(pk=restriction.pk).update(**moved)


def types() -> list[str]:
    return list(Event.objects.order_by("id").values_list("type", flat=True))


def test_everywhere_or_in_one_project() -> None:
    person, everywhere = restricted()
    one = services.restrict(contractor=person, cause="x", scope="7", actor=None)
    assert list(active_restrictions(person, "7")) == [everywhere, one]
    assert list(active_restrictions(person, "8")) == [everywhere]
    assert list(active_restrictions(person, "all")) == [everywhere]
    assert list(active_restrictions(factories.contractor(), "7")) == []


def test_the_state_follows_restrictions_of_everything_only() -> None:
    person, one = restricted(scope="7")
    person.refresh_from_db()
    assert person.state == "active"
    first = services.restrict(contractor=person, cause="x", actor=None)
    second = services.restrict(contractor=person, cause="y", actor=None)
    states = []
    for restriction in (one, first, second):
        services.lift(restriction=restriction, actor=None)
        states.append(Contractor.objects.get(pk=person.pk).state)
    assert states == ["restricted", "restricted", "active"]


def test_lifting_ends_it_once() -> None:
    person, restriction = restricted()
    services.lift(restriction=restriction, reason="a mistake", actor=factories.manager())
    assert not active_restrictions(person, "all").exists()
    with pytest.raises(problems.RestrictionOver):
        services.lift(restriction=restriction, actor=None)
    assert types() == ["contractor.restricted", "contractor.restriction_lifted"]


@pytest.mark.parametrize("state", ["applied", "offered", "declined"])
def test_who_cannot_claim_is_not_restricted(state: str) -> None:
    person = factories.contractor(state=state)
    with pytest.raises(problems.WrongContractorState):
        services.restrict(contractor=person, cause="x", actor=None)
    assert Restriction.objects.count() == 0


def test_an_end_in_the_past_is_refused() -> None:
    with pytest.raises(problems.RestrictionEndsBeforeItStarts):
        restricted(ends_at=database_now() - timedelta(seconds=1))


def test_running_out_needs_no_job_and_the_sweep_tidies_up() -> None:
    person, restriction = restricted(ends_at=database_now() + timedelta(days=1))
    assert services.end_restrictions() == 0
    age(restriction, days=2)
    assert not active_restrictions(person, "all").exists()
    assert jobs.end_restrictions() == 1
    assert jobs.end_restrictions() == 0
    assert Contractor.objects.get(pk=person.pk).state == "active"
    assert types() == ["contractor.restricted", "contractor.restriction_lifted"]


def test_an_appeal_is_answered_by_somebody_else() -> None:
    boss, other = factories.manager(), factories.manager()
    person = factories.contractor()
    restriction = services.restrict(contractor=person, cause="x", actor=boss)
    services.appeal(restriction=restriction, text="It was not me.", actor=person.user)
    for involved in (boss, person.user):
        with pytest.raises(problems.AppealNeedsSomebodyElse):
            services.decide_appeal(
                restriction=restriction, overturn=False, answer="No.", actor=involved
            )
    services.decide_appeal(restriction=restriction, overturn=False, answer="No.", actor=other)
    assert active_restrictions(person, "all").exists()
    with pytest.raises(problems.NoOpenAppeal):
        services.decide_appeal(restriction=restriction, overturn=True, answer="Yes.", actor=other)
    with pytest.raises(problems.AppealedAlready):
        services.appeal(restriction=restriction, text="Again.", actor=person.user)


def test_overturning_lifts_it() -> None:
    person, restriction = restricted()
    services.appeal(restriction=restriction, text="It was not me.", actor=person.user)
    services.decide_appeal(
        restriction=restriction, overturn=True, answer="Right.", actor=factories.manager()
    )
    assert not active_restrictions(person, "all").exists()
    assert Contractor.objects.get(pk=person.pk).state == "active"
    assert types() == [
        "contractor.restricted",
        "contractor.restriction_appealed",
        "contractor.restriction_lifted",
        "contractor.restriction_appeal_decided",
    ]


def test_an_appeal_is_possible_for_fourteen_days() -> None:
    person, restriction = restricted()
    age(restriction, days=14, minutes=1)
    with pytest.raises(problems.AppealTooLate):
        services.appeal(restriction=restriction, text="x", actor=person.user)
    person, restriction = restricted()
    age(restriction, days=13.99)
    services.appeal(restriction=restriction, text="x", actor=person.user)


def test_what_is_over_is_not_appealed() -> None:
    person, restriction = restricted()
    services.lift(restriction=restriction, actor=None)
    with pytest.raises(problems.RestrictionOver):
        services.appeal(restriction=restriction, text="x", actor=person.user)


def test_silence_overturns() -> None:
    person, restriction = restricted()
    services.appeal(restriction=restriction, text="x", actor=person.user)
    age(restriction, days=4)
    assert services.end_restrictions() == 0
    age(restriction, days=6)
    assert services.end_restrictions() == 1
    restriction.refresh_from_db()
    assert (restriction.appeal_state, restriction.appeal_decided_by) == ("overturned", None)
    assert not active_restrictions(person, "all").exists()
    assert services.end_restrictions() == 0


@pytest.mark.parametrize(
    ("start", "end", "days"),
    [
        ("2026-11-16T23:00+00:00", "2026-11-23T01:00+00:00", 5),  # Monday to Monday
        ("2026-11-20T09:00+00:00", "2026-11-22T09:00+00:00", 0),  # Friday to Sunday
        ("2026-11-20T09:00+00:00", "2026-11-23T09:00+00:00", 1),
        ("2026-11-20T09:00+00:00", "2026-11-20T19:00+00:00", 0),
    ],
)
def test_working_days(start: str, end: str, days: int) -> None:
    between = rules.working_days_between(datetime.fromisoformat(start), datetime.fromisoformat(end))
    assert between == days


@pytest.mark.parametrize(
    ("change", "constraint"),
    [
        ("ends_at = starts_at", "restriction_ends_after_it_starts"),
        ("cause = ''", "restriction_has_scope_and_cause"),
        ("appeal_state = 'open'", "restriction_appeal_state_has_its_instants"),
        ("appeal_state = 'lost'", "restriction_appeal_state_has_its_instants"),
        (
            "appeal_state = 'overturned', appealed_at = now(), appeal_decided_at = now()",
            "restriction_overturned_is_lifted",
        ),
    ],
)
def test_raw_sql_cannot_contradict_itself(change: str, constraint: str) -> None:
    restricted()
    with pytest.raises(IntegrityError, match=constraint):
        raw_sql.execute(f"UPDATE contractors_restriction SET {change}")


# --- Over HTTP --------------------------------------------------------------------------------


def test_the_whole_course_over_http(django_assert_num_queries: DjangoAssertNumQueries) -> None:
    person, boss = factories.contractor(), client_for(factories.manager())
    path = f"/api/v1/contractors/{person.pk}/restrictions/"
    body = {"cause": "Shared an account", "scope": "all"}
    answers = [boss.post(path, body, headers={"Idempotency-Key": "k"}) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [201, 201]
    assert answers[0].json() == answers[1].json()
    pk = Restriction.objects.get().pk
    mine = client_for(person)
    with django_assert_num_queries(3):  # token, restrictions, clock
        shown = mine.get("/api/v1/me/restrictions/").json()["results"]
    assert [(row["id"], row["cause"], row["in_force"]) for row in shown] == [
        (pk, "Shared an account", True)
    ]
    stranger = client_for(factories.contractor())
    appeal = {"text": "I did not."}
    assert stranger.get("/api/v1/me/restrictions/").json()["results"] == []
    assert stranger.post(f"/api/v1/me/restrictions/{pk}/appeal/", appeal).status_code == 404
    assert mine.post(f"/api/v1/restrictions/{pk}/lift/", {"reason": "me"}).status_code == 403
    assert mine.post(f"/api/v1/me/restrictions/{pk}/appeal/", appeal).status_code == 201
    decision = {"overturn": True, "answer": "Right."}
    same = boss.post(f"/api/v1/restrictions/{pk}/decide-appeal/", decision)
    assert same.json()["type"] == "/problems/appeal-needs-somebody-else"
    other = client_for(factories.manager())
    assert other.post(f"/api/v1/restrictions/{pk}/decide-appeal/", decision).status_code == 200
    assert other.post(f"/api/v1/restrictions/{pk}/lift/", {"reason": "x"}).status_code == 409
    assert boss.get(path).json()["results"][0]["in_force"] is False
