"""Payout runs: who is in them, which totals must match, what the database refuses."""

from __future__ import annotations

import threading
from datetime import timedelta
from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction
from django.utils import timezone

from payouts.models import Payable, Payout, PayoutItem, PayoutMethod, PayoutRun
from payouts.problems import (
    CannotHold,
    HoldTooLong,
    NothingToPay,
    SamePersonApproves,
    TotalsDiffer,
    WrongRunState,
)
from payouts.rules import PAYOUT_MOVES
from payouts.services import (
    approve_run,
    cancel_run,
    check_ledger,
    end_holds,
    hold_payable,
    lock_run,
    prepare_run,
    run_totals,
    set_payout_method,
)
from tests import factories
from tests.payouts.scenes import BANK, Finance, balances, check_deferred, payout_of, states


@pytest.fixture
def finance(db: None) -> Finance:
    return Finance()


def test_a_run_pays_everybody_what_they_earned(finance: Finance) -> None:
    ada, bob = finance.payee(1600, 1600, 200), finance.payee(1599)
    finance.payee(1600, method=False)  # nowhere to pay to
    finance.payee(99)  # below the minimum

    run = finance.approved()
    check_deferred()

    assert {p.contractor_id: p.amount_cents for p in run.payouts.all()} == {
        ada.pk: 3400,
        bob.pk: 1599,
    }
    assert (run.payout_count, run.total_cents) == (2, 4999)
    same = {"count": 2, "cents": 4999}
    assert run_totals(run) == {"payouts": same, "items": same, "ledger": same}
    assert states(ada) == [(1600, "batched"), (1600, "batched"), (200, "batched")]
    assert balances(ada) == (0, 3400)
    assert balances(bob) == (0, 1599)
    assert check_ledger() == []


def test_what_accrued_after_the_cut_off_waits(finance: Finance) -> None:
    ada = finance.payee(1600)
    early = prepare_run(actor=finance.preparer)
    finance.earn(ada, 700)
    lock_run(actor=finance.preparer, run=early)
    check_deferred()
    assert states(ada) == [(1600, "batched"), (700, "accrued")]
    assert balances(ada) == (700, 1600)


def test_a_past_cut_off(finance: Finance) -> None:
    finance.payee(1600)
    with pytest.raises(NothingToPay):
        prepare_run(actor=finance.preparer, cut_off_at=timezone.now() - timedelta(days=1))
    assert not PayoutRun.objects.exists()
    assert not Payable.objects.exclude(state="accrued").exists()


def test_nobody_approves_their_own_run(finance: Finance) -> None:
    finance.payee(1600)
    run = finance.locked()
    with pytest.raises(SamePersonApproves):
        approve_run(actor=finance.preparer, run=run, payout_count=1, total_cents=1600)
    with pytest.raises(IntegrityError, match="approved_by_another_person"), transaction.atomic():
        PayoutRun.objects.filter(pk=run.pk).update(
            approved_by=run.prepared_by, approved_at=timezone.now(), state="approved"
        )
    run.refresh_from_db()
    assert run.state == "locked"


@pytest.mark.parametrize(("count", "cents"), [(1, 1601), (2, 1600), (0, 0)])
def test_the_approver_states_the_totals(finance: Finance, count: int, cents: int) -> None:
    person = finance.payee(1600)
    run = finance.locked()
    with pytest.raises(TotalsDiffer):
        approve_run(actor=finance.approver, run=run, payout_count=count, total_cents=cents)
    assert payout_of(person).state == "locked"


def test_items_that_were_tampered_with_stop_the_approval(finance: Finance) -> None:
    finance.payee(1600, 200)
    run = finance.locked()
    PayoutItem.objects.filter(payable__amount_cents=200).update(released=True)
    with pytest.raises(TotalsDiffer) as caught:
        approve_run(actor=finance.approver, run=run, payout_count=1, total_cents=1800)
    assert caught.value.extra["totals"]["items"] == {"count": 1, "cents": 1600}


