"""Celery entry points, on the queue `video` but for the last two: ids in, one service call.

A job may be delivered twice or never; the rows decide (`processing.py`). Time limits are above
the sandbox's own, which end the decoder first and say why.
"""

from __future__ import annotations

from celery import shared_task

from videos import arrivals, processing, registrations, uploads
from videos.models import Registration
from videos.rules import STAGE_LIMITS

MARGIN = 120  # seconds over the sandbox's own time-out, for download and upload


def _soft(stage: str) -> int:
    return STAGE_LIMITS[stage].wall_seconds + MARGIN


@shared_task(
    name="videos.probe_video", soft_time_limit=_soft("probe"), time_limit=_soft("probe") + 60
)
def probe_video(video_id: int) -> None:
    """Count the frames of one video."""
    processing.run_stage(video_id, "probe")


@shared_task(
    name="videos.screen_video", soft_time_limit=_soft("screen"), time_limit=_soft("screen") + 60
)
def screen_video(video_id: int) -> None:
    """Look for defects that a person should know of."""
    processing.run_stage(video_id, "screen")


@shared_task(
    name="videos.make_proxy", soft_time_limit=_soft("proxy"), time_limit=_soft("proxy") + 60
)
def make_proxy(video_id: int) -> None:
    """Make the file that browsers play, frame for frame."""
    processing.run_stage(video_id, "proxy")


@shared_task(
    name="videos.make_filmstrip",
    soft_time_limit=_soft("filmstrip"),
    time_limit=_soft("filmstrip") + 60,
)
def make_filmstrip(video_id: int) -> None:
    """Make the pictures under the timeline."""
    processing.run_stage(video_id, "filmstrip")


@shared_task(
    name="videos.make_peaks", soft_time_limit=_soft("peaks"), time_limit=_soft("peaks") + 60
)
def make_peaks(video_id: int) -> None:
    """Measure the sound for the strip under the timeline."""
    processing.run_stage(video_id, "peaks")


@shared_task(
    name="videos.make_large_proxy",
    soft_time_limit=_soft("large"),
    time_limit=_soft("large") + 60,
)
def make_large_proxy(video_id: int) -> None:
    """Make the proxy of 720 lines that somebody asked for."""
    processing.run_stage(video_id, "large")


JOB_OF_STAGE = {
    "probe": probe_video,
    "screen": screen_video,
    "proxy": make_proxy,
    "filmstrip": make_filmstrip,
    "peaks": make_peaks,
    "large": make_large_proxy,
}


@shared_task(name="videos.register_rows", soft_time_limit=3300, time_limit=3400)
def register_rows(registration_id: int) -> None:
    """Register the videos of a registration for a minute; then whoever waited has a turn."""
    if registrations.carry_out(registration_id):
        tell_registering(registration_id)


def tell_registering(registration_id: int) -> None:
    """Send the message for a registration: one upload of gigabytes waits with the long jobs."""
    long = Registration.objects.filter(pk=registration_id, kind=Registration.Kind.UPLOAD).exists()
    register_rows.apply_async((registration_id,), queue="video" if long else "default")


@shared_task(name="videos.sweep")
def sweep() -> int:
    """Send messages for jobs that wait or whose worker died; give old uploads up."""
    uploads.abandon_old()
    arrivals.sweep()
    registrations.cancel_unarrived()
    registering = registrations.due()
    for registration_id in registering:
        tell_registering(registration_id)
    due = processing.due_jobs()
    for video_id, stage in due:
        JOB_OF_STAGE[stage].delay(video_id)
    return len(registering) + len(due)
