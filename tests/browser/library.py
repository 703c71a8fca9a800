"""Clips that went through the real pipeline once in a session, and come back as rows after that.

Probing and encoding are subprocesses of a second or two, and most tests of the workbench are about
what is done with the same clip. Tests of the pipeline itself, and of exactness, run it.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from django.core import serializers

if TYPE_CHECKING:  # models can be imported only once Django is set up
    from videos.models import Video

_made: dict[tuple[Path, tuple[str, ...]], str] = {}


def video_of(path: Path, stages: tuple[str, ...] = ("proxy",)) -> Video:
    """The video of this file, registered, probed and with these stages done.

    Once for each database: a second one of the same file would be refused as a duplicate. Its files
    are in the session's media (fixture `media_root`).
    """
    from videos.models import Video, VideoJob

    if (path, stages) not in _made:
        video = through_the_pipeline(path, stages)
        rows = [video, *VideoJob.objects.filter(video=video)]
        _made[path, stages] = serializers.serialize("json", rows)
        return video
    objects: list[Any] = [
        row.object for row in serializers.deserialize("json", _made[path, stages])
    ]
    video, *jobs = objects
    for row in objects:
        row.pk = None  # not under the old key: the sequence may come to it in this database
    video.save()
    for job in jobs:
        job.video = video
        job.save()
    return Video.objects.get(pk=video.pk)


def through_the_pipeline(path: Path, stages: tuple[str, ...]) -> Video:
    """What an upload goes through, here and now."""
    from videos import processing
    from videos import services as videos

    with path.open("rb") as file:
        video = videos.register_video(actor=None, file=file)
    videos.probe(video.pk)
    for stage in stages:
        done = processing.run_stage(video.pk, stage)
        assert done is not None
        assert done.state == "done", stage
    video.refresh_from_db()
    return video
