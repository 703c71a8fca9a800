"""`manage.py draw_api`: write docs/api.md from the code, as a page for people."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand

from annotation_platform.api.page import as_markdown


class Command(BaseCommand):
    help = "Write docs/api.md from the API's schema."

    def handle(self, *args: Any, **options: Any) -> None:
        path = settings.BASE_DIR / "docs" / "api.md"
        path.write_text(as_markdown())
        self.stdout.write(f"{path.relative_to(settings.BASE_DIR)} written")
