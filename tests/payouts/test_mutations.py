"""The state machine of test_machine.py can fail: three wrong ways to pay, each caught.

They are the three of the design's model: a fresh key per retry, the same key for ever, and
taking a payment for made before the provider said so.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest

from payouts.models import PayoutAttempt
from payouts.rails import Answer, Reply
from payouts.rails.stripe_connect import StripeConnect
from payouts.services import sending
from tests.payouts.test_machine import play

pytestmark = [pytest.mark.nightly, pytest.mark.django_db(transaction=True)]

Patch = pytest.MonkeyPatch


def a_fresh_key_per_retry(patch: Patch) -> None:
    send = StripeConnect.send
    patch.setattr(
        StripeConnect, "send", lambda self, request, key: send(self, request, uuid4().hex)
    )


def the_same_key_for_ever(patch: Patch) -> None:
    patch.setattr(StripeConnect, "key_window", timedelta(days=36500))


def paid_before_it_is_known(patch: Patch) -> None:
    record = sending._record_reply

    def hopeful(attempt: PayoutAttempt, reply: Reply) -> None:
        if reply.answer is Answer.UNKNOWN:
            reply = Reply(Answer.ACCEPTED, reference=f"tr_hoped_{attempt.pk}")
        record(attempt, reply)

    patch.setattr(sending, "_record_reply", hopeful)


@pytest.mark.parametrize(
    "mutate", [a_fresh_key_per_retry, the_same_key_for_ever, paid_before_it_is_known]
)
def test_the_machine_catches(
    settings: Any, monkeypatch: Patch, mutate: Callable[[Patch], None]
) -> None:
    mutate(monkeypatch)
    with pytest.raises(AssertionError):
        play(settings, 1000, shrink=False)
