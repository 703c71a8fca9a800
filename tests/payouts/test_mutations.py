"""The state machine of test_machine.py can fail: wrong ways to pay, each caught.

The first ones are of the design's model: a fresh key per retry, and taking a payment for made
before the provider said so. The others are what a restored backup needs: that the rails are asked
before anything is sent, that a bank file leaves a witness, that another rail than today's is
asked too, and that a number, and so a reference, comes again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection, transaction

from payouts.models import Payout, PayoutAttempt
from payouts.rails import Answer, ApiRail, Found, Reply
from payouts.rails.stripe_connect import StripeConnect
from payouts.services import adopting, sending
from payouts.services.witnesses import Lost
from tests.payouts.test_machine import play

pytestmark = [pytest.mark.nightly, pytest.mark.django_db(transaction=True)]

Patch = pytest.MonkeyPatch


def a_fresh_key_per_retry(patch: Patch) -> None:
    send = StripeConnect.send
    patch.setattr(
        StripeConnect, "send", lambda self, request, key: send(self, request, uuid4().hex)
    )


def paid_before_it_is_known(patch: Patch) -> None:
    record = sending._record_reply

    def hopeful(attempt: PayoutAttempt, reply: Reply) -> None:
        if reply.answer is Answer.UNKNOWN:
            reply = Reply(Answer.ACCEPTED, reference=f"tr_hoped_{attempt.pk}")
        record(attempt, reply)

    patch.setattr(sending, "_record_reply", hopeful)


def the_provider_is_not_asked(patch: Patch) -> None:
    patch.setattr(StripeConnect, "look_up", lambda self, reference: None)


def files_leave_no_witness(patch: Patch) -> None:
    patch.setattr(sending, "testify", lambda **_: None)


def only_today_s_rail_is_asked(patch: Patch) -> None:
    find = adopting.find_payment

    def short_sighted(
        payout: Payout, lost: dict[str, Lost], rail: ApiRail | None = None
    ) -> Found | None:
        mine = {r: seen for r, seen in lost.items() if seen.rail == payout.rail}
        return find(payout, mine, rail)

    patch.setattr(sending, "find_payment", short_sighted)


def any_amount_is_ours(patch: Patch) -> None:
    def hopeful(payout_id: int, found: Found) -> Payout:
        payout = adopting.lock_to_send(payout_id)
        adopting.accept_payout(payout, None, found.reference)
        return payout

    patch.setattr(sending, "adopt_payment", transaction.atomic(hopeful))


_NUMBER = """
CREATE OR REPLACE FUNCTION payouts_next_number(person bigint, money text) RETURNS integer
LANGUAGE sql AS $$
    SELECT coalesce(max(number), 0) + 1 FROM payouts_payout
    WHERE contractor_id = person AND currency = money {used}
$$;
"""


FAILED = "AND NOT (state = 'failed' AND submitted_at IS NULL)"


@pytest.fixture
def cancelled_payouts_keep_their_numbers(transactional_db: None) -> Iterator[None]:
    with connection.cursor() as cursor:
        cursor.execute(_NUMBER.format(used=FAILED))
    try:
        yield
    finally:
        with connection.cursor() as cursor:
            cursor.execute(_NUMBER.format(used=f"AND NOT (state = 'cancelled') {FAILED}"))


@pytest.mark.parametrize(
    "mutate",
    [
        a_fresh_key_per_retry,
        paid_before_it_is_known,
        the_provider_is_not_asked,
        files_leave_no_witness,
        only_today_s_rail_is_asked,
        any_amount_is_ours,
    ],
)
def test_the_machine_catches(
    settings: Any, monkeypatch: Patch, mutate: Callable[[Patch], None]
) -> None:
    mutate(monkeypatch)
    with pytest.raises(AssertionError):
        play(settings, 1000, shrink=False)


@pytest.mark.usefixtures("cancelled_payouts_keep_their_numbers")
def test_the_machine_catches_a_gap(settings: Any) -> None:
    with pytest.raises(AssertionError):
        play(settings, 1000, shrink=False)
