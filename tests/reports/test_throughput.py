"""Figures per day: exact counts and cents, in the days of a time zone, in a fixed number of
queries."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.db import connection
from pytest_django import DjangoAssertNumQueries

from payouts.models import Payable
from reviews.services.decisions import Grounds, decide_work
from tasks.models import Assignment, Project, Submission
from tests import factories

pytestmark = pytest.mark.django_db

ADDRESS = "/api/v1/projects/{}/throughput/"
ZERO = {"claimed": 0, "submitted": 0, "accepted": 0, "earned": 0, "paid": 0}


def at(assignment: Assignment, when: datetime) -> None:
    """Move a claim's instant to `when`."""
    Assignment.objects.filter(pk=assignment.pk).update(claimed_at=when)


def submitted_at(submission: Submission, when: datetime) -> None:
    with connection.cursor() as cursor:  # the row is frozen for everybody else
        cursor.execute(
            "UPDATE tasks_submission SET submitted_at = %s WHERE id = %s", [when, submission.pk]
        )


def decide(submission: Submission, outcome: str) -> None:
    decide_work(
        submission=submission,
        outcome=outcome,
        actor=factories.reviewer(),
        grounds=Grounds(explanation="Looked at."),
    )


def read(project: Project, **query: Any) -> dict[str, Any]:
    answer = factories.client_for(factories.manager()).get(ADDRESS.format(project.pk), query)
    assert answer.status_code == 200, answer.json()
    body: dict[str, Any] = answer.json()
    return body


def utc(day: int, hour: int = 12, minute: int = 0, month: int = 3) -> datetime:
    return datetime(2026, month, day, hour, minute, tzinfo=UTC)


def only(day: dict[str, Any]) -> dict[str, Any]:
    """The counts of a day that are not zero."""
    return {name: day[name] for name in ZERO if day[name]}


def test_a_day_on_which_everything_happened() -> None:
    project = factories.project()
    factories.open_tasks(project, 2)
    claims = [factories.claimed(project) for _ in range(4)]  # two tasks, two each
    works = [factories.submitted(claim) for claim in claims[:3]]
    decide(works[0], "accepted")
    decide(works[1], "changes_requested")
    rework = factories.submitted(works[1].assignment)  # a second hand-in of the same claim
    decide(rework, "accepted_with_fixes")
    decide(works[2], "paid_unused")
    elsewhere = factories.project()
    factories.open_tasks(elsewhere)
    factories.claimed(elsewhere)

    report = read(project)

    assert report["tz"] == "UTC"
    assert report["project"] == project.pk
    assert len(report["days"]) == 14
    money = {"currency": "USD", "reserved_cents": 6400, "earned_cents": 4800, "paid_cents": 0}
    figures = {"claimed": 4, "submitted": 3, "accepted": 2, "earned": 3, "paid": 0}
    assert report["totals"] == figures | {"money": [money]}
    assert {name: report["days"][-1][name] for name in figures} == figures
    assert report["days"][-1]["money"] == [money]
    assert report["days"][0] == ZERO | {
        "date": report["days"][0]["date"],
        "money": [{"currency": "USD", "reserved_cents": 0, "earned_cents": 0, "paid_cents": 0}],
    }
    assert report["reserved_now"] == [{"currency": "USD", "reserved_cents": 1600}]


def test_a_paid_earning_counts_on_the_day_it_was_earned() -> None:
    project = factories.project()
    factories.open_tasks(project)
    work = factories.submitted(factories.claimed(project))
    decide(work, "accepted")
    Payable.objects.update(state=Payable.State.BATCHED)
    assert read(project)["totals"]["paid"] == 0
    Payable.objects.update(state=Payable.State.PAID)
    report = read(project)
    assert report["days"][-1]["paid"] == 1
    assert report["totals"]["money"] == [
        {"currency": "USD", "reserved_cents": 1600, "earned_cents": 1600, "paid_cents": 1600}
    ]


def test_the_same_rows_fall_on_other_days_in_another_zone() -> None:
    """Around 8 March 2026, when clocks in Toronto jump from 2:00 to 3:00 (07:00 UTC)."""
    project = factories.project()
    factories.open_tasks(project, 4)
    for when in (
        utc(8, 4, 59),  # 23:59 on the 7th
        utc(8, 5, 0),  # 00:00 on the 8th
        utc(9, 3, 59),  # 23:59 on the 8th, summer time
        utc(9, 4, 0),  # 00:00 on the 9th
    ):
        at(factories.claimed(project), when)

    def claimed(tz: str) -> dict[str, int]:
        report = read(project, tz=tz, **{"from": "2026-03-07", "to": "2026-03-09"})
        assert report["totals"]["claimed"] == sum(day["claimed"] for day in report["days"])
        return {day["date"][-2:]: day["claimed"] for day in report["days"]}

    assert claimed("America/Toronto") == {"07": 1, "08": 2, "09": 1}
    assert claimed("UTC") == {"07": 0, "08": 2, "09": 2}
    assert claimed("Asia/Tokyo") == {"07": 0, "08": 2, "09": 2}
    assert claimed("Pacific/Kiritimati") == {"07": 0, "08": 2, "09": 2}
    assert claimed("Pacific/Pago_Pago") == {"07": 2, "08": 2, "09": 0}


