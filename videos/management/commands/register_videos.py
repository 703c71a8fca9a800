"""Register videos from a manifest, a folder or a prefix of storage."""

from __future__ import annotations

from argparse import ArgumentParser
from pathlib import Path, PurePosixPath
from typing import Any

from django.contrib.auth import get_user_model
from django.core.management.base import BaseCommand, CommandError

from videos import manifests, storage
from videos.models import Video
from videos.problems import InvalidManifest
from videos.rules import VIDEO_SUFFIXES
from videos.services import RefusedRow, register_manifest


class Command(BaseCommand):
    help = (
        "Register videos. SOURCE is a .csv or .jsonl manifest (columns key or path, title; paths"
        " relative to it), a folder, or, with --prefix, a prefix of keys in storage."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("source")
        parser.add_argument("--actor", help="E-mail address of the person registering them.")
        parser.add_argument("--prefix", action="store_true", help="SOURCE is a storage prefix.")

    def handle(self, *args: Any, source: str, actor: str | None, prefix: bool, **_: Any) -> None:
        person = None
        if actor:
            person = get_user_model().objects.filter(email__iexact=actor).first()
            if person is None:
                raise CommandError(f"Nobody signs in as {actor}.")
        if prefix:
            keys = (k for k in storage.keys_under(source) if _is_video(k))
            rows, folder = ({"key": key} for key in keys), None
        elif Path(source).is_dir():
            folder = Path(source)
            rows = (row for row in manifests.rows_of_folder(folder))
        elif Path(source).is_file():
            folder = Path(source).parent
            rows = (row for row in manifests.read_manifest(Path(source)))
        else:
            raise CommandError(f"There is no manifest or folder {source}.")
        try:
            outcome = register_manifest(
                actor=person, rows=rows, folder=folder, on_progress=self._show
            )
        except InvalidManifest as problem:
            raise CommandError(f"{problem.detail} Rows before it were registered.") from problem
        self.stdout.write(f"{len(outcome.registered)} registered, {len(outcome.refused)} refused.")
        if outcome.refused:
            raise CommandError("Not every row was registered; the reasons are above.")

    def _show(self, number: int, name: str, result: Video | RefusedRow) -> None:
        if isinstance(result, RefusedRow):
            self.stdout.write(self.style.WARNING(f"{number:>6}  refused  {name}: {result.detail}"))
        else:
            self.stdout.write(f"{number:>6}  video {result.pk}  {result.title}")


def _is_video(key: str) -> bool:
    return PurePosixPath(key).suffix.lower() in VIDEO_SUFFIXES
