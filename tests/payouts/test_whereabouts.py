"""Where a contractor's money is: each earning's way, and the day on which it should be there."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from django.db import connection

from annotation_platform.clock import database_now
from contractors.models import Contractor
from payouts.models import Payable, PayoutMethod
from payouts.rules import RAIL_DAYS, arrival_on, next_run_on
from payouts.services import hold_payable, lift_hold, return_payout, settle_payout, write_files
from tests import factories
from tests.payouts.scenes import Finance, payout_of

pytestmark = pytest.mark.django_db

# A Wednesday; the runs around it are on the 1st and the 8th.
WEDNESDAY = date(2026, 6, 3)


# --- the rules --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("ready_at", "today", "run_on"),
    [
        (datetime(2026, 6, 3, 12, tzinfo=UTC), WEDNESDAY, date(2026, 6, 8)),
        # earned before the Monday began, and a minute later
        (datetime(2026, 6, 7, 23, 59, tzinfo=UTC), WEDNESDAY, date(2026, 6, 8)),
        (datetime(2026, 6, 8, tzinfo=UTC), WEDNESDAY, date(2026, 6, 8)),
        (datetime(2026, 6, 8, 0, 1, tzinfo=UTC), WEDNESDAY, date(2026, 6, 15)),
        # on the run's own day it is still to come
        (datetime(2026, 6, 7, tzinfo=UTC), date(2026, 6, 8), date(2026, 6, 8)),
        # it missed its run
        (datetime(2026, 5, 1, tzinfo=UTC), WEDNESDAY, date(2026, 6, 8)),
        # the days are UTC's, whatever the clock that was read
        (
            datetime(2026, 6, 7, 20, tzinfo=UTC).astimezone(
                datetime.fromisoformat("2026-01-01T00:00:00+09:00").tzinfo
            ),
            WEDNESDAY,
            date(2026, 6, 8),
        ),
    ],
)
def test_the_run_that_pays(ready_at: datetime, today: date, run_on: date) -> None:
    assert next_run_on(ready_at=ready_at, today=today) == run_on


@pytest.mark.parametrize(
    ("sent_on", "rail", "there_on"),
    [
        (date(2026, 6, 8), "stripe", date(2026, 6, 8)),
        (date(2026, 6, 8), "nacha", date(2026, 6, 10)),
        (date(2026, 6, 11), "file", date(2026, 6, 15)),  # a weekend between
        (date(2026, 6, 13), "file", date(2026, 6, 16)),  # sent on one
    ],
)
def test_when_it_should_be_there(sent_on: date, rail: str, there_on: date) -> None:
    assert arrival_on(sent_on=sent_on, rail=rail) == there_on


# --- the list ---------------------------------------------------------------------------------


@pytest.fixture
def finance() -> Finance:
    return Finance()


def lines(person: Contractor) -> list[dict[str, Any]]:
    answer = factories.client_for(person).get("/api/v1/earnings/")
    assert answer.status_code == 200
    return list(answer.json()["results"])


def where(person: Contractor) -> dict[str, Any]:
    """Where the newest earning is."""
    return dict(lines(person)[0]["where"])


def next_run() -> date:
    now = database_now()
    return next_run_on(ready_at=now, today=now.astimezone(UTC).date())


def test_waiting_for_the_next_run(finance: Finance) -> None:
    person = finance.payee(1600, rail="nacha")
    found = where(person)
    assert found == {
        "text": f"In the payout run of {next_run()}.",
        "expected_on": str(next_run() + timedelta(days=2)),
        "held_until": None,
        "rail": "nacha",
        "to": "ending in 0072",
        "reference": "",
        "provider_reference": "",
        "paid_at": None,
    }
    answer = factories.client_for(person).get("/api/v1/earnings/").json()
    assert answer["payout"]["rail"] == "nacha"
    assert answer["payout"]["to"] == "ending in 0072"


def test_nowhere_to_send_it_and_too_little(finance: Finance) -> None:
    assert where(finance.payee(1600, method=False)) | {"text": ""} == {
        "text": "", "expected_on": None, "held_until": None, "rail": "", "to": "",
        "reference": "", "provider_reference": "", "paid_at": None,
    }  # fmt: skip
    poor = finance.payee(99)
    assert where(poor)["text"] == "It is paid as soon as $1.00 have come together."
    assert where(poor)["expected_on"] is None
    finance.earn(poor, 1)
    assert {line["where"]["expected_on"] for line in lines(poor)} == {
        str(arrival_on(sent_on=next_run(), rail="file"))
    }


def test_a_hold_moves_the_day_and_says_why(finance: Finance) -> None:
    person = finance.payee(1600)
    ends_at = database_now() + timedelta(days=7)
    hold = hold_payable(
        actor=finance.approver,
        case="12",
        payable=Payable.objects.get(),
        reason="Case 12: the bank asks who you are.",
        ends_at=ends_at,
    )
    run_on = next_run_on(ready_at=ends_at, today=database_now().date())
    assert run_on > next_run()
    found = where(person)
    assert found["text"] == (
        f"Held until {ends_at:%Y-%m-%d} at the latest: Case 12: the bank asks who you are. "
        f"In the payout run of {run_on}."
    )
    assert found["expected_on"] == str(arrival_on(sent_on=run_on, rail="file"))
    assert datetime.fromisoformat(found["held_until"]) == ends_at
    lift_hold(actor=finance.approver, hold=hold)
    assert where(person)["text"] == f"In the payout run of {next_run()}."
    assert where(person)["held_until"] is None


def test_a_changed_account_moves_the_day(finance: Finance) -> None:
    person = finance.payee(1600)
    later = database_now() + timedelta(days=9)
    PayoutMethod.objects.update(usable_from=later)
    run_on = next_run_on(ready_at=later, today=database_now().date())
    assert run_on > next_run()
    assert where(person)["expected_on"] == str(arrival_on(sent_on=run_on, rail="file"))
    answer = factories.client_for(person).get("/api/v1/earnings/").json()
    assert answer["payout"]["next_run_on"] == str(run_on)


def test_on_its_way_there_and_back_again(finance: Finance) -> None:
    person = finance.payee(1600)
    run = finance.approved()
    payout = payout_of(person)
    today = database_now().astimezone(UTC).date()
    found = where(person)
    assert (found["text"], found["reference"]) == (
        "In the payout run that is being made.",
        payout.our_reference,
    )
    write_files(run=run)
    found = where(person)
    assert (found["text"], found["expected_on"]) == (
        "The bank or provider has it.",
        str(arrival_on(sent_on=today, rail="file")),
    )
    settle_payout(payout_id=payout.pk)
    found = where(person)
    assert (found["text"], found["expected_on"]) == (
        "Paid to the account ending in 0072.",
        None,
    )
    assert found["paid_at"] is not None
    return_payout(payout_id=payout.pk, reason="No such account.")
    (line,) = lines(person)
    assert (line["state"], line["where"]["text"]) == (
        "accrued",
        f"The last payout did not arrive (No such account.) In the payout run of {next_run()}.",
    )
    assert line["where"]["reference"] == ""


def test_a_lost_answer_promises_no_day(finance: Finance) -> None:
    person = finance.payee(1600, rail="stripe", account="acct_1234")
    finance.approved()
    with connection.cursor() as cursor:
        cursor.execute("UPDATE payouts_payout SET state = 'sending'")
        cursor.execute("UPDATE payouts_payout SET state = 'unknown'")
    assert where(person)["expected_on"] is None
    assert where(person)["text"].startswith("Sent; we are finding out")


def test_every_earning_is_there_once_after_two_payouts(
    finance: Finance, django_assert_num_queries: Any
) -> None:
    """Joins with past items and past holds make no second line, and no further query."""
    person = finance.payee(1600, 200)
    for _ in range(2):
        run = finance.approved()
        write_files(run=run)
        settle_payout(payout_id=payout_of(person).pk)
        return_payout(payout_id=payout_of(person).pk, reason="Closed.")
    payable = Payable.objects.earliest("pk")
    hold = hold_payable(
        actor=finance.approver,
        case="12",
        payable=payable,
        reason="Case 1",
        ends_at=database_now() + timedelta(days=1),
    )
    lift_hold(actor=None, hold=hold)
    finance.approved()
    client = factories.client_for(person)
    # Who asks; the lines; the sums: earned and reserved; where the next payout goes.
    with django_assert_num_queries(5):
        rows = client.get("/api/v1/earnings/").json()["results"]
    assert [row["amount_cents"] for row in rows] == [200, 1600]
    assert len({row["where"]["reference"] for row in rows}) == 1
    assert set(RAIL_DAYS) == {"file", "nacha", "stripe"}
