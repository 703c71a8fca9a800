from __future__ import annotations

import hashlib
import random
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from pytest_django import Settings
from rest_framework.test import APIClient

from contractors.models import User
from tests.videos.files import named
from videos import services, storage
from videos.demo_clips import KINDS, write_clip
from videos.models import Video
from videos.problems import NothingLarger

pytestmark = pytest.mark.django_db


@pytest.fixture
def api(manager_user: User) -> APIClient:
    client = APIClient()
    client.force_authenticate(manager_user)
    return client


def upload(api: APIClient, content: bytes, name: str = "a_b.mp4", **headers: str) -> Any:
    file = BytesIO(content)
    file.name = name
    return api.post("/api/v1/videos/", {"file": file}, format="multipart", headers=headers)


def test_upload_list_detail(api: APIClient) -> None:
    response = upload(api, b"abc")
    assert response.status_code == 201
    made = response.json()
    assert (made["title"], made["state"], made["warnings"]) == ("a b", "registered", [])
    assert made["jobs"][0]["stage"] == "probe"
    assert response["Location"].endswith(f"/api/v1/videos/{made['id']}/")
    assert api.get(f"/api/v1/videos/{made['id']}/").json() == made
    assert api.get("/api/v1/videos/").json()["results"] == [made]
    again = upload(api, b"abc")
    assert again.status_code == 409
    assert again.json()["type"] == "/problems/video-already-registered"
    assert again.json()["video"] == made["id"]


