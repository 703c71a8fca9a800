"""Following a bank's report: a person asks, a worker moves one payout for each matching line.

The report's row is the truth: how many of its lines are done and what became of them is written in
the transaction that moves a line's payout. So a worker that dies has done a line whole or not at
all, the next one goes on behind it, and of two that meet one leaves. Each line is a transaction of
its own: several in one would hold the rail's cash account, which every settlement needs, meanwhile.
"""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass

from django.db import IntegrityError, transaction
from django.db.models import QuerySet

from annotation_platform.clock import database_now
from contractors.models import User
from events.services import record
from payouts.models import BankReport, Payout
from payouts.models.reports import OUTCOMES
from payouts.problems import ReportFollowed, WrongPayoutState
from payouts.rails import Status
from payouts.services.outcomes import lock_payout
from payouts.services.reconciling import TARGETS, follow_status
from payouts.services.reports import read_report

logger = logging.getLogger(__name__)

MAX_DIFFERENCES = 1000  # in words; what is beyond them is counted
DIFFERENT, UNCHANGED, MISSING = "different", "unchanged", "missing"


def ask_to_follow(*, actor: User, report: BankReport) -> BankReport:
    """Have a report followed by a worker, as a person who has seen the comparison decides.

    Asked for already: no change. Writes `bank_report.follow_asked`. Raises `ReportFollowed`.
    """
    with transaction.atomic():
        asked = BankReport.objects.filter(pk=report.pk, follow_asked_at=None).update(
            follow_asked_by=actor, follow_asked_at=database_now()
        )
        if asked:
            record("bank_report.follow_asked", actor=actor, subject=report)
    report = BankReport.objects.defer("content").select_related("follow_asked_by").get(pk=report.pk)
    if report.followed_at is not None:
        raise ReportFollowed(
            f"{report.follow_asked_by} had it followed on {report.followed_at:%Y-%m-%d}."
        )
    return report


def follow_report(report_id: int, *, seconds: float = 30.0) -> bool:
    """Follow a report that somebody asked to have followed, for about so long.

    A line whose amount, currency or reference does not match ours changes nothing and is listed as
    a difference, as are payouts that the report leaves out. What was done before costs no query.
    At the end `payout_run.reconciled` is recorded. Returns True when there is more to do.
    """
    report = _to_follow().select_related("run", "follow_asked_by").filter(pk=report_id).first()
    if report is None:
        return False
    try:
        return _follow_lines(report, time.monotonic() + seconds)
    except _FollowedElsewhere:
        return False


def unfinished_reports() -> list[int]:
    """Reports that somebody asked to have followed and that were not followed to their end."""
    return list(_to_follow().order_by("pk").values_list("pk", flat=True))


def _to_follow() -> QuerySet[BankReport]:
    return BankReport.objects.filter(follow_asked_at__isnull=False, followed_at=None)


class _FollowedElsewhere(Exception):
    """Another worker has come further with this report."""


@dataclass(frozen=True)
class _Progress:
    """How many lines are done, and what became of them."""

    lines: int
    outcome: dict[str, int]
    differences: list[str]

    def with_line(self, outcome: str, difference: str = "") -> _Progress:
        found = self.with_(outcome, difference)
        return _Progress(self.lines + 1, found.outcome, found.differences)

    def with_(self, outcome: str, difference: str = "") -> _Progress:
        counts = self.outcome | {outcome: self.outcome[outcome] + 1}
        if difference and len(self.differences) < MAX_DIFFERENCES:
            return _Progress(self.lines, counts, [*self.differences, difference])
        return _Progress(self.lines, counts, self.differences)


def _write(report: BankReport, before: _Progress, now: _Progress, **facts: object) -> None:
    """The row goes from one progress to the next, if it is still at the first one."""
    if now.differences is not before.differences:
        facts["differences"] = now.differences
    behind = _to_follow().filter(pk=report.pk, lines_done=before.lines)
    if not behind.update(lines_done=now.lines, outcome=now.outcome, **facts):
        raise _FollowedElsewhere


def _follow_lines(report: BankReport, until: float) -> bool:
    ours = {p.our_reference: p for p in Payout.objects.filter(run=report.run_id).order_by("pk")}
    seen: set[int] = set()
    none = dict.fromkeys(OUTCOMES, 0)
    written = now = _Progress(report.lines_done, none | report.outcome, report.differences)
    lines = read_report(report.content.encode())
    for done, (reference, cents, currency, status) in enumerate(lines):
        payout, number = ours.get(reference), done + 2  # the first line names the columns
        twice = payout is not None and payout.pk in seen
        if payout is not None:
            seen.add(payout.pk)
        if done < report.lines_done:
            continue
        if done > report.lines_done and time.monotonic() > until:
            _write(report, written, now)
            return True
        if payout is None:
            now = now.with_line(DIFFERENT, f"line {number}: {reference} is not in this run")
        elif twice:
            now = now.with_line(DIFFERENT, f"line {number}: {reference} is there twice")
        elif (cents, currency) != (payout.amount_cents, payout.currency):
            theirs, own = f"{cents} {currency}", f"{payout.amount_cents} {payout.currency}"
            now = now.with_line(DIFFERENT, f"line {number}: {reference} is {theirs}, ours is {own}")
        elif payout.state == TARGETS.get(status):
            now = now.with_line(UNCHANGED)
        else:
            try:
                with transaction.atomic():
                    moved = now.with_line(*_move_payout(number, payout.pk, status))
                    _write(report, written, moved)
                written = now = moved
            except IntegrityError:
                logger.exception("Line %s of report %s was refused.", number, report.pk)
                text = f"line {number}: {reference} could not be moved, our books refused it"
                now = now.with_line(DIFFERENT, text)
    _conclude(report, written, now, seen)
    return False


def _move_payout(number: int, payout_id: int, status: Status) -> tuple[str, str]:
    """What became of a line about a payout, and how it differs from ours."""
    before = lock_payout(payout_id).state
    try:
        after = follow_status(payout_id, status, "The bank's report says so.")
    except WrongPayoutState as problem:
        return DIFFERENT, f"line {number}: {problem.detail}"
    if after.state != TARGETS.get(status):
        is_there = f"{after.our_reference} is {after.state}"
        return DIFFERENT, f"line {number}: {is_there}, the bank says {status.value}"
    return (UNCHANGED if after.state == before else after.state), ""


@transaction.atomic
def _conclude(report: BankReport, written: _Progress, now: _Progress, seen: set[int]) -> None:
    left_out = Payout.objects.filter(run=report.run_id, state=Payout.State.SUBMITTED)
    for payout in left_out.exclude(pk__in=seen).order_by("pk"):
        now = now.with_(MISSING, f"{payout.our_reference} is missing from the report")
    _write(report, written, now, followed_at=database_now())
    record(
        "payout_run.reconciled",
        actor=report.follow_asked_by,
        subject=report.run,
        data={
            "report": report.pk,
            "sha256": report.sha256,
            **now.outcome,
            "differences": now.differences[:100],
        },
    )
