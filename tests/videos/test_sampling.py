"""Looking at a few frames gives the same pictures as decoding everything."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import av
import pytest

from tests.videos.files import cut_short
from videos import sampling
from videos.demo_clips import KINDS, read_barcode, write_clip
from videos.probe import probe


@pytest.mark.parametrize("name", ["regular", "variable", "edited", "late", "fast"])
def test_samples_are_the_frames_they_say(name: str, tmp_path: Path) -> None:
    path, kind = tmp_path / "clip.mp4", KINDS[name]
    write_clip(path, kind, seconds=4)
    times = probe(path).times
    wanted = [0, 1, 37, len(times) // 2, len(times) - 1]
    with sampling.Film(path) as film:  # one after another, as screening does
        keys = sampling.keyframes(film, times)
        found = {
            "keyframes": list(sampling.decode_keyframes(film, times, keys)),
            "bursts": list(sampling.decode_bursts(film, times, wanted, 3)),
            "every": list(sampling.decode_every(film, times, wanted)),
        }
        assert sampling.keyframes(film, times) == keys
    assert len(keys) >= 2
    assert [s.frame for s in found["keyframes"]] == keys
    assert [s.frame for s in found["every"]] == wanted
    assert [s.frame for s in found["bursts"]] == wanted
    assert [len(s.pictures) for s in found["bursts"]] == [3, 3, 3, 3, 1]
    for samples in found.values():
        for sample in samples:
            shown = [read_barcode(f.to_ndarray(format="gray")) for f in sample.pictures]
            first = sample.frame + kind.hidden
            assert shown == list(range(first, first + len(shown)))


def test_a_file_that_cannot_be_sought_is_read_from_its_start(shared_data: Path) -> None:
    """Its sound starts after the wanted frame, and FFmpeg then refuses to seek (EPERM)."""
    path = shared_data / "video/traps/vfr_with_audio.mp4"
    times = probe(path).times
    with sampling.Film(path) as film:
        assert sampling.keyframes(film, times)  # read before: it cannot be rewound either
        found = [s.frame for s in sampling.decode_bursts(film, times, [25, 300], 1)]
    assert sorted(found) == [25, 300]


def test_a_damaged_last_picture_costs_no_sample_before_it(tmp_path: Path) -> None:
    """Threads hand their last pictures over together: the error took good ones along."""
    path = cut_short(tmp_path, seconds=4, keep=0.6)
    times = probe(path).times
    good = []
    with av.open(str(path)) as container:
        for packet in container.demux(video=0):
            with suppress(av.FFmpegError):
                good += [times.frame_of(frame.pts) for frame in packet.decode()]
    assert 0 < len(good) < len(times)
    with sampling.Film(path) as film:
        every = list(sampling.decode_every(film, times, range(len(times))))
        ends = list(sampling.decode_every(film, times, [0, len(good) - 1, len(times) - 1]))
    assert [s.frame for s in every] == good
    assert [s.frame for s in ends] == [0, len(good) - 1]
    for sample in [*every, *ends]:
        assert read_barcode(sample.pictures[0].to_ndarray(format="gray")) == sample.frame


def test_evenly_keeps_the_ends() -> None:
    assert sampling.evenly(range(100), 4) == [0, 33, 66, 99]
    assert sampling.evenly([5, 6], 4) == [5, 6]
