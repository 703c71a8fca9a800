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
from videos import registrations, storage
from videos.models import Registration, Video, VideoJob
from videos.processing import remember_figures
from videos.screening import Measures, Thresholds, judge

pytestmark = pytest.mark.django_db


def screened(video: Video, *, sharpness: float) -> None:
    """A screening with one sample frame; out of focus below 30."""
    measures = Measures(
        frames=[0, 30], seconds=[0.0, 1.0], sharpness=[sharpness] * 2, mean=[120.0] * 2,
        black=[0.0] * 2, clipped=[0.0] * 2, plain=[0.0] * 2, change=[None, 9.0],
    )  # fmt: skip
    warnings = [vars(finding) for finding in judge(measures, Thresholds())]
    remember_figures(video.pk, measures)
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
    registration = registrations.begin(
        actor=None, kind="manifest", name="m.csv", rows=[{"key": "a.mp4"}]
    )
    pages = [
        "/videos/",
        "/videos/register/",
        f"/videos/{video.pk}/",
        f"/videos/registrations/{registration.pk}/",
        f"/videos/registrations/{registration.pk}/refused.csv",
        f"/projects/{project.pk}/thresholds/",
    ]
    for person in (factories.reviewer(), factories.finance(), factories.worker(project)):
        browser = log_in(person)
        assert [browser.get(page).status_code for page in pages] == [403] * 6
        form = {"video": video.pk, "do": "retire", "reason": "x"}
        assert browser.post("/videos/act/", form).status_code == 403
        assert browser.post("/videos/register/", {"prefix": "raw"}).status_code == 403
        assert browser.post(f"{pages[3]}cancel/").status_code == 403
    browser = log_in(factories.manager())
    assert [browser.get(page).status_code for page in pages] == [200] * 6
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
    assert "“soft” is not a number from 0 up." in refused.content.decode()
    assert (
        browser.post(address, {"dark_below": "-1", "bright_above": "inf"})
        .content.decode()
        .count('aria-invalid="true"')
        == 2
    )
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


def test_nothing_is_played_of_what_cannot_be_read(log_in: LogIn) -> None:
    video = factories.video()
    browser = log_in(factories.manager())
    assert "<video" in browser.get(f"/videos/{video.pk}/").content.decode()
    bad = Video.objects.create(
        key="bad.mp4",
        sha256="0" * 64,
        size_bytes=1,
        state="unreadable",
        unreadable_reason="Rubbish.",
    )
    page = browser.get(f"/videos/{bad.pk}/").content.decode()
    assert "<video" not in page
    assert "Rubbish." in page
    empty = browser.get("/videos/?state=retired").content.decode()
    assert "No video is like that." in empty


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


@pytest.fixture
def media(tmp_path: Path, settings: Settings) -> Path:
    backend = "django.core.files.storage.FileSystemStorage"
    own = {"BACKEND": backend, "OPTIONS": {"location": str(tmp_path)}}
    settings.STORAGES = {**settings.STORAGES, "media": own}
    return tmp_path


def test_a_manifest_is_registered_in_the_background_and_its_page_follows(
    log_in: LogIn, media: Path
) -> None:
    browser = log_in(factories.manager())
    address = "/videos/register/"
    for nothing in ({}, {"prefix": "../up"}, {"manifest": SimpleUploadedFile("m.csv", b"x\n")}):
        refused = browser.post(address, nothing)
        assert refused.status_code == 400
        assert 'role="alert"' in refused.content.decode()
    assert not Registration.objects.exists()
    (media / "raw").mkdir()
    (media / "raw/a.mp4").write_bytes(b"a")
    manifest = SimpleUploadedFile("m.csv", b"key,title\nraw/a.mp4,Tea\n=gone.mp4,\n")
    answer = browser.post(address, {"manifest": manifest})
    registration = Registration.objects.get()
    mine = f"/videos/registrations/{registration.pk}/"
    assert (answer.status_code, answer["Location"]) == (302, mine)
    waiting = browser.get(mine).content.decode()
    assert "0 of 2 rows done" in waiting
    assert 'hx-trigger="every 2s"' in waiting
    registrations.carry_out(registration.pk)
    ended = browser.get(mine).content.decode()
    assert "2 of 2 rows done" in ended
    assert "every 2s" not in ended, "it stops asking by itself"
    assert "=gone.mp4 is not in storage." in ended
    assert "=gone.mp4" not in browser.get(f"{mine}?state=registered").content.decode()
    rows = browser.get(f"{mine}refused.csv").content.decode().splitlines()
    assert rows == [
        "row,key,title,problem,detail",
        "2,'=gone.mp4,,not-in-storage,'=gone.mp4 is not in storage.",
    ]
    assert browser.get(address).context["page"].object_list[0] == registration


