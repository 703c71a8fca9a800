"""Every refusal of the payouts tables: an attack that it stops, and that succeeds without it.

The list of guards (triggers, CHECKs, unique indexes) comes from the catalogue, so that a guard
added later fails here until it has its attack. What each guard says is in test_refusals.py and
beside what it guards; here each is taken away, to see that it is this one that stands there.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

import psycopg
import pytest
from django.db import DatabaseError, connection, transaction

from annotation_platform.clock import database_now
from payouts.models import PayoutAttempt, ProviderEvent
from payouts.services import (
    ask_to_follow,
    credit,
    follow_report,
    hand_out_file,
    hold_payable,
    make_statements,
    state_tax_form,
    take_report,
    write_files,
)
from tasks.services import record_decision
from tests import factories
from tests.payouts.scenes import Finance, payout_of
from tests.payouts.test_tax import W9

GUARDS = """
SELECT tgname, tgrelid::regclass::text, 'trigger', tgfoid::regproc::text FROM pg_trigger
    WHERE NOT tgisinternal AND tgrelid::regclass::text LIKE 'payouts\\_%%'
UNION ALL
SELECT conname, conrelid::regclass::text, 'constraint', '' FROM pg_constraint
    WHERE contype IN ('c', 'u', 'x') AND conrelid <> 0
        AND conrelid::regclass::text LIKE 'payouts\\_%%'
UNION ALL
SELECT indexrelid::regclass::text, indrelid::regclass::text, 'index', '' FROM pg_index
    WHERE indisunique AND NOT indisprimary AND indrelid::regclass::text LIKE 'payouts\\_%%'
        AND NOT EXISTS (SELECT FROM pg_constraint WHERE conindid = indexrelid AND contype = 'u')
UNION ALL
SELECT rulename, tablename, 'rule', '' FROM pg_rules WHERE tablename LIKE 'payouts\\_%%'
"""

# It does not refuse but corrects (test_refusals.test_the_seal_cannot_be_chosen).
CORRECTS = {"ledger_transaction_seal"}


@dataclass(frozen=True)
class Attack:
    """Statements of one transaction.

    Attributes:
        before: guards that stand before this one and are away in both halves.
        behind: guards that stop it when this one is away.
    """

    sql: tuple[str, ...]
    before: tuple[str, ...] = ()
    behind: tuple[str, ...] = ()


def run(sql: str, *parameters: Any) -> list[Any]:
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters or None)
        return cursor.fetchall() if cursor.description else []


def attack(
    *sql: str, before: str | tuple[str, ...] = (), behind: str | tuple[str, ...] = ()
) -> Attack:
    def names(given: str | tuple[str, ...]) -> tuple[str, ...]:
        return (given,) if isinstance(given, str) else given

    return Attack(sql, names(before), names(behind))


def copy(table: str, where: str = "true", **changes: Any) -> str:
    """Insert a row like another one (x) but for these columns, whose values are SQL."""
    values = {"id": "-1", **changes}
    pairs = ", ".join(f"'{column}', {value}" for column, value in values.items())
    return (
        f"INSERT INTO payouts_{table} "
        f"SELECT (jsonb_populate_record(x, jsonb_build_object({pairs}))).* "
        f"FROM payouts_{table} x WHERE {where} ORDER BY x.id DESC LIMIT 1"
    )


def moves(
    kind: str, *entries: tuple[str, int], key: str = "'attack'", reverses: str = "NULL"
) -> tuple[str, str]:
    """A ledger transaction and its entries: (which account, cents)."""
    rows = " UNION ALL ".join(
        f"SELECT t.id, a.id, a.currency, {cents} FROM payouts_account a, t WHERE {account}"
        for account, cents in entries
    )
    return (
        "INSERT INTO payouts_ledgertransaction (kind, idempotency_key, reverses_id) "
        f"SELECT '{kind}', {key}, {reverses}",
        "WITH t AS (SELECT max(id) AS id FROM payouts_ledgertransaction) "
        f"INSERT INTO payouts_entry (transaction_id, account_id, currency, amount_cents) {rows}",
    )


def account(kind: str) -> str:
    """Of the person whose payout is being sent, or the project's."""
    whose = "SELECT contractor_id FROM payouts_payout WHERE state = 'sending'"
    return f"a.kind = '{kind}'" + (
        f" AND a.contractor_id = ({whose})" if kind.startswith("contractor") else ""
    )


