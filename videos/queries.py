"""Reads across tables."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from django.db import connection
from django.db.models import Prefetch, QuerySet

from videos import fingerprint, screening
from videos.models import Video, VideoJob
from videos.problems import VideoNotProbed


def library() -> QuerySet[Video]:
    """Videos with their jobs, without the packed tables: for lists."""
    return Video.objects.defer("frame_times").prefetch_related(
        Prefetch("jobs", queryset=VideoJob.objects.order_by("id"))
    )


@dataclass(frozen=True)
class Lookalike:
    """Another video that shows the same pictures at the same fractions of its length.

    Attributes:
        frame: of the video asked about, where they match first.
        share: of the compared fractions that match.
    """

    video_id: int
    title: str
    frame: int
    share: float


def near_duplicates(video_id: int) -> list[Lookalike]:
    """Videos of the library that look like `video_id`, the most alike first.

    A pair matches at a fraction when hashes of the whole of one and of the whole or a crop of the
    other differ in at most `fingerprint.CUT` bits. One scan of the hashes of the library.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            """
            WITH matched AS (
                SELECT theirs.video_id, mine.slot, min(mine.frame) AS frame
                FROM videos_framehash mine
                JOIN videos_framehash theirs
                  ON theirs.slot = mine.slot AND theirs.video_id <> mine.video_id
                 AND (mine.kept = 100 OR theirs.kept = 100)
                WHERE mine.video_id = %(video)s
                  AND bit_count((mine.hash # theirs.hash)::bit(64)) <= %(cut)s
                GROUP BY theirs.video_id, mine.slot
            ), compared AS (
                SELECT theirs.video_id, count(*) AS slots
                FROM videos_framehash mine
                JOIN videos_framehash theirs
                  ON theirs.slot = mine.slot AND theirs.kept = 100
                WHERE mine.video_id = %(video)s AND mine.kept = 100
                GROUP BY theirs.video_id
            )
            SELECT video.id, video.title, min(matched.frame),
                   count(*)::float / min(compared.slots) AS share
            FROM matched
            JOIN compared ON compared.video_id = matched.video_id
            JOIN videos_video video ON video.id = matched.video_id
            GROUP BY video.id, video.title
            HAVING count(*) >= %(share)s * min(compared.slots)
               AND min(compared.slots) >= %(least)s
            ORDER BY share DESC, video.id
            LIMIT 20
            """,
            {
                "video": video_id,
                "cut": fingerprint.CUT,
                "share": fingerprint.LEAST_SLOTS,
                "least": fingerprint.LEAST_COMPARED,
            },
        )
        return [Lookalike(*row) for row in cursor.fetchall()]


def warnings(video: Video, thresholds: Mapping[str, float] | None = None) -> list[dict[str, Any]]:
    """What every stage warned of, in the order of the stages' rows.

    With a project's own `thresholds` the screening's measures are judged again by them: nothing is
    decoded, and what knows no threshold (damage, near-duplicates) stays as it is.
    """
    found: list[dict[str, Any]] = []
    for job in video.jobs.all():
        stored = (job.result or {}).get("warnings", [])
        if thresholds and job.stage == VideoJob.Stage.SCREEN and "measures" in (job.result or {}):
            assert job.result is not None
            measures = screening.Measures.of(job.result["measures"])
            judged = screening.judge(measures, screening.Thresholds.of(thresholds))
            stored = [asdict(finding) for finding in judged] + [
                warning for warning in stored if warning["code"] not in screening.JUDGED
            ]
        found += stored
    return found


def warned_of(
    videos: QuerySet[Video], code: str, thresholds: Mapping[str, float] | None = None
) -> QuerySet[Video]:
    """Those of `videos` with the warning `code`, by the library's or a project's thresholds."""
    if not thresholds or code not in screening.JUDGED:
        warned = VideoJob.objects.filter(result__warnings__contains=[{"code": code}])
        return videos.filter(pk__in=warned.values("video"))
    screens = VideoJob.objects.filter(stage=VideoJob.Stage.SCREEN)
    some = videos.defer("frame_times").prefetch_related(None)
    found = [
        video.pk
        for video in some.prefetch_related(Prefetch("jobs", screens)).iterator(chunk_size=500)
        if code in {warning["code"] for warning in warnings(video, thresholds)}
    ]
    return videos.filter(pk__in=found)


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
