"""A file system that is really full while a video is processed."""

from __future__ import annotations

import contextlib
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.core.files.storage import storages

from annotation_platform.clock import database_now
from videos import links, processing, services
from videos.demo_clips import KINDS, write_clip
from videos.models import Video, VideoJob
from videos.problems import NotAvailable

pytestmark = [pytest.mark.faults, pytest.mark.django_db]

STAGES = ["screen", "proxy", "filmstrip", "peaks", "large"]


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """An empty file system of 4 MB; skipped where this user may not mount one."""
    disk = tmp_path / "disk"
    disk.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(disk)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        pytest.skip(f"No file system can be mounted here: {done.stderr.strip()}")
    try:
        yield disk
    finally:
        subprocess.run(["umount", "--lazy", str(disk)], check=True)


def fill(disk: Path) -> Path:
    """Write until there is no room for another byte."""
    filler = disk / "filler"
    with filler.open("wb", buffering=0) as file:
        for size in (65536, 1):
            with contextlib.suppress(OSError):
                while True:
                    file.write(b"\0" * size)
        with pytest.raises(OSError, match="No space"):
            file.write(b"\0")
    return filler


def cases() -> list[Any]:
    """Storage full and the scratch folder full, at each stage; all but the proxy at night."""
    return [
        pytest.param(stage, where, marks=[] if stage == "proxy" else [pytest.mark.nightly])
        for stage in STAGES
        for where in ("storage", "scratch")
    ]


@pytest.mark.parametrize(("stage", "where"), cases())
def test_a_full_disk_leaves_nothing_half_made_and_passes_when_there_is_room(
    stage: str,
    where: str,
    small_disk: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    media = small_disk / "media" if where == "storage" else tmp_path / "media"
    media.mkdir(exist_ok=True)
    monkeypatch.setitem(settings.STORAGES["media"], "OPTIONS", {"location": str(media)})
    storages._storages.pop("media", None)  # type: ignore[attr-defined]
    clip = tmp_path / "clip.mp4"
    write_clip(clip, KINDS["regular"], seconds=2)
    with clip.open("rb") as file:
        video = services.register_video(actor=None, file=file)
    assert services.probe(video.pk).state == "ready"
    VideoJob.objects.get_or_create(video=video, stage=stage)
    if where == "scratch":
        monkeypatch.setattr(tempfile, "tempdir", str(small_disk))
    before = {path for path in media.rglob("*") if path.is_file()}

    filler = fill(small_disk)
    job = processing.run_stage(video.pk, stage)
    assert job is not None
    assert (job.state, job.failures, job.result) == ("waiting", 1, None)
    assert "No space left" in job.error
    assert {p for p in media.rglob("*") if p.is_file()} - {filler} == before, "nothing half made"
    assert [p for p in small_disk.iterdir() if p.name.startswith("video-")] == []
    if stage in links.KINDS:
        with pytest.raises(NotAvailable):
            links.key_of(Video.objects.get(), stage)

    filler.unlink()
    VideoJob.objects.filter(pk=job.pk).update(due_at=database_now())
    again = processing.run_stage(video.pk, stage)
    assert again is not None
    assert (again.state, again.error) == ("done", "")
    made = {p for p in media.rglob("*") if p.is_file()} - before
    assert {str(p.relative_to(media)) for p in made} == set(again.result["files"].values())  # type: ignore[index]
