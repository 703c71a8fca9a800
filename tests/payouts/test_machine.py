"""Money under adversarial histories: a Hypothesis state machine over the real services.

Each example works in a currency of its own, so that examples leave each other alone without a
flush between them. The provider is the stateful Stripe fake; its faults, its webhooks, its
virtual clock and our crashes come in any order, beside a bank that takes files and sends reports.
A crash unwinds the worker before or after any of its commits, or between two of them, where a
SIGKILL would have left it (tests/payouts/test_kill.py kills a real one). A backup may be restored:
our rows go back, what the provider and the bank did stays done.

That the machine can fail is tested in test_mutations.py.
"""

from __future__ import annotations

import contextlib
import csv
import io
import itertools
import string
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection, transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import Sum
from django.utils import timezone
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from contractors.models import Contractor
from payouts.models import (
    Account,
    Balance,
    Entry,
    Hold,
    LedgerTransaction,
    Payable,
    Payout,
    PayoutRun,
    ProviderEvent,
)
from payouts.problems import CannotHold, NothingToPay, WrongPayoutState
from payouts.rails import Reply, Status
from payouts.rails.stripe_connect import StripeConnect
from payouts.services import (
    approve_run,
    cancel_run,
    credit,
    credit_assignment,
    decide_unknown,
    handle_event,
    hold_payable,
    lift_hold,
    lock_run,
    make_statements,
    pay_bonus,
    prepare_run,
    receive_event,
    reconcile_report,
    refresh_payout,
    return_payout,
    send_payout,
    set_payout_method,
    settle_payout,
    write_files,
)
from payouts.services.reconciling import file_content
from tasks.models import Assignment
from tasks.services import claim_next_task, record_decision, set_price
from tests import factories
from tests.payouts.backups import Backups
from tests.payouts.scenes import BANK
from tests.payouts.stripe_fake.server import FAULTS, StripeFake

_currencies = ("".join(letters) for letters in itertools.product(string.ascii_uppercase, repeat=3))
CRASHES = ("before_send", "after_send", "after_look_up", "after_status")
# What hangs for real seconds is left to test_sending.py.
QUICK_FAULTS = tuple(fault for fault in FAULTS if fault != "hang_after")


class Crash(BaseException):
    """The worker dies here."""


class CrashingRail(StripeConnect):
    """The real rail of a worker that dies at one moment."""

    def __init__(self, crash: str) -> None:
        super().__init__()
        self._crash = crash

    def _die(self, moment: str) -> None:
        if self._crash == moment:
            raise Crash

    def send(self, request: bytes, key: str) -> Reply:
        self._die("before_send")
        reply = super().send(request, key)
        self._die("after_send")
        return reply

    def look_up(self, reference: str) -> str | None:
        found = super().look_up(reference)
        self._die("after_look_up")
        return found

    def status(self, provider_reference: str) -> Status:
        status = super().status(provider_reference)
        self._die("after_status")
        return status


@contextlib.contextmanager
def crashing(at: tuple[int, str] | None) -> Iterator[None]:
    """The block dies before or after its nth commit (unless it has fewer)."""
    commit = BaseDatabaseWrapper._commit  # type: ignore[attr-defined]
    commits, died = 0, False

    def counted(self: BaseDatabaseWrapper) -> None:
        nonlocal commits, died
        commits += 1
        if at == (commits, "before"):
            died = True
            raise Crash
        commit(self)
        if at == (commits, "after"):
            died = True
            raise Crash

    BaseDatabaseWrapper._commit = counted  # type: ignore[attr-defined]
    try:
        yield
    except Crash:
        pass
    except Exception:  # Django stumbles over the wreck on its way out
        if not died:
            raise
    finally:
        BaseDatabaseWrapper._commit = commit  # type: ignore[attr-defined]
        if died:
            connection.in_atomic_block = False  # as for a process that starts anew
            connection.savepoint_ids = []
            connection.needs_rollback = False
            connection.run_on_commit = []
            connection.close()


