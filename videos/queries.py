"""Reads across tables."""

from __future__ import annotations

from typing import Any

from django.db.models import Prefetch, QuerySet

from videos.models import Video, VideoJob
from videos.problems import VideoNotProbed


def library() -> QuerySet[Video]:
    """Videos with their jobs, without the packed tables: for lists."""
    return Video.objects.defer("frame_times").prefetch_related(
        Prefetch("jobs", queryset=VideoJob.objects.order_by("id"))
    )


def frame_times_document(video: Video) -> dict[str, Any]:
    """A video's frame-time table as compact JSON for a browser.

    `first` and the deltas `runs` = `[[ticks, repeat], …]` are in ticks of `time_base`
    = `[num, den]` seconds: frame 0 appears at `first`, each next frame one delta later. On the
    proxy's clock subtract `first`. Raises `VideoNotProbed`.
    """
    if video.frame_times is None:
        raise VideoNotProbed()
    times = video.times
    return {
        "video": video.pk,
        "frame_count": video.frame_count,
        "time_base": [video.time_base_num, video.time_base_den],
        "first": int(times.pts[0]),
        "runs": [list(run) for run in times.runs()],
        "duration_ticks": video.duration_ticks,
        "variable_frame_rate": video.variable_frame_rate,
    }