def test_a_prefix_is_cancelled_and_taken_up_again(log_in: LogIn, media: Path) -> None:
    browser = log_in(factories.manager())
    (media / "raw").mkdir()
    (media / "raw/a.mp4").write_bytes(b"a")
    mine = browser.post("/videos/register/", {"prefix": "raw/"})["Location"]
    assert "being listed" in browser.get(mine).content.decode()
    assert "cancelled" in browser.post(f"{mine}cancel/", follow=True).content.decode()
    assert "Go on with it" in browser.get(mine).content.decode()
    browser.post(f"{mine}resume/")
    registrations.carry_out(Registration.objects.get().pk)
    assert Video.objects.get().key == "raw/a.mp4"
    told = browser.post(f"{mine}cancel/", follow=True).context["messages"]
    assert [str(message) for message in told] == ["It is done already."]


def test_files_of_a_form_are_hashed_by_the_job_and_reported_alike(
    log_in: LogIn, media: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    browser = log_in(factories.manager())
    files = [SimpleUploadedFile(f"{n}.mp4", body) for n, body in enumerate((b"b", b"b", b""))]
    with monkeypatch.context() as request:
        request.setattr(storage, "digest", None)
        mine = browser.post("/videos/register/", {"files": files})["Location"]
    page = browser.get(mine)
    assert page.context["registration"].state == "queued"
    assert [(row.name, row.state) for row in page.context["page"]] == [
        ("0.mp4", "waiting"), ("1.mp4", "waiting"), ("2.mp4", "waiting"),
    ]  # fmt: skip
    assert not Video.objects.exists()
    registrations.carry_out(Registration.objects.get().pk)
    page = browser.get(mine)
    assert page.context["registration"].state == "done"
    assert [(row.name, row.problem) for row in page.context["page"]] == [
        ("0.mp4", ""), ("1.mp4", "video-already-registered"), ("2.mp4", "empty-file"),
    ]  # fmt: skip
    assert set(VideoJob.objects.values_list("stage", "state")) == {("probe", "waiting")}
    assert Event.objects.filter(type="registration.done").count() == 1
    video = Video.objects.get()
    assert (video.title, (media / video.key).read_bytes()) == ("0", b"b")
    assert [path for path in media.rglob("*") if path.is_file()] == [media / video.key]


def test_pages_of_registrations_cost_the_same_however_many_rows_there_are(
    log_in: LogIn, media: Path, django_assert_num_queries: Any
) -> None:
    manager = factories.manager()
    browser = log_in(manager)
    for count in (1, 60):
        for n in range(count):
            (media / f"{count}-{n}.mp4").write_bytes(f"{count}-{n}".encode())
        rows = [{"key": f"{count}-{n}.mp4"} for n in range(count)]
        made = registrations.begin(actor=manager, kind="manifest", name="m.csv", rows=rows)
        registrations.carry_out(made.pk)
        with django_assert_num_queries(5):  # session, person, registration, count, rows
            page = browser.get(f"/videos/registrations/{made.pk}/")
        assert len(page.context["page"]) == min(count, 50)
    for _ in range(20):
        registrations.begin(actor=manager, kind="manifest", name="m.csv", rows=rows)
    with django_assert_num_queries(4):  # session, person, count, registrations
        assert len(browser.get("/videos/register/").context["page"]) == 22
