"""The worker is killed (SIGKILL) at every commit boundary of a payout, under every fault of the
provider, and restarted after 1 hour or 25: one payment, no phantom, and the books agree.

Then the moments that a restored backup brings (decision 9): between finding a payment that a rail
has already and adopting it, and around the witness of what may leave.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import pytest
from django.core.files.storage import storages
from django.db import connection

from events.models import Event
from payouts.models import Payout, PayoutRun, PayoutWitness
from payouts.services import (
    ask_to_follow,
    check_ledger,
    hand_out_file,
    sweep_payouts,
    take_report,
    unfinished_reports,
    write_files,
)
from payouts.services.witnesses import FOLDER
from tests.payouts.backups import Backups
from tests.payouts.scenes import Finance, balances, leave_witness, payout_of, report_of, states
from tests.payouts.stripe_fake.server import FAULTS, StripeFake

pytestmark = [pytest.mark.faults, pytest.mark.django_db(transaction=True)]

COMMITS = 3  # the attempt; its answer; the settlement
BOUNDARIES = [(n, when) for n in range(1, COMMITS + 1) for when in ("before", "after")]


@pytest.fixture
def stripe(settings: Any) -> Iterator[StripeFake]:
    with StripeFake() as fake:
        settings.STRIPE_API_BASE = fake.url
        settings.STRIPE_API_KEY = "sk_test_x"
        settings.STRIPE_TIMEOUT_SECONDS = 0.3
        yield fake


class Workers:
    """Forks a worker per call and says how it ended."""

    def __init__(self, project_root: Path, stripe: StripeFake) -> None:
        parts = urlsplit(os.environ["DATABASE_URL"])
        database = urlunsplit(parts._replace(path=f"/{connection.settings_dict['NAME']}"))
        self.stripe = stripe
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.payouts.killable"],
            cwd=project_root,
            env=os.environ | {"DATABASE_URL": database},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def run(
        self,
        kill_at: int = 0,
        when: str = "",
        moment: str = "commit",
        work: str = "sweep",
        subject: int = 0,
    ) -> int:
        """Returns the signal that ended the worker; fails when it ended with an error."""
        command = {
            "work": work,
            "subject": subject,
            "moment": moment,
            "kill_at": kill_at,
            "when": when,
            "now": clock(self.stripe).isoformat(),
            "settings": {
                "STRIPE_API_BASE": self.stripe.url,
                "STRIPE_API_KEY": "sk_test_x",
                "STRIPE_TIMEOUT_SECONDS": 0.3,
            },
        }
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps(command) + "\n")
        self.process.stdin.flush()
        answer = json.loads(self.process.stdout.readline())
        assert answer["signal"] == signal.SIGKILL or answer["status"] == 0
        return int(answer["signal"])


@pytest.fixture
def workers(project_root: Path, stripe: StripeFake) -> Iterator[Workers]:
    forking = Workers(project_root, stripe)
    try:
        yield forking
    finally:
        assert forking.process.stdin is not None
        forking.process.stdin.close()
        forking.process.wait(timeout=30)
        assert forking.process.stdout is not None
        forking.process.stdout.close()


def clock(stripe: StripeFake) -> datetime:
    return datetime.fromtimestamp(stripe.now, UTC)


# Twelve kills each; the ones that tell most run always, the whole matrix every night.
ALWAYS = ("", "lost_after", "500_after")


@pytest.mark.parametrize(
    "fault",
    [
        pytest.param(fault, marks=() if fault in ALWAYS else pytest.mark.nightly)
        for fault in ("", *FAULTS, "refused")
    ],
)
def test_killed_at_every_commit(stripe: StripeFake, workers: Workers, fault: str) -> None:
    finance = Finance()
    killed = set()
    for wait_hours in (1, 25):
        for kill_at, when in BOUNDARIES:
            person = finance.payee(1600, 200, rail="stripe", account=stripe.account())
            finance.approved()
            payout = payout_of(person)
            if fault == "refused":
                stripe.accounts.clear()
            elif fault:
                stripe.faults[:] = [fault]

            # Only this one: who was refused before is in the run again.
            if workers.run(kill_at, when, "commit", "send", payout.pk) == signal.SIGKILL:
                killed.add((kill_at, when))
            stripe.faults.clear()
            stripe.advance(wait_hours * 3600)
            workers.run()  # the restart
            for _ in range(2):
                stripe.advance(25 * 3600)
                sweep_payouts(now=clock(stripe))

            end = Payout.objects.get(pk=payout.pk)
            case = (fault, wait_hours, kill_at, when)
            if fault == "refused":
                assert (end.state, stripe.paid_cents(payout.our_reference)) == ("failed", []), case
                assert balances(person) == (1800, 0), case
            else:
                assert end.state == "settled", case
                assert stripe.paid_cents(payout.our_reference) == [1800], case
                assert states(person) == [(1600, "paid"), (200, "paid")], case
                assert balances(person) == (0, 0), case
    assert check_ledger() == []
    # The kill really happened: at the first two commits whatever the fault, and at the third
    # where the worker gets so far in one go.
    assert killed >= set(BOUNDARIES[:4])
    if fault == "":
        assert killed == set(BOUNDARIES)


# --- a payment that a rail has already -----------------------------------------------------------

Kill = tuple[str, int, str]
FOUND: list[Kill] = [("found", 1, "before"), ("found", 1, "after")] + [
    ("commit", n, when) for n in (1, 2) for when in ("before", "after")
]

# What a lost history paid of $16.00, $2.00 and $3.00 → cents, (state of the payout that has the
# number, its rail, its amount), (owed, in transit), states of the three.
LOST: dict[str, tuple[int, tuple[str, str, int], tuple[int, int], list[str]]] = {
    "all of it": (2100, ("settled", "stripe", 2100), (0, 0), ["paid", "paid", "paid"]),
    "the oldest": (1600, ("settled", "stripe", 1600), (500, 0), ["paid", "accrued", "accrued"]),
    "it came back": (1800, ("failed", "stripe", 2100), (2100, 0), ["accrued"] * 3),
    "nobody knows": (1700, ("unknown", "stripe", 2100), (0, 2100), ["batched"] * 3),
    "by a bank": (
        1800,
        ("submitted", "file", 1800),
        (300, 1800),
        ["batched", "batched", "accrued"],
    ),
}


def pay_in_a_lost_history(stripe: StripeFake, account: str, reference: str, what: str) -> None:
    cents = LOST[what][0]
    if what == "by a bank":
        leave_witness("file", {reference: cents})
        return
    order = {"amount": str(cents), "currency": "usd", "destination": account}
    key = f"lost-{reference}"
    _, transfer = stripe.create(order | {"transfer_group": reference}, key, key)
    if what == "it came back":
        stripe.reverse(transfer["id"])


@pytest.mark.parametrize(
    ("what", "kills", "waits"),
    [
        pytest.param("the oldest", FOUND[1:2], [25], id="found"),
        *(pytest.param(what, FOUND, [1, 25], id=what, marks=pytest.mark.nightly) for what in LOST),
    ],
)
def test_killed_between_finding_a_payment_and_adopting_it(
    stripe: StripeFake, workers: Workers, what: str, kills: list[Kill], waits: list[int]
) -> None:
    finance = Finance()
    _, (state, rail, cents), owed, earnings = LOST[what]
    killed = set()
    for wait_hours in waits:
        for moment, kill_at, when in kills:
            account = stripe.account()
            person = finance.payee(1600, 200, 300, rail="stripe", account=account)
            finance.approved()
            first = payout_of(person)
            number_one = first.our_reference
            pay_in_a_lost_history(stripe, account, number_one, what)

            if workers.run(kill_at, when, moment, "send", first.pk) == signal.SIGKILL:
                killed.add((moment, kill_at, when))
            stripe.advance(wait_hours * 3600)
            workers.run()
            for _ in range(2):
                stripe.advance(25 * 3600)
                sweep_payouts(now=clock(stripe))

            case = (what, wait_hours, moment, kill_at, when)
            asked_for = [key for key, _ in stripe.creates if key.startswith(number_one)]
            assert asked_for == [], case
            end = payout_of(person)
            assert (end.state, end.rail, end.amount_cents) == (state, rail, cents), case
            assert (end.number, end.our_reference) == (1, number_one), case
            assert balances(person) == owed, case
            assert [state for _, state in states(person)] == earnings, case
            # Whatever gave way to it has come to nothing, once.
            others = Payout.objects.filter(contractor=person).exclude(pk=end.pk)
            assert [p.state for p in others] == ["failed"] * (cents != 2100), case
            adopted = Event.objects.filter(type="payout.adopted", subject_id=end.pk)
            assert adopted.count() == (cents != 2100), case
    assert check_ledger() == []
    # A person is asked in one commit, and a bank's word settles nothing: no second one there.
    assert killed >= set(kills[:4])


# --- a witness -----------------------------------------------------------------------------------

WITNESS: list[Kill] = [
    (moment, 1, when) for moment in ("witness", "commit") for when in ("before", "after")
]


def witnessed() -> set[str]:
    """All references that an object in the storage is about."""
    storage, found = storages["witnesses"], set()
    with contextlib.suppress(FileNotFoundError):
        for name in storage.listdir(FOLDER)[1]:
            with storage.open(f"{FOLDER}/{name}") as file:
                found |= set(json.load(file)["payments"])
    return found


@pytest.mark.nightly
@pytest.mark.parametrize(("moment", "kill_at", "when"), WITNESS)
def test_killed_at_the_witness_of_an_approval(
    stripe: StripeFake, workers: Workers, moment: str, kill_at: int, when: str
) -> None:
    """Nothing is approved without its witness, and the approval can be given again."""
    finance = Finance()
    person = finance.payee(1600, 200, rail="stripe", account=stripe.account())
    run = finance.locked()
    reference = payout_of(person).our_reference

    assert workers.run(kill_at, when, moment, "approve", run.pk) == signal.SIGKILL
    approved = (moment, when) == ("commit", "after")
    assert payout_of(person).state == ("approved" if approved else "locked")
    assert (reference in witnessed()) == ((moment, when) != ("witness", "before"))
    assert PayoutWitness.objects.count() == approved

    workers.run()  # an object without its row is from a lost history: it is asked about, no more
    if not approved:
        assert stripe.creates == []
        workers.run(work="approve", subject=run.pk)
    for _ in range(2):
        stripe.advance(3600)
        workers.run()
    assert reference in witnessed()
    assert PayoutWitness.objects.count() == 1
    assert payout_of(person).state == "settled"
    assert stripe.paid_cents(reference) == [1800]
    assert balances(person) == (0, 0)
    assert check_ledger() == []


@pytest.mark.parametrize(
    ("moment", "kill_at", "when", "restored"),
    [
        pytest.param(
            *kill,
            restored,
            marks=() if (kill, restored) == (WITNESS[3], True) else pytest.mark.nightly,
            id=f"{'-'.join(map(str, kill))}{'-restored' * restored}",
        )
        for kill in WITNESS
        for restored in (False, True)
    ],
)
def test_killed_at_the_witness_of_a_file(
    workers: Workers, moment: str, kill_at: int, when: str, restored: bool
) -> None:
    """What may have been handed out is in no second file, even of a restored history."""
    finance = Finance()
    backups = Backups()
    person = finance.payee(1600, 200)
    run = finance.approved()
    backup = backups.take()
    reference = payout_of(person).our_reference
    (file,) = write_files(run=run)

    assert workers.run(kill_at, when, moment, "hand_out", file.pk) == signal.SIGKILL
    there = (moment, when) != ("witness", "before")
    assert (reference in witnessed()) == there
    assert PayoutWitness.objects.count() == ((moment, when) == ("commit", "after"))

    if restored:
        backups.restore(backup)
    files = write_files(run=PayoutRun.objects.get(pk=run.pk))
    contents = [hand_out_file(file) for file in files]
    assert [reference.encode() in content for content in contents] == (
        [] if restored and there else [True]
    )
    assert PayoutWitness.objects.count() == len(files)
    assert payout_of(person).state == "submitted"
    assert (payout_of(person).rail, payout_of(person).our_reference) == ("file", reference)
    assert balances(person) == (0, 1800)
    assert check_ledger() == []


# --- a bank's report ------------------------------------------------------------------------------

FOLLOWED = 4  # three payouts that move, one commit each; the end


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_report_whose_worker_is_killed_is_followed_to_its_end(
    workers: Workers, when: str
) -> None:
    finance = Finance()
    for kill_at in range(1, FOLLOWED + 1):
        ada, bob, eve, dan = (finance.payee(1600, 200) for _ in range(4))
        run = finance.approved()
        write_files(run=run)
        content = report_of(
            (payout_of(ada), "paid"), (payout_of(ada), "paid"), (payout_of(bob), "failed"),
            (payout_of(eve), "returned"),
        )  # fmt: skip
        report = take_report(actor=finance.approver, run=run, name="r", content=content)
        ask_to_follow(actor=finance.approver, report=report)

        killed = workers.run(kill_at, when, "commit", "follow", report.pk)

        assert killed == signal.SIGKILL
        last = kill_at == FOLLOWED and when == "after"
        assert unfinished_reports() == ([] if last else [report.pk])
        assert workers.run(work="follow", subject=report.pk) == 0
        report.refresh_from_db()
        assert (report.state, report.lines_done) == ("followed", 4)
        # Who was not paid by the report before is in this run again.
        left = Payout.objects.filter(run=run).exclude(contractor__in=[ada, bob, eve]).order_by("pk")
        assert len(left) == (1 if kill_at == 1 else 3)
        assert report.outcome == {
            "settled": 1, "failed": 1, "returned": 1, "unchanged": 0, "different": 1,
            "missing": len(left),
        }  # fmt: skip
        assert report.differences == [
            f"line 3: {payout_of(ada).our_reference} is there twice",
            *(f"{payout.our_reference} is missing from the report" for payout in left),
        ]
        found = [balances(person) for person in (ada, bob, eve, dan)]
        assert found == [(0, 0), (1800, 0), (1800, 0), (0, 1800)]
        for person, moved in ((ada, 1), (bob, 1), (eve, 2), (dan, 0)):
            told = Event.objects.filter(
                subject_type="payouts.payout",
                subject_id=payout_of(person).pk,
                type__in=["payout.settled", "payout.failed", "payout.returned"],
            )
            assert told.count() == moved
        reconciled = Event.objects.filter(type="payout_run.reconciled", subject_id=run.pk)
        assert reconciled.count() == 1
    assert check_ledger() == []
