"""Holds, bank reports, decisions and who may do what of it, over the API."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import IntegrityError, connection

from annotation_platform.clock import database_now
from contractors.models import Contractor
from events.models import Event
from payouts.models import BankReport, Hold, Payable, Payout, ProviderEvent
from payouts.services import follow_report, send_run, settle_payout, write_files
from tests import factories
from tests.payouts.scenes import Finance, balances, leave_witness, payout_of, report_of, states
from tests.raw_sql import execute

pytestmark = pytest.mark.django_db


@pytest.fixture
def finance() -> Finance:
    return Finance()


@pytest.fixture
def desk(finance: Finance) -> Any:
    return factories.client_for(finance.approver)


def in_days(days: float) -> datetime:
    return database_now() + timedelta(days=days)


# --- who may ----------------------------------------------------------------------------------

FOR_FINANCE = [
    ("get", "payables/"), ("get", "holds/"), ("post", "holds/"), ("post", "holds/{hold}/end/"),
    ("get", "run-payouts/"), ("get", "run-payouts/{payout}/"),
    ("post", "run-payouts/{payout}/decide/"), ("post", "run-payouts/{payout}/decide-file/"),
    ("post", "run-payouts/{payout}/decide-found/"),
    ("get", "bank-reports/"), ("get", "bank-reports/{report}/"),
    ("post", "bank-reports/{report}/follow/"), ("get", "provider-events/"),
    ("get", "payout-runs/{run}/reports/"), ("post", "payout-runs/{run}/reports/"),
    ("post", "payout-runs/{run}/send/"), ("get", "tax-years/2026/"),
    ("get", "tax-years/2026/export/"), ("post", "tax-years/2026/export/"),
]  # fmt: skip


@pytest.mark.parametrize(("method", "path"), FOR_FINANCE)
def test_what_finance_does_is_closed_to_others(finance: Finance, method: str, path: str) -> None:
    person, other = finance.payee(1600), finance.payee(300, method=False)
    hold = Hold.objects.create(
        payable=Payable.objects.get(contractor=other), case="1", reason="x",
        placed_by=finance.preparer, placed_at=in_days(-1), ends_at=in_days(1),
    )  # fmt: skip
    run = finance.approved()
    write_files(run=run)
    report = BankReport.objects.create(
        run=run, name="r.csv", content=report_of((payout_of(person), "paid")).decode(),
        sha256="0" * 64, row_count=1, uploaded_by=finance.preparer,
    )  # fmt: skip
    address = "/api/v1/" + path.format(
        hold=hold.pk, payout=payout_of(person).pk, report=report.pk, run=run.pk
    )
    before = (Payout.objects.get().state, Event.objects.count(), Hold.objects.get().lifted_at)
    assert getattr(factories.client_for(None), method)(address).status_code == 401
    for who in (person, other, factories.reviewer(), finance.manager):
        answer = getattr(factories.client_for(who), method)(address)
        assert (answer.status_code, answer.json()["type"]) == (403, "/problems/not-allowed")
    after = (Payout.objects.get().state, Event.objects.count(), Hold.objects.get().lifted_at)
    assert after == before
    allowed = getattr(factories.client_for(finance.approver), method)(address)
    assert allowed.status_code in (200, 201, 202, 400, 409)


FOR_THEMSELVES = [
    ("get", "tax-form/"), ("put", "tax-form/"), ("get", "payout-method/"),
    ("put", "payout-method/"), ("get", "earnings/"), ("get", "payouts/"), ("get", "statements/"),
]  # fmt: skip


@pytest.mark.parametrize(("method", "path"), FOR_THEMSELVES)
def test_what_is_a_contractor_s_own(finance: Finance, method: str, path: str) -> None:
    for who in (factories.reviewer(), finance.manager, finance.approver):
        answer = getattr(factories.client_for(who), method)(f"/api/v1/{path}")
        assert answer.status_code == 403
    assert getattr(factories.client_for(None), method)(f"/api/v1/{path}").status_code == 401


# --- holds ------------------------------------------------------------------------------------


def test_a_hold_from_first_to_last(finance: Finance, desk: Any) -> None:
    person = finance.payee(1600, 300)
    payable = Payable.objects.get(amount_cents=1600)
    ends_at = in_days(3)
    body = {
        "payable": payable.pk, "case": "F-12", "reason": "The name differs.",
        "ends_at": ends_at.isoformat(),
    }  # fmt: skip
    placed = desk.post("/api/v1/holds/", body)
    assert placed.status_code == 201
    assert placed.json() | {"id": 0, "placed_at": ""} == {
        "id": 0, "payable": payable.pk, "contractor": person.pk, "amount_cents": 1600,
        "currency": "USD", "case": "F-12", "reason": "The name differs.",
        "placed_by": finance.approver.pk, "placed_at": "",
        "ends_at": ends_at.isoformat().replace("+00:00", "Z"),
        "lifted_at": None, "lifted_by": None,
    }  # fmt: skip
    assert states(person) == [(1600, "held"), (300, "accrued")]
    assert finance.prepared().total_cents == 300
    assert [row["id"] for row in desk.get("/api/v1/holds/?live=true").json()["results"]] == [
        placed.json()["id"]
    ]
    address = f"/api/v1/holds/{placed.json()['id']}/end/"
    ended = desk.post(address).json()
    assert ended["lifted_by"] == finance.approver.pk
    assert desk.post(address).json() == ended  # ended already: no change
    assert states(person) == [(1600, "accrued"), (300, "batched")]
    assert desk.get("/api/v1/holds/?live=true").json()["results"] == []
    again = desk.post("/api/v1/holds/", body)
    assert (again.status_code, again.json()["type"]) == (409, "/problems/cannot-hold")


@pytest.mark.parametrize(
    ("change", "status", "slug"),
    [
        ({"ends_at": "2020-01-01T00:00:00Z"}, 400, "hold-too-long"),
        ({"ends_at": "2200-01-01T00:00:00Z"}, 400, "hold-too-long"),
        ({"reason": ""}, 400, "invalid-input"),
        ({"case": " "}, 400, "invalid-input"),
        ({"payable": 0}, 400, "invalid-input"),
    ],
)
def test_a_refused_hold_holds_nothing(
    finance: Finance, desk: Any, change: dict[str, Any], status: int, slug: str
) -> None:
    person = finance.payee(1600)
    body = {"payable": Payable.objects.get().pk, "case": "1", "reason": "x",
            "ends_at": in_days(1).isoformat()}  # fmt: skip
    answer = desk.post("/api/v1/holds/", body | change)
    assert (answer.status_code, answer.json()["type"]) == (status, f"/problems/{slug}")
    assert states(person) == [(1600, "accrued")]
    assert not Hold.objects.exists()


def test_the_database_refuses_long_nameless_and_second_holds(finance: Finance) -> None:
    finance.payee(1600)
    row = (
        'INSERT INTO payouts_hold (payable_id, "case", reason, placed_by_id, placed_at, ends_at)'
        " VALUES (%s, %s, 'x', %s, now(), now() + %s::interval)"
    )
    payable, boss = Payable.objects.get().pk, finance.preparer.pk
    for case, lasts, rule in (
        ("1", "7 days 1 second", "hold_lasts_seven_days_at_most"),
        ("1", "-1 second", "hold_ends_after_it_starts"),
        ("", "1 day", "hold_names_its_case"),
    ):
        with pytest.raises(IntegrityError, match=rule):
            execute(row, parameters=(payable, case, boss, lasts))
    execute(row, parameters=(payable, "1", boss, "7 days"))
    with pytest.raises(IntegrityError, match="hold_one_per_payable"):
        execute(row, parameters=(payable, "2", boss, "1 day"))


# --- reports ----------------------------------------------------------------------------------


def test_a_report_is_looked_at_before_it_is_followed(finance: Finance, desk: Any) -> None:
    people = [finance.payee(1600) for _ in range(5)]
    run = finance.approved()
    send_run(actor=finance.approver, run=run)
    ada, bob, eve, dan, fay = (payout_of(person) for person in people)
    settle_payout(payout_id=dan.pk)
    content = report_of((ada, "paid"), (bob, "returned"), (dan, "paid")).decode()
    content += f"{eve.our_reference},16.01,USD,paid\r\nAP-x,1.00,USD,paid\r\n"
    content += f"{ada.our_reference},16.00,USD,paid\r\n"
    body = {"name": "bank.csv", "content": content}

    taken = desk.post(f"/api/v1/payout-runs/{run.pk}/reports/", body)

    assert taken.status_code == 201
    told = taken.json()
    assert told["counts"] == {
        "matched": 2, "unchanged": 1, "different": 2, "unexpected": 1, "missing": 1
    }  # fmt: skip
    assert [(row["line"], row["payout"], row["text"]) for row in told["matched"]] == [
        (2, ada.pk, "submitted becomes settled."),
        (3, bob.pk, "submitted becomes returned."),
    ]
    assert [(row["line"], row["text"]) for row in told["different"]] == [
        (5, "Ours is $16.00."),
        (7, "It is there twice."),
    ]
    assert [row["reference"] for row in told["unexpected"]] == ["AP-x"]
    assert [row["payout"] for row in told["missing"]] == [fay.pk]
    # Nothing has moved yet, and the same bytes are the same report.
    assert [payout_of(person).state for person in people] == [
        "submitted", "submitted", "submitted", "settled", "submitted",
    ]  # fmt: skip
    again = desk.post(f"/api/v1/payout-runs/{run.pk}/reports/", body).json()
    assert again["id"] == told["id"]

    asked = desk.post(f"/api/v1/bank-reports/{told['id']}/follow/")
    assert (asked.status_code, asked.json()["state"]) == (202, "following")
    assert payout_of(people[0]).state == "submitted"  # a worker does it
    assert not follow_report(told["id"])
    followed = desk.get(f"/api/v1/bank-reports/{told['id']}/").json()
    assert (followed["state"], followed["lines_done"]) == ("followed", 6)
    assert followed["follow_asked_by"] == finance.approver.pk
    assert followed["outcome"] == {
        "settled": 1, "failed": 0, "returned": 1, "unchanged": 1, "different": 3, "missing": 1
    }  # fmt: skip
    assert followed["counts"] == {
        "matched": 0, "unchanged": 3, "different": 2, "unexpected": 1, "missing": 1
    }  # fmt: skip
    assert [payout_of(person).state for person in people] == [
        "settled", "returned", "submitted", "settled", "submitted",
    ]  # fmt: skip
    assert balances(people[1]) == (1600, 0)
    late = desk.post(f"/api/v1/bank-reports/{told['id']}/follow/")
    assert (late.status_code, late.json()["type"]) == (409, "/problems/report-followed")


def test_the_comparison_takes_the_same_queries_however_long(
    finance: Finance, desk: Any, django_assert_num_queries: Any
) -> None:
    for number in (1, 3):
        people = [finance.payee(1600) for _ in range(number)]
        run = finance.approved()
        write_files(run=run)
        content = report_of(*((payout_of(person), "paid") for person in people))
        body = {"name": "r", "content": content.decode()}
        made = desk.post(f"/api/v1/payout-runs/{run.pk}/reports/", body).json()
        with django_assert_num_queries(3):  # token and person, report, payouts
            told = desk.get(f"/api/v1/bank-reports/{made['id']}/").json()
        assert told["counts"]["matched"] == number


@pytest.mark.parametrize("content", ["x", "reference,amount,currency,status\r\n"])
def test_an_unreadable_report_is_not_kept(finance: Finance, desk: Any, content: str) -> None:
    finance.payee(1600)
    run = finance.approved()
    answer = desk.post(f"/api/v1/payout-runs/{run.pk}/reports/", {"name": "r", "content": content})
    assert answer.status_code == 400
    assert not BankReport.objects.exists()


def test_the_database_keeps_a_report_as_it_came(finance: Finance, desk: Any) -> None:
    person = finance.payee(1600)
    run = finance.approved()
    write_files(run=run)
    content = report_of((payout_of(person), "paid")).decode()
    made = desk.post(f"/api/v1/payout-runs/{run.pk}/reports/", {"name": "r", "content": content})
    desk.post(f"/api/v1/bank-reports/{made.json()['id']}/follow/")
    with pytest.raises(IntegrityError, match="are fixed"):
        execute("UPDATE payouts_bankreport SET follow_asked_at = now() + interval '1 s'")
    follow_report(made.json()["id"])
    for change in ("content = 'x'", "followed_at = now()", "lines_done = 0"):
        with pytest.raises(IntegrityError, match="fixed"):
            execute(f"UPDATE payouts_bankreport SET {change}")
    with pytest.raises(IntegrityError, match="append-only"):
        execute("DELETE FROM payouts_bankreport")


# --- decisions --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("outcome", "state", "left"),
    [("settled", "settled", (0, 0)), ("failed", "failed", (1600, 0)),
     ("returned", "returned", (1600, 0))],
)  # fmt: skip
def test_a_person_says_what_became_of_a_bank_payment(
    finance: Finance, desk: Any, outcome: str, state: str, left: tuple[int, int]
) -> None:
    person = finance.payee(1600)
    run = finance.approved()
    address = f"/api/v1/run-payouts/{payout_of(person).pk}/decide-file/"
    body = {"outcome": outcome, "note": "The bank's clerk said so on the phone."}
    early = desk.post(address, body)
    assert (early.status_code, early.json()["type"]) == (409, "/problems/wrong-payout-state")
    write_files(run=run)
    assert desk.post(address, body).json()["state"] == state
    assert desk.post(address, body).json()["state"] == state  # again: no change
    assert balances(person) == left
    (event,) = Event.objects.filter(type="payout.decided")
    assert (event.actor, event.data) == (finance.approver, body)


def test_a_lost_answer_is_decided_by_a_person(finance: Finance, desk: Any) -> None:
    """Only what waits for a person; then with the provider's name of it, or as never sent."""
    person = finance.payee(1600, rail="stripe", account="acct_1234")
    finance.approved()
    payout = payout_of(person)
    address = f"/api/v1/run-payouts/{payout.pk}/decide/"
    body = {"note": "Not in the provider's dashboard."}
    assert desk.post(address, body).status_code == 409
    payout.attempts.create(
        number=1, idempotency_key="k", request=b"{}", request_sha256="0" * 64,
        first_sent_at=database_now(),
    )  # fmt: skip
    with connection.cursor() as cursor:
        cursor.execute("UPDATE payouts_payout SET state = 'sending'")
        cursor.execute("UPDATE payouts_payout SET state = 'unknown', needs_person = true")
    (row,) = desk.get("/api/v1/run-payouts/?needs_person=true").json()["results"]
    assert row["id"] == payout.pk
    assert desk.post(address, {"note": ""}).status_code == 400
    told = desk.post(address, body).json()
    assert (told["state"], told["problem"]) == ("failed", f"Never paid: {body['note']}")
    assert [a["outcome"] for a in told["attempts"]] == ["absent"]
    assert balances(person) == (1600, 0)
    refusal = desk.post(f"/api/v1/run-payouts/{payout.pk}/decide-file/",
                        {"outcome": "settled", "note": "x"})  # fmt: skip
    assert refusal.status_code == 409


