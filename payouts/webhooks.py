"""Where providers call us."""

from __future__ import annotations

from typing import Any

import stripe
from django.conf import settings
from drf_spectacular.utils import extend_schema
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from payouts import services
from payouts.problems import BadSignature


class StripeWebhookView(APIView):
    """Stripe tells that something happened to a transfer."""

    authentication_classes: list[Any] = []
    permission_classes = [AllowAny]

    @extend_schema(exclude=True)
    def post(self, request: Request) -> Response:
        """Check the signature, store the event's id, then ask Stripe itself about the transfer."""
        if not settings.STRIPE_WEBHOOK_SECRET:  # anybody can sign with an empty secret
            raise BadSignature("Webhooks are not set up.")
        try:
            event = stripe.Webhook.construct_event(
                request.body,  # the bytes as they came: a signature is over bytes
                request.headers.get("Stripe-Signature", ""),
                settings.STRIPE_WEBHOOK_SECRET,
            )
        except (ValueError, stripe.SignatureVerificationError) as error:
            raise BadSignature() from error
        if event.type.startswith("transfer."):
            transfer = event.data.object.to_dict()
            services.receive_event(
                provider="stripe",
                event_id=event.id,
                kind=event.type,
                reference=str(transfer["id"]),
                our_reference=str(transfer.get("transfer_group") or ""),
            )
        return Response({"received": True})
