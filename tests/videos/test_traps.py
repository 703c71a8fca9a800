"""The traps of real files that are not tested beside their stage; docs/video.md has the whole list.

Each on a file: one of the real ones, or one that PyAV writes here.
"""

from __future__ import annotations

import contextlib
import io
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from tests.videos.files import cut_short
from videos import filmstrip, fingerprint, processing, queries, screening, services
from videos.container import UnreadableVideo
from videos.demo_clips import KINDS, Kind, write_clip
from videos.models import Video
from videos.probe import probe
from videos.proxy import make_proxy
from videos.screening import Screening


def tiny(path: Path, fps: Fraction, frames: int) -> Path:
    """A grey video of 32 by 32 pixels with exactly these frames."""
    with av.open(str(path), "w") as out:
        stream = out.add_stream("mpeg4", rate=fps)
        stream.width, stream.height, stream.pix_fmt = 32, 32, "yuv420p"
        picture = av.VideoFrame(32, 32, "yuv420p")
        for plane in picture.planes:
            plane.update(bytes([128]) * plane.buffer_size)
        for number in range(frames):
            picture.pts, picture.time_base = number, 1 / fps
            out.mux(stream.encode(picture))
        out.mux(stream.encode(None))
    return path


@pytest.mark.parametrize("fps", [Fraction(120), Fraction(240)])
def test_milliseconds_find_their_frame_and_hundredths_do_not(fps: Fraction, tmp_path: Path) -> None:
    times = probe(tiny(tmp_path / "fast.mp4", fps, 480)).times
    seconds = [float(times.seconds(frame)) for frame in range(480)]
    assert [times.nearest_frame(round(s, 3)) for s in seconds] == list(range(480))
    wrong = sum(times.nearest_frame(round(s, 2)) != frame for frame, s in enumerate(seconds))
    assert wrong > 60


def test_frames_of_sixty_a_second_are_wrong_on_a_video_of_59_94(tmp_path: Path) -> None:
    """What EPIC-KITCHENS publishes is floor(60 t): after 84 s that is the sixth frame too far."""
    times = probe(tiny(tmp_path / "epic.mp4", Fraction(60_000, 1001), 5100)).times
    assert times.average_fps == Fraction(60_000, 1001)
    assert [times.frame_at(second) - 60 * second for second in (1, 20, 84)] == [-1, -2, -6]


