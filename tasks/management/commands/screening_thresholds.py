"""A project's own screening thresholds, from the command line."""

from __future__ import annotations

from argparse import ArgumentParser
from dataclasses import asdict
from typing import Any

from django.contrib.auth import get_user_model
from django.core.management.base import BaseCommand, CommandError

from tasks.models import Project
from tasks.queries import video_ids_of
from tasks.services import change_project
from videos.models import Video
from videos.queries import warned_of
from videos.screening import JUDGED, Thresholds


class Command(BaseCommand):
    help = (
        "Show the screening thresholds of PROJECT and how many of its videos each warning is given"
        " to; NAME=VALUE sets one, NAME= takes the default again. Nothing is decoded again."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("project", type=int)
        parser.add_argument("settings", nargs="*", metavar="NAME=VALUE")
        parser.add_argument("--actor", help="E-mail address of the person who decides it.")

    def handle(
        self, *args: Any, project: int, settings: list[str], actor: str | None, **_: Any
    ) -> None:
        person = get_user_model().objects.filter(email__iexact=actor).first() if actor else None
        if actor and person is None:
            raise CommandError(f"Nobody signs in as {actor}.")
        found = Project.objects.filter(pk=project).first()
        if found is None:
            raise CommandError(f"There is no project {project}.")
        if settings:
            wanted = _changed(found.screening_thresholds, settings)
            found = change_project(
                actor=person, project=found, changes={"screening_thresholds": wanted}
            )
        own = found.screening_thresholds
        for name, value in asdict(Thresholds.of(own)).items():
            self.stdout.write(f"{name:<22} {value:>8g}{'' if name in own else '  default'}")
        videos = Video.objects.filter(pk__in=video_ids_of(found))
        self.stdout.write("")
        for code in sorted(JUDGED):
            self.stdout.write(f"{code:<22} {warned_of(videos, code, own).count():>8} videos")


def _changed(own: dict[str, float], settings: list[str]) -> dict[str, float]:
    wanted = dict(own)
    for setting in settings:
        name, separator, value = setting.partition("=")
        if not separator:
            raise CommandError(f"{setting} is not NAME=VALUE.")
        try:
            if value:
                wanted[name] = float(value)
            else:
                wanted.pop(name, None)
            Thresholds.of(wanted | {name: float(value or 0)})
        except ValueError as error:
            raise CommandError(f"{setting}: {error}") from error
    return wanted
