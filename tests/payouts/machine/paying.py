"""Paying out, with every fault of the provider, every mistake of the bank, every crash of ours."""

from __future__ import annotations

import contextlib
import csv
import io
import itertools
from typing import Any

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from payouts.models import Payout, ProviderEvent
from payouts.problems import NothingToPay, ReportFollowed, WrongPayoutState
from payouts.services import (
    approve_run,
    ask_to_follow,
    cancel_run,
    decide_file_payout,
    decide_unknown,
    follow_report,
    hand_out_file,
    handle_event,
    lock_run,
    prepare_run,
    receive_event,
    refresh_payout,
    send_payout,
    settle_payout,
    take_report,
    unfinished_reports,
    write_files,
)
from tests.payouts.machine.crashes import CRASHES, CRASHING, Crash, CrashingRail, crashing
from tests.payouts.machine.world import World
from tests.payouts.stripe_fake.server import FAULTS

# What hangs for real seconds is left to test_sending.py.
QUICK_FAULTS = tuple(fault for fault in FAULTS if fault != "hang_after")

_reports = itertools.count(1)

At = tuple[int, str] | None


class Paying(World):
    @rule(crash=CRASHING)
    def prepare(self, crash: At) -> None:
        with contextlib.suppress(NothingToPay), crashing(crash):
            prepare_run(actor=self.preparer, currency=self.currency)

    @rule(crash=CRASHING)
    def lock(self, crash: At) -> None:
        for run in self.runs("draft"):
            with crashing(crash):
                lock_run(actor=self.preparer, run=run)

    @rule(crash=CRASHING)
    def approve(self, crash: At) -> None:
        for run in self.runs("locked"):
            self.something_went_out = True
            with crashing(crash):
                approve_run(
                    actor=self.approver,
                    run=run,
                    payout_count=run.payout_count,
                    total_cents=run.total_cents,
                )

    @rule()
    def pay_out(self) -> None:
        """The usual way, so that examples get to the interesting part."""
        self.prepare(None)
        self.lock(None)
        self.approve(None)

    @rule(state=st.sampled_from(["draft", "locked"]))
    def cancel(self, state: str) -> None:
        for run in self.runs(state):
            cancel_run(actor=self.preparer, run=run, reason="Changed our mind")

    # --- a provider -----------------------------------------------------------------------------

    @precondition(lambda self: self.something_went_out)
    @rule(
        faults=st.lists(st.sampled_from(QUICK_FAULTS), max_size=2),
        crash=st.sampled_from(["", *CRASHES]),
        commit=CRASHING,
        down=st.booleans(),
    )
    def send(self, faults: list[str], crash: str, commit: At, down: bool) -> None:
        self.stripe.faults[:] = faults
        self.stripe.look_up_is_down = down
        for payout in self.payouts():
            with contextlib.suppress(Crash), crashing(commit):
                send_payout(payout_id=payout, rail=CrashingRail(crash), now=self.now())
        self.stripe.faults.clear()
        self.stripe.look_up_is_down = False

    @rule(
        hours=st.lists(st.sampled_from([0, 1, 22, 25]), min_size=1, max_size=2),
        faults=st.lists(st.sampled_from(QUICK_FAULTS), min_size=1, max_size=2),
        crash=st.sampled_from(["", *CRASHES]),
    )
    def a_bad_day(self, hours: list[int], faults: list[str], crash: str) -> None:
        """A run goes out, nobody learns what became of it, and it is tried again."""
        self.pay_out()
        self.send(faults, crash, None, False)
        for wait in hours:
            self.time_passes(wait)
            self.send([], "", None, False)

    @precondition(lambda self: self.something_went_out)
    @rule(crash=st.sampled_from(["", "after_status"]), commit=CRASHING)
    def refresh(self, crash: str, commit: At) -> None:
        for payout in self.payouts():
            with contextlib.suppress(Crash), crashing(commit):
                refresh_payout(payout_id=payout, rail=CrashingRail(crash))

    @rule()
    def a_person_looks(self) -> None:
        """Whoever looks into the provider's dashboard sees what it did."""
        for payout in Payout.objects.filter(
            currency=self.currency, needs_person=True, found_cents=None
        ):
            found = [t for t in self.sent() if t["transfer_group"] == payout.our_reference]
            decide_unknown(
                actor=self.approver,
                payout_id=payout.pk,
                provider_reference=found[0]["id"] if found else "",
                amount_cents=found[0]["amount"] if found else None,
                note="Seen in the dashboard",
            )

    @precondition(lambda self: self.events())
    @rule(which=st.integers(0, 1000), times=st.integers(1, 2), crash=st.booleans())
    def webhook(self, which: int, times: int, crash: bool) -> None:
        events = self.events()
        event = events[which % len(events)]
        transfer = event["data"]["object"]
        if crash:  # the process died after it had stored the event's id
            ProviderEvent.objects.get_or_create(
                provider="stripe",
                event_id=event["id"],
                defaults={"kind": event["type"], "reference": transfer["id"]},
            )
        for _ in range(times):
            self.deliver(event)
            handle_event(
                provider="stripe",
                reference=transfer["id"],
                our_reference=transfer["transfer_group"],
            )

    def deliver(self, event: dict[str, Any]) -> None:
        transfer = event["data"]["object"]
        receive_event(
            provider="stripe",
            event_id=event["id"],
            kind=event["type"],
            reference=transfer["id"],
            our_reference=transfer["transfer_group"],
        )

    @precondition(lambda self: self.not_reversed())
    @rule(which=st.integers(0, 1000))
    def money_comes_back(self, which: int) -> None:
        transfers = self.not_reversed()
        self.stripe.reverse(transfers[which % len(transfers)]["id"])

    @rule(hours=st.sampled_from([1, 22, 25]))
    def time_passes(self, hours: int) -> None:
        self.stripe.advance(hours * 3600)

    # --- a bank that takes files ----------------------------------------------------------------

    @rule(crash=CRASHING, handed_in=st.booleans())
    def files(self, crash: At, handed_in: bool) -> None:
        """Write the files, download them, and perhaps hand them in. The bank takes a file once;
        it does not look whether another one had the same reference."""
        for run in self.runs("approved"):
            with crashing(crash):
                write_files(run=run)
            for file in run.files.all():
                content = b""
                with crashing(crash):
                    content = hand_out_file(file)
                if not (content and handed_in) or file.sha256 in self.bank_files:
                    continue
                self.bank_files.add(file.sha256)
                for row in csv.DictReader(io.StringIO(content.decode(), newline="")):
                    assert row["reference"] not in self.bank
                    self.bank[row["reference"]] = (int(row["amount"].replace(".", "")), "paid")

    @precondition(lambda self: self.bank)
    @rule(
        status=st.sampled_from(["paid", "failed", "returned"]),
        wrong=st.booleans(),
        crash=CRASHING,
        times=st.integers(1, 2),
    )
    def report(self, status: str, wrong: bool, crash: At, times: int) -> None:
        """The bank's report, with its mistakes, repeatedly, cut short."""
        lines = []
        for reference, (cents, said) in self.bank.items():
            # What it once said was paid can come back; it can't have failed.
            if said == "paid" and not (status == "failed" and reference in self.bank_said_paid):
                self.bank[reference] = (cents, said := status)
            if said == "paid":
                self.bank_said_paid.add(reference)
            lines.append(f"{reference},{cents // 100}.{cents % 100:02d},{self.currency},{said}")
            if wrong:
                lines += [lines[-1], f"{reference},0.01,{self.currency},returned"]
        if wrong:
            lines.append(f"AP-unknown,1.00,{self.currency},paid")
        # No two of a bank's reports are the same file, but for those that come `times` over.
        columns = f"reference,amount,currency,status,report {next(_reports)}"
        content = f"{columns}\n" + "\n".join(lines)
        for run in self.runs("approved"):
            for _ in range(times):
                with crashing(crash), contextlib.suppress(ReportFollowed):
                    ask_to_follow(
                        actor=self.approver,
                        report=take_report(
                            actor=self.approver, run=run, name="r", content=content.encode()
                        ),
                    )
                for report_id in unfinished_reports():
                    with crashing(crash):
                        follow_report(report_id)

    def the_bank_is_asked(self) -> None:
        """A file that was downloaded in a lost history may never have been handed in."""
        for payout in Payout.objects.filter(currency=self.currency, state="submitted").exclude(
            rail="stripe"
        ):
            if payout.our_reference not in self.bank:
                decide_file_payout(
                    actor=self.approver, payout_id=payout.pk, outcome="failed", note="Never came"
                )

    @rule()
    def settle_again(self) -> None:
        for payout in Payout.objects.filter(currency=self.currency, state="settled"):
            settle_payout(payout_id=payout.pk)
        for payout in Payout.objects.filter(currency=self.currency, state="failed", rail="stripe"):
            with pytest.raises(WrongPayoutState):
                settle_payout(payout_id=payout.pk)