def test_cancelling_gives_everything_back(finance: Finance) -> None:
    ada = finance.payee(1600, 200)
    run = cancel_run(actor=finance.preparer, run=finance.locked(), reason="Wrong week")
    check_deferred()
    assert (run.state, payout_of(ada).state) == ("cancelled", "cancelled")
    assert states(ada) == [(1600, "accrued"), (200, "accrued")]
    assert balances(ada) == (1800, 0)
    again = finance.approved()
    check_deferred()
    assert again.total_cents == 1800
    assert check_ledger() == []


def test_a_draft_is_cancelled_without_postings(finance: Finance) -> None:
    ada = finance.payee(1600)
    cancel_run(actor=finance.preparer, run=finance.prepared(), reason="No")
    check_deferred()
    assert states(ada) == [(1600, "accrued")]
    assert balances(ada) == (1600, 0)


@pytest.mark.parametrize("service", ["lock", "approve", "cancel"])
def test_steps_in_the_wrong_order(finance: Finance, service: str) -> None:
    finance.payee(1600)
    run = finance.approved() if service != "approve" else finance.prepared()
    with pytest.raises(WrongRunState):  # noqa: PT012
        if service == "lock":
            lock_run(actor=finance.preparer, run=run)
        elif service == "cancel":
            cancel_run(actor=finance.preparer, run=run, reason="Late")
        else:
            approve_run(actor=finance.approver, run=run, payout_count=1, total_cents=1600)


def test_an_open_payout_keeps_its_contractor_out_of_the_next_run(finance: Finance) -> None:
    ada = finance.payee(1600)
    finance.locked()
    finance.earn(ada, 300)
    with pytest.raises(NothingToPay):
        finance.prepared()
    assert states(ada) == [(1600, "batched"), (300, "accrued")]


# --- holds and methods --------------------------------------------------------------------


def test_held_payables_stay_out_until_the_hold_ends(finance: Finance) -> None:
    ada = finance.payee(1600, 200)
    payable = Payable.objects.get(contractor=ada, amount_cents=200)
    hold = hold_payable(
        actor=finance.preparer,
        case="12",
        payable=payable,
        reason="Case 12: duplicate account?",
        ends_at=timezone.now() + timedelta(days=6),
    )
    run = finance.locked()
    assert run.total_cents == 1600
    assert end_holds() == 0
    type(hold).objects.update(ends_at=timezone.now(), placed_at=timezone.now() - timedelta(days=7))
    assert end_holds() == 1
    assert end_holds() == 0
    assert states(ada) == [(1600, "batched"), (200, "accrued")]
    payable.refresh_from_db()
    with pytest.raises(CannotHold, match="held before"):
        hold_payable(
            actor=finance.preparer,
            case="12",
            payable=payable,
            reason="Again",
            ends_at=timezone.now() + timedelta(days=1),
        )


@pytest.mark.parametrize("days", [-1, 8])
def test_holds_end_within_seven_days(finance: Finance, days: int) -> None:
    ada = finance.payee(1600)
    with pytest.raises(HoldTooLong):
        hold_payable(
            actor=finance.preparer,
            case="12",
            payable=Payable.objects.get(contractor=ada),
            reason="Case",
            ends_at=timezone.now() + timedelta(days=days),
        )
    assert states(ada) == [(1600, "accrued")]


def test_a_changed_payout_method_holds_payouts_for_a_day(finance: Finance) -> None:
    ada = finance.payee(1600)
    set_payout_method(
        contractor=ada,
        rail="nacha",
        details=BANK,
        password=factories.PASSWORD,
    )
    with pytest.raises(NothingToPay):
        finance.prepared()
    method = PayoutMethod.objects.get(contractor=ada, retired_at=None)
    assert timedelta(hours=23) < method.usable_from - method.created_at <= timedelta(days=1)
    PayoutMethod.objects.filter(pk=method.pk).update(usable_from=timezone.now())
    assert finance.prepared().total_cents == 1600


# --- the database ------------------------------------------------------------------------


