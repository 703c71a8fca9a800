"""The ways money leaves. One small interface per sort of rail; chosen per contractor.

An *API rail* takes one payout per request and answers at once, or not. A *file rail* turns all
payouts of a run into one file that a person uploads to the bank; the bank's report comes back
the same way.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import Enum
from typing import Any, Protocol


class Answer(Enum):
    ACCEPTED = "accepted"
    REFUSED = "refused"  # definitive: the provider did not and will not pay
    UNKNOWN = "unknown"  # a time-out, a 5xx, a 409 or 429: it may or may not have paid


class Status(Enum):
    PENDING = "pending"
    PAID = "paid"
    FAILED = "failed"
    RETURNED = "returned"


@dataclass(frozen=True)
class Reply:
    """What a provider answered. `reference` is the provider's name of an accepted payment."""

    answer: Answer
    reference: str = ""
    detail: str = ""


@dataclass(frozen=True)
class Payment:
    """One payment as a rail sees it. Details are decrypted: never log or store them."""

    reference: str
    amount_cents: int
    currency: str
    name: str
    details: dict[str, Any]


@dataclass(frozen=True)
class Found:
    """What a rail has under one of *our* references.

    Attributes:
        reference: the rail's name of the payment; empty for a bank file.
        amount_cents: what it paid, or had paid when all of it came back.
        at: when it was made.
        came_back: all of it has come back.
    """

    rail: str
    reference: str
    amount_cents: int
    at: datetime
    came_back: bool = False


class Unreachable(Exception):
    """A look-up got no usable answer; nothing is known."""


class ApiRail(Protocol):
    """A provider with idempotency keys."""

    name: str
    key_window: timedelta
    """How long after the first request the provider surely still knows its key."""

    def request(self, payment: Payment) -> bytes:
        """The request to store before it is sent; the same payment gives the same bytes."""

    def send(self, request: bytes, key: str) -> Reply:
        """Send these bytes under this key. Never raises: what is not known is UNKNOWN."""

    def look_up(self, reference: str) -> Found | None:
        """What was paid under *our* reference; None: nothing ever was.

        Raises `Unreachable`.
        """

    def status(self, provider_reference: str) -> Status:
        """Where an accepted payment stands now. Raises `Unreachable`."""


class FileRail(Protocol):
    """A bank that takes files."""

    name: str

    def render(self, payments: Iterable[Payment], *, run: int, day: date) -> tuple[str, bytes]:
        """File name and bytes; payments are read once.

        Raises `InvalidPayoutDetails` when a payment can't be in it.
        """
