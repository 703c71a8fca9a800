"""A backup was restored: what went out since is found by its reference and adopted, never repaid.

The rows of these tests are those of the backup: approved, and not sent. What the lost history did
is done straight to the provider, or left as a witness. The state machine restores real copies of
the rows (test_machine.py).
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from django.core.files.storage import InMemoryStorage, storages
from django.db import IntegrityError, connection

from contractors.models import Contractor
from events.models import Event
from payouts.models import Payable, Payout, PayoutRun, PayoutWitness
from payouts.problems import InvalidAmount, WitnessesUnreachable, WrongPayoutState
from payouts.services import (
    cancel_run,
    check_ledger,
    decide_found,
    hand_out_file,
    receive_event,
    send_payout,
    set_payout_method,
    sweep_payouts,
    write_files,
)
from payouts.services.witnesses import FOLDER
from tests import factories
from tests.payouts.scenes import (
    BANK,
    Finance,
    balances,
    followed,
    leave_witness,
    payout_of,
    reference,
    states,
)
from tests.payouts.stripe_fake.server import StripeFake

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def stripe(settings: Any) -> Iterator[StripeFake]:
    with StripeFake() as fake:
        settings.STRIPE_API_BASE = fake.url
        settings.STRIPE_API_KEY = "sk_test_x"
        yield fake


@pytest.fixture(autouse=True)
def witnesses() -> Iterator[InMemoryStorage]:
    storages._storages["witnesses"] = storage = InMemoryStorage()  # type: ignore[attr-defined]
    yield storage
    del storages._storages["witnesses"]  # type: ignore[attr-defined]


@pytest.fixture
def finance() -> Finance:
    return Finance()


@pytest.fixture
def ada(stripe: StripeFake, finance: Finance) -> Contractor:
    """$16.00, $2.00 and $3.00 in an approved payout over Stripe."""
    person = finance.payee(1600, 200, 300, rail="stripe", account=stripe.account())
    finance.approved()
    return person


def clock(stripe: StripeFake) -> datetime:
    return datetime.fromtimestamp(stripe.now, UTC)


def paid_before(stripe: StripeFake, person: Contractor, cents: int, number: int = 1) -> str:
    """The lost history paid this under the person's nth reference. Returns the transfer."""
    _, row = stripe.create(
        {
            "amount": str(cents),
            "currency": "usd",
            "destination": sorted(stripe.accounts)[0],
            "transfer_group": reference(person, number),
        },
        f"lost {number}",
        f"lost-{number}",
    )
    return str(row["id"])


def sweep(stripe: StripeFake) -> None:
    for _ in range(2):
        sweep_payouts(now=clock(stripe))


def paid_since(stripe: StripeFake) -> list[int]:
    """What our own requests paid: the lost history's had keys of its own."""
    sent = [key for key, _ in stripe.creates if not key.startswith("lost-")]
    return [stripe.keys[key].body["amount"] for key in sent]


# --- what is found ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("cents", "paid"),
    [
        (2100, [(1600, "paid"), (200, "paid"), (300, "paid")]),
        (1800, [(1600, "paid"), (200, "paid"), (300, "accrued")]),
        (1600, [(1600, "paid"), (200, "accrued"), (300, "accrued")]),
    ],
)
def test_what_was_paid_is_adopted_and_the_rest_is_owed(
    stripe: StripeFake, ada: Contractor, cents: int, paid: list[tuple[int, str]]
) -> None:
    transfer = paid_before(stripe, ada, cents)
    sweep(stripe)
    assert paid_since(stripe) == []
    assert states(ada) == paid
    assert balances(ada) == (2100 - cents, 0)
    adopted = payout_of(ada)
    assert (adopted.state, adopted.amount_cents, adopted.number) == ("settled", cents, 1)
    assert (adopted.provider_reference, adopted.our_reference) == (transfer, reference(ada, 1))
    assert check_ledger() == []


def test_then_the_next_number_is_asked_in_turn(
    stripe: StripeFake, ada: Contractor, finance: Finance
) -> None:
    for number, cents in enumerate((1600, 200), start=1):
        paid_before(stripe, ada, cents, number)
    for _ in range(3):
        sweep(stripe)
        if sum(p for p, state in states(ada) if state == "accrued"):
            finance.approved()
    sweep(stripe)
    assert states(ada) == [(1600, "paid"), (200, "paid"), (300, "paid")]
    assert paid_since(stripe) == [300]
    assert [stripe.paid_cents(reference(ada, n)) for n in (1, 2, 3)] == [[1600], [200], [300]]
    used = Payout.objects.filter(state="settled").order_by("number")
    assert list(used.values_list("number", "amount_cents")) == [(1, 1600), (2, 200), (3, 300)]


