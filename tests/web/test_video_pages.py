"""The manager's library: what it shows, finds and does, at a cost that does not grow."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from pytest_django import Settings

from annotation_platform.clock import database_now
from events.models import Event
from tasks.models import Task
from tasks.services import create_tasks
from tests import factories
from tests.web.browsers import LogIn
from videos.models import Video, VideoJob
from videos.screening import Measures, Thresholds, judge

pytestmark = pytest.mark.django_db


def screened(video: Video, *, sharpness: float) -> None:
    """A screening with one sample frame; out of focus below 30."""
    measures = Measures(
        frames=[0, 30], seconds=[0.0, 1.0], sharpness=[sharpness] * 2, mean=[120.0] * 2,
        black=[0.0] * 2, clipped=[0.0] * 2, plain=[0.0] * 2, change=[None, 9.0],
    )  # fmt: skip
    warnings = [vars(finding) for finding in judge(measures, Thresholds())]
    VideoJob.objects.create(
        video=video,
        stage="screen",
        state="done",
        finished_at=database_now(),
        result={
            "summary": {"sharpness": sharpness, "mean": 120.0},
            "measures": measures.as_dict(),
            "warnings": warnings,
            "files": {"frame-0.jpg": f"artefacts/{video.pk}/screen/1/frame-0.jpg"},
        },
    )


def titles(answer: Any) -> list[str]:
    return [row.video.title for row in answer.context["rows"]]


def test_only_managers_may_look_and_act(log_in: LogIn) -> None:
    video = factories.video(title="Tea")
    project = factories.project()
    pages = [
        "/videos/",
        "/videos/register/",
        f"/videos/{video.pk}/",
        f"/projects/{project.pk}/thresholds/",
    ]
    for person in (factories.reviewer(), factories.finance(), factories.worker(project)):
        browser = log_in(person)
        assert [browser.get(page).status_code for page in pages] == [403] * 4
        form = {"video": video.pk, "do": "retire", "reason": "x"}
        assert browser.post("/videos/act/", form).status_code == 403
    browser = log_in(factories.manager())
    assert [browser.get(page).status_code for page in pages] == [200] * 4
    video.refresh_from_db()
    assert video.state == "ready"


def test_the_library_is_filtered(log_in: LogIn) -> None:
    blurred, sharp = factories.video(title="Blurred tea"), factories.video(title="Sharp tea")
    screened(blurred, sharpness=12)
    screened(sharp, sharpness=80)
    project = factories.project()
    create_tasks(actor=None, project=project, videos=[sharp])
    browser = log_in(factories.manager())
    page = browser.get("/videos/")
    assert titles(page) == ["Sharp tea", "Blurred tea"]
    assert "frame-0" not in page.content.decode(), "links are signed, keys stay inside"
    assert page.content.decode().count('alt="frame 0"') == 2
    assert titles(browser.get("/videos/?warning=blurred")) == ["Blurred tea"]
    assert titles(browser.get("/videos/?text=SHARP")) == ["Sharp tea"]
    assert titles(browser.get("/videos/?state=retired")) == []
    assert titles(browser.get("/videos/?job=failed")) == []
    assert titles(browser.get(f"/videos/?project={project.pk}")) == ["Sharp tea"]
    # The project is stricter: the same measures, another warning, nothing decoded.
    address = f"/projects/{project.pk}/thresholds/"
    assert titles(browser.get(f"/videos/?project={project.pk}&warning=blurred")) == []
    refused = browser.post(address, {"blurred_below": "soft"})
    assert refused.status_code == 400
    assert browser.post(address, {"blurred_below": "100"}).status_code == 302
    project.refresh_from_db()
    assert project.screening_thresholds == {"blurred_below": 100.0}
    assert titles(browser.get(f"/videos/?project={project.pk}&warning=blurred")) == ["Sharp tea"]
    assert titles(browser.get("/videos/?warning=blurred")) == ["Blurred tea"]
    detail = browser.get(f"/videos/{sharp.pk}/").content.decode()
    assert "By the thresholds of" in detail
    listed = factories.client_for(factories.manager()).get(
        f"/api/v1/projects/{project.pk}/videos/?warning=blurred"
    )
    (row,) = listed.json()["results"]
    assert (row["id"], [w["code"] for w in row["warnings"]]) == (sharp.pk, ["blurred"])
    assert row["warnings"][0]["threshold"] == 100


def test_thresholds_over_the_api_are_checked() -> None:
    project = factories.project()
    address = f"/api/v1/projects/{project.pk}/"
    client = factories.client_for(factories.manager())
    for wrong in ({"blurry": 3}, {"dark_below": "x"}, {"dark_below": -1}, [1]):
        assert client.patch(address, {"screening_thresholds": wrong}).status_code == 400
    good = client.patch(address, {"screening_thresholds": {"dark_below": 10}})
    assert good.json()["screening_thresholds"] == {"dark_below": 10}
    stranger = factories.client_for(factories.worker(project))
    assert stranger.get(f"{address}videos/").status_code == 403


def test_bulk_actions_do_what_can_be_done_and_tell_the_rest(log_in: LogIn) -> None:
    project = factories.project()
    videos = [factories.video(title=f"V{n}") for n in range(3)]
    ids = [video.pk for video in videos]
    browser = log_in(factories.manager())

    def act(**form: Any) -> list[str]:
        answer = browser.post("/videos/act/", {"next": "/videos/", **form}, follow=True)
        return [str(message) for message in answer.context["messages"]]

    assert act(do="retire", reason="x") == ["Choose at least one video."]
    assert act(video=ids, do="retire") == ["Say why they are to be retired."]
    assert not Video.objects.filter(state="retired").exists()
    assert act(video=ids[:1], do="retire", reason="Faces") == ["1 of 1 retired."]
    event = Event.objects.get(type="video.retired")
    assert event.data["reason"] == "Faces"
    assert act(video=ids, do="rerun:proxy") == [
        f"Video {ids[0]}: This video is retired.",
        "2 of 3 waiting for proxy.",
    ]
    assert set(VideoJob.objects.values_list("video", "state")) == {
        (ids[1], "waiting"), (ids[2], "waiting"),
    }  # fmt: skip
    assert act(video=ids, do="tasks") == ["Choose the project that gets the tasks."]
    made = act(video=ids, do="tasks", project=project.pk, open="1")
    assert made[0].startswith("2 new tasks in")
    assert set(Task.objects.values_list("video", "state")) == {(ids[1], "open"), (ids[2], "open")}
    assert "0 new tasks" in act(video=ids, do="tasks", project=project.pk)[0]
    assert act(video=ids[:1], do="restore") == ["1 of 1 restored."]
    assert act(video=ids, do="nonsense") == ["Choose what to do with them."]
    away = browser.post("/videos/act/", {"next": "https://evil.example/", "video": ids[0]})
    assert away["Location"] == "/videos/"


def test_the_list_and_a_video_cost_the_same_however_many_there_are(
    log_in: LogIn, django_assert_num_queries: Any
) -> None:
    browser = log_in(factories.manager())
    for _ in range(2):
        screened(factories.video(), sharpness=12)
    browser.get("/videos/")
    for expected in (2, 30):
        with django_assert_num_queries(6):  # session, person, count, videos, jobs, projects
            page = browser.get("/videos/")
        assert len(page.context["rows"]) == min(expected, 20)
        for _ in range(28 if expected == 2 else 0):
            screened(factories.video(), sharpness=12)
    video = Video.objects.first()
    assert video is not None
    factories.made_from(video)
    with django_assert_num_queries(6):  # session, person, video, jobs, tasks, projects
        answer = browser.get(f"/videos/{video.pk}/")
    assert answer.content.decode().count('class="sheet"') == 1


def test_videos_are_registered_and_every_refused_row_is_told(
    log_in: LogIn, tmp_path: Path, settings: Settings
) -> None:
    backend = "django.core.files.storage.FileSystemStorage"
    media = {"BACKEND": backend, "OPTIONS": {"location": str(tmp_path)}}
    settings.STORAGES = {**settings.STORAGES, "media": media}
    browser = log_in(factories.manager())
    address = "/videos/register/"
    for nothing in ({}, {"prefix": "no/where"}):
        assert browser.post(address, nothing).status_code == 400
    (tmp_path / "raw").mkdir()
    (tmp_path / "raw/a.mp4").write_bytes(b"a")
    manifest = SimpleUploadedFile("m.csv", b"key,title\nraw/a.mp4,Tea\n=gone.mp4,\n")
    page = browser.post(address, {"manifest": manifest}, follow=True)
    assert [title for _, title in page.context["report"]["registered"]] == ["Tea"]
    assert "=gone.mp4 is not in storage." in page.content.decode()
    rows = browser.get(f"{address}refused.csv").content.decode().splitlines()
    assert rows[1:] == ["2,'=gone.mp4,not-in-storage,'=gone.mp4 is not in storage."]
    again = browser.post(address, {"prefix": "raw"}, follow=True).context["report"]
    assert [row["problem"] for row in again["refused"]] == ["video-already-registered"]
    files = [SimpleUploadedFile(f"{n}.mp4", body) for n, body in enumerate((b"b", b"a", b""))]
    report = browser.post(address, {"files": files}, follow=True).context["report"]
    assert len(report["registered"]) == 1
    assert [row["problem"] for row in report["refused"]] == [
        "video-already-registered", "empty-file",
    ]  # fmt: skip
    assert Video.objects.count() == 2
    assert set(VideoJob.objects.values_list("stage", "state")) == {("probe", "waiting")}
