"""Attacks on the ledger in raw SQL: the database itself must refuse each of them.

Deferred triggers do not fire in a test that is rolled back, so the attacks on balance end with
SET CONSTRAINTS ALL IMMEDIATE, which is what COMMIT does; the seal needs real commits.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.db import connection, transaction
from django.db.utils import IntegrityError

from payouts.models import Account, Balance, Entry, LedgerTransaction, Payable
from payouts.rules import ACCOUNT_KINDS_BY_TRANSACTION_KIND, MAY_DECREASE_PAYABLE
from payouts.services.ledger import (
    cash_account,
    expense_account,
    in_transit_account,
    open_accounts,
    payable_account,
    post,
    reverse,
)
from tests import factories

Side = tuple[Account | int, int] | tuple[Account, int, str]


def run(sql: str, *params: Any) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(sql, params)
        return cursor.fetchall() if cursor.description else []


def insert_transaction(kind: str = "earn", key: str = "attack", reverses: int | None = None) -> int:
    (row,) = run(
        "INSERT INTO payouts_ledgertransaction (kind, idempotency_key, reverses_id) "
        "VALUES (%s, %s, %s) RETURNING id",
        kind,
        key,
        reverses,
    )
    return int(row[0])


def insert_entries(transaction_id: int, *entries: Side) -> None:
    """Entries in one statement; the currency is USD unless an entry says otherwise."""
    values = [
        (transaction_id, getattr(account, "pk", account), *(currency or ["USD"]), cents)
        for account, cents, *currency in entries
    ]
    run(
        "INSERT INTO payouts_entry (transaction_id, account_id, currency, amount_cents) VALUES "
        + ", ".join(["(%s, %s, %s, %s)"] * len(values)),
        *(value for row in values for value in row),
    )


@contextmanager
def refused(message: str) -> Iterator[None]:
    """The block, with its deferred checks, is refused with this message and leaves nothing."""
    before = (
        LedgerTransaction.objects.count(),
        Entry.objects.count(),
        sorted(Balance.objects.values_list()),
        sorted(Payable.objects.values_list()),
    )
    with pytest.raises(IntegrityError, match=message), transaction.atomic():  # noqa: PT012
        yield
        run("SET CONSTRAINTS ALL IMMEDIATE")
    assert before == (
        LedgerTransaction.objects.count(),
        Entry.objects.count(),
        sorted(Balance.objects.values_list()),
        sorted(Payable.objects.values_list()),
    )


class Books:
    """A project, a contractor and their accounts."""

    def __init__(self) -> None:

        self.project = factories.project()
        self.person = factories.worker(self.project)
        with transaction.atomic():
            self.expense, self.payable, self.transit, self.cash = open_accounts(
                [
                    expense_account(self.project.pk, "USD"),
                    payable_account(self.person.pk, "USD"),
                    in_transit_account(self.person.pk, "USD"),
                    cash_account("file", "USD"),
                ]
            )

    def earn(self, cents: int = 1600, key: str = "earned") -> LedgerTransaction:
        return self.move("earn", key, self.expense, self.payable, cents)

    def move(
        self, kind: str, key: str, source: Account, target: Account, cents: int
    ) -> LedgerTransaction:
        with transaction.atomic():
            posted = post(kind=kind, key=key, postings=[(source, -cents), (target, cents)])
            assert posted is not None
            run("SET CONSTRAINTS ALL IMMEDIATE")
            run("SET CONSTRAINTS ALL DEFERRED")
        return posted


@pytest.fixture
def books(db: None) -> Books:
    return Books()


@pytest.mark.parametrize(
    ("debit", "credit"), [(-1600, 1599), (-1600, 1601), (1600, 1600), (-1600, 16000)]
)
def test_unbalanced(books: Books, debit: int, credit: int) -> None:
    with refused("does not sum to zero"):
        attack = insert_transaction()
        insert_entries(attack, (books.expense, debit), (books.payable, credit))


def test_balanced_only_across_currencies(books: Books) -> None:
    (expense_cad,) = open_accounts([expense_account(books.project.pk, "CAD")])
    with refused("does not sum to zero"):
        attack = insert_transaction()
        insert_entries(attack, (expense_cad, -1600, "CAD"), (books.payable, 1600))


def test_no_entries(books: Books) -> None:
    with refused("has 0 entries"):
        insert_transaction()


def test_one_entry(books: Books) -> None:
    with refused("has 1 entries"):
        insert_entries(insert_transaction(), (books.expense, -1600))


def test_entry_of_nothing(books: Books) -> None:
    with refused("entry_moves_something"):
        insert_entries(insert_transaction(), (books.expense, 0))


def test_entry_after_the_check_was_brought_forward(books: Books) -> None:
    """SET CONSTRAINTS runs the transaction row's check early; a later entry is checked too."""
    with refused("is sealed"):
        attack = insert_transaction()
        insert_entries(attack, (books.expense, -1600), (books.payable, 1600))
        run("SET CONSTRAINTS ALL IMMEDIATE")
        run("SET CONSTRAINTS ALL DEFERRED")
        insert_entries(attack, (books.payable, 1600))