@pytest.mark.parametrize("size", [5, 200_000])  # kept in memory, and in a file
def test_an_upload_is_hashed_while_it_arrives(
    api: APIClient, media_root: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    settings.FILE_UPLOAD_MAX_MEMORY_SIZE = 1000
    monkeypatch.setattr(storage, "digest", None)  # a second reading
    content = random.Random(1).randbytes(size)
    made = upload(api, content).json()
    assert (made["sha256"], made["size_bytes"]) == (hashlib.sha256(content).hexdigest(), size)
    assert (media_root / made["key"]).read_bytes() == content
    monkeypatch.setattr(storage, "save_as", None)
    assert upload(api, content).json()["type"] == "/problems/video-already-registered"


def test_an_upload_repeated_under_its_key_creates_nothing(api: APIClient) -> None:
    key = {"Idempotency-Key": "k1"}
    first, second = upload(api, b"abc", **key), upload(api, b"abc", **key)
    assert (first.status_code, second.status_code) == (201, 201)
    assert second.json() == first.json()
    assert Video.objects.count() == 1


def test_empty_and_missing_files_are_named(api: APIClient) -> None:
    assert upload(api, b"").json()["type"] == "/problems/empty-file"
    missing = api.post("/api/v1/videos/", {}, format="multipart")
    assert missing.status_code == 400
    assert missing.json()["errors"][0]["pointer"] == "/file"


def test_only_managers(contractor_user: User, manager_user: User) -> None:
    video = services.register_video(actor=manager_user, file=named(b"abc"))
    client = APIClient()
    paths = ["", f"{video.pk}/", f"{video.pk}/frame-times/", f"{video.pk}/links/"]
    assert [client.get(f"/api/v1/videos/{p}").status_code for p in paths] == [401] * 4
    client.force_authenticate(contractor_user)
    assert [client.get(f"/api/v1/videos/{p}").status_code for p in paths] == [403] * 4
    for p in ("", "registrations/", "bulk/", f"{video.pk}/retire/", f"{video.pk}/rerun/"):
        assert client.post(f"/api/v1/videos/{p}").status_code == 403
    video.refresh_from_db()
    assert video.state == "registered"


def test_frame_times_rebuild_the_table(
    api: APIClient, register: Callable[[Path], Video], shared_data: Path
) -> None:
    video = register(shared_data / "video/traps/vfr_with_audio.mp4")
    url = f"/api/v1/videos/{video.pk}/frame-times/"
    assert api.get(url).json()["type"] == "/problems/video-not-probed"
    video = services.probe(video.pk)
    response = api.get(url)
    document = response.json()
    times = [document["first"]]
    for delta, repeat in document["runs"]:
        times += [times[-1] + delta * (i + 1) for i in range(repeat)]
    assert times == video.times.pts.tolist()
    assert document["time_base"] == [1, 1_000_000]
    assert api.get("/api/v1/videos/0/frame-times/").status_code == 404


def test_a_list_asks_the_database_a_fixed_number_of_times(
    api: APIClient, manager_user: User, django_assert_num_queries: Any
) -> None:
    for n in range(7):
        services.register_video(actor=manager_user, file=named(bytes([n]), f"{n}.mp4"))
    with django_assert_num_queries(2):
        page = api.get("/api/v1/videos/?page_size=5").json()
    assert [v["title"] for v in page["results"]] == ["6", "5", "4", "3", "2"]
    with django_assert_num_queries(2):
        rest = api.get(page["next"]).json()
    assert [v["title"] for v in rest["results"]] == ["1", "0"]


def test_filters(api: APIClient, manager_user: User) -> None:
    bad = services.probe(services.register_video(actor=manager_user, file=named(b"abc")).pk)
    good = services.register_video(actor=manager_user, file=named(b"def", "Tea.mp4"))

    def ids(query: str) -> list[int]:
        return [v["id"] for v in api.get(f"/api/v1/videos/?{query}").json()["results"]]

    assert ids("state=unreadable") == ids("job_failed=true") == [bad.pk]
    assert ids("title=tea") == ids("job_failed=false") == [good.pk]
    assert ids("warning=blurred") == []


def test_retire_restore_rerun_and_bulk(api: APIClient, manager_user: User) -> None:
    videos = [services.register_video(actor=manager_user, file=named(bytes([n]))) for n in range(3)]
    first = f"/api/v1/videos/{videos[0].pk}"
    assert api.post(f"{first}/retire/", {"reason": "x"}).json()["state"] == "retired"
    refused = api.post(f"{first}/rerun/", {"stage": "probe"})
    assert refused.json()["type"] == "/problems/video-is-retired"
    outcome = api.post(
        "/api/v1/videos/bulk/",
        {"videos": [v.pk for v in videos] + [10**9], "action": "rerun", "stage": "probe"},
    ).json()
    assert outcome["done"] == [v.pk for v in videos[1:]]
    assert [(r["video"], r["problem"]) for r in outcome["refused"]] == [
        (videos[0].pk, "video-is-retired"),
        (10**9, "not-found"),
    ]
    assert api.post(f"{first}/restore/").json()["state"] == "registered"
    bad = api.post("/api/v1/videos/bulk/", {"videos": [1], "action": "rerun"})
    assert bad.json()["errors"][0]["pointer"] == "/stage"


def test_links_for_the_manager(api: APIClient, manager_user: User) -> None:
    video = services.register_video(actor=manager_user, file=named(b"abc"))
    found = api.get(f"/api/v1/videos/{video.pk}/links/").json()
    assert (found["proxy"], found["peaks"], found["filmstrip"]) == (None, None, None)
    assert APIClient().get(found["source"]).getvalue() == b"abc"


def test_the_command_registers_a_folder_and_reports(
    manager_user: User, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "clips"
    (folder / "deep").mkdir(parents=True)
    (folder / "a.mp4").write_bytes(b"a")
    (folder / "deep/b.MOV").write_bytes(b"b")
    (folder / "notes.txt").write_bytes(b"c")
    call_command("register_videos", str(folder), actor="MIRA@example.com")
    assert sorted(Video.objects.values_list("title", "created_by")) == [
        ("a", manager_user.pk),
        ("b", manager_user.pk),
    ]
    (folder / "list.csv").write_text("path,title\na.mp4,Again\nnew.mp4,New\n")
    (folder / "new.mp4").write_bytes(b"n")
    with pytest.raises(CommandError):
        call_command("register_videos", str(folder / "list.csv"))
    out = capsys.readouterr().out
    assert "refused  a.mp4: Its content is that of video" in out
    assert "     1/2  refused" in out
    assert "     2/2  video" in out
    assert "1 registered, 1 refused." in out
    (folder / "list.jsonl").write_text('{"path": "x.mp4"}\nnot json\n')
    with pytest.raises(CommandError, match="Line 2"):
        call_command("register_videos", str(folder / "list.jsonl"))
    with pytest.raises(CommandError, match="Nobody"):
        call_command("register_videos", str(folder), actor="nobody@example.com")


def test_the_command_registers_a_prefix_of_storage(media_root: Path, db: None) -> None:
    (media_root / "raw/day1").mkdir(parents=True)
    for name in ("raw/x.mp4", "raw/day1/y.mp4", "raw/z.txt", "other.mp4"):
        (media_root / name).write_bytes(name.encode())
    call_command("register_videos", "raw", prefix=True)
    assert sorted(Video.objects.values_list("key", flat=True)) == ["raw/day1/y.mp4", "raw/x.mp4"]


def test_the_commands_process_and_retire(
    register: Callable[[Path], Video], shared_data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    video = register(shared_data / "video/traps/rotated_90.mov")
    call_command("process_videos")
    assert sorted(video.jobs.values_list("stage", "state")) == [
        ("filmstrip", "done"), ("probe", "done"), ("proxy", "done"), ("screen", "done"),
    ]  # fmt: skip
    attempts = sum(video.jobs.values_list("attempts", flat=True))
    call_command("process_videos")  # nothing waits
    assert sum(video.jobs.values_list("attempts", flat=True)) == attempts
    call_command("process_videos", str(video.pk), "--stage", "proxy", "--rerun")
    assert video.jobs.get(stage="proxy").attempts == 2
    call_command("retire_videos", str(video.pk), "--actor", "mira@example.com")
    video.refresh_from_db()
    assert video.state == "retired"
    call_command("retire_videos", str(video.pk), "--restore")
    video.refresh_from_db()
    assert video.state == "ready"
    with pytest.raises(CommandError, match="no videos"):
        call_command("retire_videos", "999999")
    with pytest.raises(CommandError, match="no videos"):
        call_command("process_videos", "999999")
    assert "proxy      done" in capsys.readouterr().out


def test_the_command_makes_720_lines_when_asked(
    register: Callable[[Path], Video], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "big.mp4"
    write_clip(path, KINDS["regular"], seconds=0.5, size=(1280, 720))
    video = services.probe(register(path).pk)
    call_command("process_videos", stage=["large"])
    assert not video.jobs.filter(stage="large").exists(), "made only when asked for"
    call_command("process_videos", str(video.pk), stage=["large"])
    made = video.jobs.get(stage="large")
    assert made.state == "done"
    assert made.result is not None
    assert (made.result["width"], made.result["height"]) == (1280, 720)
    call_command("process_videos", str(video.pk), stage=["large"])  # again: it is there
    made.refresh_from_db()
    assert made.attempts == 1
    small = tmp_path / "small.mp4"
    write_clip(small, KINDS["regular"], seconds=0.5)
    low = services.probe(register(small).pk)
    with pytest.raises(CommandError, match="1 stages"):
        call_command("process_videos", str(low.pk), stage=["large"])
    assert "no larger picture" in capsys.readouterr().out
    with pytest.raises(NothingLarger):
        services.rerun(actor=None, video=low, stage="large")


def test_thresholds_are_checked_before_they_are_stored(
    api: APIClient, register: Callable[[Path], Video], shared_data: Path
) -> None:
    video = register(shared_data / "video/traps/rotated_0.mov")
    url = f"/api/v1/videos/{video.pk}/rerun/"
    early = api.post(url, {"stage": "screen"})
    assert early.json()["type"] == "/problems/video-not-probed"
    services.probe(video.pk)
    for parameters in (
        {"thresholds": {"blurry": 3}},
        {"thresholds": {"dark_below": "x"}},
        {"thresholds": {"dark_below": -1}},
        {"height": 480},
    ):
        bad = api.post(url, {"stage": "screen", "parameters": parameters})
        assert bad.status_code == 400, parameters
    good = api.post(url, {"stage": "screen", "parameters": {"thresholds": {"blurred_below": 1e9}}})
    assert good.json()["state"] == "waiting"
    call_command("process_videos", str(video.pk), "--stage", "screen")
    found = api.get(f"/api/v1/videos/{video.pk}/").json()
    assert "blurred" in [w["code"] for w in found["warnings"]]
    listed = api.get("/api/v1/videos/?warning=blurred").json()["results"]
    assert [v["id"] for v in listed] == [video.pk]
