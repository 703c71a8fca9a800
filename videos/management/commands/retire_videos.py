"""Take videos out of use, or bring them back."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.contrib.auth import get_user_model
from django.core.management.base import BaseCommand, CommandError

from videos import services
from videos.models import Video


class Command(BaseCommand):
    help = "Retire videos; work already paid on them stays. --restore brings them back."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("videos", nargs="+", type=int, metavar="VIDEO")
        parser.add_argument("--actor", help="E-mail address of the person who decides it.")
        parser.add_argument("--reason", default="")
        parser.add_argument("--restore", action="store_true")

    def handle(
        self,
        *args: Any,
        videos: list[int],
        actor: str | None,
        reason: str,
        restore: bool,
        **_: Any,
    ) -> None:
        person = get_user_model().objects.filter(email__iexact=actor).first() if actor else None
        if actor and person is None:
            raise CommandError(f"Nobody signs in as {actor}.")
        found = Video.objects.defer("frame_times").in_bulk(videos)
        if missing := set(videos) - found.keys():
            raise CommandError(f"There are no videos {sorted(missing)}; nothing was changed.")
        for video in found.values():
            if restore:
                done = services.restore(actor=person, video=video)
            else:
                done = services.retire(actor=person, video=video, reason=reason)
            self.stdout.write(f"{done.pk:>6} {done.state}")
