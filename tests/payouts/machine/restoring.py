"""A backup is restored: our rows go back, what the provider and the bank did stays done."""

from __future__ import annotations

from hypothesis import strategies as st
from hypothesis.stateful import rule

from payouts.models import Payable, Payout
from payouts.services import decide_found
from tasks.models import Assignment
from tests.payouts.machine.earning import Earning
from tests.payouts.machine.paying import Paying


class Restoring(Earning, Paying):
    @rule()
    def back_up(self) -> None:
        self.kept[1:] = [*self.kept[1:], self.backups.take()][-3:]

    @rule(which=st.integers(0, 3))
    def restore(self, which: int) -> None:
        """Any backup, of any age: also the one of the very beginning, and an older one first."""
        self.take_note()
        self.backups.restore(self.kept[which % len(self.kept)])
        self.time_passes(1)

    @rule(
        which=st.integers(0, 3),
        who=st.integers(0, 2),
        before=st.none() | st.integers(1, 2000),
        lost=st.none() | st.integers(1, 2000),
        after=st.none() | st.integers(1, 2000),
        way=st.sampled_from(["", "stripe", "file"]),
    )
    def a_lost_day(
        self,
        which: int,
        who: int,
        before: int | None,
        lost: int | None,
        after: int | None,
        way: str,
    ) -> None:
        """Money goes out after the backup, and the day's work goes on after it was restored."""
        if before:
            self.bonus_of(who, before)
        if which == 3:
            self.back_up()
        if lost:
            self.bonus_of(who, lost)
        if way:
            self.pay_over(who, way)
        self._a_day()
        self.restore(which)
        if after:
            self.bonus_of(who, after)
        self._a_day()

    def _a_day(self) -> None:
        self.pay_out()
        self.files(None, True)
        self.send([], "", None, False)
        self.refresh("", None)
        self.take_note()

    @rule()
    def finance_names_what_was_paid(self) -> None:
        for payout in Payout.objects.filter(currency=self.currency, found_cents__isnull=False):
            self.name_what_was_paid(payout, at_the_end=False)

    def name_what_was_paid(self, payout: Payout, *, at_the_end: bool) -> None:
        """Finance knows from people what a payment was for; waits for work that will be decided
        again; and credits as lost what no record is left of."""
        assert payout.found_cents is not None
        known = {thing: cents for _, thing, cents in self.things(contractor=payout.contractor)}
        claims = set(
            Assignment.objects.filter(contractor=payout.contractor).values_list(
                "claimed_at", flat=True
            )
        )
        paid = self.paid_for[payout.our_reference]
        if not at_the_end and any(t[0] in claims and t not in known for t in paid):
            return
        gone = sum(max(0, cents - known.get(thing, 0)) for thing, cents in paid.items())
        sums: dict[int, tuple[int, ...]] = {0: ()}
        unpaid = Payable.objects.filter(contractor=payout.contractor, state="accrued") | (
            Payable.objects.filter(payout_items__payout=payout, payout_items__released=False)
        )
        for pk, cents in unpaid.distinct().order_by("pk").values_list("pk", "amount_cents")[:14]:
            for total, chosen in list(sums.items()):
                sums.setdefault(total + cents, (*chosen, pk))
        wanted = payout.found_cents - gone
        best = max((total for total in sums if total <= wanted), default=0)
        if best != wanted and not at_the_end:
            return
        # Whole earnings are not always worth what is known to have been paid: a knowing overpay.
        self.overpaid[payout.contractor_id] += wanted - best
        decide_found(
            actor=self.approver,
            payout_id=payout.pk,
            earnings=sums[best],
            project=self.project,
            note="Asked the person",
        )
