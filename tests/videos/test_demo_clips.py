"""The generated clips are what they claim, seen by the probe and by the pixels themselves."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from videos.container import decode_displayed, open_video
from videos.demo_clips import (
    KINDS,
    TICKS,
    frame_ticks,
    generate_demo_clips,
    read_barcode,
    write_clip,
)
from videos.probe import probe


@pytest.mark.parametrize("name", sorted(KINDS))
def test_probe_and_pixels_agree_with_what_was_drawn(name: str, tmp_path: Path) -> None:
    kind, path = KINDS[name], tmp_path / "clip.mp4"
    write_clip(path, kind, seconds=2, seed=3)
    expected = frame_ticks(kind, 2, seed=3)
    found = probe(path)
    assert [found.times.seconds(i) for i in range(len(found.times))] == [
        Fraction(t, TICKS) for t in expected
    ]
    assert found.hidden_frames == kind.hidden
    assert found.variable_frame_rate is kind.variable
    assert found.has_audio is kind.audio
    with open_video(path) as (container, stream):
        shown = [
            (f.pts, read_barcode(f.to_ndarray(format="gray")))
            for f in decode_displayed(container, stream)
        ]
    assert [pts for pts, _ in shown] == found.times.pts.tolist()
    assert [n for _, n in shown] == list(range(kind.hidden, kind.hidden + len(expected)))


def test_a_late_start_is_frame_0_and_not_frame_1(tmp_path: Path) -> None:
    path = tmp_path / "late.mp4"
    write_clip(path, KINDS["late"], seconds=1)
    times = probe(path).times
    assert times.seconds(0) == Fraction(1, 30)
    assert times.frame_at(Fraction(1, 30)) == 0
    assert len(times) == 30


def test_the_edit_list_hides_45_of_300_packets(tmp_path: Path) -> None:
    path = tmp_path / "edited.mp4"
    write_clip(path, KINDS["edited"], seconds=8.5)
    found = probe(path)
    with open_video(path) as (container, stream):
        packets = sum(1 for p in container.demux(stream) if p.size)
    assert (packets, len(found.times)) == (300, 255)


def test_the_same_seed_gives_the_same_bytes(tmp_path: Path) -> None:
    for name in ("a", "b"):
        write_clip(tmp_path / name, KINDS["regular"], seconds=0.5, seed=1)
    write_clip(tmp_path / "c", KINDS["regular"], seconds=0.5, seed=2)
    a, b, c = ((tmp_path / name).read_bytes() for name in "abc")
    assert a == b
    assert a != c


def test_a_wrong_barcode_is_not_read() -> None:
    assert read_barcode(np.zeros((360, 640), dtype=np.uint8)) is None
    assert read_barcode(np.full((360, 640), 255, dtype=np.uint8)) is None
    assert read_barcode(np.zeros((360, 20), dtype=np.uint8)) is None


def test_demo_clips_come_with_timelines_inside_them(tmp_path: Path) -> None:
    clips = generate_demo_clips(tmp_path, count=2, seconds=1)
    assert [c.path.name for c in clips] == ["demo-1-regular-1s.mp4", "demo-2-ntsc-1s.mp4"]
    for clip in clips:
        assert len(clip.steps) >= 5
        last = 0.0
        for step in clip.steps:
            assert last <= step["start_seconds"] < step["end_seconds"] <= 1
            assert step["description"]
            last = step["end_seconds"]
    stamps = [c.path.stat().st_mtime_ns for c in clips]
    again = generate_demo_clips(tmp_path, count=2, seconds=1)
    assert [c.path.stat().st_mtime_ns for c in again] == stamps