@pytest.mark.parametrize(("name", "degrees"), [("0", 0), ("90", 90), ("180", 180), ("270", 270)])
def test_rotation_is_read_and_not_trusted_to_pyav(
    name: str, degrees: int, shared_data: Path, tmp_path: Path
) -> None:
    source = shared_data / f"video/traps/rotated_{name}.mov"
    found = probe(source)
    assert (found.rotation, found.width, found.height) == (degrees, 568, 320)
    with av.open(str(source)) as raw:
        coded = next(raw.decode(video=0)).to_ndarray(format="gray").astype(float)
    upright = np.rot90(coded, -degrees // 90)
    report = screening.screen(source, times=found.times, rotation=found.rotation)
    strip = filmstrip.make_filmstrip(source, tmp_path, times=found.times, rotation=found.rotation)
    tile = Image.open(tmp_path / strip.sheets[0]).crop((0, 0, strip.tile_width, strip.tile_height))
    for picture in (Image.open(io.BytesIO(report.pictures[0])), tile):
        shown = np.asarray(picture.convert("L").resize(upright.shape[::-1])).astype(float)
        assert abs(shown - upright).mean() < 12
        assert abs(shown - np.rot90(upright, 2)).mean() > 20
        assert (picture.width < picture.height) is (degrees in (90, 270))


def hashes_of(path: Path) -> list[tuple[int, int, int, int]]:
    found = probe(path)
    report: Screening = screening.screen(path, times=found.times, rotation=found.rotation)
    return report.hashes


def test_a_turned_video_and_its_upright_copy_are_the_same_to_the_library(
    shared_data: Path, tmp_path: Path
) -> None:
    source, copy = shared_data / "video/traps/rotated_90.mov", tmp_path / "copy.mp4"
    found = probe(source)
    make_proxy(source, copy, times=found.times, rotation=found.rotation)
    theirs = {(slot, kept): value for slot, _, kept, value in hashes_of(copy)}
    ours = {(slot, kept): value for slot, _, kept, value in hashes_of(source)}
    assert ours.keys() == theirs.keys() != set()
    for place, value in ours.items():
        assert ((value ^ theirs[place]) & (2**64 - 1)).bit_count() <= fingerprint.CUT


def test_corrupted_bytes_decode_without_an_exception(shared_data: Path) -> None:
    """One packet is refused, another gives a damaged picture that only its mark tells."""
    shown, refused = [], 0
    with av.open(str(shared_data / "video/traps/corrupted.mp4")) as container:
        container.streams.video[0].thread_type = "AUTO"
        for packet in container.demux(video=0):
            try:
                shown += packet.decode()
            except av.FFmpegError:
                refused += 1
    assert (len(shown), refused) == (49, 1)
    assert [frame.is_corrupt for frame in shown].count(True) == 1


def test_a_header_that_lies_about_its_rate(shared_data: Path) -> None:
    path = shared_data / "video/traps/vfr_with_audio.mp4"
    with av.open(str(path)) as container:
        claimed = container.streams.video[0].guessed_rate
        assert claimed is not None
    times = probe(path).times
    assert times.is_variable
    wrong = [f for f in range(len(times)) if times.frame_at(f / claimed) != f]
    assert len(wrong) > len(times) // 2, "frames counted by the header's rate"


@pytest.mark.django_db
def test_damaged_files_get_their_exact_verdict(
    register: Callable[[Path], Video], shared_data: Path, tmp_path: Path
) -> None:
    cut = cut_short(tmp_path, seconds=4, keep=0.6)
    with av.open(str(tmp_path / "fast.mp4")) as whole:
        there = [
            packet.pts
            for packet in whole.demux(video=0)
            if packet.size
            and packet.pts is not None
            and (packet.pos or 0) < cut.stat().st_size  # the last one in part
        ]
        promised = whole.streams.video[0].frames
    with av.open(str(cut)) as torn:
        decoded = 0
        for packet in torn.demux(video=0):
            with contextlib.suppress(av.FFmpegError):
                decoded += len(packet.decode())
    empty = tmp_path / "empty.mp4"
    empty.write_bytes((tmp_path / "fast.mp4").read_bytes()[:600])
    corrupted = services.probe(register(shared_data / "video/traps/corrupted.mp4").pk)
    truncated = services.probe(register(cut).pk)
    headless = services.probe(register(empty).pk)
    for video in (corrupted, truncated):
        job = processing.run_stage(video.pk, "proxy")
        assert job is not None
        assert job.state == "done"

    def verdict(video: Video) -> list[tuple[str, str, int]]:
        found = queries.warnings(Video.objects.get(pk=video.pk))
        return [(w["code"], w["message"], w["frame"]) for w in found]

    assert (corrupted.state, corrupted.frame_count) == ("ready", 50)
    assert verdict(corrupted) == [
        (
            "damaged",
            "1 frames cannot be decoded (each shows the one before it) and 1 are damaged.",
            30,
        )
    ]
    assert (promised, truncated.state) == (120, "ready")
    assert truncated.times.pts.tolist() == sorted(there)
    missing = len(there) - decoded
    assert missing > 0
    assert verdict(truncated) == [
        (
            "truncated",
            f"The file is cut off: it promises 120 frames and holds {len(there)}.",
            len(there) - 1,
        ),
        (
            "damaged",
            f"{missing} frames cannot be decoded (each shows the one before it) and 0 are damaged.",
            len(there) - missing,
        ),
    ]
    assert headless.state == "unreadable"
    assert headless.unreadable_reason == "Not a readable video file: end of file."


def test_two_frames_at_one_time_are_no_table(tmp_path: Path) -> None:
    """`stts` with a step of zero: the container says that all frames are shown at once."""
    path = tmp_path / "still.mp4"
    write_clip(path, Kind("still"), seconds=0.5)
    raw = bytearray(path.read_bytes())
    at = raw.index(b"stts") + 4
    raw[at + 12 : at + 16] = bytes(4)
    path.write_bytes(raw)
    with pytest.raises(UnreadableVideo, match=r"same presentation time|No frame"):
        probe(path)


def test_a_stage_opens_a_file_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each opening holds the container's index: with the length of a video this is what grows."""
    clip, path = tmp_path / "clip.mp4", tmp_path / "many-keyframes.mp4"
    write_clip(clip, KINDS["edited"], seconds=3)
    make_proxy(clip, path, times=probe(clip).times)
    opened = []
    keep = av.open

    def count(*args: object, **more: object) -> object:
        opened.append(args)
        return keep(*args, **more)  # type: ignore[call-overload]

    monkeypatch.setattr(av, "open", count)
    times = probe(path).times
    assert len(opened) == 1
    filmstrip.make_filmstrip(path, tmp_path, times=times)
    assert len(opened) == 2
    screening.screen(path, times=times, with_sound=False)
    assert len(opened) == 3
