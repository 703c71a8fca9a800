"""Sound: where it is loud, and whether people seem to speak, on files with sounds made here."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from videos import processing, queries, services, sound
from videos.demo_clips import KINDS, write_clip
from videos.models import Video
from videos.probe import probe

RATE = 16_000
FPS = 25


def voice(seconds: int) -> NDArray[np.int16]:
    """A vowel: harmonics of 120 Hz under three formants, rising and falling as syllables do."""
    t = np.arange(seconds * RATE) / RATE
    phase = 2 * np.pi * np.cumsum(120 * (1 + 0.05 * np.sin(2 * np.pi * 3 * t))) / RATE
    tone = np.zeros_like(t)
    for harmonic in range(1, 30):
        formants = ((700, 130), (1220, 150), (2600, 250))
        gain = sum(np.exp(-(((harmonic * 120 - at) / wide) ** 2)) for at, wide in formants)
        tone += gain * np.sin(harmonic * phase)
    tone *= 0.6 + 0.4 * np.sin(2 * np.pi * 4 * t)
    samples: NDArray[np.int16] = (tone / np.abs(tone).max() * 12_000).astype(np.int16)
    return samples


@pytest.fixture
def spoken(tmp_path: Path) -> Path:
    """Ten seconds of grey; somebody speaks from the third to the sixth."""
    path = tmp_path / "spoken.mp4"
    samples = np.zeros(10 * RATE, dtype=np.int16)
    samples[3 * RATE : 6 * RATE] = voice(3)
    with av.open(str(path), "w") as out:
        video = out.add_stream("mpeg4", rate=FPS)
        video.width, video.height, video.pix_fmt = 32, 32, "yuv420p"
        audio = out.add_stream("aac", rate=RATE, layout="mono")
        picture = av.VideoFrame(32, 32, "yuv420p")
        for plane in picture.planes:
            plane.update(bytes([128]) * plane.buffer_size)
        for number in range(10 * FPS):
            picture.pts, picture.time_base = number, Fraction(1, FPS)
            out.mux(video.encode(picture))
        out.mux(video.encode(None))
        for start in range(0, len(samples), 1024):
            chunk = samples[start : start + 1024].reshape(1, -1)
            part = av.AudioFrame.from_ndarray(chunk, format="s16", layout="mono")
            part.sample_rate, part.pts, part.time_base = RATE, start, Fraction(1, RATE)
            out.mux(audio.encode(part))
        out.mux(audio.encode(None))
    return path


def test_a_voice_is_heard_where_it_is(spoken: Path) -> None:
    pytest.importorskip("webrtcvad")
    found = sound.speech(spoken, probe(spoken).times)
    assert found is not None
    [(start, end)] = found.runs
    assert (abs(start - 3) < 0.3, abs(end - 6) < 0.3) == (True, True)
    assert abs(found.share - 0.3) < 0.05


def test_knocks_are_no_voice(tmp_path: Path) -> None:
    pytest.importorskip("webrtcvad")
    path = tmp_path / "knocks.mp4"
    write_clip(path, KINDS["regular"], seconds=5)
    assert sound.speech(path, probe(path).times) == sound.Speech(0.0, [])


def test_peaks_are_loud_where_the_sound_is(spoken: Path) -> None:
    found = sound.peaks(spoken, probe(spoken).times)
    assert len(found) == 10 * sound.PEAKS_PER_SECOND - 1  # to the last frame's start
    loud = np.flatnonzero(found > 20)
    assert (loud[0] // 5, loud[-1] // 5) == (30, 59)  # tenths of a second
    assert abs(int(found.max()) - 12_000 * 255 // 32_767) <= 6


@pytest.mark.django_db
def test_speech_is_a_warning_that_points_to_its_first_frame(
    register: Callable[[Path], Video], spoken: Path
) -> None:
    pytest.importorskip("webrtcvad")
    video = services.probe(register(spoken).pk)
    job = processing.run_stage(video.pk, "screen")
    assert job is not None
    assert (video.state, job.state) == ("ready", "done")
    [warning] = [w for w in queries.warnings(video) if w["code"] == "speech"]
    assert abs(warning["frame"] - 3 * FPS) < 0.3 * FPS
    assert "privacy" in warning["message"]