def test_what_no_known_earnings_are_worth_waits_for_a_person_and_is_never_sent(
    stripe: StripeFake, ada: Contractor, finance: Finance
) -> None:
    transfer = paid_before(stripe, ada, 1700)
    sweep(stripe)
    payout = payout_of(ada)
    assert (payout.state, payout.needs_person, payout.found_cents) == ("unknown", True, 1700)
    assert "$17.00 was already paid under its reference" in payout.problem
    assert paid_since(stripe) == []
    assert balances(ada) == (0, 2100)

    first, second, _ = Payable.objects.filter(contractor=ada).order_by("pk")
    other = Payable.objects.get(contractor=finance.payee(1600, method=False))
    wrong: list[tuple[Any, str]] = [
        ({"earnings": [other.pk]}, "unpaid earnings of this person"),
        ({"earnings": [first.pk, second.pk]}, "worth \\$18.00"),
        ({"earnings": [first.pk]}, "\\$1.00 of it is for none of these"),
    ]
    for body, said in wrong:
        with pytest.raises(InvalidAmount, match=said):
            decide_found(actor=finance.approver, payout_id=payout.pk, note="Asked", **body)
    with pytest.raises(InvalidAmount, match="their own"):
        decide_found(actor=ada.user, payout_id=payout.pk, earnings=[first.pk], note="Mine")
    assert payout_of(ada).state == "unknown"
    assert balances(ada) == (0, 2100)

    adopted = decide_found(
        actor=finance.approver,
        payout_id=payout.pk,
        earnings=[first.pk],
        project=finance.project,
        note="A bonus of that day",
    )
    assert (adopted.provider_reference, adopted.amount_cents) == (transfer, 1700)
    sweep(stripe)
    assert states(ada) == [(1600, "paid"), (200, "accrued"), (300, "accrued"), (100, "paid")]
    lost = Payable.objects.get(source_key=f"lost:{reference(ada, 1)}")
    assert "its records were lost. A bonus of that day" in lost.reason
    assert balances(ada) == (500, 0)
    assert paid_since(stripe) == []
    decided = Event.objects.get(type="payout.decided")
    assert (decided.actor_id, decided.data["lost_cents"]) == (finance.approver.pk, 100)
    with pytest.raises(WrongPayoutState):
        decide_found(actor=finance.approver, payout_id=adopted.pk, earnings=[], note="Again")
    assert check_ledger() == []


def test_it_waits_until_the_work_is_decided_again(
    stripe: StripeFake, ada: Contractor, finance: Finance
) -> None:
    paid_before(stripe, ada, 2500)
    sweep(stripe)
    assert payout_of(ada).needs_person
    finance.earn(ada, 400)  # the same work, accepted again
    sweep(stripe)
    assert payout_of(ada).state == "settled"
    assert [state for _, state in states(ada)] == ["paid"] * 4
    assert paid_since(stripe) == []


def test_what_was_earned_after_a_payment_was_not_paid_by_it(
    stripe: StripeFake, finance: Finance
) -> None:
    """At one price for all the amounts are the same; a payment of last week is for other work."""
    person = finance.payee(1600, rail="stripe", account=stripe.account())
    stripe.transfers[paid_before(stripe, person, 1600)]["created"] -= 7 * 24 * 3600
    finance.approved()
    sweep(stripe)
    assert payout_of(person).needs_person
    assert paid_since(stripe) == []
    decide_found(
        actor=finance.approver,
        payout_id=payout_of(person).pk,
        earnings=[],
        project=finance.project,
        note="Last week's task",
    )
    sweep(stripe)
    finance.approved()
    sweep(stripe)
    assert paid_since(stripe) == [1600]
    assert states(person) == [(1600, "paid"), (1600, "paid")]


@pytest.mark.parametrize("cents", [2100, 1800, 1700, 9900])
def test_what_came_back_is_owed_and_its_number_is_used_up(
    stripe: StripeFake, ada: Contractor, finance: Finance, cents: int
) -> None:
    stripe.reverse(paid_before(stripe, ada, cents))
    sweep(stripe)
    assert payout_of(ada).state == ("returned" if cents == 2100 else "failed")
    assert balances(ada) == (2100, 0)
    finance.approved()
    sweep(stripe)
    assert (payout_of(ada).state, payout_of(ada).number) == ("settled", 2)
    assert paid_since(stripe) == [2100]
    assert check_ledger() == []


def test_without_an_answer_nothing_is_sent(stripe: StripeFake, ada: Contractor) -> None:
    paid_before(stripe, ada, 2100)
    stripe.look_up_is_down = True
    sweep(stripe)
    payout = payout_of(ada)
    assert (payout.state, payout.needs_person) == ("approved", False)
    assert "can't be asked" in payout.problem
    assert paid_since(stripe) == []
    stripe.look_up_is_down = False
    sweep(stripe)
    assert (payout_of(ada).state, paid_since(stripe)) == ("settled", [])


