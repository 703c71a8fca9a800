"""Making statements of account out of ledger entries, each entry on exactly one."""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db import transaction

from annotation_platform.clock import database_now
from events.services import record
from payouts.models import Account, Balance, Entry, Payable, Payout, Statement, StatementEntry
from payouts.queries import sentence

# The digests are those of verify_statement.py, which stands alone on purpose; a test compares.
START = "0" * 64


def canonical(value: Any) -> bytes:
    """The one way in which statements are written: digests are taken over these bytes."""
    return json.dumps(
        value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
    ).encode()


def last_monday(moment: datetime) -> datetime:
    """The start (UTC) of the week that `moment` is in: where the last whole week ended."""
    day = moment.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    return day - timedelta(days=day.weekday())


def make_statements(*, period_end: datetime | None = None) -> int:
    """State every account that has something to state; returns how many statements were made.

    Arguments:
        period_end: exclusive; default: the end of the last whole week, Monday 00:00 UTC.

    One transaction per account, so a crash loses nothing and repeats nothing.
    """
    end = period_end or last_monday(database_now())
    waiting = (
        Entry.objects.filter(
            account__kind=Account.Kind.CONTRACTOR_PAYABLE,
            statement_entry__isnull=True,
            transaction__occurred_at__lt=end,
        )
        .values_list("account_id", flat=True)
        .distinct()
        .order_by()
    )
    made = [make_statement(account_id=pk, period_end=end) for pk in list(waiting)]
    return sum(statement is not None for statement in made)


@transaction.atomic
def make_statement(*, account_id: int, period_end: datetime) -> Statement | None:
    """State one contractor's account: all entries before `period_end` not stated yet.

    Quiet weeks make no statement: returns None.
    """
    # The balance's row serialises this with postings to the account and with itself.
    Balance.objects.select_for_update().get(account_id=account_id)
    account = Account.objects.get(pk=account_id)
    assert account.contractor_id is not None
    entries = list(
        Entry.objects.filter(
            account_id=account_id,
            statement_entry__isnull=True,
            transaction__occurred_at__lt=period_end,
        )
        .select_related("transaction")
        .order_by("transaction__occurred_at", "pk")
    )
    if not entries:
        return None
    last = (
        Statement.objects.filter(contractor_id=account.contractor_id, currency=account.currency)
        .order_by("-sequence")
        .first()
    )
    opening = last.closing_cents if last else 0
    lines = _lines(entries, opening)
    header = {
        "contractor": account.contractor_id,
        "currency": account.currency,
        "sequence": last.sequence + 1 if last else 1,
        "period_end": period_end.astimezone(UTC).isoformat(),
        "opening_cents": opening,
        "closing_cents": lines[-1]["balance_cents"],
        "line_count": len(lines),
        "lines_sha256": lines[-1]["sha256"],
        "previous_hash": last.hash if last else "",
    }
    header["hash"] = hashlib.sha256(canonical(header)).hexdigest()
    columns = {key: header[key] for key in header if key not in ("contractor", "period_end")}
    statement = Statement.objects.create(
        contractor_id=account.contractor_id,
        period_end=period_end,
        document=canonical({"statement": header, "lines": lines}).decode(),
        **columns,
    )
    StatementEntry.objects.bulk_create(
        [StatementEntry(statement=statement, entry=entry) for entry in entries], batch_size=2000
    )
    record(
        "statement.made",
        actor=None,
        subject=statement,
        data={"contractor_id": account.contractor_id, "hash": statement.hash},
    )
    return statement


def _lines(entries: list[Entry], opening_cents: int) -> list[dict[str, Any]]:
    ids = [entry.transaction_id for entry in entries]
    payables = {
        payable.transaction_id: payable
        for payable in Payable.objects.filter(transaction__in=ids)
        .select_related("project", "price_version", "submission", "assignment__task__video")
        .defer("assignment__task__video__frame_times")
    }
    reserved = {t.transaction.reverses_id or t.transaction_id for t in entries}
    payouts = {p.reserve_id: p for p in Payout.objects.filter(reserve__in=reserved)}
    lines: list[dict[str, Any]] = []
    balance, previous = opening_cents, START
    for number, entry in enumerate(entries, start=1):
        balance += entry.amount_cents
        posted = entry.transaction
        line: dict[str, Any] = {
            "number": number,
            "at": posted.occurred_at.astimezone(UTC).isoformat(),
            "kind": posted.kind,
            "amount_cents": entry.amount_cents,
            "balance_cents": balance,
            "transaction": posted.pk,
        }
        payable = payables.get(posted.pk)
        payout = payouts.get(posted.reverses_id or posted.pk)
        if payable is not None:
            line |= _why(payable)
        elif payout is not None:
            words = "Payout" if posted.kind == "reserve" else "Payout that came to nothing"
            line |= {"payout": payout.our_reference, "text": f"{words} {payout.our_reference}"}
        previous = hashlib.sha256(previous.encode() + canonical(line)).hexdigest()
        lines.append(line | {"sha256": previous})
    return lines


def _why(payable: Payable) -> dict[str, Any]:
    """What leads from a line to the work, the decision about it, and the price pinned for it.

    The review is found by its submission and the instant of its decision.
    """
    assignment, price = payable.assignment, payable.price_version
    decided_at = payable.submission.decided_at if payable.submission else None
    return {
        "payable": payable.pk,
        "project": payable.project.name,
        "assignment": payable.assignment_id,
        "submission": payable.submission_id,
        "decision": payable.kind,
        "decided_at": decided_at.astimezone(UTC).isoformat() if decided_at else None,
        "task": assignment.task_id if assignment else None,
        "video": assignment.task.video.title if assignment else None,
        "price_version": price.number if price else None,
        "price_cents": assignment.price_cents if assignment else None,
        "text": sentence(payable),
    }
