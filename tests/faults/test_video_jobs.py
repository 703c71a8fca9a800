"""Workers killed in the middle of each stage of a video's processing."""

from __future__ import annotations

import contextlib
import hashlib
import threading
from pathlib import Path
from typing import Any

import psutil
import pytest
from django.conf import settings
from django.db import connection
from pytest_django import Settings

from annotation_platform.clock import database_now
from events.models import Event
from tests.faults.processes import Broker, Worker, eventually
from tests.s3 import BUCKET, Application, boto, serve_moto, storage_url, use
from videos import links, processing, registrations, services, uploads
from videos.demo_clips import KINDS, write_clip
from videos.jobs import JOB_OF_STAGE, register_rows
from videos.models import Registration, Upload, Video, VideoJob
from videos.problems import NotAvailable

pytestmark = [pytest.mark.faults, pytest.mark.django_db(transaction=True)]


def decoders(worker: Worker) -> list[psutil.Process]:
    """The decoding processes of this worker; other runs on the machine have theirs."""
    found = []
    for process in psutil.Process(worker.pid).children(recursive=True):
        with contextlib.suppress(psutil.Error):  # it may end while we look
            if "videos.decoder" in process.cmdline():
                found.append(process)
    return found


def runs(process: psutil.Process) -> bool:
    """False when it is gone or only waits to be reaped."""
    try:
        return bool(process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def state(video: Video, stage: str) -> str:
    return VideoJob.objects.get(video=video, stage=stage).state


@pytest.mark.parametrize("stage", ["probe", "screen", "proxy", "filmstrip", "peaks", "large"])
def test_a_killed_worker_leaves_nothing_half_made_and_the_sweep_finishes(
    stage: str, broker: Broker, worker_process: Worker, tmp_path: Path
) -> None:
    path = tmp_path / "clip.mp4"
    size = (1280, 720) if stage == "large" else (640, 360)
    write_clip(path, KINDS["regular"], seconds=8, size=size)
    with path.open("rb") as file:
        video = services.register_video(actor=None, file=file)
    if stage != "probe":
        services.probe(video.pk)
        VideoJob.objects.exclude(stage__in=["probe", stage]).delete()
        VideoJob.objects.get_or_create(video=video, stage=stage)
    artefacts = Path(settings.MEDIA_ROOT) / "artefacts" / str(video.pk) / stage

    worker_process.start()
    JOB_OF_STAGE[stage].delay(video.pk)
    eventually(lambda: state(video, stage) == "running", what=f"{stage} to begin")
    eventually(lambda: bool(decoders(worker_process)), what="its decoder")
    ours = decoders(worker_process)
    worker_process.kill()
    eventually(lambda: not any(map(runs, ours)), what="the decoder to die with its worker")

    job = VideoJob.objects.get(video=video, stage=stage)
    assert (job.state, job.result) == ("running", None)  # nothing half made is visible
    assert [p for p in artefacts.rglob("*") if p.is_file()] == []
    if stage in links.KINDS:
        with pytest.raises(NotAvailable):
            links.key_of(Video.objects.get(), stage)
    assert Video.objects.get().frame_count == (None if stage == "probe" else 240)
    broker.restart()  # and the message is lost as well

    with connection.cursor() as cursor:  # instead of waiting for the lease of a minute to end
        cursor.execute("UPDATE videos_videojob SET running_until = now() - interval '1 second'"
                       " WHERE state = 'running'")  # fmt: skip
    worker_process.with_beat = True
    worker_process.start()
    eventually(lambda: state(video, stage) == "done", what=f"{stage} after the sweep", within=60)
    worker_process.stop()
    job.refresh_from_db()
    assert job.attempts == 2
    if stage == "probe":
        assert Video.objects.get().state == "ready"
    made = {str(p.relative_to(settings.MEDIA_ROOT)) for p in artefacts.rglob("*") if p.is_file()}
    assert made == set(job.result["files"].values())  # type: ignore[index]


def stopped_in_its_decoder(
    broker: Broker, worker: Worker, folder: Path, *, soft: int, hard: int, failures: int = 0
) -> tuple[Video, psutil.Process]:
    """A video whose proxy a worker is at, within these limits, by a decoder that does not go on."""
    path = folder / "clip.mp4"
    write_clip(path, KINDS["regular"], seconds=8, size=(640, 360))
    with path.open("rb") as file:
        video = services.register_video(actor=None, file=file)
    services.probe(video.pk)
    VideoJob.objects.exclude(stage__in=["probe", "proxy"]).delete()
    VideoJob.objects.filter(stage="proxy").update(failures=failures)
    broker.restart()  # the messages of the events have the limits of the job itself
    worker.start()
    JOB_OF_STAGE["proxy"].apply_async((video.pk,), soft_time_limit=soft, time_limit=hard)
    eventually(lambda: bool(decoders(worker)), what="its decoder")
    (decoder,) = decoders(worker)
    # The last thing it does before it opens the file; from here on it dies with its worker.
    eventually(lambda: decoder.nice() > psutil.Process(worker.pid).nice(), what="its limits")
    decoder.suspend()
    return video, decoder


def proxies(video: Video) -> list[str]:
    """Keys of the proxies of this video that are in storage, whole or not."""
    folder = Path(settings.MEDIA_ROOT) / "artefacts" / str(video.pk) / "proxy"
    found = [path for path in folder.rglob("*") if path.is_file()]
    return [str(path.relative_to(settings.MEDIA_ROOT)) for path in found]


def goes_on(worker: Worker, video: Video, main: int) -> None:
    """The same worker makes the proxy now."""
    assert worker.pid == main
    assert psutil.Process(main).is_running()
    VideoJob.objects.filter(stage="proxy").update(due_at=database_now())
    JOB_OF_STAGE["proxy"].delay(video.pk)
    eventually(lambda: state(video, "proxy") == "done", what="the proxy")
    assert worker.pid == main
    assert proxies(video) == [links.key_of(Video.objects.get(pk=video.pk), "proxy")]


@pytest.mark.parametrize(("failures", "ends"), [(0, "waiting"), (5, "failed")])
def test_a_stage_over_its_soft_limit_is_given_back_with_its_reason(
    broker: Broker, worker_process: Worker, tmp_path: Path, failures: int, ends: str
) -> None:
    video, decoder = stopped_in_its_decoder(
        broker, worker_process, tmp_path, failures=failures, soft=3, hard=60
    )
    main = worker_process.pid
    eventually(lambda: state(video, "proxy") != "running", what="its soft limit")
    job = VideoJob.objects.get(stage="proxy")
    assert (job.state, job.failures, job.running_until) == (ends, failures + 1, None)
    assert job.error == "It took longer than its job may, reading and writing storage included."
    assert not runs(decoder)
    assert proxies(video) == []
    if ends == "waiting":
        assert job.due_at > database_now()
        goes_on(worker_process, video, main)
    else:
        assert Event.objects.get(type="video.job_failed").data["why"] == job.error


def test_a_stage_over_its_hard_limit_dies_alone(
    broker: Broker, worker_process: Worker, tmp_path: Path
) -> None:
    """The pool's child is killed and replaced; the row is found like any dead worker's."""
    video, decoder = stopped_in_its_decoder(broker, worker_process, tmp_path, soft=6, hard=7)
    child = decoder.parent()
    assert child is not None
    child.suspend()  # it cannot hear the soft limit
    main = worker_process.pid
    eventually(lambda: not runs(decoder), what="its hard limit")
    job = VideoJob.objects.get(stage="proxy")
    assert (job.state, job.result) == ("running", None)
    with connection.cursor() as cursor:  # instead of waiting for the lease of a minute to end
        cursor.execute("UPDATE videos_videojob SET running_until = now() - interval '1 second'"
                       " WHERE stage = 'proxy'")  # fmt: skip
    assert processing.due_jobs() == [(video.pk, "proxy")]
    goes_on(worker_process, video, main)
    job.refresh_from_db()
    assert (job.attempts, job.failures) == (2, 0)


class Gate:
    """Lets moto say that it is asked for content, and answer when the test wants it to."""

    def __init__(self) -> None:
        self.opened = threading.Event()
        self.asked = 0

    def __call__(self, app: Application) -> Application:
        def gated(environ: dict[str, Any], start_response: Any) -> Any:
            if environ["REQUEST_METHOD"] == "GET" and environ["PATH_INFO"].endswith(".mp4"):
                self.asked += 1
                self.opened.wait(60)
            return app(environ, start_response)

        return gated


def test_a_worker_killed_while_it_reads_an_upload_is_followed_by_one_that_registers_it(
    broker: Broker, worker_process: Worker, settings: Settings
) -> None:
    gate, body = Gate(), b"an upload " * 1000
    with serve_moto(gate) as endpoint:
        s3 = boto(endpoint)
        s3.create_bucket(Bucket=BUCKET)
        use(settings, endpoint)
        worker_process.environment["STORAGE_URL"] = storage_url(endpoint)
        upload = uploads.begin(
            actor=None,
            filename="a.mp4",
            size_bytes=len(body),
            sha256=hashlib.sha256(body).hexdigest(),
        )
        s3.put_object(Bucket=BUCKET, Key=upload.key, Body=body)

        worker_process.start()
        uploads.complete(actor=None, upload=upload)
        eventually(lambda: gate.asked == 1, what="its worker to read it")
        worker_process.kill()
        left = Registration.objects.get()
        assert (left.state, left.done_count, Video.objects.count()) == ("running", 0, 0)
        assert Upload.objects.get().state == "registering"
        broker.restart()  # and the message is lost as well
        gate.opened.set()

        with connection.cursor() as cursor:
            cursor.execute("UPDATE videos_registration SET running_until = now() - interval '1 s'")
        worker_process.with_beat = True
        worker_process.start()
        eventually(lambda: Upload.objects.get().state == "completed", what="it, after the sweep")
        worker_process.stop()
    left.refresh_from_db()
    assert (left.state, left.attempts, left.registered_count) == ("done", 2, 1)
    assert Upload.objects.get().video == Video.objects.get()
    assert Event.objects.filter(type="video.registered").count() == 1


def test_a_worker_killed_while_registering_is_followed_by_one_that_goes_on(
    broker: Broker, worker_process: Worker
) -> None:
    folder = Path(settings.MEDIA_ROOT) / "raw"
    folder.mkdir()
    for n in range(400):
        (folder / f"{n:03}.mp4").write_bytes(f"video {n}".encode() * 5000)
    (folder / "400.mp4").write_bytes(b"video 0" * 5000)  # the same content once more
    registration = registrations.begin(actor=None, kind="prefix", name="raw")

    def far() -> Registration:
        return Registration.objects.get(pk=registration.pk)

    worker_process.start()
    register_rows.delay(registration.pk)
    eventually(lambda: far().registered_count > 20, what="some rows")
    worker_process.kill()
    stopped = far()
    assert (stopped.state, stopped.total) == ("running", 401)
    assert 20 < stopped.registered_count < 400
    assert Video.objects.count() == stopped.registered_count  # video and row, or neither
    assert stopped.rows.filter(state="registered").count() == stopped.registered_count
    broker.restart()  # and the message is lost as well

    with connection.cursor() as cursor:
        cursor.execute("UPDATE videos_registration SET running_until = now() - interval '1 second'")
    worker_process.with_beat = True
    worker_process.start()
    eventually(lambda: far().state == "done", what="the rest after the sweep", within=60)
    worker_process.stop()
    ended = far()
    assert (ended.registered_count, ended.refused_count, ended.attempts) == (400, 1, 2)
    assert Video.objects.count() == Event.objects.filter(type="video.registered").count() == 400
    assert [row.problem for row in ended.rows.filter(state="refused")] == [
        "video-already-registered"
    ]