EXPENSE, OWED, TRANSIT = map(
    account, ("project_expense", "contractor_payable", "contractor_in_transit")
)
UNDO = moves(
    "fail",
    (TRANSIT, -1600),
    (OWED, 1600),
    reverses="(SELECT reserve_id FROM payouts_payout WHERE state = 'sending')",
)
ANOTHER_TRANSACTION = "(SELECT max(reserve_id) FROM payouts_payout)"
NEXT_PAYOUT = {
    "number": "x.number + 1",
    "our_reference": "payouts_reference((SELECT public_id FROM contractors_contractor "
    "WHERE user_id = x.contractor_id), x.currency, x.number + 1)",
    "state": "'draft'", "reserve_id": "NULL", "settle_id": "NULL", "settled_at": "NULL",
    "submitted_at": "NULL", "provider_reference": "''",
}  # fmt: skip
NEXT_STATEMENT = {
    "sequence": "x.sequence + 1", "opening_cents": "x.closing_cents", "previous_hash": "x.hash",
    "hash": "'attack'",
}  # fmt: skip
REPLACED = {"replaced_at": "now()"}


def update(table: str, change: str, where: str = "true") -> str:
    return f"UPDATE payouts_{table} SET {change} WHERE {where}"


ATTACKS: dict[str, Attack] = {
    # accounts
    "account_belongs_to_what_its_kind_says": attack(
        copy("account", "kind = 'cash'", code="'x'", project_id="(SELECT id FROM tasks_project)")
    ),
    "account_currency_is_iso_4217": attack(
        copy("account", "kind = 'cash'", code="'x'", currency="'usd'")
    ),
    "account_of_a_contractor_has_floor_zero": attack(
        copy("account", OWED.replace("a.", "x."), code="'x'", currency="'EUR'", floor_cents="NULL")
    ),
    "account_one_per_contractor_kind_and_currency": attack(
        copy("account", "kind = 'contractor_payable'", code="'x'")
    ),
    "payouts_account_code_key": attack(copy("account", "kind = 'cash'")),
    "payouts_account_append_only": attack(update("account", "floor_cents = 0")),
    # balances
    "balance_follows_entries": attack(update("balance", "balance_cents = balance_cents + 1")),
    "payouts_balance_no_delete": attack("DELETE FROM payouts_balance"),
    # entries and their transactions
    "entries_check": attack(*moves("earn", (EXPENSE, 1600), (OWED, -1600))),
    "entry_moves_something": attack(*moves("earn", (EXPENSE, 0), (OWED, 0))),
    "payouts_entry_append_only": attack(update("entry", "amount_cents = amount_cents * 2")),
    "ledger_transaction_balances": attack(moves("earn", (OWED, 1))[0]),
    "ledger_transaction_fail_and_return_reverse": attack(
        *moves("fail", (TRANSIT, -1600), (OWED, 1600))
    ),
    "ledger_transaction_kind_is_known": attack(*moves("gift", (EXPENSE, -1), (OWED, 1))),
    "payouts_ledgertransaction_append_only": attack(update("ledgertransaction", "kind = 'earn'")),
    "payouts_ledgertransaction_idempotency_key_key": attack(
        *moves(
            "earn",
            (EXPENSE, -1600),
            (OWED, 1600),
            key="(SELECT min(idempotency_key) FROM payouts_ledgertransaction)",
        )
    ),
    "payouts_ledgertransaction_reverses_id_key": attack(
        *UNDO, *(sql.replace("'attack'", "'again'") for sql in UNDO), behind="entries_check"
    ),
    # what was earned
    "payable_bonus_has_a_reason": attack(
        copy(
            "payable",
            "kind = 'bonus'",
            source_key="'x'",
            transaction_id=ANOTHER_TRANSACTION,
            reason="''",
        )
    ),
    "payable_for_work_names_assignment_and_price": attack(
        copy(
            "payable",
            "kind = 'bonus'",
            source_key="'x'",
            transaction_id=ANOTHER_TRANSACTION,
            kind="'accepted'",
        )
    ),
    "payable_kind_is_known": attack(
        copy(
            "payable",
            "kind = 'accepted'",
            source_key="'x'",
            transaction_id=ANOTHER_TRANSACTION,
            kind="'gift'",
        )
    ),
    "payable_pays": attack(
        copy("payable", source_key="'x'", transaction_id=ANOTHER_TRANSACTION, amount_cents="0")
    ),
    "payable_state_is_known": attack(
        copy("payable", source_key="'x'", transaction_id=ANOTHER_TRANSACTION, state="'lost'")
    ),
    "payouts_payable_source_key_key": attack(copy("payable", transaction_id=ANOTHER_TRANSACTION)),
    "payouts_payable_transaction_id_key": attack(copy("payable", source_key="'x'")),
    "payable_changes_state_only": attack(update("payable", "amount_cents = 1")),
    "payouts_payable_no_delete": attack("DELETE FROM payouts_payable WHERE kind = 'accepted'"),
    # holds
    "hold_ends_after_it_starts": attack(update("hold", "ends_at = placed_at")),
    "hold_has_a_reason": attack(update("hold", "reason = ''")),
    "hold_lasts_seven_days_at_most": attack(
        update("hold", "ends_at = placed_at + interval '7 days 1 second'")
    ),
    "hold_lifted_by_somebody_is_lifted": attack(update("hold", "lifted_by_id = placed_by_id")),
    "hold_names_its_case": attack(update("hold", "\"case\" = ''")),
    "hold_one_per_payable": attack(copy("hold")),
    # runs
    "payout_run_approved_by_another_person": attack(
        update("payoutrun", "approved_by_id = prepared_by_id", "state = 'approved'")
    ),
    "payout_run_approved_has_approver": attack(
        update("payoutrun", "state = 'approved'", "state = 'locked'")
    ),
    "payout_run_state_is_known": attack(update("payoutrun", "state = 'sent'", "state = 'draft'")),
    "payouts_payoutrun_payout_count_check": attack(update("payoutrun", "payout_count = -1")),
    # payouts
    "payout_found_is_whole": attack(update("payout", "found_cents = NULL, found_rail = 'file'")),
    "payout_left_draft_is_reserved": attack(
        update("payout", "state = 'locked'", "state = 'draft'")
    ),
    "payout_pays": attack(update("payout", "amount_cents = 0", "state = 'draft'")),
    "payout_settled_has_settlement": attack(
        update("payout", "state = 'settled'", "state = 'submitted'")
    ),
    "payout_state_is_known": attack(
        update("payout", "state = 'lost'", "state = 'locked'"), before="payout_guard"
    ),
    "payouts_payout_number_check": attack(
        update("payout", "number = -1", "state = 'draft'"), before="payout_number_guard"
    ),
    "payout_one_open_per_contractor_and_currency": attack(
        copy("payout", "x.state = 'sending'", **NEXT_PAYOUT)
    ),
    "payout_one_per_number": attack(
        copy("payout", "x.state = 'settled'", **NEXT_PAYOUT | {"number": "x.number"}),
        before="payout_number",
    ),
    "payout_one_per_reference": attack(
        copy("payout", "x.state = 'settled'", **NEXT_PAYOUT | {"our_reference": "x.our_reference"}),
        before="payout_number",
    ),
    "payout_one_per_provider_reference": attack(
        update("payout", "provider_reference = 'tr_1'", "rail = 'file'")
    ),
    "payouts_payout_reserve_id_key": attack(
        update("payout", f"reserve_id = {ANOTHER_TRANSACTION}", "state = 'draft'")
    ),
    "payouts_payout_settle_id_key": attack(
        update(
            "payout",
            "state = 'settled', settled_at = now(), "
            "settle_id = (SELECT max(settle_id) FROM payouts_payout)",
            "state = 'submitted'",
        )
    ),
    "payout_guard": attack(update("payout", "amount_cents = 1", "state = 'locked'")),
    "payout_number": attack(
        copy("payout", "x.state = 'settled'", **NEXT_PAYOUT | {"number": "x.number + 2"})
    ),
    "payout_number_guard": attack(update("payout", "number = number + 1", "state = 'draft'")),
    "payouts_payout_no_delete": attack(
        "DELETE FROM payouts_payoutitem i USING payouts_payout p "
        "WHERE p.id = i.payout_id AND p.state = 'draft'",
        "DELETE FROM payouts_payout WHERE state = 'draft'",
    ),
    "payout_item_one_live_per_payable": attack(
        copy("payoutitem", payout_id="(SELECT id FROM payouts_payout WHERE state = 'sending')")
    ),
    "payout_attempt_one_per_number": attack(
        copy("payoutattempt", idempotency_key="'x'", outcome="'refused'")
    ),
    "payout_attempt_one_that_may_have_paid": attack(
        copy("payoutattempt", idempotency_key="'x'", number="2")
    ),
    "payouts_payoutattempt_idempotency_key_key": attack(
        copy("payoutattempt", number="2", outcome="'refused'")
    ),
    "payouts_payoutattempt_number_check": attack(
        copy("payoutattempt", idempotency_key="'x'", number="-1", outcome="'refused'")
    ),
    "payout_attempt_guard": attack(update("payoutattempt", "request = 'x'")),
    "payouts_payoutattempt_no_delete": attack("DELETE FROM payouts_payoutattempt"),
    "payout_file_one_per_run_and_rail": attack(copy("payoutfile")),
    "payouts_payoutfile_payout_count_check": attack(
        copy("payoutfile", rail="'nacha'", payout_count="-1")
    ),
    "payouts_payoutfile_append_only": attack(update("payoutfile", "content = 'x'")),
    "payout_method_one_current_per_contractor": attack(copy("payoutmethod")),
    "payout_method_rail_is_known": attack(copy("payoutmethod", rail="'cash'", retired_at="now()")),
    "payouts_payoutwitness_append_only": attack("DELETE FROM payouts_payoutwitness"),
    "payouts_payoutwitness_name_key": attack(copy("payoutwitness")),
    "provider_event_one_per_id": attack(copy("providerevent")),
    # reports
    "bank_report_follow_asked_by_somebody": attack(
        update("bankreport", "follow_asked_at = now()", "follow_asked_at IS NULL")
    ),
    "bank_report_lines_done_are_asked_for": attack(
        update("bankreport", "lines_done = 1", "follow_asked_at IS NULL")
    ),
    "bank_report_followed_to_its_end": attack(
        update("bankreport", "followed_at = now()", "follow_asked_at IS NULL")
    ),
    "bank_report_once_per_run": attack(copy("bankreport")),
    "payouts_bankreport_row_count_check": attack(copy("bankreport", sha256="'x'", row_count="-1")),
    "payouts_bankreport_lines_done_check": attack(
        copy(
            "bankreport",
            "x.followed_at IS NOT NULL",
            sha256="'x'",
            lines_done="-1",
            followed_at="NULL",
        )
    ),
    "bank_report_guard": attack(update("bankreport", "content = 'x'", "followed_at IS NULL")),
    "bank_report_progress_guard": attack(
        update("bankreport", "outcome = '{}'", "followed_at IS NOT NULL")
    ),
    "payouts_bankreport_no_delete": attack("DELETE FROM payouts_bankreport"),
    # statements
    "statement_follows": attack(
        copy("statement", **NEXT_STATEMENT | {"opening_cents": "x.closing_cents + 1"})
    ),
    "statement_first_opens_at_zero": attack(
        copy(
            "statement",
            "x.sequence = 1",
            contractor_id="(SELECT max(user_id) FROM contractors_contractor)",
            opening_cents="5",
            hash="'attack'",
        ),
        before="statement_follows",
    ),
    "statement_follows_another": attack(
        copy("statement", **NEXT_STATEMENT | {"hash": "x.hash"}),
        behind="payouts_statement_hash_key",
    ),
    "statement_says_something": attack(copy("statement", **NEXT_STATEMENT | {"line_count": "0"})),
    "payouts_statement_line_count_check": attack(
        copy("statement", **NEXT_STATEMENT | {"line_count": "-1"}),
        behind="statement_says_something",
    ),
    "payouts_statement_sequence_check": attack(
        copy("statement", **NEXT_STATEMENT | {"sequence": "-1"}),
        before="statement_follows",
        behind="statement_first_opens_at_zero",
    ),
    "payouts_statement_hash_key": attack(
        copy("statement", "x.sequence = 2", **NEXT_STATEMENT | {"hash": "x.previous_hash"})
    ),
    "statement_one_per_contractor_currency_and_sequence": attack(
        copy("statement", "x.sequence = 2", hash="'attack'"), before="statement_follows"
    ),
    "payouts_statement_append_only": attack(update("statement", "closing_cents = 0")),
    "payouts_statemententry_append_only": attack("DELETE FROM payouts_statemententry"),
    "payouts_statemententry_entry_id_key": attack(copy("statemententry")),
    # tax
    "tax_form_expires_after_it_was_signed": attack(
        copy(
            "taxform",
            kind="'w8ben'",
            country="'CA'",
            tin_kind="'foreign'",
            expires_on="x.signed_on",
            **REPLACED,
        )
    ),
    "tax_form_is_signed": attack(copy("taxform", signature="''", **REPLACED)),
    "tax_form_number_and_its_end_go_together": attack(copy("taxform", tin_last4="''", **REPLACED)),
    "tax_form_one_current_per_contractor": attack(copy("taxform")),
    "tax_form_says_what_its_kind_asks": attack(copy("taxform", country="'CA'", **REPLACED)),
    "tax_form_guard": attack(update("taxform", "name = 'x'")),
    "payouts_taxform_no_delete": attack("DELETE FROM payouts_taxform"),
}


