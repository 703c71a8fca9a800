"""Uploads straight to S3: what a request does, what the job does, and nothing in between."""

from __future__ import annotations

import hashlib
import os
import threading
from io import BytesIO
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import psycopg
import pytest
import requests
from botocore.exceptions import ClientError
from django.db import IntegrityError, connection, transaction
from rest_framework.test import APIClient

from contractors.models import User
from events.models import Event
from tests.s3 import BUCKET
from tests.videos.files import named
from videos import jobs, receivers, registrations, services, storage, uploads
from videos.models import Registration, Upload, Video
from videos.problems import UploadRefused, VideoAlreadyRegistered

pytestmark = pytest.mark.django_db


def sha(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def worked(upload: Upload) -> Upload:
    """The upload after its worker had its turn."""
    assert upload.row is not None
    registrations.carry_out(upload.row.registration_id)
    return Upload.objects.get(pk=upload.pk)


def kept(s3: Any) -> list[str]:
    return [one["Key"] for one in s3.list_objects_v2(Bucket=BUCKET).get("Contents", [])]


def arrived(actor: User, s3: Any, body: bytes, *, announced: bytes | None = None) -> Upload:
    """An open upload all of which has arrived, by the front door."""
    upload = uploads.begin(
        actor=actor, filename="My_clip.mp4", size_bytes=len(body), sha256=sha(announced or body)
    )
    s3.put_object(Bucket=BUCKET, Key=upload.key, Body=body)
    return upload


def test_a_small_file_goes_by_one_form(moto_s3: Any, manager_user: Any) -> None:
    body = b"small video"
    upload = uploads.begin(
        actor=manager_user, filename="My_clip.mp4", size_bytes=len(body), sha256=sha(body)
    )
    form = uploads.requests_for(upload)["post"]
    sent = requests.post(form["url"], data=form["fields"], files={"file": body}, timeout=5)
    assert sent.status_code in (200, 201, 204)
    done = worked(uploads.complete(actor=manager_user, upload=upload))
    video = Video.objects.get()
    assert (done.state, done.video) == ("completed", video)
    assert (video.title, video.sha256, video.key) == ("My clip", sha(body), upload.key)
    assert video.created_by_id == manager_user.pk
    assert uploads.complete(actor=manager_user, upload=upload) == done
    assert (Video.objects.count(), Registration.objects.count()) == (1, 1)
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
    worked(uploads.complete(actor=manager_user, upload=upload))
    video = Video.objects.get()
    assert video.sha256 == sha(body)
    assert video.size_bytes == len(body)


def test_content_that_differs_from_its_announcement_is_refused_and_removed(
    big: tuple[bytes, Upload], moto_s3: Any, manager_user: Any
) -> None:
    body, upload = big
    for part in uploads.requests_for(upload)["parts"]:
        put(part, body[:-1] + b"X")
    upload = worked(uploads.complete(actor=manager_user, upload=upload))
    assert upload.row is not None
    assert (upload.state, upload.row.problem) == ("refused", "upload-refused")
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
    monkeypatch.setattr(storage, "opened", None)
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
    where = f"/api/v1/videos/uploads/{made['id']}/"
    answer = api.post(f"{where}complete/")
    waiting = answer.json()
    assert (answer.status_code, answer["Location"]) == (202, f"http://testserver{where}")
    assert (waiting["state"], waiting["video"], waiting["parts"]) == ("registering", None, [])
    assert api.get(where).json() == waiting
    assert api.post(f"{where}complete/").json() == waiting
    assert api.delete(where).json()["type"] == "/problems/upload-not-open"
    watched = api.get(f"/api/v1/videos/registrations/{waiting['registration']}/").json()
    assert (watched["kind"], watched["state"], watched["total"]) == ("upload", "queued", 1)
    registrations.carry_out(waiting["registration"])
    video = Video.objects.get()
    done = api.get(where).json()
    assert (done["state"], done["video"], done["problem"]) == ("completed", video.pk, "")
    answer = api.post(f"{where}complete/")
    assert (answer.status_code, answer.json()) == (200, done)
    assert api.post("/api/v1/videos/uploads/", announced).status_code == 409


def test_the_api_says_why_an_upload_is_refused(moto_s3: Any, manager_user: User) -> None:
    api = APIClient()
    api.force_authenticate(manager_user)
    upload = arrived(manager_user, moto_s3, b"twice")
    first = services.register_video(actor=manager_user, file=named(b"twice"))
    where = f"/api/v1/videos/uploads/{upload.pk}/"
    assert api.post(f"{where}complete/").status_code == 202
    jobs.register_rows(Registration.objects.get().pk)
    told = api.get(where).json()
    assert (told["state"], told["video"]) == ("refused", None)
    assert told["problem"] == "video-already-registered"
    assert told["detail"] == f"Its content is that of video {first.pk} (clip)."
    again = api.post(f"{where}complete/").json()
    assert (again["type"], again["detail"]) == ("/problems/upload-not-open", told["detail"])
    assert kept(moto_s3) == [first.key]


def test_the_request_reads_nothing(
    moto_s3: Any, manager_user: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    upload = arrived(manager_user, moto_s3, b"body")
    monkeypatch.setattr(storage, "opened", None)
    monkeypatch.setattr(storage, "digest", None)
    assert uploads.complete(actor=manager_user, upload=upload).state == "registering"
    told = Event.objects.get(type="registration.begun")
    assert (told.data["kind"], told.data["by_worker"]) == ("upload", True)


def test_an_upload_is_read_on_the_queue_of_the_long_jobs(
    moto_s3: Any, manager_user: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[Any] = []
    monkeypatch.setattr(
        jobs.register_rows, "apply_async", lambda ids, queue: sent.append((ids, queue))
    )
    upload = uploads.complete(actor=manager_user, upload=arrived(manager_user, moto_s3, b"a"))
    assert upload.row is not None
    which = upload.row.registration_id
    receivers.register_in_the_background(0, which, {"by_worker": True})
    jobs.sweep()
    rows = [{"key": "raw/a.mp4"}]
    other = registrations.begin(actor=manager_user, kind="manifest", name="m", rows=rows)
    jobs.tell_registering(other.pk)
    assert sent == [((which,), "video"), ((which,), "video"), ((other.pk,), "default")]


@pytest.mark.django_db(transaction=True)
def test_no_row_is_locked_while_storage_is_asked_or_read(
    moto_s3: Any, manager_user: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked: list[str] = []
    other = psycopg.connect(
        urlunsplit(
            urlsplit(os.environ["DATABASE_URL"])._replace(
                path=f"/{connection.settings_dict['NAME']}"
            )
        )
    )

    def look(name: str, module: Any) -> None:
        keep = getattr(module, name)

        def looks(*args: Any) -> Any:
            looked.append(name)
            for table in ("upload", "registration", "registrationrow"):
                with other.transaction():
                    other.execute(f"SELECT FROM videos_{table} FOR UPDATE NOWAIT")
            return keep(*args)

        monkeypatch.setattr(module, name, looks)

    look("_head", uploads)
    look("digest", storage)
    with other:
        upload = uploads.complete(actor=manager_user, upload=arrived(manager_user, moto_s3, b"a"))
        assert worked(upload).state == "completed"
    assert looked == ["_head", "digest"]


@pytest.mark.django_db(transaction=True)
def test_two_who_complete_at_once_hand_it_over_once(
    big: tuple[bytes, Upload], manager_user: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    body, upload = big
    for part in uploads.requests_for(upload)["parts"]:
        put(part, body)
    both = threading.Barrier(2, timeout=20)
    keep_parts, keep_head = uploads._parts, uploads._head

    def parts(one: Upload) -> Any:
        found = keep_parts(one)
        both.wait()  # both have seen all parts, neither has joined them
        return found

    def head(one: Upload) -> int:
        both.wait()
        return keep_head(one)

    monkeypatch.setattr(uploads, "_parts", parts)
    monkeypatch.setattr(uploads, "_head", head)
    ended: list[Any] = []

    def complete() -> None:
        try:
            ended.append(uploads.complete(actor=manager_user, upload=upload).state)
        except Exception as error:
            ended.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=complete) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert ended == ["registering", "registering"]
    assert Registration.objects.count() == 1
    assert worked(Upload.objects.get()).state == "completed"


@pytest.mark.parametrize("code", ["NoSuchUpload", "AccessDenied"])
def test_parts_that_another_request_joined_meanwhile_are_joined(
    big: tuple[bytes, Upload], manager_user: User, monkeypatch: pytest.MonkeyPatch, code: str
) -> None:
    """moto joins twice without a word; other stores know the upload no more."""
    body, upload = big
    for part in uploads.requests_for(upload)["parts"]:
        put(part, body)
    s3 = storage.client()

    def second(**wanted: Any) -> None:
        join(**wanted)
        raise ClientError({"Error": {"Code": code}}, "CompleteMultipartUpload")

    join = s3.complete_multipart_upload
    monkeypatch.setattr(s3, "complete_multipart_upload", second)
    if code == "NoSuchUpload":
        assert uploads.complete(actor=manager_user, upload=upload).state == "registering"
    else:
        with pytest.raises(ClientError):
            uploads.complete(actor=manager_user, upload=upload)


def test_a_late_second_does_not_mistake_a_refused_upload_for_an_open_one(
    moto_s3: Any, manager_user: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    upload = arrived(manager_user, moto_s3, b"other", announced=b"thing")
    keep = uploads._head

    def overtaken(one: Upload) -> int:
        monkeypatch.setattr(uploads, "_head", keep)
        worked(uploads.complete(actor=manager_user, upload=upload))
        return keep(one)  # it is deleted already

    monkeypatch.setattr(uploads, "_head", overtaken)
    with pytest.raises(uploads.UploadNotOpen, match="checksum"):
        uploads.complete(actor=manager_user, upload=upload)


def test_completing_again_takes_up_a_registration_that_ended_without_it(
    moto_s3: Any, manager_user: User
) -> None:
    upload = uploads.complete(actor=manager_user, upload=arrived(manager_user, moto_s3, b"a"))
    registrations.cancel(actor=manager_user, registration=Registration.objects.get())
    assert worked(upload).state == "registering"
    again = uploads.complete(actor=manager_user, upload=upload)
    assert worked(again).state == "completed"


def test_an_upload_that_nobody_takes_up_again_is_refused_in_time(
    moto_s3: Any, manager_user: User
) -> None:
    upload = uploads.complete(actor=manager_user, upload=arrived(manager_user, moto_s3, b"a"))
    registrations.cancel(actor=manager_user, registration=Registration.objects.get())
    jobs.sweep()
    assert kept(moto_s3) == [upload.key]
    with connection.cursor() as cursor:
        cursor.execute("UPDATE videos_registration SET finished_at = now() - interval '8 days'")
    jobs.sweep()
    upload = Upload.objects.get()
    assert upload.row is not None
    assert (upload.state, upload.row.problem) == ("refused", "upload-given-up")
    assert kept(moto_s3) == []


def test_storage_that_breaks_off_is_tried_again_and_said(
    moto_s3: Any, manager_user: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    upload = uploads.complete(actor=manager_user, upload=arrived(manager_user, moto_s3, b"a"))

    def breaks(stream: object) -> None:
        raise ConnectionResetError("half way")

    with monkeypatch.context() as patch:
        patch.setattr(storage, "digest", breaks)
        assert worked(upload).state == "registering"
    api = APIClient()
    api.force_authenticate(manager_user)
    told = api.get(f"/api/v1/videos/uploads/{upload.pk}/").json()
    assert told["problem"] == ""
    assert told["detail"] == "Row 1 (My clip): ConnectionResetError: half way"
    assert kept(moto_s3) == [upload.key]


def test_content_is_hashed_as_it_comes_and_never_held(
    moto_s3: Any, manager_user: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(storage, "CHUNK", 1000)
    monkeypatch.setattr(storage.media().__class__, "open", None)  # it keeps all of it in memory
    reads: list[int] = []
    keep = storage.digest

    def digest(stream: Any) -> tuple[str, int]:
        class Watched:
            def read(self, size: int) -> bytes:
                found: bytes = stream.read(size)
                reads.append(len(found))
                return found

        return keep(Watched())  # type: ignore[arg-type]

    monkeypatch.setattr(storage, "digest", digest)
    body = bytes(2500)
    done = worked(uploads.complete(actor=manager_user, upload=arrived(manager_user, moto_s3, body)))
    assert (done.state, reads) == ("completed", [1000, 1000, 500, 0])


@pytest.mark.parametrize(
    ("attack", "constraint"),
    [
        ("state = 'registering'", "video_upload_is_what_its_state_says"),
        ("state = 'completed'", "videos_upload_only_moves"),
        ("row_id = (SELECT min(id) FROM videos_registrationrow)", "video_upload_is_what_its"),
        ("video_id = 0", "video_upload_is_what_its_state_says"),
    ],
)
def test_the_database_refuses_an_open_upload_that_claims_more(
    moto_s3: Any, manager_user: User, attack: str, constraint: str
) -> None:
    registrations.begin(actor=None, kind="manifest", name="m", rows=[{"key": "raw/a.mp4"}])
    arrived(manager_user, moto_s3, b"a")
    with (
        pytest.raises(IntegrityError, match=constraint),
        transaction.atomic(),
        connection.cursor() as cursor,
    ):
        cursor.execute(f"UPDATE videos_upload SET {attack}")


@pytest.mark.parametrize("state", ["open", "refused", "registering"])
def test_the_database_refuses_a_step_back(moto_s3: Any, manager_user: User, state: str) -> None:
    worked(uploads.complete(actor=manager_user, upload=arrived(manager_user, moto_s3, b"a")))
    with (
        pytest.raises(IntegrityError, match="videos_upload_only_moves"),
        transaction.atomic(),
        connection.cursor() as cursor,
    ):
        cursor.execute("UPDATE videos_upload SET state = %s, video_id = NULL", [state])


def test_local_storage_says_to_post_the_file(manager_user: Any) -> None:
    with pytest.raises(uploads.DirectUploadOff):
        uploads.begin(actor=manager_user, filename="a.mp4", size_bytes=1, sha256="0" * 64)
