"""Reads across tables."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from django.db import connection
from django.db.models import Prefetch, Q, QuerySet
from django.db.models.expressions import RawSQL

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
    for job in sorted(video.jobs.all(), key=lambda job: job.pk):  # prefetched, most often
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
    """Those of `videos` with the warning `code`, by the library's or a project's thresholds.

    By a project's it is `screening.judge` once more, as a condition of the database: no video is
    read. A test holds the two against each other.
    """
    stored = VideoJob.objects.filter(result__warnings__contains=[{"code": code}]).values("video")
    if not thresholds or code not in screening.JUDGED:
        return videos.filter(pk__in=stored)
    limits = asdict(screening.Thresholds.of(thresholds))
    condition = _JUDGED_IN_SQL[code]
    # Positions, because what surrounds it has parameters of its own.
    names = re.findall(r"%\((\w+)\)s", condition)
    text = re.sub(r"%\(\w+\)s", "%s::float8", condition)
    judged = RawSQL(  # our own text; the numbers are parameters
        f"SELECT f.video_id FROM videos_screeningfigures f WHERE {text}",
        [limits[name] for name in names],
    )
    # Screened before there were measures: what was warned of then.
    return videos.filter(Q(pk__in=judged) | Q(figures__isnull=True, pk__in=stored))


_DARK = "(f.mean < %(dark_below)s OR f.black > %(black_share_above)s)"
_BRIGHT = "(f.mean > %(bright_above)s OR f.clipped > %(clipped_share_above)s)"
_GLARE = f"coalesce({_DARK} OR {_BRIGHT}, false)"
_COVERED = """coalesce((
    SELECT count(*) FILTER (WHERE p > %(covered_plain_above)s)::float8 / nullif(count(*), 0)
    FROM unnest(f.plain) AS p
) > %(covered_share_above)s, false)"""
_FROZEN = """coalesce((
    SELECT max(span) FROM (
        SELECT max(s) - min(s) AS span FROM (
            SELECT s, count(*) FILTER (WHERE c IS NULL OR c >= %(frozen_below)s)
                      OVER (ORDER BY n) AS run
            FROM unnest(f.seconds, f.change) WITH ORDINALITY AS sample(s, c, n)
        ) AS samples GROUP BY run
    ) AS runs
), 0) >= %(frozen_seconds)s"""
# `screening.judge`, code by code; its order decides what silences what.
_JUDGED_IN_SQL = {
    "dark": _DARK,
    "over_exposed": _BRIGHT,
    "covered": f"NOT {_GLARE} AND {_COVERED}",
    "blurred": f"NOT {_GLARE} AND NOT {_COVERED} AND f.sharpness < %(blurred_below)s",
    "frozen": _FROZEN,
    "shaken": "f.shake_count >= 3 AND f.shake > %(shaken_above)s",
    "speech": "f.speech_share > %(speech_share_above)s",
}


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
