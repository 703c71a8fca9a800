"""The table of false alarms and misses in docs/video.md."""

from __future__ import annotations

import tempfile
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from videos import screening_trial
from videos.rules import VIDEO_SUFFIXES


class Command(BaseCommand):
    help = (
        "Damage the clips of FOLDER in every way that screening should notice, screen them, and"
        " print how many were missed and how many clean clips raised an alarm (Markdown)."
    )
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("folder", type=Path)

    def handle(self, *args: Any, folder: Path, **_: Any) -> None:
        clips = sorted(p for p in folder.glob("*") if p.suffix.lower() in VIDEO_SUFFIXES)
        if not clips:
            raise CommandError(f"There are no videos in {folder}.")
        with tempfile.TemporaryDirectory(prefix="screening-") as name:
            done = screening_trial.run(clips, Path(name), self.stderr.write)
        self.stdout.write(screening_trial.table(done))
