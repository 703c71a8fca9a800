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

from typing import Any

import pytest
from django.db.models import Sum
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import initialize, invariant, rule, run_state_machine_as_test

from contractors.models import Contractor
from payouts.models import Balance, Entry, LedgerTransaction, Payable, Payout, ProviderEvent
from payouts.rails.stripe_connect import StripeConnect
from payouts.rules import MINIMUM_PAYOUT_CENTS
from payouts.services import return_payout, send_payout, write_files
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
    def every_transaction_sums_to_zero(self) -> None:
        wrong = (
            Entry.objects.filter(currency=self.currency)
            .values("transaction")
            .annotate(total=Sum("amount_cents"))
            .exclude(total=0)
        )
        assert not wrong.exists()

    @invariant()
    def recomputed_is_cached(self) -> None:
        entries = {
            code: int(total)
            for code, total in Entry.objects.filter(
                currency=self.currency, account__floor_cents__isnull=False
            )
            .values_list("account__code")
            .annotate(total=Sum("amount_cents"))
            .order_by()
        }
        running = dict(
            Balance.objects.filter(account__currency=self.currency).values_list(
                "account__code", "balance_cents"
            )
        )
        assert running == entries
        assert all(balance >= 0 for balance in running.values())

    @invariant()
    def paid_and_in_transit_and_payable_is_earned(self) -> None:
        """And each payable's state says where its money is: accrued, and batched in a draft, is
        owed; batched otherwise in transit; paid is cash."""
        kinds = self.by_kind()
        payables = Payable.objects.filter(currency=self.currency)
        sums = {
            state: int(total)
            for state, total in payables.values_list("state").annotate(s=Sum("amount_cents"))
        }
        draft = payables.filter(
            state="batched", payout_items__released=False, payout_items__payout__state="draft"
        ).aggregate(s=Sum("amount_cents"))
        in_draft = int(draft["s"] or 0)
        owed = sums.get("accrued", 0) + sums.get("held", 0) + in_draft
        assert kinds.get("contractor_payable", 0) == owed
        assert kinds.get("contractor_in_transit", 0) == sums.get("batched", 0) - in_draft
        assert kinds.get("cash", 0) == sums.get("paid", 0)
        assert -kinds.get("project_expense", 0) == sum(sums.values())

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
            for _ in range(2):
                self.send([], "", None, False)
                self.refresh("", None)
                self.stripe.advance(25 * 3600)
            self.a_person_looks()
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
        self.paid_and_in_transit_and_payable_is_earned()
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


def play(settings_: Any, examples: int, *, shrink: bool = True) -> None:
    """Play so many histories; without shrinking the first failure is the end."""
    with StripeFake() as fake:
        settings_.STRIPE_API_BASE = fake.url
        settings_.STRIPE_API_KEY = "sk_test_x"
        World.stripe = fake
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
@pytest.mark.parametrize("part", range(4))
@pytest.mark.django_db(transaction=True)
def test_money_under_many_histories(settings: Any, part: int) -> None:
    """2,000 examples in four parts, so that every core has some."""
    play(settings, 500)