def test_a_webhook_about_a_payment_that_our_records_lost(
    stripe: StripeFake, ada: Contractor
) -> None:
    transfer = paid_before(stripe, ada, 1800)
    for group in (reference(ada, 1), reference(ada, 7)):
        receive_event(
            provider="stripe", event_id=f"evt_{group}", kind="transfer.created",
            reference=transfer, our_reference=group,
        )  # fmt: skip
    assert (payout_of(ada).state, payout_of(ada).amount_cents) == ("settled", 1800)
    assert balances(ada) == (300, 0)


# --- numbers ------------------------------------------------------------------------------------


def test_a_number_comes_again_until_a_rail_has_it(
    stripe: StripeFake, ada: Contractor, finance: Finance
) -> None:
    refused = payout_of(ada)
    accounts, stripe.accounts = stripe.accounts, set()
    sweep(stripe)
    assert payout_of(ada).state == "failed"
    stripe.accounts = accounts
    cancelled = finance.locked()
    cancel_run(actor=finance.preparer, run=cancelled, reason="No")
    finance.approved()
    sweep(stripe)
    assert {p.our_reference for p in Payout.objects.filter(contractor=ada)} == {
        refused.our_reference
    }
    assert (payout_of(ada).state, payout_of(ada).number) == ("settled", 1)
    assert stripe.paid_cents(refused.our_reference) == [2100]
    assert [key for key, _ in stripe.creates] == [f"{refused.our_reference}-{n}" for n in (1, 2)]
    finance.earn(ada, 500)
    finance.prepared()
    assert (payout_of(ada).number, payout_of(ada).our_reference) == (2, reference(ada, 2))


def test_a_reference_fits_a_nacha_entry_and_is_nobody_else_s(finance: Finance) -> None:
    people = [finance.payee(1600) for _ in range(3)]
    references = {reference(person, n) for person in people for n in range(1, 200)}
    assert len(references) == 3 * 199
    assert {len(r) for r in references} == {15}
    assert all(r.isascii() and r.isalnum() and r.isupper() for r in references)


@pytest.mark.parametrize(
    ("number", "of"), [(2, 2), (0, 0), (1, 2)], ids=["a gap", "below one", "another's reference"]
)
def test_the_database_refuses_another_number(finance: Finance, number: int, of: int) -> None:
    """A gap would be paid again by whoever restores a backup."""
    person = finance.payee(1600)
    run = finance.locked()
    cancel_run(actor=finance.preparer, run=run, reason="No")
    with (
        pytest.raises(IntegrityError, match="the next number of its person"),
        connection.cursor() as cursor,
    ):
        cursor.execute(
            "INSERT INTO payouts_payout (run_id, contractor_id, method_id, rail, currency, "
            "amount_cents, number, our_reference, state, provider_reference, problem, "
            "needs_person, found_rail, found_reference) SELECT run_id, contractor_id, method_id, "
            "rail, currency, amount_cents, %s, %s, 'draft', '', '', false, '', '' "
            "FROM payouts_payout WHERE run_id = %s",
            [number, reference(person, of), run.pk],
        )


@pytest.mark.parametrize("change", ["number = 5", "submitted_at = NULL", "submitted_at = now()"])
def test_a_used_number_stays_used(stripe: StripeFake, ada: Contractor, change: str) -> None:
    send_payout(payout_id=payout_of(ada).pk, now=clock(stripe))
    with (
        pytest.raises(IntegrityError, match="its number, and that a rail has it, are fixed"),
        connection.cursor() as cursor,
    ):
        cursor.execute(f"UPDATE payouts_payout SET {change}")


def test_the_name_behind_a_reference_never_changes(ada: Contractor) -> None:
    with (
        pytest.raises(IntegrityError, match="the public id never changes"),
        connection.cursor() as cursor,
    ):
        cursor.execute("UPDATE contractors_contractor SET public_id = gen_random_uuid()")


@pytest.mark.parametrize(
    "change",
    ["found_cents = 1600", "found_rail = 'stripe'", "found_cents = 0, found_rail = 'file'"],
)
def test_what_was_found_has_an_amount_and_a_rail(ada: Contractor, change: str) -> None:
    with (
        pytest.raises(IntegrityError, match="payout_found_is_whole"),
        connection.cursor() as cursor,
    ):
        cursor.execute(f"UPDATE payouts_payout SET {change} WHERE id = %s", [payout_of(ada).pk])


