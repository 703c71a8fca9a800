"""Registering many videos in the background: begin, carry out row by row, cancel, resume.

Law 2: the `Registration` row is the truth. What becomes of a row of it is committed together with
its video and with the counts, by whoever holds the lease: a worker that dies loses the row it was
at, and the next one goes on there. Nothing is registered twice.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from itertools import islice
from pathlib import Path
from typing import Any

from django.contrib.auth.base_user import AbstractBaseUser
from django.core.files.base import File
from django.db import transaction
from django.db.models import F, Q, QuerySet

from annotation_platform.api.problems import Problem
from annotation_platform.clock import database_now
from events.services import record
from videos import arrivals, leases, manifests, rules, services, storage
from videos.models import Registration, RegistrationRow
from videos.problems import (
    InvalidKey,
    InvalidManifest,
    NotInStorage,
    RegistrationHasEnded,
    RegistrationIsElsewhere,
    RegistrationIsOpen,
)

logger = logging.getLogger(__name__)

MOST_ROWS = 100_000
MANIFEST_BYTES = 32 * rules.MEBIBYTE
BATCH = 100
SLICE_SECONDS = 60  # then others have a turn
SWEEP_BATCH = 50
TELL_AGAIN_SECONDS = 120

OnRow = Callable[[Registration, RegistrationRow], None]


def begin(
    *,
    actor: AbstractBaseUser | None,
    kind: str,
    name: str,
    rows: Iterable[Mapping[str, Any]] = (),
    folder: Path | None = None,
    by_worker: bool = True,
) -> Registration:
    """Store what is to be registered. A worker carries it out, unless `by_worker` is False.

    Arguments:
        kind: `manifest` and `folder` bring their `rows`; a `prefix` is listed when its turn comes.
        name: of the file, prefix or folder; for a prefix this is what is looked below.
        rows: each with `key` (an object in storage) or `path` (a file), maybe a `title`, and maybe
            the `sha256` that its content has to have.
        folder: what paths are relative to, on this machine; None refuses paths (requests).

    Side effects: the rows and the event `registration.begun`, together. No content is read yet.

    Raises `InvalidManifest` without rows or with more than MOST_ROWS, `InvalidKey` for a prefix
    that cannot be one. An iterable that raises leaves nothing.
    """
    found: list[Mapping[str, Any]] = []
    if kind == Registration.Kind.PREFIX:
        name = name.strip().rstrip("/")
        if not rules.is_usable_key(name):
            raise InvalidKey(f"{name[:200]!r} is not a folder of the storage.")
    else:
        found = list(islice(rows, MOST_ROWS + 1))
        _check_count(len(found))
    with transaction.atomic():
        registration = Registration.objects.create(
            kind=kind,
            name=_text(name)[:512],
            folder=str(folder.resolve()) if folder is not None else "",
            by_worker=by_worker,
            total=None if kind == Registration.Kind.PREFIX else len(found),
            created_by_id=actor.pk if actor is not None else None,
        )
        _store_rows(registration, found)
        record(
            "registration.begun",
            actor=actor,
            subject=registration,
            data={
                "kind": kind,
                "name": registration.name,
                "total": registration.total,
                "by_worker": by_worker,
            },
        )
    return registration


def begin_manifest(*, actor: AbstractBaseUser | None, file: File[bytes]) -> Registration:
    """Begin with the rows of a CSV or JSON-lines file that somebody sent; the objects it names are
    in storage already. Raises `InvalidManifest`, naming the line, and nothing is begun then."""
    if (file.size or 0) > MANIFEST_BYTES:
        raise InvalidManifest(f"The manifest is larger than {MANIFEST_BYTES // 1024**2} MB.")
    name = str(file.name or "manifest")
    return begin(
        actor=actor,
        kind=Registration.Kind.MANIFEST,
        name=name,
        rows=manifests.read_manifest(file, name),
    )


def begin_files(*, actor: AbstractBaseUser | None, files: Iterable[File[bytes]]) -> Registration:
    """Store files that somebody sent, and leave it to a worker to look at them.

    Storing is all that the request does; a duplicate or an empty file is a refused row. The rows
    are written first and the worker is told last: a request that dies leaves a registration that
    can be resumed or cancelled, and is given up in time, with everything that arrived.

    Side effects: the rows, the objects, the events `registration.begun` and `registration.arrived`.
    Raises `InvalidManifest` without files or with more than MOST_ROWS; what storage raises leaves a
    cancelled registration.
    """
    sent = list(files)
    names = [_text(file.name or "") for file in sent]
    registration = begin(
        actor=actor,
        kind=Registration.Kind.FILES,
        name=names[0] if len(names) == 1 else f"{len(names)} files",
        rows=[arrivals.row_of(name) for name in names],
        by_worker=False,
    )
    try:
        arrivals.store(registration, sent)
    except Exception:
        cancel(actor=actor, registration=registration)
        raise
    with transaction.atomic():
        locked = Registration.objects.select_for_update(no_key=True).get(pk=registration.pk)
        locked.by_worker = True
        locked.save(update_fields=["by_worker"])
        if not locked.has_ended:
            data = {"total": locked.total, "by_worker": True}
            record("registration.arrived", actor=actor, subject=locked, data=data)
    return locked


def cancel(*, actor: AbstractBaseUser | None, registration: Registration) -> Registration:
    """Stop after the row that is at work now; what is registered stays. Idempotent.

    Raises `RegistrationHasEnded` when there is nothing left to stop.
    """
    with transaction.atomic():
        locked = Registration.objects.select_for_update(no_key=True).get(pk=registration.pk)
        if locked.state == Registration.State.CANCELLED:
            return locked
        if locked.has_ended:
            raise RegistrationHasEnded(f"It is {locked.state} already.")
        _end(locked, Registration.State.CANCELLED, "")
        record(
            "registration.cancelled",
            actor=actor,
            subject=locked,
            data={"done": locked.done_count, "total": locked.total},
        )
    return locked


def resume(
    *, actor: AbstractBaseUser | None, registration: Registration, by_worker: bool = True
) -> Registration:
    """Go on with one that failed, was cancelled, or whose command died; done rows stay done.

    Raises `RegistrationIsOpen` when somebody works on it or will, `RegistrationHasEnded` when every
    row is done, and `RegistrationIsElsewhere` when a worker cannot see the files that it names.
    """
    with transaction.atomic():
        locked = Registration.objects.select_for_update(no_key=True).get(pk=registration.pk)
        if locked.state == Registration.State.DONE:
            raise RegistrationHasEnded("Every row of it is done.")
        if not locked.has_ended and (locked.by_worker or _is_held(locked)):
            raise RegistrationIsOpen()
        if by_worker and locked.folder:
            raise RegistrationIsElsewhere(
                f"Its files are in {locked.folder}: run `manage.py register_videos --resume"
                f" {locked.pk}` on that machine."
            )
        locked.state = Registration.State.QUEUED
        locked.by_worker = by_worker
        locked.failures = 0
        locked.error = ""
        locked.running_until = locked.finished_at = locked.told_at = None
        locked.due_at = database_now()
        locked.save(
            update_fields=[
                "state", "by_worker", "failures", "error", "running_until", "finished_at",
                "told_at", "due_at",
            ]
        )  # fmt: skip
        record(
            "registration.resumed",
            actor=actor,
            subject=locked,
            data={"done": locked.done_count, "total": locked.total, "by_worker": by_worker},
        )
    return locked


def due() -> list[int]:
    """Those that a worker should be at and none is; marks them as told just now."""
    with transaction.atomic():
        now = database_now()
        quiet = Q(told_at__isnull=True) | Q(told_at__lt=now - timedelta(seconds=TELL_AGAIN_SECONDS))
        waiting = Q(state=Registration.State.QUEUED, due_at__lte=now)
        abandoned = Q(state=Registration.State.RUNNING, running_until__lt=now)
        found = list(
            Registration.objects.select_for_update(skip_locked=True)
            .filter(quiet, waiting | abandoned, by_worker=True)
            .order_by(F("told_at").asc(nulls_first=True), "due_at")[:SWEEP_BATCH]
        )
        Registration.objects.filter(pk__in=[one.pk for one in found]).update(told_at=now)
    return [one.pk for one in found]


def cancel_unarrived() -> None:
    """Cancel those whose files never all arrived: their request died. Part of the sweep."""
    before = database_now() - timedelta(days=arrivals.KEEP_DAYS)
    for one in Registration.objects.filter(
        kind=Registration.Kind.FILES,
        state=Registration.State.QUEUED,
        by_worker=False,
        created_at__lt=before,
    )[:SWEEP_BATCH]:
        cancel(actor=None, registration=one)


@dataclass(frozen=True)
class Claim:
    """The right to carry a registration out: good while `attempt` is the row's number."""

    registration: Registration
    attempt: int

    @property
    def held(self) -> QuerySet[Registration]:
        return Registration.objects.filter(
            pk=self.registration.pk, attempts=self.attempt, state=Registration.State.RUNNING
        )


