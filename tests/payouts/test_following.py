"""Following a bank's report: asked for once, done by workers line by line, told to its end.

A worker that is killed in between is in test_kill.py.
"""

from __future__ import annotations

from typing import Any

import pytest
from django.db import IntegrityError

from events.models import Event
from payouts import jobs, services
from payouts.models import BankReport, Payout, PayoutRun
from payouts.problems import ReportFollowed
from payouts.services import (
    ask_to_follow,
    check_ledger,
    follow_report,
    settle_payout,
    take_report,
    unfinished_reports,
    write_files,
)
from payouts.services import following as module
from payouts.services.reconciling import follow_status
from payouts.services.reports import read_report
from tests import factories
from tests.payouts.scenes import Finance, balances, followed, payout_of, report_of
from tests.races.together import run_together

pytestmark = pytest.mark.django_db

NOTHING = dict.fromkeys(("settled", "failed", "returned", "unchanged", "different", "missing"), 0)


@pytest.fixture
def finance() -> Finance:
    return Finance()


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The reports that workers are told of."""
    told: list[int] = []
    monkeypatch.setattr(jobs.follow_report, "delay", told.append)
    return told


def with_bank(finance: Finance, number: int) -> tuple[PayoutRun, list[Payout]]:
    """An approved run whose file the bank has, and its payouts."""
    people = [finance.payee(1600) for _ in range(number)]
    run = finance.approved()
    write_files(run=run)
    return run, [payout_of(person) for person in people]


def asked(finance: Finance, run: PayoutRun, content: bytes) -> BankReport:
    report = take_report(actor=finance.preparer, run=run, name="r.csv", content=content)
    return ask_to_follow(actor=finance.approver, report=report)


def test_asking_twice_is_asking_once_and_nothing_moves_in_the_request(
    finance: Finance, sent: list[int], django_capture_on_commit_callbacks: Any
) -> None:
    run, (payout,) = with_bank(finance, 1)
    report = take_report(
        actor=finance.preparer, run=run, name="r.csv", content=report_of((payout, "paid"))
    )
    address = f"/api/v1/bank-reports/{report.pk}/"
    desk, other = factories.client_for(finance.approver), factories.client_for(finance.preparer)
    assert desk.get(address).json()["state"] == "taken"
    assert unfinished_reports() == []
    answers = []
    for who in (desk, other):
        with django_capture_on_commit_callbacks(execute=True):
            answers.append(who.post(f"{address}follow/"))
    assert [answer.status_code for answer in answers] == [202, 202]
    assert answers[0].json() == answers[1].json()
    assert answers[0].json()["follow_asked_by"] == finance.approver.pk
    assert answers[0].json()["lines_done"] == 0
    assert sent == [report.pk]
    payout.refresh_from_db()
    assert payout.state == "submitted"
    assert unfinished_reports() == [report.pk]

    jobs.follow_report(report.pk)

    shown = desk.get(address).json()
    assert (shown["state"], shown["lines_done"], shown["row_count"]) == ("followed", 1, 1)
    assert shown["outcome"] == NOTHING | {"settled": 1}
    assert unfinished_reports() == []
    late = other.post(f"{address}follow/")
    assert (late.status_code, late.json()["type"]) == (409, "/problems/report-followed")
    assert desk.post("/api/v1/bank-reports/x/follow/").status_code == 404


def test_the_sweep_finds_a_report_whose_message_was_lost(finance: Finance, sent: list[int]) -> None:
    run, (payout,) = with_bank(finance, 1)
    report = asked(finance, run, report_of((payout, "paid")))
    assert jobs.sweep_reports() == 1
    assert sent == [report.pk]
    assert not follow_report(report.pk)
    assert jobs.sweep_reports() == 0
    assert sent == [report.pk]


def test_a_job_gives_others_a_turn_and_goes_on_where_it_was(
    finance: Finance, sent: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    run, (ada, bob) = with_bank(finance, 2)
    lines = report_of((ada, "paid"), (ada, "paid"), (bob, "paid"))
    report = asked(finance, run, lines)
    monkeypatch.setattr(
        services, "follow_report", lambda report_id: follow_report(report_id, seconds=0)
    )
    far: list[int | str] = []
    while not far or far[-1] != "followed":
        jobs.follow_report(report.pk)
        report.refresh_from_db()
        far.append(report.lines_done if report.followed_at is None else "followed")
    assert far == [1, 2, "followed"]
    assert sent == [report.pk] * 2
    assert report.outcome == NOTHING | {"settled": 2, "different": 1}
    assert report.differences == [f"line 3: {ada.our_reference} is there twice"]


def test_lines_that_move_nothing_cost_no_query(
    finance: Finance, django_assert_num_queries: Any
) -> None:
    for number in (1, 4):
        run, payouts = with_bank(finance, number)
        for payout in payouts:
            settle_payout(payout_id=payout.pk)
        content = report_of(*((payout, "paid") for payout in payouts)) + b"AP-x,1.00,USD,paid\r\n"
        report = asked(finance, run, content)
        # Report, payouts; the end: begin, what is missing, the clock, report, event, commit.
        with django_assert_num_queries(8):
            assert not follow_report(report.pk)
        report.refresh_from_db()
        assert report.outcome == NOTHING | {"unchanged": number, "different": 1}


def test_a_line_that_our_books_refuse_is_listed_and_the_others_are_followed(
    finance: Finance, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, (ada, bob, eve) = with_bank(finance, 3)
    move = follow_status

    def refuses(payout_id: int, *args: Any) -> Payout:
        moved = move(payout_id, *args)
        if payout_id == bob.pk:
            raise IntegrityError("A guard says no.")
        return moved

    monkeypatch.setattr(module, "follow_status", refuses)
    report = followed(finance.approver, run, report_of((ada, "paid"), (bob, "paid"), (eve, "paid")))
    assert report.outcome == NOTHING | {"settled": 2, "different": 1}
    (said,) = report.differences
    assert said == f"line 3: {bob.our_reference} could not be moved, our books refused it"
    states = Payout.objects.order_by("pk").values_list("state", flat=True)
    assert list(states) == ["settled", "submitted", "settled"]
    assert balances(bob.contractor) == (0, 1600)


def test_what_differs_is_told_to_a_bound_and_counted_beyond_it(
    finance: Finance, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MAX_DIFFERENCES", 2)
    run, _ = with_bank(finance, 2)
    content = report_of() + b"".join(b"AP-%d,1.00,USD,paid\r\n" % n for n in range(3))
    report = followed(finance.approver, run, content)
    assert report.outcome == NOTHING | {"different": 3, "missing": 2}
    assert report.differences == [f"line {n + 2}: AP-{n} is not in this run" for n in range(2)]


def test_what_the_bank_says_and_can_not_have_happened_changes_nothing(finance: Finance) -> None:
    run, (ada, bob) = with_bank(finance, 2)
    settle_payout(payout_id=ada.pk)
    report = followed(finance.approver, run, report_of((ada, "failed"), (bob, "pending")))
    assert report.differences == [
        f"line 2: {ada.our_reference} is settled, the bank says failed",
        f"line 3: {bob.our_reference} is submitted, the bank says pending",
    ]
    assert balances(bob.contractor) == (0, 1600)
    (event,) = Event.objects.filter(type="payout_run.reconciled")
    assert event.actor == finance.approver
    assert event.data == {
        "report": report.pk, "sha256": report.sha256, **NOTHING, "different": 2,
        "differences": report.differences,
    }  # fmt: skip


# --- at the same moment ---------------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
def test_two_who_ask_at_once_ask_once(finance: Finance) -> None:
    run, (payout,) = with_bank(finance, 1)
    report = take_report(
        actor=finance.preparer, run=run, name="r.csv", content=report_of((payout, "paid"))
    )
    people = (finance.preparer, finance.approver)
    found = run_together(
        [lambda who=who: ask_to_follow(actor=who, report=report) for who in people]  # type: ignore[misc]
    )
    assert [one.state for one in found] == ["following", "following"]
    (event,) = Event.objects.filter(type="bank_report.follow_asked")
    assert {one.follow_asked_by for one in found} == {event.actor}
    assert not follow_report(report.pk)
    with pytest.raises(ReportFollowed):
        ask_to_follow(actor=finance.preparer, report=report)


@pytest.mark.django_db(transaction=True)
def test_workers_that_meet_at_a_report_move_each_line_once(finance: Finance) -> None:
    run, payouts = with_bank(finance, 8)
    rows = [(p, "returned" if n % 2 else "paid") for n, p in enumerate(payouts)]
    report = asked(finance, run, report_of(*rows))
    assert run_together([lambda: follow_report(report.pk)] * 3) == [False] * 3
    while unfinished_reports():  # who leaves may leave to one that leaves: the sweep's part
        follow_report(report.pk)
    report.refresh_from_db()
    assert report.outcome == NOTHING | {"settled": 4, "returned": 4}
    assert Event.objects.filter(type="payout.settled").count() == 8
    assert Event.objects.filter(type="payout.returned").count() == 4
    assert Event.objects.filter(type="payout_run.reconciled").count() == 1
    assert check_ledger() == []


def test_a_worker_that_was_overtaken_leaves_and_counts_nothing(
    finance: Finance, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, payouts = with_bank(finance, 3)
    report = asked(finance, run, report_of(*((payout, "paid") for payout in payouts)))
    read = read_report

    def after_another(content: bytes) -> Any:
        monkeypatch.setattr(module, "read_report", read)
        assert follow_report(report.pk, seconds=0)  # another worker does the first line
        return read(content)

    monkeypatch.setattr(module, "read_report", after_another)
    assert not follow_report(report.pk)
    report.refresh_from_db()
    assert (report.lines_done, report.outcome) == (1, NOTHING | {"settled": 1})
    assert not follow_report(report.pk)
    report.refresh_from_db()
    assert report.outcome == NOTHING | {"settled": 3}
