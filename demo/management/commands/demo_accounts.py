"""Print the demo's log-ins."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand

from demo import accounts


class Command(BaseCommand):
    help = "Print the log-ins that demo_setup makes."
    requires_system_checks = []

    def handle(self, *args: Any, **options: Any) -> None:
        self.stdout.write(accounts.table())