def carry_out(registration_id: int, *, here: bool = False, on_row: OnRow | None = None) -> bool:
    """Register row after row, if it is queued and due, or if its worker's lease ran out.

    Idempotent: at the same time or later, the second finds nothing to do. True when SLICE_SECONDS
    were over before the rows were: call again. `here` is the command that began it, which has all
    the time; `on_row` is told of each row once it is committed.
    """
    claim = _claim(registration_id, here=here)
    if claim is None:
        return False
    until = None if here else time.monotonic() + SLICE_SECONDS
    try:
        with leases.kept(claim.held):
            if claim.registration.total is None:
                _list(claim)
            finished = _register_rows(claim, until, on_row)
    except Problem as problem:  # of the whole, not of a row
        _give_up(claim, problem.detail or problem.title)
        return False
    except Exception as error:
        logger.warning("Registration %s failed.", registration_id, exc_info=True)
        _failed(claim, str(error) if isinstance(error, RowBroke) else leases.why(error))
        return False
    except BaseException:  # shutting down
        _give_back(claim)
        raise
    if finished:
        _finish(claim)
    else:
        _give_back(claim)
    return not finished


class RowBroke(Exception):
    """A row could not be looked at, for a reason that may pass."""


def _claim(registration_id: int, *, here: bool) -> Claim | None:
    with transaction.atomic():
        registration = (
            Registration.objects.select_for_update(skip_locked=True, no_key=True, of=("self",))
            .select_related("created_by")
            .filter(pk=registration_id, by_worker=not here)
            .first()
        )
        if registration is None:
            return None
        now = database_now()
        waiting = registration.state == Registration.State.QUEUED and registration.due_at <= now
        abandoned = registration.running_until is not None and not _is_held(registration)
        if not waiting and not abandoned:
            return None
        if abandoned:
            registration.failures += 1
            if registration.failures >= rules.MAX_FAILURES:
                _end(registration, Registration.State.FAILED, "Its worker died every time.")
                _record_end(registration)
                return None
        registration.state = Registration.State.RUNNING
        registration.attempts += 1
        registration.running_until = now + timedelta(seconds=leases.LEASE_SECONDS)
        registration.told_at = None  # if we die, the sweep should say so at once
        registration.save(
            update_fields=["state", "attempts", "failures", "running_until", "told_at"]
        )
    return Claim(registration, registration.attempts)


