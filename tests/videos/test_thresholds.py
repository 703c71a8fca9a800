"""A project's thresholds as a condition of the database: the same verdicts as `judge`."""

from __future__ import annotations

import random
from importlib import import_module
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext

from annotation_platform.clock import database_now
from events.models import Event
from tests import factories
from videos import queries
from videos.models import ScreeningFigures, Video, VideoJob
from videos.processing import remember_figures
from videos.screening import JUDGED, Measures, Thresholds, judge

pytestmark = pytest.mark.django_db

MANY = 300
ARRAYS = ("plain", "seconds", "change")
NUMBERS = ("sharpness", "mean", "black", "clipped", "shake", "shake_count", "speech_share")


def measured(dice: random.Random) -> Measures:
    """Measures around every default threshold, also on it, with an odd or even number of them."""
    count = dice.choice([1, 2, 3, 8, 9])

    def some(*values: float) -> list[float]:
        return [dice.choice(values) for _ in range(count)]

    shakes = dice.choice([0, 2, 3, 4])
    return Measures(
        frames=list(range(count)),
        seconds=[0.5 * n for n in range(count)],
        sharpness=some(5, 29.9, 30, 80),
        mean=some(39, 40, 120, 120, 120, 205, 206),
        black=some(0, 0, 0, 0.6, 0.7),
        clipped=some(0, 0, 0, 0.3, 0.4),
        plain=some(0, 0, 0.85, 0.9),
        change=[None, *(dice.choice([0.1, 0.1, 0.6, 9, None]) for _ in range(count - 1))],
        shake_frames=list(range(shakes)),
        shake=[dice.choice([0.5, 1.5, 1.6]) for _ in range(shakes)],
        speech_share=dice.choice([None, 0.0, 0.03, 0.2]),
        speech_frame=dice.choice([None, 0]),
    )


def screened(video: Video, measures: Measures) -> None:
    measures = Measures.of(measures.as_dict())
    remember_figures(video.pk, measures)
    VideoJob.objects.create(
        video=video,
        stage="screen",
        state="done",
        finished_at=database_now(),
        result={
            "measures": measures.as_dict(),
            "warnings": [vars(finding) for finding in judge(measures, Thresholds())],
        },
    )


def test_the_database_judges_as_the_screening_does(django_assert_num_queries: Any) -> None:
    dice = random.Random(5)
    library: dict[int, Measures] = {}
    for _ in range(MANY):
        video = factories.video()
        library[video.pk] = Measures.of(measured(dice).as_dict())
        screened(video, library[video.pk])
    every = Video.objects.order_by("pk")
    for thresholds in (
        {"blurred_below": 30.0},  # the defaults, said aloud
        {"blurred_below": 80.5, "dark_below": 120, "frozen_seconds": 1, "shaken_above": 0.2},
        {"covered_share_above": 0.5, "covered_plain_above": 0.8, "speech_share_above": 0},
        {"frozen_seconds": 0, "frozen_below": 20, "bright_above": 100, "clipped_share_above": 0},
        {"black_share_above": 0.0, "frozen_below": 0, "covered_share_above": 0},
    ):
        limits = Thresholds.of(thresholds)
        for code in sorted(JUDGED):
            expected = [
                pk
                for pk, measures in library.items()
                if code in {finding.code for finding in judge(measures, limits)}
            ]
            with django_assert_num_queries(1):
                found = [v.pk for v in queries.warned_of(every, code, thresholds).only("pk")]
            assert found == expected, (code, thresholds)
            default = queries.warned_of(every, code)
            if thresholds == {"blurred_below": 30.0}:
                assert [v.pk for v in default] == found
                assert 0 < len(found) < MANY, f"{code} tells nothing apart here"


