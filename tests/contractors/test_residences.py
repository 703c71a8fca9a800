"""Declaring where one lives: the service, and what the database refuses by itself."""

from __future__ import annotations

import threading
from datetime import date, datetime, timedelta

import pytest
from django.db import Error, IntegrityError, connection
from django.db.backends.postgresql.psycopg_any import DateRange

from annotation_platform.api.problems import Problem
from annotation_platform.clock import database_now
from contractors import problems
from contractors.models import Contractor, Residence
from contractors.queries import decide_for, residence_on
from contractors.services import declare_residence
from events.models import Event
from tests import factories, raw_sql

pytestmark = pytest.mark.django_db


def day(offset: int = 0) -> date:
    """A day relative to the database's today (UTC)."""
    return database_now().date() + timedelta(days=offset)


def history(person: Contractor) -> list[tuple[str, date, date | None]]:
    rows = person.residences.order_by("valid")
    return [(row.area, row.valid.lower, row.valid.upper) for row in rows]


def declare(person: Contractor, area: str, from_date: date) -> Residence:
    return declare_residence(
        contractor=person, area=area, from_date=from_date, actor=person.user, evidence="lease"
    )


def test_the_first_residence_may_begin_long_ago() -> None:
    person = factories.contractor(area=None)
    assert residence_on(person) is None
    made = declare(person, "US-TX", date(2011, 5, 1))
    assert history(person) == [("US-TX", date(2011, 5, 1), None)]
    assert residence_on(person) == made
    assert made.evidence == "lease"


def test_moving_ends_the_current_residence_on_the_day_of_the_move() -> None:
    person = factories.contractor(area="US-TX", since=date(2020, 1, 1))
    declare(person, "US-CA", day())
    assert history(person) == [("US-TX", date(2020, 1, 1), day()), ("US-CA", day(), None)]
    yesterday, today = residence_on(person, day(-1)), residence_on(person, day())
    assert yesterday is not None
    assert today is not None
    assert (yesterday.area, today.area) == ("US-TX", "US-CA")
    assert residence_on(person) == today
    assert residence_on(person, date(2019, 12, 31)) is None


def test_a_move_dated_in_the_past_within_the_current_residence() -> None:
    person = factories.contractor(area="US-TX", since=date(2020, 1, 1))
    declare(person, "US-NY", date(2024, 3, 1))
    assert history(person) == [
        ("US-TX", date(2020, 1, 1), date(2024, 3, 1)),
        ("US-NY", date(2024, 3, 1), None),
    ]


def test_declaring_writes_one_event_that_says_how_far_back() -> None:
    person = factories.contractor(area="US-TX")
    made = declare(person, "US-OK", day(-40))
    event = Event.objects.get()
    assert (event.type, event.subject_type, event.subject_id, event.actor_id) == (
        "contractor.residence_declared",
        "contractors.contractor",
        person.pk,
        person.pk,
    )
    assert event.data == {
        "residence": made.pk,
        "area": "US-OK",
        "from": day(-40).isoformat(),
        "before": "US-TX",
        "days_back": 40,
    }


def test_days_before_the_current_residence_are_history() -> None:
    person = factories.contractor(area="US-TX", since=date(2018, 1, 1))
    declare(person, "US-OK", date(2022, 1, 1))
    before = history(person)
    for first_day in (date(2021, 12, 31), date(2019, 1, 1), date(2017, 1, 1)):
        with pytest.raises(problems.ResidenceBeforeHistory):
            declare(person, "US-NM", first_day)
    assert history(person) == before
    assert Event.objects.count() == 1


def test_two_residences_from_one_day_are_refused_by_name() -> None:
    person = factories.contractor(area="US-TX", since=day())
    with pytest.raises(problems.ResidenceDeclaredForThatDay, match="Texas"):
        declare(person, "US-CA", day())
    assert history(person) == [("US-TX", day(), None)]
    assert Event.objects.count() == 0


def test_the_same_place_again_is_refused() -> None:
    person = factories.contractor(area="US-TX")
    with pytest.raises(problems.ResidenceUnchanged):
        declare(person, "US-TX", day())
    assert len(history(person)) == 1


def test_a_day_to_come_is_refused_but_for_tomorrow() -> None:
    person = factories.contractor(area="US-TX")
    with pytest.raises(problems.ResidenceInTheFuture):
        declare(person, "US-OK", day(2))
    declare(person, "US-OK", day(1))
    current = residence_on(person)
    assert current is not None
    assert current.area == "US-TX"


@pytest.mark.parametrize("area", ["us-tx", "TX", "US-XX", "California", ""])
def test_what_is_not_a_full_code_is_refused(area: str) -> None:
    person = factories.contractor(area=None)
    with pytest.raises(problems.UnknownArea):
        declare(person, area, day())
    assert history(person) == []