def _list(claim: Claim) -> None:
    """Write one row per video below the prefix: all of them or, when we die, none."""
    rows: list[Mapping[str, Any]] = [
        {"key": key}
        for key in storage.keys_under(claim.registration.name)
        if rules.is_video(key) and not key.startswith(rules.ARRIVAL_PREFIX)
    ]
    _check_count(len(rows))
    with _still_ours(claim) as registration:
        if registration is not None:
            _store_rows(registration, rows)
            registration.total = len(rows)
            registration.save(update_fields=["total"])


def _register_rows(claim: Claim, until: float | None, on_row: OnRow | None) -> bool:
    """True when no row waits any more, or when it is not ours any more."""
    waiting = claim.registration.rows.filter(state=RegistrationRow.State.WAITING)
    folder = Path(claim.registration.folder) if claim.registration.folder else None
    while batch := list(waiting.order_by("number")[:BATCH]):
        for row in batch:
            if until is not None and time.monotonic() >= until:
                return False
            registration = _register_row(claim, row, folder)
            if registration is None:
                return True
            if on_row is not None:
                on_row(registration, row)
    return True


def _register_row(claim: Claim, row: RegistrationRow, folder: Path | None) -> Registration | None:
    """Register or refuse one row; None when somebody else has the registration meanwhile."""
    try:
        source: services.Source | Problem = _measured(row, folder)
    except Problem as problem:
        source = problem
    except Exception as error:
        name = f" ({row.name[:200]})" if row.name else ""
        raise RowBroke(f"Row {row.number}{name}: {leases.why(error)}") from error
    with _still_ours(claim) as registration:
        if registration is None:
            return None
        if isinstance(source, services.Source):
            actor = claim.registration.created_by
            try:
                row.video = services.enter(actor=actor, source=source, title=row.title)
                row.state = RegistrationRow.State.REGISTERED
                if row.is_staged:
                    row.is_staged, row.key = False, ""  # the object is the video's now
                registration.registered_count += 1
            except Problem as problem:
                source = problem
        if isinstance(source, Problem):
            _refuse(row, source)
            registration.refused_count += 1
        row.save(update_fields=["state", "video", "problem", "detail", "is_staged", "key"])
        arrivals.settle(row)
        registration.failures = 0
        registration.error = ""
        registration.save(update_fields=["registered_count", "refused_count", "failures", "error"])
    if row.is_staged:
        arrivals.discard(row)
    return registration