def test_what_a_restored_backup_does_not_know_is_decided_by_a_person(
    finance: Finance, desk: Any
) -> None:
    person = finance.payee(1600, 200)
    run = finance.approved()
    payout, kept = payout_of(person), Payable.objects.filter(contractor=person).earliest("pk")
    address = f"/api/v1/run-payouts/{payout.pk}/decide-found/"
    body = {"earnings": [kept.pk], "project": finance.project.pk, "note": "In the bank's books."}
    assert desk.post(address, body).status_code == 409
    leave_witness("file", {payout.our_reference: 1700})
    write_files(run=run)
    (row,) = desk.get("/api/v1/run-payouts/?needs_person=true").json()["results"]
    assert (row["found_cents"], row["found_rail"], row["number"]) == (1700, "file", 1)
    assert desk.post(address, body | {"note": ""}).status_code == 400
    refusal = desk.post(address, {"earnings": [kept.pk], "note": "x"})
    assert (refusal.status_code, refusal.json()["type"]) == (400, "/problems/invalid-amount")
    adopted = desk.post(address, body).json()
    assert (adopted["state"], adopted["amount_cents"], adopted["number"]) == ("submitted", 1700, 1)
    assert balances(person) == (200, 1700)


def test_sending_a_run_makes_its_files_once_and_wakes_the_sweep(
    finance: Finance, desk: Any, django_capture_on_commit_callbacks: Any
) -> None:
    finance.payee(1600)
    run = finance.locked()
    refusal = desk.post(f"/api/v1/payout-runs/{run.pk}/send/")
    assert (refusal.status_code, refusal.json()["type"]) == (409, "/problems/wrong-run-state")
    assert not Event.objects.filter(type="payout_run.sent").exists()
    totals = {"payout_count": 1, "total_cents": 1600}
    assert desk.post(f"/api/v1/payout-runs/{run.pk}/approve/", totals).status_code == 200
    with django_capture_on_commit_callbacks() as callbacks:
        (file,) = desk.post(f"/api/v1/payout-runs/{run.pk}/send/").json()
    assert len(callbacks) == 1
    assert (file["rail"], file["total_cents"]) == ("file", 1600)
    assert desk.post(f"/api/v1/payout-runs/{run.pk}/send/").json() == [file]
    assert Event.objects.filter(type="payout_run.sent", actor=finance.approver).count() == 2


