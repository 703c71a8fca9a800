"""What people earn, in any order, again and again."""

from __future__ import annotations

import contextlib
from datetime import UTC, datetime, timedelta

from django.db import transaction
from django.db.models import Sum
from django.utils import timezone
from hypothesis import strategies as st
from hypothesis.stateful import rule

from payouts.models import Hold, Payable
from payouts.problems import CannotHold
from payouts.services import (
    credit,
    credit_assignment,
    hold_payable,
    lift_hold,
    make_statements,
)
from tasks.problems import QueueEmpty
from tasks.services import claim_next_task, record_decision, set_price
from tests import factories
from tests.payouts.machine.world import World


class Earning(World):
    @rule(who=st.integers(0, 2))
    def claim(self, who: int) -> None:
        with contextlib.suppress(QueueEmpty):  # or they have had what is left of it
            claim_next_task(contractor=self.people[who], project=self.project)

    @rule(cents=st.integers(200, 5000))
    def reprice(self, cents: int) -> None:
        set_price(
            actor=self.boss,
            project=self.project,
            price_cents=cents,
            screening_fee_cents=min(200, cents),
            currency=self.currency,
            reason="Now",
        )

    @rule(outcome=st.sampled_from(["accepted", "auto_accepted", "paid_unused"]))
    def accept(self, outcome: str) -> None:
        for assignment in self.live()[:1]:
            work = factories.submitted(assignment)
            with transaction.atomic():
                work = record_decision(submission=work, outcome=outcome, actor=None)
                payable = credit(submission=work, kind=outcome)
            assert payable.amount_cents == assignment.price_cents

    @rule()
    def fee(self) -> None:
        for assignment in self.live()[:1]:
            work = factories.submitted(assignment)
            with transaction.atomic():
                work = record_decision(submission=work, outcome="unusable_confirmed", actor=None)
                credit(submission=work, kind="screening_fee")

    @rule()
    def dispute(self) -> None:
        """Whatever was paid for a claim so far, a dispute brings it up to its pinned price."""
        for payable in Payable.objects.filter(currency=self.currency, submission__isnull=False):
            assert payable.submission is not None
            assert payable.assignment is not None
            for _ in range(2):
                credit(submission=payable.submission, kind="dispute", reason="It was usable")
            paid = Payable.objects.filter(assignment=payable.assignment)
            assert paid.aggregate(s=Sum("amount_cents"))["s"] == payable.assignment.price_cents

    @rule(lift=st.booleans())
    def hold(self, lift: bool) -> None:
        with contextlib.suppress(CannotHold):
            for payable in Payable.objects.filter(currency=self.currency, state="accrued")[:1]:
                hold_payable(
                    actor=self.preparer,
                    payable=payable,
                    reason="Case",
                    case="case 12",
                    ends_at=timezone.now() + timedelta(days=1),
                )
        if lift:
            self.lift_holds()

    def lift_holds(self) -> None:
        for hold in Hold.objects.filter(payable__currency=self.currency, lifted_at=None):
            lift_hold(actor=self.approver, hold=hold)

    @rule(who=st.integers(0, 2), cents=st.integers(1, 9999))
    def bonus(self, who: int, cents: int) -> None:
        self.bonus_of(who, cents)

    @rule(who=st.integers(0, 2), rail=st.sampled_from(["stripe", "file"]))
    def another_way(self, who: int, rail: str) -> None:
        self.pay_over(who, rail)

    @rule()
    def credit_again(self) -> None:
        before = Payable.objects.filter(currency=self.currency).count()
        for payable in Payable.objects.filter(currency=self.currency, submission__isnull=False):
            assert payable.assignment is not None
            kind = "dispute" if payable.kind == "dispute" else payable.kind
            credit_assignment(
                assignment=payable.assignment, submission=payable.submission, kind=kind
            )
        assert Payable.objects.filter(currency=self.currency).count() == before

    @rule()
    def state_accounts(self) -> None:
        make_statements(period_end=datetime(2100, 1, 1, tzinfo=UTC))