def _measured(row: RegistrationRow, folder: Path | None) -> services.Source:
    if row.key:
        return services.measured(key=row.key, announced=row.sha256)
    if not row.path:
        raise InvalidManifest("The row names neither a key nor a path.")
    if folder is None:
        raise InvalidManifest("Paths are for the command line; name a key in storage.")
    try:
        file = (folder / row.path).open("rb")
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else "Not a path"
        raise NotInStorage(f"{row.path}: {why}.") from error
    with file:
        return services.measured(file=file)


def _refuse(row: RegistrationRow, problem: Problem) -> None:
    row.state = RegistrationRow.State.REFUSED
    row.problem = problem.slug
    row.detail = _text(problem.detail or problem.title)


@contextmanager
def _still_ours(claim: Claim) -> Iterator[Registration | None]:
    """The locked row, or None when it was cancelled or another worker has taken over."""
    with transaction.atomic():
        yield claim.held.select_for_update(no_key=True).first()


def _finish(claim: Claim) -> None:
    with _still_ours(claim) as registration:
        if registration is not None:
            _end(registration, Registration.State.DONE, "")
            _record_end(registration)


def _give_up(claim: Claim, why: str) -> None:
    with _still_ours(claim) as registration:
        if registration is not None:
            _end(registration, Registration.State.FAILED, why)
            _record_end(registration)


def _give_back(claim: Claim) -> None:
    claim.held.update(
        state=Registration.State.QUEUED, running_until=None, due_at=database_now(), told_at=None
    )


def _failed(claim: Claim, error: str) -> None:
    """A passing reason, perhaps: wait longer each time, then give up."""
    with _still_ours(claim) as registration:
        if registration is None:
            return
        registration.failures += 1
        if registration.failures >= rules.MAX_FAILURES:
            _end(registration, Registration.State.FAILED, error)
            _record_end(registration)
            return
        wait = timedelta(seconds=rules.retry_delay_seconds(registration.failures))
        registration.state = Registration.State.QUEUED
        registration.error = error[:1000]
        registration.running_until = registration.told_at = None
        registration.due_at = database_now() + wait
        registration.save(
            update_fields=["state", "failures", "error", "running_until", "told_at", "due_at"]
        )


def _end(registration: Registration, state: str, error: str) -> None:
    registration.state = state
    registration.error = error[:1000]
    registration.running_until = None
    registration.finished_at = database_now()
    registration.save(update_fields=["state", "failures", "error", "running_until", "finished_at"])


def _record_end(registration: Registration) -> None:
    record(
        f"registration.{registration.state}",
        actor=None,
        subject=registration,
        data={
            "registered": registration.registered_count,
            "refused": registration.refused_count,
            "error": registration.error,
        },
    )


def _store_rows(registration: Registration, rows: Iterable[Mapping[str, Any]]) -> None:
    RegistrationRow.objects.bulk_create(
        (
            RegistrationRow(
                registration=registration,
                number=number,
                is_staged=registration.kind in Registration.STAGED,
                sha256=row.get("sha256", ""),
                **{name: _text(row.get(name) or "") for name in manifests.COLUMNS},
            )
            for number, row in enumerate(rows, start=1)
        ),
        batch_size=5000,
    )


def _check_count(count: int) -> None:
    if count == 0:
        raise InvalidManifest("There is no video in it.")
    if count > MOST_ROWS:
        raise InvalidManifest(f"More than {MOST_ROWS:,} rows; make several of it.")


def _is_held(registration: Registration) -> bool:
    until = registration.running_until
    return until is not None and until >= database_now()


def _text(value: Any) -> str:
    return str(value).replace("\0", "\ufffd")  # PostgreSQL keeps no NUL
