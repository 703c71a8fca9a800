"""Workers killed in the middle of each stage of a video's processing."""

from __future__ import annotations

from pathlib import Path

import psutil
import pytest
from django.conf import settings
from django.db import connection

from tests.faults.processes import Broker, Worker, eventually
from videos import links, services
from videos.demo_clips import KINDS, write_clip
from videos.jobs import JOB_OF_STAGE
from videos.models import Video, VideoJob

pytestmark = [pytest.mark.faults, pytest.mark.django_db(transaction=True)]


def decoders() -> set[int]:
    """Process ids of decoding processes on this test's files, whoever started them."""
    found = set()
    for process in psutil.process_iter(["cmdline", "status"]):
        if process.info["status"] != psutil.STATUS_ZOMBIE and "videos.decoder" in (
            process.info["cmdline"] or ()
        ):
            found.add(process.pid)
    return found


def state(video: Video, stage: str) -> str:
    return VideoJob.objects.get(video=video, stage=stage).state


@pytest.mark.parametrize("stage", ["probe", "screen", "proxy", "filmstrip", "peaks"])
def test_a_killed_worker_leaves_nothing_half_made_and_the_sweep_finishes(
    stage: str, broker: Broker, worker_process: Worker, tmp_path: Path
) -> None:
    path = tmp_path / "clip.mp4"
    write_clip(path, KINDS["regular"], seconds=8)
    with path.open("rb") as file:
        video = services.register_video(actor=None, file=file)
    if stage != "probe":
        services.probe(video.pk)
        VideoJob.objects.exclude(stage__in=["probe", stage]).delete()
    artefacts = Path(settings.MEDIA_ROOT) / "artefacts" / str(video.pk)
    others = decoders()

    worker_process.start()
    JOB_OF_STAGE[stage].delay(video.pk)
    eventually(lambda: state(video, stage) == "running", what=f"{stage} to begin")
    eventually(lambda: bool(decoders() - others), what="its decoder", within=5)
    ours = decoders() - others
    worker_process.kill()
    eventually(lambda: not decoders() & ours, what="the decoder to die with its worker", within=5)

    job = VideoJob.objects.get(video=video, stage=stage)
    assert (job.state, job.result) == ("running", None)  # nothing half made is visible
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
    if stage in ("proxy", "peaks"):
        made = [p for p in artefacts.rglob("*") if p.is_file() and p.parent.parent.name == stage]
        assert made == [Path(settings.MEDIA_ROOT) / links.key_of(Video.objects.get(), stage)]