CRASHING = st.none() | st.tuples(st.integers(1, 3), st.sampled_from(["before", "after"]))


class Money(RuleBasedStateMachine):
    """Two contractors, one project, one provider, one bank, and whatever can happen."""

    stripe: StripeFake

    @initialize()
    def begin(self) -> None:
        self.currency = next(_currencies)
        self.backups = Backups()
        self.backup: dict[str, Any] | None = None
        self.bank: dict[str, tuple[int, str]] = {}  # reference → cents, how it ended
        self.project = factories.project(
            currency=self.currency, overlap=1, max_overlap=1, live_claim_cap=20
        )
        factories.open_tasks(self.project, 4)
        self.boss, self.preparer, self.approver = (
            factories.manager(),
            factories.finance(),
            factories.finance(),
        )
        self.people = [factories.worker(self.project) for _ in range(3)]
        for person in self.people[:2]:
            set_payout_method(
                contractor=person,
                rail="stripe",
                details={"account": self.stripe.account()},
                password=factories.PASSWORD,
            )
        set_payout_method(
            contractor=self.people[2], rail="file", details=BANK, password=factories.PASSWORD
        )
        self.stripe.faults.clear()
        self.first_event = len(self.stripe.events)
        self.bonuses = 0
        for who in range(3):  # so that examples get to the interesting part
            self.bonus(who, 1600)

    # --- earning ----------------------------------------------------------------------------

    def _live(self) -> list[Assignment]:
        return list(
            Assignment.objects.filter(task__project=self.project, state="active").order_by("pk")
        )

    @rule(who=st.integers(0, 2))
    def claim(self, who: int) -> None:
        open_tasks = self.project.tasks.filter(state="open")
        if open_tasks.exists():
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
        for assignment in self._live()[:1]:
            work = factories.submitted(assignment)
            with transaction.atomic():
                work = record_decision(submission=work, outcome=outcome, actor=None)
                payable = credit(submission=work, kind=outcome)
            assert payable.amount_cents == assignment.price_cents

    @rule()
    def fee(self) -> None:
        for assignment in self._live()[:1]:
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
            for hold in Hold.objects.filter(payable__currency=self.currency, lifted_at=None):
                lift_hold(actor=self.approver, hold=hold)

    @rule(who=st.integers(0, 2), cents=st.integers(1, 9999))
    def bonus(self, who: int, cents: int) -> None:
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

    # --- paying out -------------------------------------------------------------------------

    def _runs(self, state: str) -> list[PayoutRun]:
        return list(PayoutRun.objects.filter(currency=self.currency, state=state).order_by("pk"))

    @rule(crash=CRASHING)
    def prepare(self, crash: tuple[int, str] | None) -> None:
        with contextlib.suppress(NothingToPay), crashing(crash):
            prepare_run(actor=self.preparer, currency=self.currency)

    @rule(crash=CRASHING)
    def lock(self, crash: tuple[int, str] | None) -> None:
        for run in self._runs("draft"):
            with crashing(crash):
                lock_run(actor=self.preparer, run=run)

    @rule(crash=CRASHING)
    def approve(self, crash: tuple[int, str] | None) -> None:
        for run in self._runs("locked"):
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
        for run in self._runs(state):
            cancel_run(actor=self.preparer, run=run, reason="Changed our mind")

    def _payouts(self) -> list[int]:
        return list(
            Payout.objects.filter(currency=self.currency, rail="stripe")
            .exclude(state__in=["draft", "locked", "cancelled"])
            .order_by("pk")
            .values_list("pk", flat=True)
        )

    def _now(self) -> datetime:
        return datetime.fromtimestamp(self.stripe.now, UTC)

    @precondition(lambda self: self._payouts())
    @rule(
        faults=st.lists(st.sampled_from(QUICK_FAULTS), max_size=2),
        crash=st.sampled_from(["", *CRASHES]),
        commit=CRASHING,
        down=st.booleans(),
    )
    def send(
        self, faults: list[str], crash: str, commit: tuple[int, str] | None, down: bool
    ) -> None:
        self.stripe.faults[:] = faults
        self.stripe.look_up_is_down = down
        for payout in self._payouts():
            with contextlib.suppress(Crash), crashing(commit):
                send_payout(payout_id=payout, rail=CrashingRail(crash), now=self._now())
        self.stripe.faults.clear()
        self.stripe.look_up_is_down = False

    @rule(
        hours=st.lists(st.sampled_from([1, 22, 25]), min_size=1, max_size=2),
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

    @precondition(lambda self: self._payouts())
    @rule(crash=st.sampled_from(["", "after_status"]), commit=CRASHING)
    def refresh(self, crash: str, commit: tuple[int, str] | None) -> None:
        for payout in self._payouts():
            with contextlib.suppress(Crash), crashing(commit):
                refresh_payout(payout_id=payout, rail=CrashingRail(crash))

    @rule()
    def a_person_decides(self) -> None:
        """Whoever looks into the provider's dashboard sees what it did."""
        for payout in Payout.objects.filter(currency=self.currency, needs_person=True):
            found = [t["id"] for t in self._sent() if t["transfer_group"] == payout.our_reference]
            decide_unknown(
                actor=self.approver,
                payout_id=payout.pk,
                provider_reference=found[0] if found else "",
                note="Seen in the dashboard",
            )

    # --- a bank that takes files --------------------------------------------------------------

    @rule(crash=CRASHING)
    def files(self, crash: tuple[int, str] | None) -> None:
        """Write the files and hand them in; the bank takes a reference once."""
        for run in self._runs("approved"):
            with crashing(crash):
                write_files(run=run)
            for file in run.files.all():
                rows = csv.DictReader(io.StringIO(file_content(file).decode(), newline=""))
                for row in rows:
                    cents = int(row["amount"].replace(".", ""))
                    self.bank.setdefault(row["reference"], (cents, "paid"))

    @precondition(lambda self: self.bank)
    @rule(
        status=st.sampled_from(["paid", "failed", "returned"]),
        wrong=st.booleans(),
        crash=CRASHING,
        times=st.integers(1, 2),
    )
    def report(self, status: str, wrong: bool, crash: tuple[int, str] | None, times: int) -> None:
        """The bank's report, with its mistakes, repeatedly, cut short."""
        states = dict(
            Payout.objects.filter(currency=self.currency, rail="file").values_list(
                "our_reference", "state"
            )
        )
        lines = []
        for reference, (cents, said) in self.bank.items():
            if said == "paid" and (status, states[reference]) in [
                ("failed", "submitted"), ("returned", "submitted"), ("returned", "settled"),
            ]:  # fmt: skip
                self.bank[reference] = (cents, said := status)
            lines.append(f"{reference},{cents // 100}.{cents % 100:02d},{self.currency},{said}")
            if wrong:
                lines += [lines[-1], f"{reference},0.01,{self.currency},returned"]
        if wrong:
            lines.append(f"AP-unknown,1.00,{self.currency},paid")
        content = "reference,amount,currency,status\n" + "\n".join(lines)
        for run in self._runs("approved"):
            for _ in range(times):
                with crashing(crash):
                    reconcile_report(actor=self.approver, run=run, content=content.encode())

    # --- what happens to all of it ------------------------------------------------------------

    @rule()
    def back_up(self) -> None:
        self.backup = self.backups.take()

    @precondition(lambda self: self.backup is not None)
    @rule()
    def restore(self) -> None:
        """Our rows are those of the backup again; provider and bank remember everything.

        Only where the backup knows, as approved, every payout that money went out for: what
        was made up after the backup cannot be looked up by a reference that is lost.
        """
        assert self.backup is not None
        now = self.backups.take()
        self.backups.restore(self.backup)
        known = set(
            Payout.objects.filter(currency=self.currency)
            .exclude(state__in=["draft", "locked", "cancelled"])
            .values_list("our_reference", flat=True)
        )
        if not {t["transfer_group"] for t in self._sent()} | set(self.bank) <= known:
            self.backups.restore(now)
        self.backup = None

    def _sent(self) -> list[dict[str, Any]]:
        return [t for t in self.stripe.transfers.values() if t["currency"] == self.currency.lower()]

    @rule()
    def replay(self) -> None:
        """Everything that was done is done again: nothing changes."""
        before = self._picture()
        self.credit_again()
        self.settle_again()
        for payout in Payout.objects.filter(currency=self.currency):
            if payout.state not in ("approved", "sending", "unknown"):
                send_payout(payout_id=payout.pk, rail=StripeConnect(), now=self._now())
            if payout.state == "returned":
                return_payout(payout_id=payout.pk, reason="Again")
        for event in self._events():
            done = ProviderEvent.objects.filter(event_id=event["id"], handled_at__isnull=False)
            if done.exists():
                transfer = event["data"]["object"]
                receive_event(
                    provider="stripe",
                    event_id=event["id"],
                    kind=event["type"],
                    reference=transfer["id"],
                    our_reference=transfer["transfer_group"],
                )
        for run in self._runs("approved"):
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

    @rule(hours=st.sampled_from([1, 22, 25]))
    def time_passes(self, hours: int) -> None:
        self.stripe.advance(hours * 3600)

    def _events(self) -> list[dict[str, Any]]:
        return self.stripe.events[self.first_event :]

    @precondition(lambda self: self._events())
    @rule(which=st.integers(0, 1000), times=st.integers(1, 2), crash=st.booleans())
    def webhook(self, which: int, times: int, crash: bool) -> None:
        events = self._events()
        event = events[which % len(events)]
        transfer = event["data"]["object"]
        if crash:  # the process died after it had stored the event's id
            ProviderEvent.objects.get_or_create(
                provider="stripe",
                event_id=event["id"],
                defaults={"kind": event["type"], "reference": transfer["id"]},
            )
        for _ in range(times):
            receive_event(
                provider="stripe",
                event_id=event["id"],
                kind=event["type"],
                reference=transfer["id"],
                our_reference=transfer["transfer_group"],
            )
            handle_event(
                provider="stripe",
                reference=transfer["id"],
                our_reference=transfer["transfer_group"],
            )

    @precondition(lambda self: self._transfers())
    @rule(which=st.integers(0, 1000))
    def money_comes_back(self, which: int) -> None:
        transfers = self._transfers()
        self.stripe.reverse(transfers[which % len(transfers)]["id"])

    def _transfers(self) -> list[dict[str, Any]]:
        return [
            t
            for t in self.stripe.transfers.values()
            if t["currency"] == self.currency.lower() and not t["reversed"]
        ]

    @rule()
    def settle_again(self) -> None:
        for payout in Payout.objects.filter(currency=self.currency, state="settled"):
            settle_payout(payout_id=payout.pk)
        for payout in Payout.objects.filter(currency=self.currency, state="failed", rail="stripe"):
            with pytest.raises(WrongPayoutState):
                settle_payout(payout_id=payout.pk)

    @rule()
    def state_accounts(self) -> None:
        make_statements(period_end=datetime(2100, 1, 1, tzinfo=UTC))

    # --- what always holds -------------------------------------------------------------------

    def _by_kind(self) -> dict[str, int]:
        rows = (
            Entry.objects.filter(currency=self.currency)
            .values_list("account__kind")
            .annotate(total=Sum("amount_cents"))
            .order_by()
        )
        return {kind: int(total) for kind, total in rows}

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
        kinds = self._by_kind()
        earned = Payable.objects.filter(currency=self.currency).aggregate(s=Sum("amount_cents"))
        total = int(earned["s"] or 0)
        assert -kinds.get("project_expense", 0) == total
        assert (
            kinds.get("contractor_payable", 0)
            + kinds.get("contractor_in_transit", 0)
            + kinds.get("cash", 0)
        ) == total

    @invariant()
    def nothing_is_paid_twice(self) -> None:
        transfers = self._sent()
        ours = {
            p.our_reference: p.amount_cents for p in Payout.objects.filter(currency=self.currency)
        }
        groups = [t["transfer_group"] for t in transfers]
        assert len(groups) == len(set(groups))
        assert all(t["amount"] == ours[t["transfer_group"]] for t in transfers)
        assert all(cents == ours[reference] for reference, (cents, _) in self.bank.items())
        for person in self.people:
            assert self._out(person) <= self._earned(person)

    @invariant()
    def states_agree_with_the_ledger(self) -> None:
        """Accrued, and batched in a draft, is owed; batched otherwise in transit; paid is cash."""
        kinds = self._by_kind()
        payables = Payable.objects.filter(currency=self.currency)
        draft = payables.filter(
            state="batched", payout_items__released=False, payout_items__payout__state="draft"
        )
        cents = {
            "owed": payables.filter(state__in=["accrued", "held"]),
            "draft": draft,
            "batched": payables.filter(state="batched"),
            "paid": payables.filter(state="paid"),
        }
        sums = {k: int(q.aggregate(s=Sum("amount_cents"))["s"] or 0) for k, q in cents.items()}
        assert kinds.get("contractor_payable", 0) == sums["owed"] + sums["draft"]
        assert kinds.get("contractor_in_transit", 0) == sums["batched"] - sums["draft"]
        assert kinds.get("cash", 0) == sums["paid"]

    def _out(self, person: Contractor) -> int:
        references = set(
            Payout.objects.filter(contractor=person).values_list("our_reference", flat=True)
        )
        transferred = sum(
            int(t["amount"] - t["amount_reversed"])
            for t in self.stripe.transfers.values()
            if t["transfer_group"] in references
        )
        return transferred + sum(
            cents
            for reference, (cents, said) in self.bank.items()
            if reference in references and said == "paid"
        )

    def _earned(self, person: Contractor) -> int:
        earned = Payable.objects.filter(contractor=person).aggregate(s=Sum("amount_cents"))
        return int(earned["s"] or 0)

    def teardown(self) -> None:
        """However it went, in the end the provider and the books say the same."""
        if not hasattr(self, "currency"):
            return
        for _ in range(3):
            for payout in self._payouts():
                send_payout(payout_id=payout, rail=StripeConnect(), now=self._now())
                refresh_payout(payout_id=payout)
            self.stripe.advance(25 * 3600)
        self.files(None)
        if self.bank:
            self.report("paid", False, None, 1)
        done = Payout.objects.filter(currency=self.currency).exclude(
            state__in=["draft", "locked", "cancelled"]
        )
        final = set(done.values_list("state", flat=True))
        assert final <= {"settled", "failed", "returned"}, final
        out = sum(t["amount"] for t in self._transfers())
        out += sum(cents for cents, said in self.bank.values() if said == "paid")
        assert self._by_kind().get("cash", 0) == out
        for person in self.people:
            owed = Account.objects.filter(contractor=person, kind="contractor_payable")
            payable = Entry.objects.filter(account__in=owed).aggregate(s=Sum("amount_cents"))["s"]
            locked = Payout.objects.filter(contractor=person, state="locked")
            reserved = locked.aggregate(s=Sum("amount_cents"))["s"]
            assert int(payable or 0) + int(reserved or 0) + self._out(person) == self._earned(
                person
            )


def play(settings_: Any, examples: int, *, shrink: bool = True) -> None:
    """Play so many histories; without shrinking the first failure is the end."""
    with StripeFake() as fake:
        settings_.STRIPE_API_BASE = fake.url
        settings_.STRIPE_API_KEY = "sk_test_x"
        Money.stripe = fake
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
@pytest.mark.django_db(transaction=True)
def test_money_under_many_histories(settings: Any) -> None:
    play(settings, 2000)
