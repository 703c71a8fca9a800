"""Uploads are hostile: each ends as a reason that a person can read, not as a dead worker."""

from __future__ import annotations

import contextlib
import os
import struct
import sys
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from videos import processing, rules, sandbox, services
from videos.container import UnreadableVideo
from videos.demo_clips import KINDS, write_clip
from videos.models import Video
from videos.rules import MEBIBYTE, StageLimits
from videos.sandbox import StageFailed, run_isolated

LIMITS = StageLimits(cpu_seconds=20, wall_seconds=30, memory_bytes=2048 * MEBIBYTE)


def probe(source: Path, folder: Path, limits: StageLimits = LIMITS) -> dict[str, Any]:
    return run_isolated(
        "probe", source=source, folder=folder, options={"parameters": {}}, limits=limits
    )


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    path = tmp_path / "clip.mp4"
    write_clip(path, KINDS["ntsc"], seconds=1)
    return path


def patched(clip: Path, box: bytes, offset: int, values: bytes) -> Path:
    """The clip with bytes overwritten, `offset` after the four letters of its first `box`."""
    raw = bytearray(clip.read_bytes())
    at = raw.index(box) + 4 + offset
    raw[at : at + len(values)] = values
    target = clip.with_name(f"bad-{box.decode()}.mp4")
    target.write_bytes(raw)
    return target


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("list.m3u8", "#EXTM3U\n#EXTINF:1,\nSECRET\n#EXT-X-ENDLIST\n"),
        ("list.mp4", "#EXTM3U\n#EXTINF:1,\nSECRET\n#EXT-X-ENDLIST\n"),
        ("join.mp4", "ffconcat version 1.0\nfile SECRET\n"),
        ("show.mp4", "<?xml version='1.0'?><MPD><BaseURL>SECRET</BaseURL></MPD>"),
        ("empty.mp4", ""),
    ],
)
def test_a_text_that_names_other_files_is_not_followed(
    name: str, text: str, clip: Path, tmp_path: Path
) -> None:
    bad = tmp_path / name
    bad.write_text(text.replace("SECRET", str(clip)))
    with pytest.raises(UnreadableVideo, match="Not a readable video file"):
        probe(bad, tmp_path)


def test_a_file_of_ten_hours(tmp_path: Path) -> None:
    """A hundred kilobytes can claim any length: two frames, the second after ten hours."""
    path = tmp_path / "long.mkv"
    with av.open(str(path), "w") as out:
        stream = out.add_stream("mjpeg", rate=Fraction(10))
        stream.width, stream.height, stream.pix_fmt = 64, 64, "yuvj420p"
        stream.time_base = stream.codec_context.time_base = Fraction(1, 1000)
        for pts in (0, 36_000_000):
            frame = av.VideoFrame.from_ndarray(np.zeros((64, 64, 3), dtype=np.uint8))
            frame.pts, frame.time_base = pts, Fraction(1, 1000)
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    with pytest.raises(UnreadableVideo, match="longer than 4 hours"):
        probe(path, tmp_path)


def test_a_table_of_two_thousand_million_frames(clip: Path, tmp_path: Path) -> None:
    """`stsz` says: 2³¹-1 samples of one byte each. The index alone would need 50 GB."""
    bomb = patched(clip, b"stsz", 4, struct.pack(">II", 1, 2**31 - 1))
    with pytest.raises(UnreadableVideo):
        probe(bomb, tmp_path)


def test_a_picture_of_absurd_size(tmp_path: Path) -> None:
    path = tmp_path / "wide.avi"
    with av.open(str(path), "w") as out:
        stream = out.add_stream("mjpeg", rate=Fraction(10))
        stream.width, stream.height, stream.pix_fmt = 9000, 16, "yuvj420p"
        picture = np.zeros((16, 9000, 3), dtype=np.uint8)
        out.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        out.mux(stream.encode(None))
    with pytest.raises(UnreadableVideo, match="too large"):
        probe(path, tmp_path)


def test_sound_without_pictures(tmp_path: Path) -> None:
    path = tmp_path / "sound.mp4"
    with av.open(str(path), "w") as out:
        stream = out.add_stream("aac", rate=16_000, layout="mono")
        frame = av.AudioFrame.from_ndarray(
            np.zeros((1, 1024), dtype=np.int16), format="s16", layout="mono"
        )
        frame.sample_rate = 16_000
        out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    with pytest.raises(UnreadableVideo, match="no video stream"):
        probe(path, tmp_path)


