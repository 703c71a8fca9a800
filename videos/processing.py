"""Carrying out the stages: claim the row, decode in the sandbox, publish, or try again later.

Law 2: the `VideoJob` row is the truth. Whatever dies in between leaves either the old result or
the new one, never half of one: outputs go under a key of their own attempt, and only the row that
is committed last makes them visible.
"""

from __future__ import annotations

import base64
import logging
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from django.db import transaction
from django.db.models import F, Q, QuerySet

from annotation_platform.clock import database_now
from events.services import record
from videos import fingerprint, leases, queries, rules, screening, storage
from videos.container import UnreadableVideo
from videos.models import FrameHash, ScreeningFigures, Video, VideoJob
from videos.sandbox import StageFailed, run_isolated

logger = logging.getLogger(__name__)

SWEEP_BATCH = 200
TELL_AGAIN_SECONDS = 120
DERIVED_STAGES = ("screen", "proxy", "filmstrip")


@dataclass(frozen=True)
class Claim:
    """A worker's right to carry out one job: good while `attempt` is the row's number."""

    job_id: int
    video: Video
    stage: str
    attempt: int
    parameters: dict[str, Any]

    @property
    def prefix(self) -> str:
        """Where this attempt's files go; no other attempt uses it."""
        return f"{rules.ARTEFACT_PREFIX}{self.video.pk}/{self.stage}/{self.attempt}"


def run_stage(video_id: int, stage: str) -> VideoJob | None:
    """Carry out a stage of a video if it is waiting and due, or if its worker's lease ran out.

    Idempotent: run twice, at the same time or later, the second finds nothing to do. Returns the
    row as it is afterwards; None when there is no such job.
    """
    claim = _claim(video_id, stage)
    if claim is not None:
        _carry_out(claim)
    return VideoJob.objects.filter(video_id=video_id, stage=stage).first()


def probe(video_id: int) -> Video:
    """Count a video's frames now, in this process's sandbox. Idempotent.

    The video is `ready` or `unreadable` afterwards (or still `registered` when the attempt failed
    for a passing reason; the sweep will try again). Records `video.ready` or `video.unreadable`.
    """
    run_stage(video_id, VideoJob.Stage.PROBE)
    return Video.objects.get(pk=video_id)


def due_jobs() -> list[tuple[int, str]]:
    """(video id, stage) of what should be running and is not; marks them as told just now."""
    with transaction.atomic():
        now = database_now()
        quiet = Q(told_at__isnull=True) | Q(told_at__lt=now - timedelta(seconds=TELL_AGAIN_SECONDS))
        waiting = Q(state=VideoJob.State.WAITING, due_at__lte=now)
        abandoned = Q(state=VideoJob.State.RUNNING, running_until__lt=now)
        jobs = list(
            VideoJob.objects.select_for_update(skip_locked=True)
            .filter(quiet, waiting | abandoned)
            .exclude(video__state=Video.State.RETIRED)
            .order_by(F("told_at").asc(nulls_first=True), "due_at")[:SWEEP_BATCH]
        )
        VideoJob.objects.filter(pk__in=[job.pk for job in jobs]).update(told_at=now)
    return [(job.video_id, job.stage) for job in jobs]


def _claim(video_id: int, stage: str) -> Claim | None:
    with transaction.atomic():
        job = (
            VideoJob.objects.select_for_update(skip_locked=True)
            .filter(video_id=video_id, stage=stage)
            .first()
        )
        if job is None:
            return None
        now = database_now()
        abandoned = job.running_until is not None and job.running_until < now
        if not (job.state == VideoJob.State.WAITING and job.due_at <= now) and not abandoned:
            return None
        video = Video.objects.get(pk=video_id)
        if video.state == Video.State.RETIRED:
            return None
        if abandoned:
            # Whoever had it died: count it, or a file that kills workers does so for ever.
            job.failures += 1
            if job.failures >= rules.MAX_FAILURES:
                _give_up(job, video, "Its worker died every time.")
                return None
        job.state = VideoJob.State.RUNNING
        job.attempts += 1
        job.started_at = now
        job.running_until = now + timedelta(seconds=leases.LEASE_SECONDS)
        job.told_at = None  # if we die, the sweep should say so at once
        job.save(
            update_fields=[
                "state",
                "attempts",
                "failures",
                "started_at",
                "running_until",
                "told_at",
            ]
        )
    return Claim(job.pk, video, stage, job.attempts, job.parameters)