def test_entries_in_two_statements(books: Books) -> None:
    """Even where both are balanced: a transaction is sealed by the statement with its entries."""
    with refused("is sealed: its entries came in one statement"):
        attack = insert_transaction()
        insert_entries(attack, (books.expense, -1600), (books.payable, 1600))
        insert_entries(attack, (books.expense, -1), (books.payable, 1))


def test_an_empty_transaction_beside_a_full_one(books: Books) -> None:
    with refused("has 0 entries"):
        insert_transaction(key="empty")
        insert_entries(insert_transaction(), (books.expense, -1600), (books.payable, 1600))


def test_one_wrong_transaction_among_many_in_one_statement(books: Books) -> None:
    """The statement is judged transaction by transaction: the sums of two do not cancel out."""
    with refused("does not sum to zero"):
        first, second = insert_transaction(key="first"), insert_transaction(key="second")
        run(
            "INSERT INTO payouts_entry (transaction_id, account_id, currency, amount_cents) "
            "VALUES (%s, %s, 'USD', -5), (%s, %s, 'USD', 4), "
            "(%s, %s, 'USD', -4), (%s, %s, 'USD', 5)",
            *(first, books.expense.pk, first, books.payable.pk),
            *(second, books.expense.pk, second, books.payable.pk),
        )


def test_entry_before_its_transaction(books: Books) -> None:
    """The foreign key waits for the commit; what an entry may do is judged at once. Written in
    this order a clawback once passed every check."""
    books.earn()
    (row,) = run("SELECT max(id) + 1000 FROM payouts_ledgertransaction")
    with refused("there is no such transaction or account yet"):
        insert_entries(row[0], (books.expense, 1600), (books.payable, -1600))
        run(
            "INSERT INTO payouts_ledgertransaction (id, kind, idempotency_key) "
            "VALUES (%s, 'earn', 'late')",
            row[0],
        )


def test_entry_before_its_account(books: Books) -> None:
    (row,) = run("SELECT max(id) + 1000 FROM payouts_account")
    with refused("there is no such transaction or account yet"):
        insert_entries(insert_transaction(), (books.expense, -1600), (row[0], 1600))
        run(
            "INSERT INTO payouts_account (id, code, kind, currency) "
            "VALUES (%s, 'late', 'cash', 'USD')",
            row[0],
        )


def test_a_reversed_transaction_gets_no_more_entries(books: Books) -> None:
    """Or its reversal would not be its exact opposite any more."""
    books.earn()
    reserve = insert_transaction("reserve", key="r")
    insert_entries(reserve, (books.transit, 1600), (books.payable, -1600))
    undo = insert_transaction("fail", key="f", reverses=reserve)
    insert_entries(undo, (books.payable, 1600), (books.transit, -1600))
    with refused("is sealed"):
        insert_entries(reserve, (books.transit, 1600), (books.payable, -1600))


def test_a_reversal_before_what_it_reverses(books: Books) -> None:
    books.earn()
    with refused("is not the exact opposite"):
        reserve = insert_transaction("reserve", key="r")
        undo = insert_transaction("fail", key="f", reverses=reserve)
        insert_entries(undo, (books.payable, 1600), (books.payable, 1600), (books.transit, -3200))


