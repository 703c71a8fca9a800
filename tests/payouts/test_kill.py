"""The worker is killed (SIGKILL) at every commit boundary of a payout, under every fault of the
provider, and restarted after 1 hour or 25: one payment, no phantom, and the books agree."""

from __future__ import annotations

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
from django.db import connection

from payouts.models import Payout
from payouts.services import check_ledger, sweep_payouts
from tests.payouts.scenes import Finance, balances, payout_of, states
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

    def run(self, kill_at: int = 0, when: str = "") -> int:
        """Returns the signal that ended the worker; fails when it ended with an error."""
        command = {
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

            if workers.run(kill_at, when) == signal.SIGKILL:
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
