"""Sending over Stripe's own SDK against the stateful fake: what went out, whatever breaks."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction

from contractors.models import Contractor
from payouts.models import Payout, PayoutAttempt, ProviderEvent
from payouts.problems import WrongPayoutState
from payouts.rails.stripe_connect import StripeConnect
from payouts.services import (
    check_ledger,
    decide_unknown,
    refresh_payout,
    return_payout,
    send_payout,
    settle_payout,
    sweep_payouts,
)
from payouts.services.sending import payment_of
from tests import factories
from tests.payouts.scenes import Finance, balances, payout_of, states
from tests.payouts.stripe_fake.server import FAULTS, StripeFake

pytestmark = pytest.mark.django_db(transaction=True)

HOUR = 3600


@pytest.fixture
def stripe(settings: Any) -> Iterator[StripeFake]:
    with StripeFake() as fake:
        settings.STRIPE_API_BASE = fake.url
        settings.STRIPE_API_KEY = "sk_test_x"
        settings.STRIPE_WEBHOOK_SECRET = fake.secret
        settings.STRIPE_TIMEOUT_SECONDS = 0.3
        yield fake


@pytest.fixture
def finance() -> Finance:
    return Finance()


@pytest.fixture
def ada(stripe: StripeFake, finance: Finance) -> Contractor:
    """Somebody with $18.00 in an approved payout over Stripe."""
    person = finance.payee(1600, 200, rail="stripe", account=stripe.account())
    finance.approved()
    return person


def clock(stripe: StripeFake) -> datetime:
    return datetime.fromtimestamp(stripe.now, UTC)


def send(stripe: StripeFake, person: Contractor) -> str:
    return send_payout(payout_id=payout_of(person).pk, now=clock(stripe))


def test_sent_and_settled(stripe: StripeFake, ada: Contractor) -> None:
    assert send(stripe, ada) == "submitted"
    assert balances(ada) == (0, 1800)
    payout = payout_of(ada)
    assert refresh_payout(payout_id=payout.pk) == "settled"

    assert stripe.paid_cents(payout.our_reference) == [1800]
    assert states(ada) == [(1600, "paid"), (200, "paid")]
    assert balances(ada) == (0, 0)
    payout.refresh_from_db()
    assert payout.provider_reference == "tr_000001"
    assert check_ledger() == []


def test_doing_it_again_changes_nothing(stripe: StripeFake, ada: Contractor) -> None:
    for _ in range(3):
        send(stripe, ada)
        refresh_payout(payout_id=payout_of(ada).pk)
        settle_payout(payout_id=payout_of(ada).pk)
        sweep_payouts(now=clock(stripe))
    assert stripe.paid_cents(payout_of(ada).our_reference) == [1800]
    assert len(stripe.creates) == 1
    assert balances(ada) == (0, 0)


def test_not_inside_a_transaction(stripe: StripeFake, ada: Contractor) -> None:
    with pytest.raises(transaction.TransactionManagementError), transaction.atomic():
        send(stripe, ada)
    assert stripe.creates == []
    assert payout_of(ada).state == "approved"


@pytest.mark.parametrize("wait_hours", [0, 1, 25, 49])
@pytest.mark.parametrize("fault", FAULTS)
def test_every_fault_ends_with_one_payment(
    stripe: StripeFake, ada: Contractor, fault: str, wait_hours: int
) -> None:
    """One fault, then a restart after this long: exactly one payment, and the books agree."""
    stripe.faults.append(fault)
    assert send(stripe, ada) == "unknown"
    assert balances(ada) == (0, 1800)  # still reserved: nobody knows yet

    stripe.advance(wait_hours * HOUR)
    for _ in range(3):
        sweep_payouts(now=clock(stripe))
        stripe.advance(25 * HOUR)

    payout = payout_of(ada)
    assert payout.state == "settled"
    assert stripe.paid_cents(payout.our_reference) == [1800]
    assert balances(ada) == (0, 0)
    assert check_ledger() == []


def test_a_resend_is_identical_to_the_byte(stripe: StripeFake, ada: Contractor) -> None:
    stripe.faults += ["lost_before", "429", "502"]
    for _ in range(4):
        send(stripe, ada)
    assert len(stripe.creates) == 4
    assert len(set(stripe.creates)) == 1  # key and body
    assert PayoutAttempt.objects.count() == 1


def test_after_the_window_a_new_key_only_when_the_provider_has_nothing(
    stripe: StripeFake, ada: Contractor
) -> None:
    stripe.faults.append("500_before")
    send(stripe, ada)
    stripe.advance(22 * HOUR)
    assert send(stripe, ada) == "unknown"  # the saved 500, under the same key
    stripe.advance(2 * HOUR)
    assert send(stripe, ada) == "submitted"
    assert [key for key, _ in stripe.creates] == [
        f"{payout_of(ada).our_reference}-{n}" for n in (1, 1, 2)
    ]
    outcomes = PayoutAttempt.objects.order_by("number").values_list("outcome", flat=True)
    assert list(outcomes) == ["absent", "accepted"]


def test_an_unreachable_provider_after_the_window_waits_for_a_person(
    stripe: StripeFake, ada: Contractor, finance: Finance
) -> None:
    stripe.faults.append("lost_after")
    send(stripe, ada)
    stripe.advance(25 * HOUR)
    stripe.look_up_is_down = True
    assert send(stripe, ada) == "unknown"
    payout = payout_of(ada)
    assert payout.needs_person
    assert len(stripe.creates) == 1

    decide_unknown(
        actor=finance.approver,
        payout_id=payout.pk,
        provider_reference="tr_000001",
        note="Seen in the dashboard",
    )
    stripe.look_up_is_down = False
    sweep_payouts(now=clock(stripe))
    assert payout_of(ada).state == "settled"
    assert stripe.paid_cents(payout.our_reference) == [1800]
    with pytest.raises(WrongPayoutState):
        decide_unknown(actor=finance.approver, payout_id=payout.pk, provider_reference="", note="?")


def test_a_person_finds_that_it_never_paid(
    stripe: StripeFake, ada: Contractor, finance: Finance
) -> None:
    stripe.faults.append("lost_before")
    send(stripe, ada)
    stripe.advance(25 * HOUR)
    stripe.look_up_is_down = True
    send(stripe, ada)
    decide_unknown(
        actor=finance.approver, payout_id=payout_of(ada).pk, provider_reference="", note="Asked"
    )
    assert payout_of(ada).state == "failed"
    assert states(ada) == [(1600, "accrued"), (200, "accrued")]
    assert balances(ada) == (1800, 0)


def test_a_definitive_refusal_gives_everything_back(
    stripe: StripeFake, ada: Contractor, finance: Finance
) -> None:
    stripe.accounts.clear()
    assert send(stripe, ada) == "failed"
    payout = payout_of(ada)
    assert "No such destination" in payout.problem
    assert states(ada) == [(1600, "accrued"), (200, "accrued")]
    assert balances(ada) == (1800, 0)
    assert stripe.transfers == {}
    assert finance.approved().total_cents == 1800  # the next run tries again
    assert check_ledger() == []


def test_money_that_comes_back_is_owed_again(stripe: StripeFake, ada: Contractor) -> None:
    send(stripe, ada)
    refresh_payout(payout_id=payout_of(ada).pk)
    stripe.reverse("tr_000001")
    assert refresh_payout(payout_id=payout_of(ada).pk) == "returned"
    assert return_payout(payout_id=payout_of(ada).pk, reason="again").state == "returned"
    assert states(ada) == [(1600, "accrued"), (200, "accrued")]
    assert balances(ada) == (1800, 0)
    assert check_ledger() == []


@pytest.mark.parametrize("wait_hours", [1, 25])
def test_a_restored_backup_does_not_pay_again(
    stripe: StripeFake, ada: Contractor, wait_hours: int
) -> None:
    """The backup says approved; in the time that was lost the payout was sent and paid."""
    payout = payout_of(ada)
    rail = StripeConnect()
    sent = rail.request(payment_of(payout))
    reply = rail.send(sent, f"{payout.our_reference}-1")
    assert reply.reference == "tr_000001"

    stripe.advance(wait_hours * HOUR)
    sweep_payouts(now=clock(stripe))

    assert payout_of(ada).state == "settled"
    assert stripe.paid_cents(payout.our_reference) == [1800]


# --- webhooks ------------------------------------------------------------------------------


def deliver(stripe: StripeFake, event: dict[str, Any], **signing: Any) -> int:
    body, signature = stripe.signed(event, **signing)
    answer = factories.client_for(None).generic(
        "POST",
        "/api/v1/webhooks/stripe/",
        body.decode(),
        content_type="application/json",
        headers={"Stripe-Signature": signature},
    )
    return int(answer.status_code)


def test_a_webhook_settles_and_its_repetition_does_nothing(
    stripe: StripeFake, ada: Contractor
) -> None:
    send(stripe, ada)
    for _ in range(3):
        assert deliver(stripe, stripe.events[0]) == 200
    assert payout_of(ada).state == "settled"
    assert ProviderEvent.objects.count() == 1
    assert balances(ada) == (0, 0)


def test_a_webhook_before_our_answer_brings_the_answer(stripe: StripeFake, ada: Contractor) -> None:
    stripe.faults.append("lost_after")
    assert send(stripe, ada) == "unknown"
    assert deliver(stripe, stripe.events[0]) == 200
    assert payout_of(ada).state == "settled"
    assert send(stripe, ada) == "settled"
    assert len(stripe.creates) == 1


def test_a_late_created_after_reversed_is_not_believed(stripe: StripeFake, ada: Contractor) -> None:
    send(stripe, ada)
    stripe.reverse("tr_000001")
    created, reversed_ = stripe.events
    assert deliver(stripe, reversed_) == 200
    assert payout_of(ada).state == "returned"
    assert deliver(stripe, created) == 200
    assert payout_of(ada).state == "returned"
    assert balances(ada) == (1800, 0)


def test_a_webhook_lies_and_the_object_is_asked(stripe: StripeFake, ada: Contractor) -> None:
    send(stripe, ada)
    lie = stripe.events[0] | {"id": "evt_lie", "type": "transfer.reversed"}
    assert deliver(stripe, lie) == 200
    assert payout_of(ada).state == "settled"


@pytest.mark.parametrize("signing", [{"secret": "whsec_other"}, {"at": 1_000_000}])
def test_a_wrong_or_old_signature_is_refused(
    stripe: StripeFake, ada: Contractor, signing: dict[str, Any]
) -> None:
    send(stripe, ada)
    assert deliver(stripe, stripe.events[0], **signing) == 400
    assert payout_of(ada).state == "submitted"
    assert not ProviderEvent.objects.exists()


def test_without_a_secret_nothing_is_believed(
    stripe: StripeFake, ada: Contractor, settings: Any
) -> None:
    send(stripe, ada)
    settings.STRIPE_WEBHOOK_SECRET = ""
    stripe.secret = ""
    assert deliver(stripe, stripe.events[0]) == 400
    assert payout_of(ada).state == "submitted"


def test_a_webhook_about_somebody_else_s_transfer(stripe: StripeFake, ada: Contractor) -> None:
    event = {
        "id": "evt_x",
        "object": "event",
        "type": "transfer.created",
        "data": {"object": {"id": "tr_foreign", "object": "transfer", "transfer_group": "X"}},
    }
    assert deliver(stripe, event) == 200
    assert payout_of(ada).state == "approved"


def test_a_webhook_whose_handling_crashed_is_handled_by_the_sweep(
    stripe: StripeFake, ada: Contractor
) -> None:
    send(stripe, ada)
    refresh_payout(payout_id=payout_of(ada).pk)
    stripe.reverse("tr_000001")
    ProviderEvent.objects.create(  # stored, then the process died
        provider="stripe", event_id="evt_000002", kind="transfer.reversed", reference="tr_000001"
    )
    sweep_payouts(now=clock(stripe))
    assert payout_of(ada).state == "returned"


# --- the database ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    "change",
    ["request = 'x'", "idempotency_key = 'fresh'", "first_sent_at = now()", "outcome = 'absent'"],
)
def test_an_answered_attempt_never_changes(
    stripe: StripeFake, ada: Contractor, change: str
) -> None:
    send(stripe, ada)
    with (
        pytest.raises(IntegrityError, match="its request and its answer are fixed"),
        connection.cursor() as cursor,
    ):
        cursor.execute(f"UPDATE payouts_payoutattempt SET {change}")


def test_a_second_attempt_beside_one_that_may_have_paid(
    stripe: StripeFake, ada: Contractor
) -> None:
    stripe.faults.append("lost_after")
    send(stripe, ada)
    with (
        pytest.raises(IntegrityError, match="one_that_may_have_paid"),
        connection.cursor() as cursor,
    ):
        cursor.execute(
            "INSERT INTO payouts_payoutattempt (payout_id, number, idempotency_key, request, "
            "request_sha256, first_sent_at, outcome, detail) "
            "VALUES (%s, 2, 'fresh', 'x', '', now(), 'pending', '')",
            [payout_of(ada).pk],
        )


def test_only_one_worker_at_a_time(stripe: StripeFake, ada: Contractor) -> None:
    payout = payout_of(ada)
    other = connection.copy()
    try:
        with other.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_lock(7305002, %s)", [payout.pk])
        assert send(stripe, ada) == "approved"
        assert stripe.creates == []
    finally:
        other.close()
    assert Payout.objects.get(pk=payout.pk).attempts.count() == 0
    assert send(stripe, ada) == "submitted"


def test_the_window_is_shorter_than_the_provider_s() -> None:
    assert StripeConnect.key_window < timedelta(hours=24)
