"""Fill the demo, so that every page has something to show."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from demo import filling, services


class Command(BaseCommand):
    help = (
        "After demo_setup: people in every step, payouts in every state, videos of every kind. "
        "Once; only with DEBUG=1 or PLATFORM_DEMO=1."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        if not services.is_allowed():
            raise CommandError("This is not a demo. Set PLATFORM_DEMO=1 if you mean it.")
        done = filling.fill()
        self.stdout.write("Filled.\n" if done else "It was filled already.\n")
