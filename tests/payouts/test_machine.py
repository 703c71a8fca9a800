"""Money under adversarial histories: a Hypothesis state machine over the real services.

Each example works in a currency of its own, so that examples leave each other alone without a
flush between them. The provider is the stateful Stripe fake; its faults, its webhooks, its
virtual clock and our crashes come in any order, beside a bank that takes files and sends reports.
A crash unwinds the worker before or after any of its commits, or between two of them, where a
SIGKILL would have left it (tests/payouts/test_kill.py kills a real one). Any backup may be
restored at any time: our rows go back, what the provider and the bank did stays done.

That the machine can fail is tested in test_mutations.py.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import pytest
from django.db import connection
from django.db.models import Sum
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import initialize, invariant, rule, run_state_machine_as_test

from contractors.models import Contractor
from payouts.models import Balance, Entry, LedgerTransaction, Payable, Payout, ProviderEvent
from payouts.rails.stripe_connect import StripeConnect
from payouts.rules import MINIMUM_PAYOUT_CENTS
from payouts.services import return_payout, send_payout, write_files
from tests import factories
from tests.payouts.machine.restoring import Restoring
from tests.payouts.machine.world import World
from tests.payouts.stripe_fake.server import StripeFake


class Money(Restoring):
    """Whatever can happen, and what always holds."""

    @initialize()
    def begin(self) -> None:
        self.set_up()

    @rule()
    def replay(self) -> None:
        """Everything that was done is done again: nothing changes."""
        before = self._picture()
        self.credit_again()
        self.settle_again()
        for payout in Payout.objects.filter(currency=self.currency):
            if payout.state not in ("approved", "sending", "unknown"):
                send_payout(payout_id=payout.pk, rail=StripeConnect(), now=self.now())
            if payout.state == "returned":
                return_payout(payout_id=payout.pk, reason="Again")
        for event in self.events():
            done = ProviderEvent.objects.filter(event_id=event["id"], handled_at__isnull=False)
            if done.exists():
                self.deliver(event)
        for run in self.runs("approved"):
            if run.files.exists():
                write_files(run=run)
        assert self._picture() == before

    def _picture(self) -> Any:
        """The books of this example and what the provider did, whole."""
        mine = {"currency": self.currency}
        return (
            list(Entry.objects.filter(**mine).order_by("pk").values_list()),
            sorted(Balance.objects.filter(account__currency=self.currency).values_list()),
            list(Payable.objects.filter(**mine).order_by("pk").values_list("pk", "state")),
            list(Payout.objects.filter(**mine).order_by("pk").values_list("pk", "state")),
            LedgerTransaction.objects.count(),
            len(self.stripe.creates),
            len(self.stripe.transfers),
        )

    # --- what always holds -------------------------------------------------------------------

    @invariant()
    def the_books_are_right(self) -> None:
        books = self.books()
        assert books["unbalanced"] == 0  # every transaction sums to zero per currency
        assert books["wrong"] == 0  # recomputed is cached, and not below zero
        kinds, states = books["kinds"], books["states"]
        # Accrued, and batched in a draft, is owed; batched otherwise in transit; paid is cash.
        assert kinds["contractor_payable"] == (
            states["accrued"] + states["held"] + states["in draft"]
        )
        assert kinds["contractor_in_transit"] == states["batched"]
        assert kinds["cash"] == states["paid"]
        assert -kinds["project_expense"] == sum(states.values())  # all of it is what was earned

    @invariant()
    def nothing_is_paid_twice(self) -> None:
        self.take_note()
        groups = [t["transfer_group"] for t in self.sent()]
        used = set(groups) | set(self.bank)
        assert len(used) == len(groups) + len(self.bank)
        for person in self.people:
            most = sum(self.worth[person.pk].values()) + self.overpaid[person.pk]
            assert self.out(person) <= most
            # Without a gap: a restored backup comes by every one of them.
            numbers = {
                n for r, (whose, n) in self.references.items() if whose == person.pk and r in used
            }
            if numbers != set(range(1, len(numbers) + 1)):
                told = self.handed_out()
                numbers |= {
                    n for r, (w, n) in self.references.items() if w == person.pk and r in told
                }
            assert numbers == set(range(1, len(numbers) + 1))

    def teardown(self) -> None:
        """However it went: when everybody has done their part, all that was earned is paid."""
        if not hasattr(self, "kept"):
            return
        self.lift_holds()
        while self.live():
            self.accept("accepted")
        self.dispute()
        for _ in range(40):
            self.pay_out()
            self.files(None, True)
            if self.bank:
                self.report("paid", False, None, 1)
            self.something_went_out = True
            self.send([], "", None, False)
            self.refresh("", None)
            self.stripe.advance(25 * 3600)
            self.a_person_looks()
            self.the_bank_is_asked()
            for payout in Payout.objects.filter(currency=self.currency, found_cents__isnull=False):
                self.name_what_was_paid(payout, at_the_end=True)
            self.nothing_is_paid_twice()
            if not self._open().exists() and all(
                self._owed(person) < MINIMUM_PAYOUT_CENTS for person in self.people
            ):
                break
        assert not self._open().exists(), list(self._open().values())
        known = set(
            Payout.objects.filter(currency=self.currency, submitted_at__isnull=False).values_list(
                "our_reference", flat=True
            )
        )
        self.the_books_are_right()
        for person in self.people:
            owed = self._owed(person)
            assert owed < MINIMUM_PAYOUT_CENTS
            assert self.out(person, among=known) + owed == self.earned(person)

    def _open(self) -> Any:
        return Payout.objects.filter(currency=self.currency, state__in=Payout.OPEN)

    def _owed(self, person: Contractor) -> int:
        owed = Balance.objects.filter(
            account__contractor=person,
            account__currency=self.currency,
            account__kind="contractor_payable",
        )
        return int(owed.aggregate(s=Sum("balance_cents"))["s"] or 0)


@contextlib.contextmanager
def indexed_by_currency() -> Iterator[None]:
    """An example looks at its own rows only, however many examples went before."""
    tables = ("entry", "payable", "payout", "account", "payoutrun")
    with connection.cursor() as cursor:
        for table in tables:
            cursor.execute(f"CREATE INDEX test_{table} ON payouts_{table} (currency)")
    try:
        yield
    finally:
        with connection.cursor() as cursor:
            for table in tables:
                cursor.execute(f"DROP INDEX test_{table}")


def play(settings_: Any, examples: int, *, shrink: bool = True) -> None:
    """Play so many histories; without shrinking the first failure is the end."""
    with StripeFake() as fake, indexed_by_currency():
        settings_.STRIPE_API_BASE = fake.url
        settings_.STRIPE_API_KEY = "sk_test_x"
        World.stripe = fake
        World.staff = (factories.manager(), factories.finance(), factories.finance())
        run_state_machine_as_test(
            Money,
            settings=settings(
                max_examples=examples,
                stateful_step_count=15,
                deadline=None,
                database=None,
                phases=[Phase.generate, *([Phase.shrink] if shrink else [])],
                suppress_health_check=list(HealthCheck),
            ),
        )


@pytest.mark.django_db(transaction=True)
def test_money_under_any_history(settings: Any) -> None:
    play(settings, 100)


@pytest.mark.nightly
@pytest.mark.parametrize("part", range(8))
@pytest.mark.django_db(transaction=True)
def test_money_under_many_histories(settings: Any, part: int) -> None:
    """2,000 examples in eight parts, so that every core has some."""
    play(settings, 250)
