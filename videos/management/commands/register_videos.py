"""Register videos from a manifest, a folder or a prefix of storage."""

from __future__ import annotations

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.contrib.auth import get_user_model
from django.contrib.auth.base_user import AbstractBaseUser
from django.core.management.base import BaseCommand, CommandError

from annotation_platform.api.problems import Problem
from videos import manifests, registrations
from videos.models import Registration, RegistrationRow


class Command(BaseCommand):
    help = (
        "Register videos. SOURCE is a .csv or .jsonl manifest (columns key or path, title; paths"
        " relative to it), a folder, or, with --prefix, a prefix of keys in storage. It is done"
        " here and now, row by row; stopped or killed, --resume goes on where it was."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("source", nargs="?")
        parser.add_argument("--actor", help="E-mail address of the person registering them.")
        parser.add_argument("--prefix", action="store_true", help="SOURCE is a storage prefix.")
        parser.add_argument(
            "--background", action="store_true", help="Leave it to a worker and say its number."
        )
        parser.add_argument("--resume", type=int, metavar="ID", help="Go on with this one.")

    def handle(
        self,
        *args: Any,
        source: str | None,
        actor: str | None,
        prefix: bool,
        background: bool,
        resume: int | None,
        **_: Any,
    ) -> None:
        person = None
        if actor:
            person = get_user_model().objects.filter(email__iexact=actor).first()
            if person is None:
                raise CommandError(f"Nobody signs in as {actor}.")
        if (source is None) == (resume is None):
            raise CommandError("Say what to register, or which registration to --resume.")
        try:
            if resume is not None:
                registration = self._resume(person, resume, background)
            else:
                registration = self._begin(person, str(source), prefix, background)
        except Problem as problem:
            raise CommandError(problem.detail or problem.title) from problem
        if background:
            self.stdout.write(f"Registration {registration.pk} waits for a worker.")
            return
        self.stdout.write(f"Registration {registration.pk}: {registration.name}")
        self._carry_out(registration)

    def _begin(
        self, person: AbstractBaseUser | None, source: str, prefix: bool, background: bool
    ) -> Registration:
        path = Path(source)
        if prefix:
            return registrations.begin(
                actor=person, kind=Registration.Kind.PREFIX, name=source, by_worker=background
            )
        if not path.exists():
            raise CommandError(f"There is no manifest or folder {source}.")
        if background:
            raise CommandError("A worker may not see your files: leave --background away.")
        if path.is_dir():
            return registrations.begin(
                actor=person,
                kind=Registration.Kind.FOLDER,
                name=source,
                rows=manifests.rows_of_folder(path),
                folder=path,
                by_worker=False,
            )
        with path.open("rb") as file:
            return registrations.begin(
                actor=person,
                kind=Registration.Kind.MANIFEST,
                name=path.name,
                rows=manifests.read_manifest(file, path.name),
                folder=path.parent,
                by_worker=False,
            )

    def _resume(
        self, person: AbstractBaseUser | None, number: int, background: bool
    ) -> Registration:
        found = Registration.objects.filter(pk=number).first()
        if found is None:
            raise CommandError(f"There is no registration {number}.")
        return registrations.resume(actor=person, registration=found, by_worker=background)

    def _carry_out(self, registration: Registration) -> None:
        registrations.carry_out(registration.pk, here=True, on_row=self._show)
        registration.refresh_from_db()
        done = f"{registration.registered_count} registered, {registration.refused_count} refused."
        self.stdout.write(done)
        if registration.state != Registration.State.DONE:
            raise CommandError(
                f"It is {registration.state}: {registration.error} Mend that and --resume"
                f" {registration.pk}."
            )
        if registration.refused_count:
            raise CommandError("Not every row was registered; the reasons are above.")

    def _show(self, registration: Registration, row: RegistrationRow) -> None:
        lead = f"{registration.done_count:>6}/{registration.total}"
        if row.state == RegistrationRow.State.REFUSED:
            self.stdout.write(self.style.WARNING(f"{lead}  refused  {row.name}: {row.detail}"))
        else:
            assert row.video is not None
            self.stdout.write(f"{lead}  video {row.video.pk}  {row.video.title}")
