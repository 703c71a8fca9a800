"""The world of one history: people, a project, a provider, a bank, and what is really true.

What is true does not go back with a restored backup: what people were ever paid, and everything
that they ever earned, each thing once, in whichever history.
"""

from __future__ import annotations

import itertools
import json
import string
from collections import Counter
from datetime import UTC, datetime
from typing import Any

from django.core.files.storage import InMemoryStorage, storages
from django.db import connection
from django.db.models import Q, Sum
from hypothesis.stateful import RuleBasedStateMachine

from contractors.models import Contractor, User
from payouts.models import Payable, Payout, PayoutRun
from payouts.services import pay_bonus, set_payout_method
from payouts.services.witnesses import FOLDER
from tasks.models import Assignment
from tests import factories
from tests.payouts.backups import Backups
from tests.payouts.scenes import BANK
from tests.payouts.stripe_fake.server import StripeFake

_currencies = ("".join(letters) for letters in itertools.product(string.ascii_uppercase, repeat=3))
# A new transfer is not in the provider's lists at once; restoring a backup takes longer.
LIST_LAG_SECONDS = 600.0

Thing = tuple[Any, ...]


class World(RuleBasedStateMachine):
    """Three contractors, one project, one provider, one bank."""

    stripe: StripeFake
    staff: tuple[User, User, User]

    def set_up(self) -> None:
        self.currency = next(_currencies)
        storages._storages["witnesses"] = InMemoryStorage()  # type: ignore[attr-defined]
        self.stripe.faults.clear()
        self.stripe.list_lag_seconds = LIST_LAG_SECONDS
        self.first_event = len(self.stripe.events)
        self.backups = Backups()
        self.project = factories.project(
            currency=self.currency, overlap=1, max_overlap=1, live_claim_cap=20
        )
        factories.open_tasks(self.project, 4)
        self.boss, self.preparer, self.approver = self.staff
        self.people = [factories.worker(self.project) for _ in range(3)]
        self.accounts = [self.stripe.account() for _ in self.people]
        self.bank: dict[str, tuple[int, str]] = {}  # reference → cents, how it ended
        self.bank_files: set[str] = set()  # digests of the files that the bank took
        self.bank_said_paid: set[str] = set()
        self.worth: dict[int, dict[Thing, int]] = {p.pk: {} for p in self.people}
        self.paid_for: dict[str, dict[Thing, int]] = {}  # reference → what it really paid
        self.overpaid: dict[int, int] = {p.pk: 0 for p in self.people}
        self.references = self._references()
        self.bonuses = 0
        self.something_went_out = False
        for who, rail in enumerate(("stripe", "stripe", "file")):
            self.pay_over(who, rail)
        for who in range(3):  # so that examples get to the interesting part
            self.bonus_of(who, 1600)
        self.kept = [self.backups.take()]

    def pay_over(self, who: int, rail: str) -> None:
        """They chose how to be paid, a day ago."""
        set_payout_method(
            contractor=self.people[who],
            rail=rail,
            details={"account": self.accounts[who]} if rail == "stripe" else BANK,
            password=factories.PASSWORD,
        )
        with connection.cursor() as cursor:
            cursor.execute(
                "UPDATE payouts_payoutmethod SET usable_from = now() WHERE contractor_id = %s",
                [self.people[who].pk],
            )

    def bonus_of(self, who: int, cents: int) -> None:
        self.bonuses += 1
        for _ in range(2):  # a repetition changes nothing
            pay_bonus(
                contractor=self.people[who],
                project=self.project,
                amount_cents=cents,
                reason="Good",
                actor=self.boss,
                key=f"{self.currency}-{self.bonuses}",
                currency=self.currency,
            )

    def _references(self) -> dict[str, tuple[int, int]]:
        """Reference → (person, number), for as many as a history can use."""
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT payouts_reference(public_id, %s, n), user_id, n "
                "FROM contractors_contractor, generate_series(1, 60) n WHERE user_id = ANY (%s)",
                [self.currency, [person.pk for person in self.people]],
            )
            return {reference: (person, n) for reference, person, n in cursor.fetchall()}

    # --- what is in our books -----------------------------------------------------------------

    def runs(self, state: str) -> list[PayoutRun]:
        return list(PayoutRun.objects.filter(currency=self.currency, state=state).order_by("pk"))

    def payouts(self) -> list[int]:
        """What a sweep, or a webhook, may look at."""
        return list(
            Payout.objects.filter(Q(rail="stripe") | Q(state="unknown"), currency=self.currency)
            .exclude(state__in=["draft", "locked", "cancelled"])
            .order_by("pk")
            .values_list("pk", flat=True)
        )

    def live(self) -> list[Assignment]:
        return list(
            Assignment.objects.filter(task__project=self.project, state="active").order_by("pk")
        )

    def books(self) -> dict[str, Any]:
        """What is in the ledger and what the earnings say, in one look."""
        with connection.cursor() as cursor:
            cursor.execute(
                """
                WITH entry AS (
                    SELECT e.*, a.kind, a.floor_cents FROM payouts_entry e
                    JOIN payouts_account a ON a.id = e.account_id WHERE e.currency = %(c)s
                ), recomputed AS (
                    SELECT account_id, sum(amount_cents) AS cents FROM entry
                    WHERE floor_cents IS NOT NULL GROUP BY account_id
                ), running AS (
                    SELECT b.* FROM payouts_balance b
                    JOIN payouts_account a ON a.id = b.account_id WHERE a.currency = %(c)s
                ), payable AS (
                    SELECT p.*, EXISTS (
                        SELECT FROM payouts_payoutitem i
                        JOIN payouts_payout o ON o.id = i.payout_id AND o.state = 'draft'
                        WHERE i.payable_id = p.id AND NOT i.released) AS in_draft
                    FROM payouts_payable p WHERE p.currency = %(c)s
                )
                SELECT
                    (SELECT count(*) FROM (SELECT FROM entry GROUP BY transaction_id
                        HAVING sum(amount_cents) <> 0) t),
                    (SELECT count(*) FROM recomputed FULL JOIN running USING (account_id)
                        WHERE cents IS DISTINCT FROM balance_cents OR balance_cents < 0),
                    (SELECT jsonb_object_agg(kind, cents) FROM (
                        SELECT kind, sum(amount_cents) AS cents FROM entry GROUP BY kind) k),
                    (SELECT jsonb_object_agg(state, cents) FROM (
                        SELECT CASE WHEN in_draft THEN 'in draft' ELSE state END AS state,
                            sum(amount_cents) AS cents FROM payable GROUP BY 1) s)
                """,
                {"c": self.currency},
            )
            unbalanced, wrong, kinds, states = cursor.fetchone()
        return {
            "unbalanced": unbalanced,
            "wrong": wrong,
            "kinds": Counter(json.loads(kinds or "{}")),
            "states": Counter(json.loads(states or "{}")),
        }

    def earned(self, person: Contractor) -> int:
        earned = Payable.objects.filter(contractor=person).aggregate(s=Sum("amount_cents"))
        return int(earned["s"] or 0)

    def things(self, **filters: Any) -> list[tuple[int, Thing, int]]:
        """(person, thing, cents) of earnings. A claim is known by its instant: its row number
        may be given out again. What finance credits for lost records is no thing of its own."""
        rows = Payable.objects.filter(currency=self.currency, **filters).exclude(
            source_key__startswith="lost:"
        )
        return [
            (person, (claimed_at, key.rsplit(":")[-1]) if claimed_at else (key,), cents)
            for person, key, claimed_at, cents in rows.values_list(
                "contractor_id", "source_key", "assignment__claimed_at", "amount_cents"
            )
        ]

    # --- what is true ---------------------------------------------------------------------------

    def now(self) -> datetime:
        return datetime.fromtimestamp(self.stripe.now, UTC)

    def events(self) -> list[dict[str, Any]]:
        return self.stripe.events[self.first_event :]

    def sent(self) -> list[dict[str, Any]]:
        return [t for t in self.stripe.transfers.values() if t["currency"] == self.currency.lower()]

    def not_reversed(self) -> list[dict[str, Any]]:
        return [t for t in self.sent() if not t["reversed"]]

    def out(self, person: Contractor, among: set[str] | None = None) -> int:
        """What a person really has, by any rail (under these references)."""
        mine = {
            reference
            for reference, (whose, _) in self.references.items()
            if whose == person.pk and (among is None or reference in among)
        }
        return sum(
            int(t["amount"] - t["amount_reversed"])
            for t in self.sent()
            if t["transfer_group"] in mine
        ) + sum(
            cents
            for reference, (cents, said) in self.bank.items()
            if reference in mine and said == "paid"
        )

    def handed_out(self) -> set[str]:
        """The references of files that somebody may have downloaded, in any history."""
        storage = storages["witnesses"]
        told: set[str] = set()
        for name in storage.listdir(FOLDER)[1]:
            with storage.open(f"{FOLDER}/{name}") as file:
                said = json.load(file)
            if said["rail"] != "stripe":
                told |= set(said["payments"])
        return told

    def take_note(self) -> None:
        """Remember what was earned and what each new payment was for."""
        for person, thing, cents in self.things():
            known = self.worth[person]
            known[thing] = max(cents, known.get(thing, 0))
        new = ({t["transfer_group"] for t in self.sent()} | set(self.bank)) - set(self.paid_for)
        for reference in new:
            payout = (
                Payout.objects.filter(our_reference=reference)
                .exclude(state="cancelled")
                .exclude(state="failed", submitted_at=None)
                .get()
            )
            self.paid_for[reference] = {
                thing: cents
                for _, thing, cents in self.things(
                    payout_items__payout=payout, payout_items__released=False
                )
            }
