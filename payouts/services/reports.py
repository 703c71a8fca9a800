"""A bank's report, looked at before it is followed: matched, missing, unexpected, and different.

Nothing moves until a person has seen the comparison and says so (services/following.py).
"""

from __future__ import annotations

import csv
import hashlib
import io
from dataclasses import dataclass, field

from django.db import IntegrityError, transaction

from contractors.models import User
from events.services import record
from payouts.models import BankReport, Payout, PayoutRun
from payouts.problems import UnreadableReport, WrongPayoutState
from payouts.rails import Status
from payouts.rails.registry import FILE_RAILS
from payouts.rules import money
from payouts.services.outcomes import fail_payout, lock_payout, return_payout, settle_payout

State = Payout.State

# What a line makes of a payout, by where the payout is; what is not here is a difference.
_BECOMES = {
    (State.SUBMITTED, Status.PAID): State.SETTLED,
    (State.SUBMITTED, Status.FAILED): State.FAILED,
    (State.SUBMITTED, Status.RETURNED): State.RETURNED,
    (State.SETTLED, Status.RETURNED): State.RETURNED,
    (State.SETTLED, Status.PAID): State.SETTLED,
    (State.FAILED, Status.FAILED): State.FAILED,
    (State.RETURNED, Status.RETURNED): State.RETURNED,
}


@dataclass(frozen=True)
class ReportLine:
    """One line of a report beside our payout, or a payout that no line is about (line 0)."""

    line: int
    reference: str
    amount_cents: int
    currency: str
    status: str
    text: str = ""
    payout: int | None = None


@dataclass
class Comparison:
    """A report beside our books.

    Attributes:
        matched: following the report moves these.
        unchanged: they are where the report says.
        different: another amount, currency or state than ours, or there twice.
        unexpected: not in this run.
        missing: payouts that the bank has and the report leaves out.
    """

    matched: list[ReportLine] = field(default_factory=list)
    unchanged: list[ReportLine] = field(default_factory=list)
    different: list[ReportLine] = field(default_factory=list)
    unexpected: list[ReportLine] = field(default_factory=list)
    missing: list[ReportLine] = field(default_factory=list)


def take_report(*, actor: User, run: PayoutRun, name: str, content: bytes) -> BankReport:
    """Keep a report about a run, as it came; nothing is followed yet.

    The same bytes again are the same report. Raises `UnreadableReport`.
    """
    rows = read_report(content)
    if not rows:
        raise UnreadableReport("There is no line in it.")
    digest = hashlib.sha256(content).hexdigest()
    try:
        with transaction.atomic():
            report = BankReport.objects.create(
                run=run,
                name=name[:200],
                content=content.decode("utf-8-sig"),
                sha256=digest,
                row_count=len(rows),
                uploaded_by=actor,
            )
            record(
                "bank_report.taken",
                actor=actor,
                subject=run,
                data={"report": report.pk, "sha256": digest, "rows": len(rows)},
            )
    except IntegrityError:
        return BankReport.objects.get(run=run, sha256=digest)
    return report


def compare_report(report: BankReport) -> Comparison:
    """The report beside our books, as they are now. One query; changes nothing."""
    ours = {p.our_reference: p for p in Payout.objects.filter(run=report.run_id).order_by("pk")}
    found = Comparison()
    seen: set[str] = set()
    lines = read_report(report.content.encode())
    for number, (reference, cents, currency, status) in enumerate(lines, start=2):
        payout = ours.get(reference)
        said = ReportLine(number, reference, cents, currency, status.value)
        if payout is None:
            found.unexpected.append(said)
            continue
        becomes = _BECOMES.get((State(payout.state), status))
        if reference in seen:
            found.different.append(_with(said, payout, "It is there twice."))
        elif (cents, currency) != (payout.amount_cents, payout.currency):
            amount = money(payout.amount_cents, payout.currency)
            found.different.append(_with(said, payout, f"Ours is {amount}."))
        elif becomes is None:
            found.different.append(_with(said, payout, f"Ours is {payout.state}."))
        elif becomes == payout.state:
            found.unchanged.append(_with(said, payout, f"It is {payout.state}."))
        else:
            found.matched.append(_with(said, payout, f"{payout.state} becomes {becomes.value}."))
        seen.add(reference)
    found.missing = [
        ReportLine(0, p.our_reference, p.amount_cents, p.currency, p.state, payout=p.pk)
        for p in ours.values()
        if p.state == State.SUBMITTED and p.rail in FILE_RAILS and p.our_reference not in seen
    ]
    return found


def read_report(content: bytes) -> list[tuple[str, int, str, Status]]:
    """(our reference, cents, currency, status) of each line. Raises `UnreadableReport`."""
    try:
        rows = list(csv.DictReader(io.StringIO(content.decode("utf-8-sig"), newline="")))
        return [
            (row["reference"], _cents(row["amount"]), row["currency"], Status(row["status"]))
            for row in rows
        ]
    except (UnicodeDecodeError, KeyError, ValueError, TypeError, csv.Error) as error:
        raise UnreadableReport(
            f"Columns reference, amount (16.00), currency, status (paid, failed, returned): {error}"
        ) from error


def _cents(text: str) -> int:
    units, dot, cents = text.partition(".")
    if not (units.isdigit() and (not dot or (len(cents) == 2 and cents.isdigit()))):
        raise ValueError(f"{text!r} is not an amount with two decimals")
    return int(units) * 100 + int(cents or 0)


@transaction.atomic
def decide_file_payout(*, actor: User, payout_id: int, outcome: str, note: str) -> Payout:
    """What a person found out about a payout in a bank file that no report tells of.

    Arguments:
        outcome: settled, failed (it never arrived) or returned (it came back).
        note: how they know; kept in the log, and as the payout's problem.

    Writes `payout.decided`. The same outcome again changes nothing. Raises `WrongPayoutState`,
    also for a provider's payout: the provider is asked about that one.
    """
    payout = lock_payout(payout_id)
    if payout.rail not in FILE_RAILS:
        raise WrongPayoutState(f"Ask the provider about payout {payout.pk}: it answers.")
    if payout.state == outcome:
        return payout
    status = {"settled": Status.PAID, "failed": Status.FAILED, "returned": Status.RETURNED}[outcome]
    if _BECOMES.get((State(payout.state), status)) is None:
        raise WrongPayoutState(f"Payout {payout.pk} is {payout.state}.")
    if status is Status.FAILED:
        fail_payout(payout, key="failed", reason=note)
    else:
        payout = settle_payout(payout_id=payout_id)
        if status is Status.RETURNED:
            payout = return_payout(payout_id=payout_id, reason=note)
    record("payout.decided", actor=actor, subject=payout, data={"outcome": outcome, "note": note})
    return payout


def _with(line: ReportLine, payout: Payout, text: str) -> ReportLine:
    return ReportLine(
        line.line, line.reference, line.amount_cents, line.currency, line.status, text, payout.pk
    )