def truncation(guard: str) -> Attack:
    """Whatever is truncated with it stops it too."""
    return attack(
        "SET LOCAL platform.allow_truncate = 'off'",
        f"TRUNCATE {guard.removesuffix('_no_truncate')} CASCADE",
    )


TRUNCATED = (
    "account", "balance", "bankreport", "entry", "ledgertransaction", "payable", "payoutfile",
    "payoutwitness", "statement", "statemententry", "taxform",
)  # fmt: skip
ATTACKS |= {
    guard: truncation(guard) for guard in (f"payouts_{table}_no_truncate" for table in TRUNCATED)
}


# --- the scene -----------------------------------------------------------------------------------


def rows_in_every_table() -> None:
    finance = Finance()
    settled = finance.payee(1600, 200)
    paid = finance.approved()
    for file in write_files(run=paid):
        hand_out_file(file)
    line = f"reference,amount,currency,status\n{payout_of(settled).our_reference},18.00,USD,"
    report = take_report(
        actor=finance.preparer, run=paid, name="r.csv", content=f"{line}paid\n".encode()
    )
    ask_to_follow(actor=finance.preparer, report=report)
    assert not follow_report(report.pk)
    take_report(
        actor=finance.preparer, run=paid, name="r2.csv", content=f"{line}returned\n".encode()
    )
    make_statements(period_end=datetime(2100, 1, 1, tzinfo=UTC))
    finance.earn(settled, 50)
    make_statements(period_end=datetime(2100, 1, 1, tzinfo=UTC))
    state_tax_form(contractor=settled, **W9)

    finance.payee(1600)
    write_files(run=finance.approved())  # submitted
    sent = finance.payee(1600, rail="stripe", account="acct_0001test")
    finance.approved()
    payout = payout_of(sent)
    payout.state = payout.State.SENDING
    payout.save(update_fields=["state"])
    PayoutAttempt.objects.create(
        payout=payout,
        number=1,
        idempotency_key=f"{payout.our_reference}-1",
        request=b"amount=1600",
        request_sha256="0" * 64,
        first_sent_at=database_now(),
    )
    ProviderEvent.objects.create(provider="stripe", event_id="evt_1", kind="transfer.created")
    finance.payee(1600)
    finance.locked()
    finance.payee(1600)
    finance.prepared()

    held = finance.earn(finance.payee(), 700)
    hold_payable(
        actor=finance.preparer,
        payable=held,
        case="C-1",
        reason="Case",
        ends_at=database_now() + timedelta(days=2),
    )
    factories.open_tasks(finance.project)
    work = factories.submitted(factories.claimed(finance.project))
    credit(submission=record_decision(submission=work, outcome="accepted", actor=None))
    run("SET CONSTRAINTS ALL IMMEDIATE")
    run("SET CONSTRAINTS ALL DEFERRED")


