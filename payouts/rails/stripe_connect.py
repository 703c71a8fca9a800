"""Stripe Connect: a transfer to the contractor's connected account, through Stripe's own SDK."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import stripe
from django.conf import settings

from payouts.rails import Answer, Found, Payment, Reply, Status, Unreachable

# Answers that say nothing about whether an earlier request under the same key paid: a clash, a
# throttle, and what is refused before the idempotency layer looks at the key.
_SAYS_NOTHING = frozenset({401, 403, 409, 429})


class StripeConnect:
    """An API rail. Stripe keeps a key for at least 24 hours; we trust it for 23."""

    name = "stripe"
    key_window = timedelta(hours=23)

    def __init__(self) -> None:
        self._client = stripe.StripeClient(
            settings.STRIPE_API_KEY,
            base_addresses={"api": settings.STRIPE_API_BASE},
            # Retries are this platform's business: each is a stored decision.
            max_network_retries=0,
            http_client=stripe.RequestsClient(timeout=settings.STRIPE_TIMEOUT_SECONDS),
        )

    def request(self, payment: Payment) -> bytes:
        return json.dumps(
            {
                "amount": payment.amount_cents,
                "currency": payment.currency.lower(),
                "destination": payment.details["account"],
                "transfer_group": payment.reference,
                "metadata": {"payout": payment.reference},
            },
            sort_keys=True,
        ).encode()

    def send(self, request: bytes, key: str) -> Reply:
        try:
            transfer = self._client.v1.transfers.create(
                json.loads(request), {"idempotency_key": key}
            )
        except stripe.IdempotencyError as error:
            return Reply(Answer.UNKNOWN, detail=_said(error))
        except stripe.StripeError as error:
            status = error.http_status
            if status is not None and 400 <= status < 500 and status not in _SAYS_NOTHING:
                return Reply(Answer.REFUSED, detail=_said(error))
            return Reply(Answer.UNKNOWN, detail=_said(error))
        return Reply(Answer.ACCEPTED, reference=transfer.id)

    def look_up(self, reference: str) -> Found | None:
        try:
            page = self._client.v1.transfers.list({"transfer_group": reference, "limit": 100})
        except stripe.StripeError as error:
            raise Unreachable(_said(error)) from error
        if not page.data:
            return None
        # Ours is one; should somebody have paid by hand under it, all that is out counts.
        out = [transfer for transfer in page.data if not transfer.reversed]
        transfers = sorted(out or page.data, key=lambda transfer: transfer.created)
        return Found(
            rail=self.name,
            reference=transfers[0].id,
            amount_cents=sum(transfer.amount for transfer in transfers),
            at=datetime.fromtimestamp(transfers[0].created, UTC),
            came_back=not out,
        )

    def status(self, provider_reference: str) -> Status:
        try:
            transfer = self._client.v1.transfers.retrieve(provider_reference)
        except stripe.StripeError as error:
            raise Unreachable(_said(error)) from error
        # A transfer is money in the connected account at once, until it is reversed.
        return Status.RETURNED if transfer.reversed else Status.PAID


def _said(error: stripe.StripeError) -> str:
    return f"{type(error).__name__} {error.http_status or ''} {error.user_message or ''}".strip()