@pytest.mark.parametrize(
    "attack", ["UPDATE payouts_payoutwitness SET name = 'x'", "DELETE FROM payouts_payoutwitness"]
)
def test_a_witness_stays(finance: Finance, attack: str) -> None:
    finance.payee(1600)
    lines(finance.approved())
    assert PayoutWitness.objects.exists()
    with pytest.raises(IntegrityError), connection.cursor() as cursor:
        cursor.execute(attack)


# --- bank files -----------------------------------------------------------------------------------


def lines(run: PayoutRun) -> list[tuple[str, str]]:
    """(reference, amount) of each line of a run's CSV file."""
    content = b"".join(hand_out_file(file) for file in write_files(run=run)).decode()
    rows = csv.DictReader(io.StringIO(content, newline=""))
    return [(row["reference"], row["amount"]) for row in rows]


def test_a_file_that_was_handed_out_is_not_made_again(finance: Finance) -> None:
    bob, eve, kim = finance.payee(1600), finance.payee(1600, 200), finance.payee(500)
    run = finance.approved()
    leave_witness("file", {reference(bob, 1): 1600, reference(eve, 1): 1600})
    assert lines(run) == [(reference(kim, 1), "5.00")]
    assert states(bob) == [(1600, "batched")]
    assert states(eve) == [(1600, "batched"), (200, "accrued")]
    report = "reference,amount,currency,status\n" + "".join(
        f"{reference(person, 1)},{cents},USD,paid\n"
        for person, cents in ((bob, "16.00"), (eve, "16.00"), (kim, "5.00"))
    )
    found = followed(finance.approver, run, report.encode())
    assert (found.outcome["settled"], found.differences) == (3, [])
    assert balances(eve) == (200, 0)
    finance.earn(eve, 100)
    assert lines(finance.approved()) == [(reference(eve, 2), "3.00")]
    assert check_ledger() == []


def test_a_file_is_a_witness_before_anybody_has_its_bytes(
    finance: Finance, witnesses: InMemoryStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    bob = finance.payee(1600)
    (file,) = write_files(run=finance.approved())
    assert not PayoutWitness.objects.exists()  # it can still be forgotten

    def full(*_: object) -> str:
        raise OSError("no space")

    monkeypatch.setattr(witnesses, "save", full)
    with pytest.raises(WitnessesUnreachable):
        hand_out_file(file)
    monkeypatch.undo()
    assert not PayoutWitness.objects.exists()
    content = hand_out_file(file)
    (name,) = witnesses.listdir(FOLDER)[1]
    with witnesses.open(f"{FOLDER}/{name}") as note:
        said = json.load(note)
    assert (said["rail"], said["payments"]) == ("file", {reference(bob, 1): 1600})
    assert hand_out_file(file) == content
    assert PayoutWitness.objects.get().name == name


def test_another_amount_in_a_file_waits_for_a_person(finance: Finance) -> None:
    bob = finance.payee(1600, 200)
    run = finance.approved()
    leave_witness("file", {reference(bob, 1): 700})
    assert lines(run) == []
    payout = payout_of(bob)
    assert (payout.state, payout.needs_person, payout.found_cents) == ("unknown", True, 700)
    finance.earn(bob, 100)
    sweep_payouts()
    decide_found(
        actor=finance.approver, payout_id=payout.pk, earnings=[], project=finance.project,
        note="Files of that day",
    )  # fmt: skip
    assert payout_of(bob).state == "submitted"
    assert balances(bob) == (1900, 700)


def test_paid_over_another_rail_in_the_lost_history(stripe: StripeFake, finance: Finance) -> None:
    """The backup is from before the contractor changed where they are paid."""
    bob, eve = finance.payee(1600, 200), finance.payee(400, rail="stripe", account=stripe.account())
    run = finance.approved()
    paid_before(stripe, bob, 1600)
    leave_witness("stripe", {reference(bob, 1): 1600})
    leave_witness("nacha", {reference(eve, 1): 400})
    assert lines(run) == []
    sweep(stripe)
    assert paid_since(stripe) == []
    assert states(bob) == [(1600, "paid"), (200, "accrued")]
    assert (payout_of(bob).rail, payout_of(bob).state) == ("stripe", "settled")
    assert (payout_of(eve).rail, payout_of(eve).state) == ("nacha", "submitted")
    assert check_ledger() == []


def test_an_approval_is_a_witness_of_what_a_provider_may_pay(
    stripe: StripeFake, ada: Contractor, witnesses: InMemoryStorage
) -> None:
    (name,) = witnesses.listdir(FOLDER)[1]
    assert name.startswith("stripe-")
    assert PayoutWitness.objects.get().name == name
    set_payout_method(contractor=ada, rail="file", details=BANK, password=factories.PASSWORD)
    sweep(stripe)
    assert payout_of(ada).state == "settled"