def test_entry_in_another_currency_than_its_account(books: Books) -> None:
    with refused(f"is in another currency than its account {books.payable.code}"):
        insert_entries(insert_transaction(), (books.payable, 1600, "CAD"))


@pytest.mark.django_db(transaction=True)
def test_sealed_once_committed() -> None:
    books = Books()
    earned = books.earn()
    with refused("is sealed"):
        insert_entries(earned.pk, (books.expense, -100))
    with refused("is sealed"):  # a balanced pair is refused just the same
        insert_entries(earned.pk, (books.payable, 100), (books.expense, -100))


@pytest.mark.django_db(transaction=True)
def test_the_seal_cannot_be_chosen() -> None:
    """A writer who names a future xid gets the real one."""
    books = Books()
    with transaction.atomic():
        (row,) = run(
            "INSERT INTO payouts_ledgertransaction (kind, idempotency_key, sealed_xid) "
            "VALUES ('earn', 'early', '999999999') RETURNING id, sealed_xid::text"
        )
        insert_entries(row[0], (books.expense, -1), (books.payable, 1))
        assert row[1] == run("SELECT pg_current_xact_id()::text")[0][0]


TABLES = ["payouts_account", "payouts_ledgertransaction", "payouts_entry"]


@pytest.mark.parametrize("table", TABLES)
@pytest.mark.parametrize("change", ["UPDATE {} SET id = id", "DELETE FROM {}"])
def test_changed(books: Books, table: str, change: str) -> None:
    books.earn()
    with refused(f"{table} is append-only"):
        run(change.format(table))


@pytest.mark.parametrize("table", [*TABLES, "payouts_payable", "payouts_balance"])
def test_truncated(books: Books, table: str) -> None:
    books.earn()
    with refused("append-only: TRUNCATE refused"):
        # Only test databases may be flushed; this test closes that door again.
        run("SET LOCAL platform.allow_truncate = 'off'")
        run("SET CONSTRAINTS ALL IMMEDIATE")
        run(f"TRUNCATE {table} CASCADE")


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE payouts_balance SET balance_cents = balance_cents + 1",
        "DELETE FROM payouts_balance",
        "INSERT INTO payouts_balance VALUES ({expense}, 5)",
    ],
)
def test_balance_written_by_hand(books: Books, change: str) -> None:
    books.earn()
    with refused("balances follow entries"):
        run(change.format(expense=books.expense.pk))


def test_below_the_floor(books: Books) -> None:
    books.earn(1600)
    with refused(f"{books.payable.code} would be at -1, below its floor of 0"):
        attack = insert_transaction("reserve")
        insert_entries(attack, (books.transit, 1601), (books.payable, -1601))


def test_settling_more_than_is_in_transit(books: Books) -> None:
    books.earn(1600)
    books.move("reserve", "r", books.payable, books.transit, 1000)
    with refused("would be at -1, below its floor"):
        attack = insert_transaction("settle")
        insert_entries(attack, (books.cash, 1001), (books.transit, -1001))


@pytest.mark.parametrize("kind", sorted(set(LedgerTransaction.Kind) - MAY_DECREASE_PAYABLE))
def test_clawback(books: Books, kind: str) -> None:
    earned = books.earn()
    with refused("earned money is not taken back"):
        reverses = earned.pk if kind in ("fail", "return") else None
        attack = insert_transaction(kind, reverses=reverses)
        insert_entries(attack, (books.expense, 1600), (books.payable, -1600))


@pytest.mark.parametrize("kind", sorted(MAY_DECREASE_PAYABLE))
def test_clawback_disguised(books: Books, kind: str) -> None:
    """A reservation or exchange that gives the money back to the project."""
    books.earn()
    with refused("touches an account that it may not"):
        attack = insert_transaction(kind)
        insert_entries(attack, (books.expense, 1600), (books.payable, -1600))


def test_clawback_of_a_reservation(books: Books) -> None:
    """What is in transit can't go back to the project either."""
    books.earn()
    books.move("reserve", "r", books.payable, books.transit, 1600)
    with refused("touches an account that it may not"):
        attack = insert_transaction("settle")
        insert_entries(attack, (books.expense, 1600), (books.transit, -1600))