def test_a_residence_closed_by_other_means_leaves_room_only_after_it() -> None:
    person = factories.contractor(area=None)
    Residence.objects.create(
        contractor=person, area="US-TX", valid=DateRange(date(2019, 1, 1), date(2023, 1, 1))
    )
    with pytest.raises(problems.ResidenceBeforeHistory):
        declare(person, "US-OK", date(2022, 1, 1))
    declare(person, "US-OK", date(2023, 6, 1))
    assert residence_on(person, date(2023, 3, 1)) is None


def test_a_country_alone_can_be_declared_and_stays_unknown() -> None:
    person = factories.contractor(area=None)
    made = declare(person, "CA", day())
    assert decide_for(factories.policy(), made.area).outcome == "unknown"


# --- The database by itself ------------------------------------------------------------------


def attack(sql: str, *parameters: str | int) -> None:
    raw_sql.execute(sql, parameters=parameters)


INSERT = "INSERT INTO contractors_residence (contractor_id, area, valid, evidence) VALUES "


def test_raw_sql_cannot_give_one_day_two_residences() -> None:
    person = factories.contractor(area="US-TX", since=date(2020, 1, 1))
    with pytest.raises(IntegrityError, match="residence_one_per_contractor_and_day"):
        attack(f"{INSERT} (%s, 'US-CA', '[2024-01-01,2024-01-02)', '')", person.pk)
    other = factories.contractor(area=None)
    attack(f"{INSERT} (%s, 'US-CA', '[2024-01-01,2024-01-02)', '')", other.pk)


@pytest.mark.parametrize(
    ("area", "valid", "constraint"),
    [
        ("us-tx", "[2024-01-01,)", "residence_area_is_iso_3166"),
        ("Texas", "[2024-01-01,)", "residence_area_is_iso_3166"),
        ("US-TX", "empty", "residence_valid_has_a_first_day"),
        ("US-TX", "(,2024-01-01)", "residence_valid_has_a_first_day"),
    ],
)
def test_raw_sql_cannot_write_a_malformed_residence(area: str, valid: str, constraint: str) -> None:
    person = factories.contractor(area=None)
    with pytest.raises(IntegrityError, match=constraint):
        attack(f"{INSERT} (%s, %s, %s::daterange, '')", person.pk, area, valid)


@pytest.mark.parametrize(
    "change",
    [
        "area = 'US-OK'",
        "valid = '[2021-01-01,)'",
        "valid = '[2021-01-01,2022-01-01)'",
        "evidence = 'another'",
        "declared_at = now() - interval '1 year'",
        "area = 'US-OK', valid = '[2020-01-01,2022-01-01)'",
    ],
)
def test_raw_sql_cannot_rewrite_a_declared_residence(change: str) -> None:
    person = factories.contractor(area="US-TX", since=date(2020, 1, 1))
    with pytest.raises(Error, match="history"):
        attack(f"UPDATE contractors_residence SET {change} WHERE contractor_id = %s", person.pk)
    assert history(person) == [("US-TX", date(2020, 1, 1), None)]


def test_raw_sql_can_end_a_residence_once() -> None:
    person = factories.contractor(area="US-TX", since=date(2020, 1, 1))
    end = "UPDATE contractors_residence SET valid = %s::daterange WHERE contractor_id = %s"
    attack(end, "[2020-01-01,2024-01-01)", person.pk)
    for valid in ("[2020-01-01,2025-01-01)", "[2020-01-01,)"):
        with pytest.raises(Error, match="history"):
            attack(end, valid, person.pk)


def test_raw_sql_cannot_delete_a_residence() -> None:
    factories.contractor()
    with pytest.raises(Error, match="history"):
        attack("DELETE FROM contractors_residence")
    # Deferred checks of the rows just made would hide the guard.
    attack("SET CONSTRAINTS ALL IMMEDIATE")
    with pytest.raises(Error, match="append-only"):
        raw_sql.execute(raw_sql.AS_IN_PRODUCTION, "TRUNCATE contractors_residence CASCADE")


# --- Two at once ------------------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
def test_two_declarations_at_once_leave_one_residence_per_day() -> None:
    person = factories.contractor(area="US-TX", since=date(2020, 1, 1))
    barrier = threading.Barrier(4)
    outcomes: list[str] = []

    def move(area: str) -> None:
        try:
            barrier.wait(timeout=10)
            declare(person, area, datetime.now().date())
            outcomes.append("declared")
        except Problem as problem:
            outcomes.append(problem.slug)
        finally:
            connection.close()

    threads = [
        threading.Thread(target=move, args=[a]) for a in ("US-OK", "US-NM", "US-LA", "US-AR")
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["declared", *["residence-declared-for-that-day"] * 3]
    assert [row[2] is None for row in history(person)] == [False, True]
    assert Event.objects.count() == 1
