"""Verbs on videos: register, retire, run again. The jobs' own work is in `processing.py`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from django.contrib.auth.base_user import AbstractBaseUser
from django.core.files.base import File
from django.db import IntegrityError, transaction

from annotation_platform.api.problems import InvalidInput
from annotation_platform.clock import database_now
from events.services import record
from videos import rules, storage
from videos.models import Video, VideoJob
from videos.problems import (
    EmptyFile,
    InvalidKey,
    JobIsRunning,
    NothingLarger,
    UploadRefused,
    VideoAlreadyRegistered,
    VideoIsRetired,
    VideoNotProbed,
)
from videos.processing import probe
from videos.proxy import HEIGHT
from videos.screening import Thresholds

__all__ = [
    "Source",
    "enter",
    "measured",
    "probe",
    "register_video",
    "rerun",
    "restore",
    "retire",
    "want_large",
]


def register_video(
    *,
    actor: AbstractBaseUser | None,
    file: IO[bytes] | File[bytes] | None = None,
    key: str | None = None,
    title: str = "",
) -> Video:
    """Register one video: the content of `file`, or the object `key` that is in storage already.

    Arguments:
        actor: who does it; None for the system.
        file: a seekable stream; stored under a key made of its checksum.
        key: where the object is; its content is read once for the checksum.
        title: for people; made from the file's name when empty.

    Side effects: the row, its waiting probe and the event `video.registered`, together.

    Raises `VideoAlreadyRegistered` (same content or same key, also among retired videos),
    `NotInStorage`, `InvalidKey`, `EmptyFile`. Exactly one of `file` and `key` is to be given.
    """
    source = measured(file=file, key=key)
    with transaction.atomic():
        return enter(actor=actor, source=source, title=title)


@dataclass(frozen=True)
class Source:
    """Content that is in storage and may become a video."""

    key: str
    name: str  # what to make a title of
    sha256: str
    size_bytes: int


def measured(
    *,
    file: IO[bytes] | File[bytes] | None = None,
    key: str | None = None,
    announced: str = "",
) -> Source:
    """The slow half of registering: read the content once, and store it if it is a `file`.

    `announced` is the SHA-256 that the object of a `key` has to have (`UploadRefused` else). No row
    is written; done twice, the second changes nothing. Raises what `register_video` does.
    """
    if (file is None) == (key is None):
        raise TypeError("Give either a file or a key.")
    if file is not None:
        sha256, size = _measure_file(file)
        name = Path(str(getattr(file, "name", ""))).name
        _refuse_duplicate(sha256)
        key = rules.source_key(sha256, name)
        storage.save_as(key, file, size)
        return Source(key, name, sha256, size)
    assert key is not None
    sha256, size = _measure_stored(key)
    if announced and sha256 != announced:
        raise UploadRefused("The checksum is not the announced one.")
    _refuse_duplicate(sha256)
    return Source(key, key, sha256, size)


def enter(*, actor: AbstractBaseUser | None, source: Source, title: str = "") -> Video:
    """The quick half: row, waiting probe and event, in the caller's transaction.

    Raises `VideoAlreadyRegistered` when somebody else was faster; the transaction can go on.
    """
    try:
        with transaction.atomic():
            video = Video.objects.create(
                key=source.key,
                title=(title.strip() or rules.title_of(source.name))[:200],
                sha256=source.sha256,
                size_bytes=source.size_bytes,
                created_by_id=actor.pk if actor is not None else None,
            )
            VideoJob.objects.create(video=video, stage=VideoJob.Stage.PROBE)
            record(
                "video.registered",
                actor=actor,
                subject=video,
                data={
                    "key": source.key,
                    "sha256": source.sha256,
                    "size_bytes": source.size_bytes,
                    "title": video.title,
                },
            )
    except IntegrityError:
        _refuse_duplicate(source.sha256)
        raise
    return video


def _measure_file(file: IO[bytes] | File[bytes]) -> tuple[str, int]:
    known = getattr(file, "sha256", None)  # made while it was received
    if known is not None and file.size:  # type: ignore[union-attr]
        return str(known), int(file.size)  # type: ignore[union-attr]
    file.seek(0)
    measured = _measure(file)
    file.seek(0)
    return measured


def _measure(file: IO[bytes] | File[bytes]) -> tuple[str, int]:
    sha256, size = storage.digest(file)
    if size == 0:
        raise EmptyFile()
    return sha256, size


def _measure_stored(key: str) -> tuple[str, int]:
    if not rules.is_usable_key(key):
        raise InvalidKey(f"{key[:200]!r} is not a plain, relative key outside our own folders.")
    existing = Video.objects.filter(key=key).first()
    if existing is not None:
        raise VideoAlreadyRegistered(
            f"{key} is registered as video {existing.pk}.", video=existing.pk
        )
    with storage.opened(key) as stored:
        return _measure(stored)


def _refuse_duplicate(sha256: str) -> None:
    existing = Video.objects.filter(sha256=sha256).first()
    if existing is not None:
        raise VideoAlreadyRegistered(
            f"Its content is that of video {existing.pk} ({existing.title}).", video=existing.pk
        )


def rerun(
    *,
    actor: AbstractBaseUser | None,
    video: Video,
    stage: str,
    parameters: dict[str, Any] | None = None,
) -> VideoJob:
    """Have a stage done again, e.g. with other screening thresholds.

    What the stage made before stays in use until the new result replaces it. Raises
    `VideoIsRetired`, `JobIsRunning`, `VideoNotProbed`, `NothingLarger` and, for parameters that the
    stage does not know, `InvalidInput`. The stage `screen` takes `{"thresholds": {…}}` (see
    `screening.Thresholds`), `proxy` takes `{"height": 480}`.
    """
    _check_parameters(stage, parameters or {})
    with transaction.atomic():
        locked = Video.objects.select_for_update(no_key=True).get(pk=video.pk)
        if locked.state == Video.State.RETIRED:
            raise VideoIsRetired()
        if stage != VideoJob.Stage.PROBE and locked.frame_count is None:
            raise VideoNotProbed()
        if stage == VideoJob.Stage.LARGE and min(locked.display_size or (0,)) <= HEIGHT:
            raise NothingLarger()
        job, _ = VideoJob.objects.select_for_update().get_or_create(video=locked, stage=stage)
        if job.state == VideoJob.State.RUNNING:
            raise JobIsRunning(f"{stage} is running now; wait for it to end.")
        job.state = VideoJob.State.WAITING
        job.failures = 0
        job.error = ""
        job.due_at = database_now()
        job.told_at = None
        if parameters is not None:
            job.parameters = parameters
        job.save(update_fields=["state", "failures", "error", "due_at", "told_at", "parameters"])
        record(
            "video.rerun_requested",
            actor=actor,
            subject=locked,
            data={"stage": stage, "parameters": job.parameters},
        )
    return job


def want_large(*, actor: AbstractBaseUser | None, video: Video) -> VideoJob:
    """Have the proxy of 720 lines made, once: asked again it is the same job. No event if it is.

    For whoever may see the video; the caller has decided that. A job that failed is tried again.
    Raises `VideoNotProbed`, `VideoIsRetired`, and `NothingLarger` when the ordinary proxy has all
    of the source's lines.
    """
    if video.display_size is None:
        raise VideoNotProbed()
    if min(video.display_size) <= HEIGHT:
        raise NothingLarger()
    job = video.jobs.filter(stage=VideoJob.Stage.LARGE).first()
    if job is not None and job.state != VideoJob.State.FAILED:
        return job
    try:
        return rerun(actor=actor, video=video, stage=VideoJob.Stage.LARGE)
    except JobIsRunning:  # somebody asked at the same time
        return video.jobs.get(stage=VideoJob.Stage.LARGE)


def _check_parameters(stage: str, parameters: dict[str, Any]) -> None:
    try:
        known = {"screen": {"thresholds"}, "proxy": {"height"}}.get(stage, set())
        for name in parameters.keys() - known:
            raise ValueError(f"The stage {stage} knows no {name}.")
        Thresholds.of(parameters.get("thresholds", {}))
        height = parameters.get("height", 480)
        if not isinstance(height, int) or not 144 <= height <= 2160:
            raise ValueError("height must be 144 to 2160 pixels.")
    except (ValueError, TypeError, AttributeError) as error:
        errors = [{"pointer": "/parameters", "detail": str(error)}]
        raise InvalidInput(str(error), errors=errors) from error


def retire(*, actor: AbstractBaseUser | None, video: Video, reason: str = "") -> Video:
    """Take a video out of use. Work already paid on it stays. Idempotent."""
    with transaction.atomic():
        locked = Video.objects.select_for_update(no_key=True).get(pk=video.pk)
        if locked.state == Video.State.RETIRED:
            return locked
        was = locked.state
        locked.state = Video.State.RETIRED
        locked.retired_at = database_now()
        locked.save(update_fields=["state", "retired_at"])
        record("video.retired", actor=actor, subject=locked, data={"was": was, "reason": reason})
    return locked


def restore(*, actor: AbstractBaseUser | None, video: Video) -> Video:
    """Bring a retired video back to what its frames say it is. Idempotent."""
    with transaction.atomic():
        locked = Video.objects.select_for_update(no_key=True).get(pk=video.pk)
        if locked.state != Video.State.RETIRED:
            return locked
        if locked.frame_count is not None:
            locked.state = Video.State.READY
            locked.unreadable_reason = ""
        elif locked.unreadable_reason:
            locked.state = Video.State.UNREADABLE
        else:
            locked.state = Video.State.REGISTERED
        locked.retired_at = None
        locked.save(update_fields=["state", "retired_at", "unreadable_reason"])
        record("video.restored", actor=actor, subject=locked, data={"state": locked.state})
    return locked