@cache
def guards() -> dict[str, tuple[str, str, str]]:
    """Name → (table, what it is, its function)."""
    return {name: (table, kind, function) for name, table, kind, function in run(GUARDS)}


def take_away(guard: str) -> None:
    table, kind, _ = guards()[guard]
    if kind == "trigger":
        run(f"ALTER TABLE {table} DISABLE TRIGGER {guard}")
    elif kind == "index":
        run(f"DROP INDEX {guard}")
    else:
        run(f"ALTER TABLE {table} DROP CONSTRAINT {guard}")


def stopped_by(sql: tuple[str, ...]) -> set[str]:
    """Who refuses these statements (or all who share the function that does); nobody: empty."""
    before = transaction.savepoint()
    try:
        for statement in sql:
            run(statement)
        run("SET CONSTRAINTS ALL IMMEDIATE")
    except DatabaseError as error:
        cause = error.__cause__
        assert isinstance(cause, psycopg.Error)
        if cause.diag.constraint_name:
            return {cause.diag.constraint_name}
        called = re.search(r"function (\w+)\(\)", cause.diag.context or "")
        if called is None:
            raise
        (table,) = re.findall(r"^(payouts_\w+) is append-only", str(cause)) or ("",)
        return {
            name
            for name, (of, _, function) in guards().items()
            if function == called[1] and table in ("", of)
        }
    finally:
        transaction.savepoint_rollback(before)
    return set()