def _carry_out(claim: Claim) -> None:
    try:
        with (
            leases.kept(_held(claim)),
            storage.local_copy(claim.video.key) as source,
            tempfile.TemporaryDirectory(prefix="video-") as name,
        ):
            folder = Path(name)
            _check_source(source, claim.video)
            result = run_isolated(
                claim.stage,
                source=source,
                folder=folder,
                options=_options(claim),
                limits=rules.STAGE_LIMITS[claim.stage],
            )
            result["files"] = _upload(claim, folder)
    except UnreadableVideo as refusal:
        _refused(claim, str(refusal))
        return
    except (StageFailed, OSError) as error:
        _failed(claim, leases.why(error))
        return
    except BaseException as error:
        # A soft time limit or a worker shutting down: give the job back, then go.
        _failed(claim, leases.why(error))
        raise
    if _finish(claim, result):
        _delete_older(claim)


def _check_source(source: Path, video: Video) -> None:
    size = source.stat().st_size
    if size != video.size_bytes:
        raise StageFailed(f"Storage holds {size} bytes of it, {video.size_bytes} were registered.")


def _held(claim: Claim) -> QuerySet[VideoJob]:
    return VideoJob.objects.filter(
        pk=claim.job_id, attempts=claim.attempt, state=VideoJob.State.RUNNING
    )


def _options(claim: Claim) -> dict[str, Any]:
    video = claim.video
    options: dict[str, Any] = {"parameters": claim.parameters}
    if claim.stage != VideoJob.Stage.PROBE:
        if video.frame_times is None:
            raise StageFailed("The video has not been probed.")
        options["frame_times"] = base64.b64encode(bytes(video.frame_times)).decode()
        options["time_base"] = [video.time_base_num, video.time_base_den]
        options["rotation"] = video.rotation
    return options


def _upload(claim: Claim, folder: Path) -> dict[str, str]:
    """Store everything the stage made; file name → key."""
    keys = {}
    for path in sorted(folder.iterdir()):
        key = f"{claim.prefix}/{path.name}"
        with path.open("rb") as file:
            storage.save_as(key, file, path.stat().st_size)
        keys[path.name] = key
    return keys


@contextmanager
def _still_ours(claim: Claim) -> Iterator[VideoJob | None]:
    """The locked row, or None when another worker has taken over meanwhile."""
    with transaction.atomic():
        yield _held(claim).select_for_update().first()


def _finish(claim: Claim, result: dict[str, Any]) -> bool:
    with _still_ours(claim) as job:
        if job is None:
            return False
        if claim.stage == VideoJob.Stage.PROBE:
            table = result.pop("frame_times")
            if not _apply_probe(claim.video.pk, base64.b64decode(table), result):
                _give_up(job, claim.video, "A second probe counted other frames.")
                return False
        if claim.stage == VideoJob.Stage.SCREEN:
            _remember_hashes(claim.video.pk, result)
            remember_figures(claim.video.pk, screening.Measures.of(result["measures"]))
        job.state = VideoJob.State.DONE
        job.result = result
        job.error = ""
        job.failures = 0
        job.running_until = None
        job.finished_at = database_now()
        job.save(
            update_fields=[
                "state", "result", "error", "failures", "running_until", "finished_at"
            ]
        )  # fmt: skip
        if claim.stage != VideoJob.Stage.PROBE:
            record(f"video.{claim.stage}_made", actor=None, subject=claim.video, data={})
    return True


def _remember_hashes(video_id: int, result: dict[str, Any]) -> None:
    """Keep the screening's frame hashes, and warn of videos in the library that look the same."""
    FrameHash.objects.filter(video_id=video_id).delete()
    FrameHash.objects.bulk_create(
        FrameHash(video_id=video_id, slot=slot, frame=frame, kept=kept, hash=value)
        for slot, frame, kept, value in result.pop("hashes")
    )
    for found in queries.near_duplicates(video_id):
        result["warnings"].append(
            {
                "code": "near_duplicate",
                "message": f"It looks like video {found.video_id} ({found.title}).",
                "frame": found.frame,
                "value": found.share,
                "threshold": fingerprint.LEAST_SLOTS,
                "video": found.video_id,
            }
        )