def test_a_filtered_page_of_many_videos_is_read_without_the_others() -> None:
    dice = random.Random(1)
    project = factories.project()
    project.screening_thresholds = {"blurred_below": 500.0}
    project.save(update_fields=["screening_thresholds"])
    for _ in range(60):
        task = factories.open_tasks(project)[0]
        screened(task.video, measured(dice))
    client = factories.client_for(factories.manager())
    address = f"/api/v1/projects/{project.pk}/videos/?warning=blurred&page_size=5"
    with CaptureQueriesContext(connection) as asked:
        rows = client.get(address).json()["results"]
    assert len(rows) == 5
    assert all("blurred" in {w["code"] for w in row["warnings"]} for row in rows)
    read = [query for query in asked.captured_queries if "videos_video" in query["sql"]]
    assert len(read) == 2, "one page of videos, and their jobs"
    assert "LIMIT 6" in read[0]["sql"]


def test_what_was_screened_before_there_were_measures_keeps_its_warnings() -> None:
    video = factories.video()
    VideoJob.objects.create(
        video=video,
        stage="screen",
        state="done",
        finished_at=database_now(),
        result={"warnings": [{"code": "blurred", "frame": 0, "value": 1, "threshold": 30}]},
    )
    every = Video.objects.all()
    assert list(queries.warned_of(every, "blurred", {"blurred_below": 0.0})) == [video]
    assert list(queries.warned_of(every, "dark", {"blurred_below": 0.0})) == []


def test_another_screening_replaces_the_figures() -> None:
    video = factories.video()
    for sharpness in (80.0, 10.0):
        remember_figures(video.pk, Measures(frames=[0], seconds=[0], sharpness=[sharpness]))
    assert ScreeningFigures.objects.get().sharpness == 10


def test_the_command_shows_and_sets_them(capsys: pytest.CaptureFixture[str]) -> None:
    project = factories.project()
    manager = factories.manager()
    for sharpness in (10.0, 50.0):
        task = factories.open_tasks(project)[0]
        screened(task.video, Measures(frames=[0], seconds=[0], sharpness=[sharpness]))

    def lines(*settings: str, **options: Any) -> dict[str, str]:
        call_command("screening_thresholds", str(project.pk), *settings, **options)
        out = capsys.readouterr().out.splitlines()
        return {line.split()[0]: " ".join(line.split()[1:]) for line in out if line}

    shown = lines()
    assert (shown["blurred_below"], shown["blurred"]) == ("30 default", "1 videos")
    shown = lines("blurred_below=60", "dark_below=10", actor=manager.email)
    assert (shown["blurred_below"], shown["dark_below"], shown["blurred"]) == (
        "60", "10", "2 videos",
    )  # fmt: skip
    assert Event.objects.get(type="project.changed").actor_id == manager.pk
    for wrong in ("blurry=3", "dark_below=x", "dark_below=-1", "dark_below=inf", "dark_below"):
        with pytest.raises(CommandError):
            call_command("screening_thresholds", str(project.pk), wrong)
    project.refresh_from_db()
    assert project.screening_thresholds == {"blurred_below": 60.0, "dark_below": 10.0}
    assert lines("blurred_below=")["blurred_below"] == "30 default"
    with pytest.raises(CommandError, match="no project"):
        call_command("screening_thresholds", "999999999")


def test_the_librarys_own_warnings_are_found_by_their_index() -> None:
    with connection.cursor() as cursor:  # few rows: left alone, the planner reads them all
        cursor.execute("SET LOCAL enable_seqscan = off")
        cursor.execute("SET LOCAL enable_indexscan = off")
    plan = VideoJob.objects.filter(result__warnings__contains=[{"code": "blurred"}]).explain()
    assert "Bitmap Index Scan on video_job_warnings" in plan


def figures() -> list[dict[str, Any]]:
    return [dict(row) for row in ScreeningFigures.objects.order_by("pk").values()]


def test_the_migration_makes_the_same_figures_of_earlier_screenings() -> None:
    dice = random.Random(3)
    for _ in range(20):
        screened(factories.video(), measured(dice))
    made = figures()
    ScreeningFigures.objects.all().delete()
    migration = import_module("videos.migrations.0007_registrations_and_figures")
    with connection.cursor() as cursor:
        cursor.execute(migration.FIGURES)
    for mine, theirs in zip(made, figures(), strict=True):
        assert [theirs[name] for name in ARRAYS] == [mine[name] for name in ARRAYS]
        assert [theirs[name] for name in NUMBERS] == pytest.approx([mine[n] for n in NUMBERS])
