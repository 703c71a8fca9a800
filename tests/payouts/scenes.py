"""Scenes that tests of paying out start from."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from itertools import count

from django.core.files.base import ContentFile
from django.core.files.storage import storages
from django.db import connection

from contractors.models import Contractor, User
from payouts import queries
from payouts.models import BankReport, Payable, Payout, PayoutRun
from payouts.services import (
    approve_run,
    ask_to_follow,
    follow_report,
    lock_run,
    pay_bonus,
    prepare_run,
    set_payout_method,
    take_report,
)
from payouts.services.witnesses import FOLDER
from tasks.models import Project
from tests import factories

_keys = count(1)

BANK = {"account": "12345678900072", "routing": "011401533"}


class Finance:
    """Two people from finance and a project whose money they move."""

    def __init__(self) -> None:
        self.preparer: User = factories.finance()
        self.approver: User = factories.finance()
        self.manager: User = factories.manager()
        self.project: Project = factories.project()

    def payee(
        self, *cents: int, rail: str = "file", account: str = "", method: bool = True
    ) -> Contractor:
        """A contractor who has earned these amounts and said where to pay them."""
        person = factories.contractor()
        for amount in cents:
            self.earn(person, amount)
        if method:
            details = {"account": account} if rail == "stripe" else BANK
            set_payout_method(
                contractor=person, rail=rail, details=details, password=factories.PASSWORD
            )
        return person

    def earn(self, person: Contractor, cents: int) -> Payable:
        return pay_bonus(
            contractor=person,
            project=self.project,
            amount_cents=cents,
            reason="Work",
            actor=self.manager,
            key=f"scene-{next(_keys)}",
        )

    def prepared(self) -> PayoutRun:
        return prepare_run(actor=self.preparer)

    def locked(self) -> PayoutRun:
        return lock_run(actor=self.preparer, run=self.prepared())

    def approved(self) -> PayoutRun:
        run = self.locked()
        return approve_run(
            actor=self.approver,
            run=run,
            payout_count=run.payout_count,
            total_cents=run.total_cents,
        )


def report_of(*rows: tuple[Payout, str]) -> bytes:
    """A bank's report that says of these payouts what they are."""
    lines = ["reference,amount,currency,status"]
    for payout, status in rows:
        units, cents = divmod(payout.amount_cents, 100)
        lines.append(f"{payout.our_reference},{units}.{cents:02d},USD,{status}")
    return ("\r\n".join(lines) + "\r\n").encode()


def followed(actor: User, run: PayoutRun, content: bytes) -> BankReport:
    """A report that was taken, asked to be followed, and followed by a worker."""
    report = take_report(actor=actor, run=run, name="bank.csv", content=content)
    ask_to_follow(actor=actor, report=report)
    assert not follow_report(report.pk)
    report.refresh_from_db()
    return report


def check_deferred() -> None:
    """Let the database look at what COMMIT would look at."""
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute("SET CONSTRAINTS ALL DEFERRED")


def balances(person: Contractor) -> tuple[int, int]:
    """(owed, in transit) in cents, from the running balances."""
    found = queries.account_balances(person).get("USD", {})
    return found.get("payable_cents", 0), found.get("in_transit_cents", 0)


def states(person: Contractor) -> list[tuple[int, str]]:
    """(cents, state) of each payable, oldest first."""
    return list(
        Payable.objects.filter(contractor=person)
        .order_by("pk")
        .values_list("amount_cents", "state")
    )


def payout_of(person: Contractor) -> Payout:
    """The newest payout."""
    return Payout.objects.filter(contractor=person).latest("pk")


def reference(person: Contractor, number: int) -> str:
    """A person's nth reference in US dollars."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT payouts_reference(public_id, 'USD', %s) FROM contractors_contractor "
            "WHERE user_id = %s",
            [number, person.pk],
        )
        return str(cursor.fetchone()[0])


def leave_witness(rail: str, payments: dict[str, int]) -> None:
    """A history that a restore undid handed a file out, or approved payouts over a provider."""
    said = {"at": datetime.now(UTC).isoformat(), "rail": rail, "payments": payments}
    name = f"{FOLDER}/{rail}-lost-{next(_keys)}.json"
    storages["witnesses"].save(name, ContentFile(json.dumps(said).encode()))
