from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from django.db import IntegrityError, connection, transaction
from django.db.utils import InternalError

from contractors.models import User
from events.models import Event
from tests.faults.processes import eventually
from tests.videos.files import named
from videos import leases, processing, services
from videos.models import Video, VideoJob

pytestmark = pytest.mark.django_db

Register = Callable[[Path], Video]


def test_probing_a_real_clip_makes_it_ready(register: Register, shared_data: Path) -> None:
    video = register(shared_data / "video/homes/making_tea.mp4")
    video = services.probe(video.pk)
    assert video.state == "ready"
    assert (video.frame_count, video.width, video.height) == (300, 480, 270)
    assert video.times.pts[:3].tolist() == [0, 1001, 2002]
    assert video.duration_seconds == pytest.approx(10.01)
    assert video.fps == pytest.approx(29.97, abs=0.001)
    assert sorted(video.jobs.values_list("stage", "state")) == [
        ("filmstrip", "waiting"), ("probe", "done"), ("proxy", "waiting"), ("screen", "waiting"),
    ]  # fmt: skip
    assert Event.objects.order_by("-id")[0].type == "video.ready"
    before = Event.objects.count()
    services.probe(video.pk)  # again: nothing to do
    assert Event.objects.count() == before


def test_audio_gets_its_own_stage(register: Register, shared_data: Path) -> None:
    video = services.probe(register(shared_data / "video/traps/vfr_with_audio.mp4").pk)
    assert (video.frame_count, video.variable_frame_rate, video.has_audio) == (527, True, True)
    assert video.jobs.filter(stage="peaks", state="waiting").exists()


def test_rubbish_is_unreadable_with_a_reason_and_not_tried_again(manager_user: User) -> None:
    video = services.register_video(actor=manager_user, file=named(b"not a video" * 100))
    video = services.probe(video.pk)
    assert video.state == "unreadable"
    assert video.unreadable_reason.startswith("Not a readable video file")
    job = video.jobs.get()
    assert (job.state, job.error) == ("failed", video.unreadable_reason)
    assert processing.due_jobs() == []
    assert Event.objects.order_by("-id")[0].type == "video.unreadable"


def test_frames_once_known_never_change(register: Register, shared_data: Path) -> None:
    video = services.probe(register(shared_data / "video/traps/rotated_90.mov").pk)
    assert video.rotation == 90
    assert video.display_size == (320, 568)
    for change in ("frame_count = 2", "frame_times = 'x'", "time_base_den = 7"):
        with (
            pytest.raises((IntegrityError, InternalError)),
            transaction.atomic(),
            connection.cursor() as cursor,
        ):
            cursor.execute(f"UPDATE videos_video SET {change}")
    services.rerun(actor=None, video=video, stage="probe")
    assert processing.run_stage(video.pk, "probe").state == "done"  # type: ignore[union-attr]


def test_sweep_finds_waiting_and_abandoned_jobs_once(register: Register, shared_data: Path) -> None:
    video = register(shared_data / "video/traps/rotated_0.mov")
    assert processing.due_jobs() == [(video.pk, "probe")]
    assert processing.due_jobs() == []  # told a moment ago
    with connection.cursor() as cursor:  # its worker took it and died
        cursor.execute(
            "UPDATE videos_videojob SET state = 'running', attempts = 1, told_at = NULL,"
            " running_until = now() - interval '1 second'"
        )
    assert processing.due_jobs() == [(video.pk, "probe")]
    assert services.probe(video.pk).state == "ready"


def test_a_running_job_is_left_alone(register: Register, shared_data: Path) -> None:
    video = register(shared_data / "video/traps/rotated_0.mov")
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE videos_videojob SET state = 'running', attempts = 1,"
            " running_until = now() + interval '1 minute'"
        )
    assert services.probe(video.pk).state == "registered"
    assert processing.due_jobs() == []


def test_a_file_that_kills_its_worker_is_given_up(register: Register, shared_data: Path) -> None:
    video = register(shared_data / "video/traps/rotated_0.mov")
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE videos_videojob SET state = 'running', attempts = 6, failures = 5,"
            " running_until = now() - interval '1 second'"
        )
    video = services.probe(video.pk)
    assert (video.state, video.unreadable_reason) == ("unreadable", "Its worker died every time.")


def test_a_passing_failure_waits_and_then_succeeds(
    register: Register, shared_data: Path, media_root: Path
) -> None:
    video = register(shared_data / "video/traps/rotated_0.mov")
    path = media_root / video.key
    path.rename(path.with_suffix(".away"))
    assert services.probe(video.pk).state == "registered"
    job = VideoJob.objects.get()
    assert (job.state, job.failures) == ("waiting", 1)
    assert job.error
    assert processing.due_jobs() == []  # not due yet
    path.with_suffix(".away").rename(path)
    assert services.probe(video.pk).state == "registered"  # a repeated message does not jump
    services.rerun(actor=None, video=video, stage="probe")
    assert services.probe(video.pk).state == "ready"


def test_a_worker_that_comes_back_late_changes_nothing(
    register: Register, shared_data: Path
) -> None:
    video = register(shared_data / "video/traps/rotated_0.mov")
    claim = processing._claim(video.pk, "probe")
    assert claim is not None
    with connection.cursor() as cursor:
        cursor.execute("UPDATE videos_videojob SET attempts = attempts + 1")
    processing._carry_out(claim)
    video.refresh_from_db()
    assert video.state == "registered"
    assert VideoJob.objects.get().state == "running"


def test_a_source_that_changed_in_storage_is_not_taken_for_the_video(
    register: Register, shared_data: Path, media_root: Path
) -> None:
    video = register(shared_data / "video/traps/rotated_0.mov")
    (media_root / video.key).write_bytes((shared_data / "video/traps/rotated_90.mov").read_bytes())
    assert services.probe(video.pk).state == "registered"
    assert "were registered" in VideoJob.objects.get().error


@pytest.mark.django_db(transaction=True)
def test_the_lease_is_renewed_while_the_work_goes_on(
    register: Register, shared_data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    video = register(shared_data / "video/traps/rotated_0.mov")
    claim = processing._claim(video.pk, "probe")
    assert claim is not None
    before = VideoJob.objects.get(stage="probe").running_until
    assert before is not None
    monkeypatch.setattr(leases, "HEARTBEAT_SECONDS", 0.02)

    def renewed() -> bool:
        until = VideoJob.objects.get(stage="probe").running_until
        return until is not None and until > before

    with leases.kept(processing._held(claim)):
        eventually(renewed, within=10, what="a renewed lease")
    processing._carry_out(claim)
    job = VideoJob.objects.get(stage="probe")
    assert (job.state, job.running_until) == ("done", None)