# --- lists ------------------------------------------------------------------------------------


def test_lists_are_paged_and_cost_the_same_however_long(
    finance: Finance, desk: Any, django_assert_num_queries: Any
) -> None:
    def more() -> None:
        for _ in range(2):
            finance.payee(1600)
        held: Contractor = finance.payee(500)
        Hold.objects.create(
            payable=Payable.objects.get(contractor=held), case="1", reason="x",
            placed_by=finance.preparer, placed_at=in_days(-1), ends_at=in_days(1),
        )  # fmt: skip
        run = finance.approved()
        write_files(run=run)
        for number, person in enumerate((held,)):
            BankReport.objects.create(
                run=run, name="r", content="x", sha256=f"{number:064}", row_count=1,
                uploaded_by=person.user,
            )  # fmt: skip
        ProviderEvent.objects.create(
            provider="stripe", event_id=f"evt_{Payout.objects.count()}", kind="transfer.created"
        )

    addresses = ["payables/", "holds/", "run-payouts/", "bank-reports/", "provider-events/",
                 "run-payouts/?rail=file", "holds/?live=true"]  # fmt: skip
    for _ in range(2):
        more()
        for address in addresses:
            with django_assert_num_queries(2):  # token and person, rows
                rows = desk.get(f"/api/v1/{address}").json()["results"]
            assert rows
    first = desk.get("/api/v1/payables/?page_size=2").json()
    assert len(first["results"]) == 2
    assert first["next"] is not None
    newest = Payout.objects.latest("pk").pk
    with django_assert_num_queries(3):  # token and person, payout, attempts
        desk.get(f"/api/v1/run-payouts/{newest}/")