def test_each_instant_counts_by_itself_and_the_range_has_sharp_ends() -> None:
    project = factories.project()
    factories.open_tasks(project)
    work = factories.submitted(factories.claimed(project))
    decide(work, "accepted")
    at(work.assignment, utc(1, 23, 59))
    submitted_at(work, utc(2, 0, 0))
    Submission.objects.filter(pk=work.pk).update(decided_at=utc(3))
    report = read(project, **{"from": "2026-03-01", "to": "2026-03-03"})
    assert [only(day) for day in report["days"]] == [
        {"claimed": 1},
        {"submitted": 1},
        {"accepted": 1},
    ]
    report = read(project, **{"from": "2026-03-01", "to": "2026-03-01"})
    assert [only(day) for day in report["days"]] == [{"claimed": 1}]  # not the midnight after
    report = read(project, **{"from": "2026-03-02", "to": "2026-03-02"})
    assert [only(day) for day in report["days"]] == [{"submitted": 1}]
    assert only(report["totals"]) == {"submitted": 1}


def test_all_projects_together_and_currencies_apart() -> None:
    for currency, price in (("USD", 1600), ("EUR", 1500)):
        project = factories.project(price_cents=price, currency=currency)
        factories.open_tasks(project)
        decide(factories.submitted(factories.claimed(project)), "accepted")
    answer = factories.client_for(factories.finance()).get("/api/v1/throughput/")
    assert answer.status_code == 200
    assert answer.json()["project"] is None
    assert answer.json()["totals"] == {
        "claimed": 2,
        "submitted": 2,
        "accepted": 2,
        "earned": 2,
        "paid": 0,
        "money": [
            {"currency": "EUR", "reserved_cents": 1500, "earned_cents": 1500, "paid_cents": 0},
            {"currency": "USD", "reserved_cents": 1600, "earned_cents": 1600, "paid_cents": 0},
        ],
    }


def test_queries_do_not_grow_with_days_or_rows(
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    project = factories.project()
    factories.open_tasks(project, 3)
    for number in range(6):
        work = factories.submitted(factories.claimed(project))
        decide(work, "accepted")
        at(work.assignment, utc(1) + timedelta(days=number))
    client = factories.client_for(factories.manager())
    for query in ({}, {"from": "2026-01-01", "to": "2026-12-31"}):
        # token and user; the project; today; four grouped sums and what is reserved
        expected = 7 if query else 8
        with django_assert_num_queries(expected):
            client.get(ADDRESS.format(project.pk), query)


def test_today_is_today_in_the_zone() -> None:
    project = factories.project()
    for tz in ("Pacific/Kiritimati", "Pacific/Pago_Pago"):
        report = read(project, tz=tz)
        assert report["days"][-1]["date"] == datetime.now(ZoneInfo(tz)).date().isoformat()


@pytest.mark.parametrize(
    ("query", "pointer"),
    [
        ({"tz": "Mars/Olympus"}, "/tz"),
        ({"tz": "../../etc/passwd"}, "/tz"),
        ({"from": "yesterday"}, "/from"),
        ({"to": "2026-02-30"}, "/to"),
        ({"from": "2026-03-02", "to": "2026-03-01"}, "/from"),
        ({"from": "2025-03-01", "to": "2026-03-02"}, "/from"),  # 367 days
        ({"to": "0001-01-01"}, "/to"),
    ],
)
def test_a_bad_range_is_named(query: dict[str, str], pointer: str) -> None:
    project = factories.project()
    answer = factories.client_for(factories.manager()).get(ADDRESS.format(project.pk), query)
    assert answer.status_code == 400
    assert [error["pointer"] for error in answer.json()["errors"]] == [pointer]


def test_a_whole_leap_year_is_allowed() -> None:
    report = read(factories.project(), **{"from": "2028-01-01", "to": "2028-12-31"})
    assert len(report["days"]) == 366
    assert report["days"][-1]["date"] == date(2028, 12, 31).isoformat()


def test_only_managers_and_finance_see_it() -> None:
    project = factories.project()
    statuses = {
        role: [
            factories.client_for(person).get(address).status_code
            for address in (ADDRESS.format(project.pk), "/api/v1/throughput/")
        ]
        for role, person in {
            "nobody": None,
            "contractor": factories.contractor(),
            "reviewer": factories.reviewer(),
            "manager": factories.manager(),
            "finance": factories.finance(),
        }.items()
    }
    assert statuses == {
        "nobody": [401, 401],
        "contractor": [403, 403],
        "reviewer": [403, 403],
        "manager": [200, 200],
        "finance": [200, 200],
    }


def test_an_unknown_project_is_404() -> None:
    answer = factories.client_for(factories.manager()).get(ADDRESS.format(999_999))
    assert answer.status_code == 404