# --- the tests -----------------------------------------------------------------------------------


def what_stands_there_instead(guard: str) -> str:
    """Empty when the attack is refused by this guard, and by nobody when it is away."""
    chosen = ATTACKS[guard]
    for other in chosen.before:
        take_away(other)
    if guard not in (found := stopped_by(chosen.sql)):
        return f"stopped by {found or 'nobody'}"
    take_away(guard)
    for other in chosen.behind:
        if other not in (found := stopped_by(chosen.sql)):
            return f"without it stopped by {found or 'nobody'} and not by {other}"
        take_away(other)
    if guard.endswith("_no_truncate"):  # what is truncated with it has guards of its own
        for other in ATTACKS.keys() - {guard}:
            if other.endswith("_no_truncate"):
                take_away(other)
    found = stopped_by(chosen.sql)
    return f"without it stopped by {found}" if found else ""


@pytest.mark.django_db
def test_each_guard_has_its_attack() -> None:
    assert set(guards()) - CORRECTS == set(ATTACKS)


@pytest.mark.django_db
def test_without_its_guard_each_attack_goes_through() -> None:
    rows_in_every_table()
    wrong = {}
    for guard in ATTACKS:
        before = transaction.savepoint()
        if instead := what_stands_there_instead(guard):
            wrong[guard] = instead
        transaction.savepoint_rollback(before)
    assert wrong == {}
