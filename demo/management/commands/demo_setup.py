"""Make the demo's people, project, clips and tasks; print the log-ins."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from demo import accounts, services


class Command(BaseCommand):
    help = (
        "Make the demo, or complete it; safe at every start. Only with DEBUG=1 or PLATFORM_DEMO=1:"
        " its accounts have a published password."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--people-only", action="store_true", help="the log-ins, nothing else")

    def handle(self, *args: Any, **options: Any) -> None:
        if not services.is_allowed():
            raise CommandError(
                "This is not a demo: the accounts would have a published password. "
                "Set PLATFORM_DEMO=1 if you mean it."
            )
        if options["people_only"]:
            services.set_up_people()
        else:
            services.set_up()
        self.stdout.write(accounts.table())
