from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand

from payouts.services import rotate_secrets


class Command(BaseCommand):
    help = "Encrypt payout details and tax numbers anew under the first of FIELD_ENCRYPTION_KEYS."

    def handle(self, *args: Any, **options: Any) -> None:
        self.stdout.write(f"{rotate_secrets()} stored secrets are under the first key now.")
