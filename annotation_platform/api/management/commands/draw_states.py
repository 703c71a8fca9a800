"""`manage.py draw_states`: write docs/states.md from the machines in the code."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand

from annotation_platform.states import as_markdown


class Command(BaseCommand):
    help = "Write docs/states.md from the state machines in the code."

    def handle(self, *args: Any, **options: Any) -> None:
        path = settings.BASE_DIR / "docs" / "states.md"
        path.parent.mkdir(exist_ok=True)
        path.write_text(as_markdown())
        self.stdout.write(f"{path.relative_to(settings.BASE_DIR)} written")