def remember_figures(video_id: int, measures: screening.Measures) -> None:
    """Keep the measures as columns too: other thresholds are then a question to the database."""
    heard = measures.speech_share if measures.speech_frame is not None else None
    figures = {
        "sharpness": screening.median(measures.sharpness),
        "mean": screening.median(measures.mean),
        "black": screening.median(measures.black),
        "clipped": screening.median(measures.clipped),
        "plain": measures.plain,
        "seconds": measures.seconds,
        "change": measures.change,
        "shake": screening.median(measures.shake),
        "shake_count": len(measures.shake),
        "speech_share": heard,
    }
    ScreeningFigures.objects.update_or_create(video_id=video_id, defaults=figures)


def _apply_probe(video_id: int, table: bytes, found: dict[str, Any]) -> bool:
    """Write the frames on the video. False when it has other frames already."""
    video = Video.objects.select_for_update(no_key=True).get(pk=video_id)
    base = (found["time_base_num"], found["time_base_den"])
    if video.frame_times is not None:
        same = bytes(video.frame_times) == table
        return same and base == (video.time_base_num, video.time_base_den)
    video.frame_times = table
    video.time_base_num, video.time_base_den = base
    for name in (
        "frame_count", "duration_ticks", "width", "height", "rotation", "codec", "has_audio",
        "variable_frame_rate",
    ):  # fmt: skip
        setattr(video, name, found[name])
    video.probed_at = database_now()
    video.unreadable_reason = ""
    if video.state != Video.State.RETIRED:
        video.state = Video.State.READY
    video.save()
    stages = [*DERIVED_STAGES, *(["peaks"] if video.has_audio else [])]
    VideoJob.objects.bulk_create(
        [VideoJob(video=video, stage=stage) for stage in stages], ignore_conflicts=True
    )
    record(
        "video.ready",
        actor=None,
        subject=video,
        data={
            "frame_count": video.frame_count,
            "stages": stages,
            "is_truncated": found["is_truncated"],
        },
    )
    return True


def _refused(claim: Claim, reason: str) -> None:
    """The file is to blame: no second try by itself."""
    with _still_ours(claim) as job:
        if job is not None:
            _give_up(job, claim.video, reason)


def _give_up(job: VideoJob, video: Video, reason: str) -> None:
    job.state = VideoJob.State.FAILED
    job.error = reason[:1000]
    job.running_until = None
    job.finished_at = database_now()
    job.save(update_fields=["state", "error", "failures", "running_until", "finished_at"])
    if job.stage != VideoJob.Stage.PROBE:
        record(
            "video.job_failed", actor=None, subject=video, data={"stage": job.stage, "why": reason}
        )
        return
    locked = Video.objects.select_for_update(no_key=True).get(pk=video.pk)
    if locked.state in (Video.State.REGISTERED, Video.State.UNREADABLE):
        locked.state = Video.State.UNREADABLE
        locked.unreadable_reason = reason[:500]
        locked.save(update_fields=["state", "unreadable_reason"])
        record("video.unreadable", actor=None, subject=locked, data={"reason": reason})


def _failed(claim: Claim, error: str) -> None:
    """A passing reason, perhaps: wait longer each time, then give up."""
    logger.warning("%s of video %s failed: %s", claim.stage, claim.video.pk, error)
    storage.delete_folder(claim.prefix)
    with _still_ours(claim) as job:
        if job is None:
            return
        job.failures += 1
        if job.failures >= rules.MAX_FAILURES:
            _give_up(job, claim.video, error)
            return
        job.state = VideoJob.State.WAITING
        job.error = error[:1000]
        job.running_until = None
        job.told_at = None
        job.due_at = database_now() + timedelta(seconds=rules.retry_delay_seconds(job.failures))
        job.save(update_fields=["state", "failures", "error", "running_until", "told_at", "due_at"])


def _delete_older(claim: Claim) -> None:
    """Remove what earlier attempts left, finished or not. Failing to is no failure of the job."""
    try:
        storage.delete_folder(claim.prefix.rpartition("/")[0], keep=str(claim.attempt))
    except OSError:
        logger.warning("Leftovers of %s could not be deleted.", claim.prefix, exc_info=True)