def test_money_moved_to_somebody_else(books: Books) -> None:
    books.earn()
    (other,) = open_accounts([in_transit_account(factories.contractor().pk, "USD")])
    with refused("moves money between people"):
        attack = insert_transaction("reserve")
        insert_entries(attack, (other, 1600), (books.payable, -1600))


def test_reversed_twice(books: Books) -> None:
    books.earn()
    reserved = books.move("reserve", "r", books.payable, books.transit, 1600)
    assert reverse(kind="fail", key="f1", reverses=reserved) is not None
    with refused("reverses_id"):
        reverse(kind="fail", key="f2", reverses=reserved)
    assert reverse(kind="fail", key="f1", reverses=reserved) is None
    assert Balance.objects.get(account=books.payable).balance_cents == 1600
    assert Balance.objects.get(account=books.transit).balance_cents == 0


def test_reversed_inexactly(books: Books) -> None:
    books.earn()
    reserved = books.move("reserve", "r", books.payable, books.transit, 1600)
    with refused("is not the exact opposite"):
        attack = insert_transaction("fail", reverses=reserved.pk)
        insert_entries(attack, (books.payable, 1599), (books.transit, -1599))


def test_reversal_of_nothing(books: Books) -> None:
    with refused("ledger_transaction_fail_and_return_reverse"):
        insert_transaction("fail")
    earned = books.earn()
    with refused("ledger_transaction_fail_and_return_reverse"):
        insert_transaction("earn", reverses=earned.pk)


def test_one_key_twice(books: Books) -> None:
    books.earn(key="same")
    with refused("idempotency_key"):
        insert_transaction(key="same")


@pytest.mark.parametrize("floor", [-1000, None])
def test_account_with_a_lower_floor_or_none(books: Books, floor: int | None) -> None:
    with refused("account_of_a_contractor_has_floor_zero"):
        run(
            "INSERT INTO payouts_account (code, kind, currency, contractor_id, floor_cents) "
            "VALUES ('x', 'contractor_payable', 'EUR', %s, %s)",
            books.person.pk,
            floor,
        )


def test_second_payable_account(books: Books) -> None:
    with refused("account_one_per_contractor_kind_and_currency"):
        run(
            "INSERT INTO payouts_account (code, kind, currency, contractor_id, floor_cents) "
            "VALUES ('x', 'contractor_payable', 'USD', %s, 0)",
            books.person.pk,
        )


@pytest.fixture
def payable(books: Books) -> Payable:
    return Payable.objects.create(
        source_key="bonus:1",
        contractor=books.person,
        project=books.project,
        kind="bonus",
        reason="Thanks",
        amount_cents=1600,
        currency="USD",
        transaction=books.earn(),
    )


@pytest.mark.parametrize(
    "change",
    [
        "amount_cents = 1",
        "contractor_id = contractor_id + 1",
        "source_key = 'again'",
        "reason = 'other'",
        "accrued_at = accrued_at + interval '1 day'",
    ],
)
def test_payable_changed(payable: Payable, change: str) -> None:
    with refused("a payable never changes"):
        run(f"UPDATE payouts_payable SET {change}")


def test_every_column_of_a_payable_but_its_state_is_guarded(payable: Payable) -> None:
    """The trigger names them one by one: a column added later has to be added there."""
    ((definition,),) = run(
        "SELECT pg_get_triggerdef(oid) FROM pg_trigger WHERE tgname = 'payable_changes_state_only'"
    )
    named = {field.column for field in Payable._meta.concrete_fields} - {"state"}
    assert {name for name in named if re.search(rf"\bnew\.{name}\b", definition, re.I)} == named


def test_payable_deleted(payable: Payable) -> None:
    with refused("append-only: DELETE refused"):
        run("DELETE FROM payouts_payable")


def test_payable_paid_without_a_payout(payable: Payable) -> None:
    with refused("does not go from accrued to paid"):
        run("UPDATE payouts_payable SET state = 'paid'")


def test_the_rules_know_what_the_database_allows() -> None:
    assert set(ACCOUNT_KINDS_BY_TRANSACTION_KIND) == set(LedgerTransaction.Kind)
    kinds = set().union(*ACCOUNT_KINDS_BY_TRANSACTION_KIND.values())
    assert kinds == set(Account.Kind)
