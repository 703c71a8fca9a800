"""Payout runs: prepare → lock → approve by another person. Set-based: one pass over the rows,
whatever their number, with none of them in Python."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.db import connection, transaction

from annotation_platform.clock import database_now
from contractors.models import User
from events.services import record
from payouts.models import Payout, PayoutRun
from payouts.problems import NothingToPay, SamePersonApproves, TotalsDiffer, WrongRunState
from payouts.rails.registry import API_RAILS
from payouts.rules import MINIMUM_PAYOUT_CENTS
from payouts.services.witnesses import testify

# Runs are prepared one after the other; the constraints on open payouts are the last line.
_PREPARING = 7_305_001


def _run(sql: str, params: dict[str, Any]) -> int:
    with connection.cursor() as cursor:
        cursor.execute(sql, params)
        return int(cursor.rowcount)


@transaction.atomic
def prepare_run(
    *, actor: User, currency: str = "USD", cut_off_at: datetime | None = None
) -> PayoutRun:
    """Put what accrued until the cut-off into one payout per contractor; nothing is sent yet.

    Left out, for the next run: held payables, contractors without a payout method that is
    usable now, with a payout that is still open, or with less than the minimum. Region policy
    is never asked.

    Raises `NothingToPay`.
    """
    _run("SELECT pg_advisory_xact_lock(%(lock)s)", {"lock": _PREPARING})
    now = database_now()
    run = PayoutRun.objects.create(
        currency=currency, cut_off_at=min(cut_off_at or now, now), prepared_by=actor
    )
    params = {
        "run": run.pk,
        "currency": currency,
        "cut_off": run.cut_off_at,
        "now": now,
        "minimum": MINIMUM_PAYOUT_CENTS,
    }
    _run(
        """
        INSERT INTO payouts_payout (run_id, contractor_id, method_id, rail, currency,
                amount_cents, number, our_reference, state, provider_reference, problem,
                needs_person, found_rail, found_reference)
        SELECT %(run)s::bigint, s.contractor_id, s.method_id, s.rail, s.currency, s.total,
               s.number, payouts_reference(c.public_id, s.currency, s.number),
               'draft', '', '', false, '', ''
        FROM (
        SELECT p.contractor_id, m.id AS method_id, m.rail, p.currency,
               sum(p.amount_cents) AS total,
               payouts_next_number(p.contractor_id, p.currency) AS number
        FROM payouts_payable p
        JOIN payouts_payoutmethod m ON m.contractor_id = p.contractor_id
            AND m.retired_at IS NULL AND m.usable_from <= %(now)s
        WHERE p.state = 'accrued' AND p.currency = %(currency)s AND p.accrued_at <= %(cut_off)s
            AND NOT EXISTS (
                SELECT FROM payouts_payout o
                WHERE o.contractor_id = p.contractor_id AND o.currency = p.currency
                AND o.state IN ('draft', 'locked', 'approved', 'sending', 'unknown', 'submitted')
            )
        GROUP BY p.contractor_id, m.id, m.rail, p.currency
        HAVING sum(p.amount_cents) >= %(minimum)s
        ) s JOIN contractors_contractor c ON c.user_id = s.contractor_id
        """,
        params,
    )
    # The rows are locked here, so that a hold placed at this moment comes before or after.
    _run(
        """
        WITH batched AS (
            UPDATE payouts_payable p SET state = 'batched'
            FROM payouts_payout o
            WHERE o.run_id = %(run)s AND o.contractor_id = p.contractor_id
                AND p.state = 'accrued' AND p.currency = %(currency)s
                AND p.accrued_at <= %(cut_off)s
            RETURNING p.id, o.id AS payout_id
        )
        INSERT INTO payouts_payoutitem (payout_id, payable_id, released)
        SELECT payout_id, id, false FROM batched
        """,
        params,
    )
    _run(
        """
        UPDATE payouts_payout o SET amount_cents = s.total
        FROM (SELECT i.payout_id, sum(p.amount_cents) AS total
              FROM payouts_payoutitem i JOIN payouts_payable p ON p.id = i.payable_id
              JOIN payouts_payout x ON x.id = i.payout_id AND x.run_id = %(run)s
              GROUP BY i.payout_id) s
        WHERE s.payout_id = o.id AND o.amount_cents <> s.total
        """,
        params,
    )
    _count(run)
    if run.payout_count == 0:
        raise NothingToPay("Nothing has accrued for anybody who can be paid.")
    record("payout_run.prepared", actor=actor, subject=run, data=_totals(run))
    return run


@transaction.atomic
def lock_run(*, actor: User, run: PayoutRun) -> PayoutRun:
    """draft → locked: freeze the amounts and reserve them in the ledger (payable → in transit).

    The database refuses a payout whose amount is not the sum of its items, and a reservation
    beyond what is owed.
    """
    locked = _locked(run, PayoutRun.State.DRAFT)
    params = {"run": locked.pk}
    _run(
        """
        INSERT INTO payouts_account (code, kind, currency, contractor_id, floor_cents)
        SELECT 'contractor:' || contractor_id || ':in_transit:' || currency,
               'contractor_in_transit', currency, contractor_id, 0
        FROM payouts_payout WHERE run_id = %(run)s ORDER BY contractor_id
        ON CONFLICT (code) DO NOTHING
        """,
        params,
    )
    _run(
        """
        WITH reserved AS (
            INSERT INTO payouts_ledgertransaction (kind, idempotency_key)
            SELECT 'reserve', 'payout:' || id || ':reserve' FROM payouts_payout
            WHERE run_id = %(run)s ORDER BY contractor_id
            RETURNING id, idempotency_key
        ), linked AS (
            UPDATE payouts_payout p SET reserve_id = r.id, state = 'locked'
            FROM reserved r
            WHERE r.idempotency_key = 'payout:' || p.id || ':reserve' AND p.run_id = %(run)s
            RETURNING p.*
        )
        INSERT INTO payouts_entry (transaction_id, account_id, currency, amount_cents)
        SELECT l.reserve_id, a.id, l.currency,
               CASE a.kind WHEN 'contractor_payable' THEN -l.amount_cents ELSE l.amount_cents END
        FROM linked l
        JOIN payouts_account a ON a.contractor_id = l.contractor_id AND a.currency = l.currency
            AND a.kind IN ('contractor_payable', 'contractor_in_transit')
        ORDER BY l.contractor_id
        """,
        params,
    )
    locked.state = PayoutRun.State.LOCKED
    locked.locked_at = database_now()
    _count(locked)
    locked.save(update_fields=["state", "locked_at"])
    record("payout_run.locked", actor=actor, subject=locked, data=_totals(locked))
    return locked


@transaction.atomic
def approve_run(*, actor: User, run: PayoutRun, payout_count: int, total_cents: int) -> PayoutRun:
    """locked → approved, by somebody other than the preparer, who states the totals expected.

    Raises `SamePersonApproves`; `TotalsDiffer` when the stated totals, the payouts, their items
    or the ledger's reservations say different things, with all four; `WitnessesUnreachable`.
    """
    locked = _locked(run, PayoutRun.State.LOCKED)
    if actor.pk == locked.prepared_by_id:
        raise SamePersonApproves(f"{actor} prepared it.")
    totals = run_totals(locked)
    stated = {"count": payout_count, "cents": total_cents}
    if any(total != stated for total in totals.values()):
        raise TotalsDiffer("Somebody has to look at the run.", totals={"stated": stated, **totals})
    locked.state = PayoutRun.State.APPROVED
    locked.approved_by = actor
    locked.approved_at = database_now()
    locked.save(update_fields=["state", "approved_by", "approved_at"])
    Payout.objects.filter(run=locked).update(state=Payout.State.APPROVED)
    for rail in API_RAILS:  # a bank file testifies when it is handed out
        payouts = Payout.objects.filter(run=locked, rail=rail)
        if payments := dict(payouts.values_list("our_reference", "amount_cents")):
            testify(run=locked, rail=rail, payments=payments)
    record("payout_run.approved", actor=actor, subject=locked, data=_totals(locked))
    return locked


@transaction.atomic
def cancel_run(*, actor: User, run: PayoutRun, reason: str) -> PayoutRun:
    """draft | locked → cancelled: reservations are reversed, the payables wait for the next run."""
    locked = _locked(run, PayoutRun.State.DRAFT, PayoutRun.State.LOCKED)
    params = {"run": locked.pk}
    _run(
        """
        WITH undone AS (
            INSERT INTO payouts_ledgertransaction (kind, idempotency_key, reverses_id)
            SELECT 'fail', 'payout:' || id || ':cancel', reserve_id FROM payouts_payout
            WHERE run_id = %(run)s AND reserve_id IS NOT NULL ORDER BY contractor_id
            RETURNING id, reverses_id
        )
        INSERT INTO payouts_entry (transaction_id, account_id, currency, amount_cents)
        SELECT u.id, e.account_id, e.currency, -e.amount_cents
        FROM undone u JOIN payouts_entry e ON e.transaction_id = u.reverses_id
        ORDER BY e.amount_cents
        """,
        params,
    )
    _run(
        """
        WITH released AS (
            UPDATE payouts_payoutitem i SET released = true FROM payouts_payout p
            WHERE p.run_id = %(run)s AND i.payout_id = p.id AND NOT i.released
            RETURNING i.payable_id
        )
        UPDATE payouts_payable SET state = 'accrued'
        WHERE id IN (SELECT payable_id FROM released)
        """,
        params,
    )
    Payout.objects.filter(run=locked).update(state=Payout.State.CANCELLED, problem=reason[:500])
    locked.state = PayoutRun.State.CANCELLED
    locked.save(update_fields=["state"])
    record("payout_run.cancelled", actor=actor, subject=locked, data={"reason": reason})
    return locked


def run_totals(run: PayoutRun) -> dict[str, dict[str, int]]:
    """Count and cents of a run as its payouts, their items and the ledger have them."""
    sql = {
        "payouts": "SELECT count(*), coalesce(sum(amount_cents), 0) FROM payouts_payout p "
        "WHERE p.run_id = %s",
        "items": "SELECT count(DISTINCT p.id), coalesce(sum(y.amount_cents), 0) "
        "FROM payouts_payout p JOIN payouts_payoutitem i ON i.payout_id = p.id AND NOT i.released "
        "JOIN payouts_payable y ON y.id = i.payable_id WHERE p.run_id = %s",
        "ledger": "SELECT count(*), coalesce(sum(e.amount_cents), 0) FROM payouts_payout p "
        "JOIN payouts_entry e ON e.transaction_id = p.reserve_id AND e.amount_cents > 0 "
        "WHERE p.run_id = %s",
    }
    totals = {}
    with connection.cursor() as cursor:
        for name, statement in sql.items():
            cursor.execute(statement, [run.pk])
            count, cents = cursor.fetchone()
            totals[name] = {"count": int(count), "cents": int(cents)}
    return totals


def _locked(run: PayoutRun, *states: PayoutRun.State) -> PayoutRun:
    locked = PayoutRun.objects.select_for_update(no_key=True).get(pk=run.pk)
    if locked.state not in states:
        raise WrongRunState(f"Run {locked.pk} is {locked.state}.")
    return locked


def _count(run: PayoutRun) -> None:
    totals = run_totals(run)["payouts"]
    run.payout_count, run.total_cents = totals["count"], totals["cents"]
    run.save(update_fields=["payout_count", "total_cents"])


def _totals(run: PayoutRun) -> dict[str, Any]:
    return {
        "payouts": run.payout_count,
        "total_cents": run.total_cents,
        "currency": run.currency,
    }