def test_random_damage_never_hangs_and_always_answers(clip: Path, tmp_path: Path) -> None:
    chance = np.random.default_rng(7)
    raw = np.frombuffer(clip.read_bytes(), dtype=np.uint8)
    for n in range(8):
        bad = raw.copy()
        where = chance.integers(0, len(raw), 200)
        bad[where] = chance.integers(0, 256, 200, dtype=np.uint8)
        path = tmp_path / f"{n}.mp4"
        path.write_bytes(bad.tobytes())
        with contextlib.suppress(UnreadableVideo):  # anything else fails the test
            assert probe(path, tmp_path)["frame_count"] > 0


def proxy(clip: Path, folder: Path, limits: StageLimits) -> dict[str, Any]:
    found = probe(clip, folder)
    options = {
        "parameters": {},
        "frame_times": found["frame_times"],
        "time_base": [found["time_base_num"], found["time_base_den"]],
        "rotation": 0,
    }
    return run_isolated("proxy", source=clip, folder=folder, options=options, limits=limits)


def test_too_much_memory_time_or_disk(tmp_path: Path) -> None:
    clip = tmp_path / "long.mp4"
    write_clip(clip, KINDS["regular"], seconds=12)
    # Where memory ends decides who notices first; nobody but the child may suffer.
    with pytest.raises((UnreadableVideo, StageFailed)):
        proxy(clip, tmp_path, replace(LIMITS, wall_seconds=8, memory_bytes=250 * MEBIBYTE))
    with pytest.raises(UnreadableVideo, match="more than 1 CPU seconds"):
        proxy(clip, tmp_path, replace(LIMITS, cpu_seconds=1))
    with pytest.raises(UnreadableVideo, match="longer than 1 seconds"):
        proxy(clip, tmp_path, replace(LIMITS, wall_seconds=1))
    # A full disk may pass: this one is tried again.
    with pytest.raises(StageFailed):
        proxy(clip, tmp_path, replace(LIMITS, file_bytes=100_000))


def stand_in(monkeypatch: pytest.MonkeyPatch, code: str) -> None:
    """We have no file that crashes this FFmpeg; a stand-in dies the way it would."""
    monkeypatch.setattr(sandbox, "COMMAND", [sys.executable, "-c", code])


@pytest.mark.parametrize("name", ["SIGSEGV", "SIGABRT", "SIGFPE", "SIGILL", "SIGBUS"])
def test_a_crash_is_the_files_fault(
    name: str, clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stand_in(monkeypatch, f"import os, signal; os.kill(os.getpid(), signal.{name})")
    with pytest.raises(UnreadableVideo, match=f"crashes the decoder \\({name}\\)"):
        probe(clip, tmp_path)


def test_being_killed_is_not(clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stand_in(monkeypatch, "import os, signal; os.kill(os.getpid(), signal.SIGKILL)")
    with pytest.raises(StageFailed):
        probe(clip, tmp_path)


def test_the_decoder_gets_no_secrets(
    clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SECRET_KEY", "do not tell")
    assert "DATABASE_URL" in os.environ
    stand_in(monkeypatch, "import json, os; print(json.dumps({'result': dict(os.environ)}))")
    assert set(probe(clip, tmp_path)) <= {"PATH", "LC_CTYPE", *sandbox.ENVIRONMENT}


@pytest.mark.django_db
def test_a_bomb_ends_as_unreadable_with_its_reason(
    register: Callable[[Path], Video], clip: Path
) -> None:
    bomb = patched(clip, b"stsz", 4, struct.pack(">II", 1, 2**31 - 1))
    video = services.probe(register(bomb).pk)
    assert video.state == "unreadable"
    assert video.unreadable_reason


@pytest.mark.django_db
def test_a_full_disk_leaves_nothing_and_passes(
    register: Callable[[Path], Video],
    clip: Path,
    media_root: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    video = services.probe(register(clip).pk)
    before = sorted(media_root.rglob("*"))
    full = {"proxy": replace(rules.STAGE_LIMITS["proxy"], file_bytes=10_000)}
    with monkeypatch.context() as patch:
        patch.setattr(rules, "STAGE_LIMITS", rules.STAGE_LIMITS | full)
        job = processing.run_stage(video.pk, "proxy")
    assert job is not None
    assert (job.state, job.failures, job.result) == ("waiting", 1, None)
    assert job.error
    assert sorted(media_root.rglob("*")) == before
    services.rerun(actor=None, video=video, stage="proxy")
    job = processing.run_stage(video.pk, "proxy")
    assert job is not None
    assert job.state == "done"