def attack(sql: str, *params: Any) -> None:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(sql, params)
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")


def test_one_payable_in_two_payouts(finance: Finance) -> None:
    ada, bob = finance.payee(1600), finance.payee(1600)
    finance.locked()
    item = PayoutItem.objects.get(payout__contractor=ada)
    with pytest.raises(IntegrityError, match="payout_item_one_live_per_payable"):
        attack(
            "INSERT INTO payouts_payoutitem (payout_id, payable_id, released) "
            "VALUES (%s, %s, false)",
            payout_of(bob).pk,
            item.payable_id,
        )


def test_second_open_payout(finance: Finance) -> None:
    finance.payee(1600)
    payout = finance.locked().payouts.get()
    with pytest.raises(IntegrityError, match="one_open_per_contractor_and_currency"):
        attack(
            "INSERT INTO payouts_payout (run_id, contractor_id, method_id, rail, currency, "
            "amount_cents, number, our_reference, state, provider_reference, problem, "
            "needs_person, found_rail, found_reference) "
            "SELECT %s, %s, %s, 'file', 'USD', 1600, 2, payouts_reference(public_id, 'USD', 2), "
            "'draft', '', '', false, '', '' FROM contractors_contractor WHERE user_id = %s",
            payout.run_id,
            payout.contractor_id,
            payout.method_id,
            payout.contractor_id,
        )


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("amount_cents = amount_cents + 1", "what it pays to whom is fixed"),
        ("rail = 'nacha'", "what it pays to whom is fixed"),
        ("reserve_id = NULL", "what it pays to whom is fixed"),
        ("state = 'settled'", "does not go from locked to settled"),
        ("state = 'sending'", "does not go from locked to sending"),
    ],
)
def test_payout_changed(finance: Finance, change: str, message: str) -> None:
    finance.payee(1600)
    finance.locked()
    with pytest.raises(IntegrityError, match=message):
        attack(f"UPDATE payouts_payout SET {change}")


def test_payout_that_is_not_worth_its_items(finance: Finance) -> None:
    finance.payee(1600)
    run = finance.prepared()
    Payout.objects.filter(run=run).update(amount_cents=1700)
    with pytest.raises(IntegrityError, match="pays 1700, its items are worth 1600"):
        lock_run(actor=finance.preparer, run=run)


def test_payout_deleted(finance: Finance) -> None:
    finance.payee(1600)
    finance.locked()
    with pytest.raises(IntegrityError, match="append-only: DELETE refused"):
        attack("DELETE FROM payouts_payout")


def test_the_rules_know_how_payouts_move(finance: Finance) -> None:
    """The database allows exactly the moves of the rules (constraints on other columns aside)."""
    finance.payee(1600)
    payout = finance.locked().payouts.get()
    known = set(Payout.State)
    for target in known - {"locked"}:
        allowed = target in PAYOUT_MOVES["locked"]
        try:
            attack("UPDATE payouts_payout SET state = %s", target)
        except IntegrityError as error:
            assert not allowed, error  # noqa: PT017
        else:
            assert allowed, target
            with connection.cursor() as cursor:
                cursor.execute("ALTER TABLE payouts_payout DISABLE TRIGGER USER")
                Payout.objects.filter(pk=payout.pk).update(state="locked")
                cursor.execute("ALTER TABLE payouts_payout ENABLE TRIGGER USER")


@pytest.mark.django_db(transaction=True)
def test_two_runs_prepared_at_once_pay_nobody_twice() -> None:
    finance = Finance()
    people = [finance.payee(1600, 200) for _ in range(5)]
    start = threading.Barrier(2)
    results: list[object] = []

    def prepare() -> None:
        try:
            start.wait(timeout=30)
            results.append(prepare_run(actor=finance.preparer).payout_count)
        except NothingToPay:
            results.append(0)
        except Exception as error:
            results.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=prepare) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)

    assert sorted(results, key=str) == [0, 5]
    assert Payout.objects.count() == 5
    assert {states(person)[0] for person in people} == {(1600, "batched")}
