"""Sound: peaks for the strip under the timeline, and whether people speak. No Django.

Times are on the proxy's clock: zero is the start of frame 0.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.audio.frame import AudioFrame
from av.audio.resampler import AudioResampler
from numpy.typing import NDArray

from videos.container import open_video
from videos.timetable import FrameTimes

RATE = 16_000  # samples per second, mono
PEAKS_PER_SECOND = 50
MOST_SECONDS = 4 * 3600

VAD_MILLISECONDS = 30
VAD_STRICTNESS = 3  # webrtcvad: 0 … 3
VAD_WINDOW = 20  # frames (0.6 s) of which most must be speech

Samples = NDArray[np.int16]


@dataclass(frozen=True)
class Speech:
    """Where speech was found.

    Attributes:
        share: of the video's sound, 0 … 1.
        runs: `(start, end)` in seconds on the proxy's clock.
    """

    share: float
    runs: list[tuple[float, float]]


def samples(source: Path, times: FrameTimes) -> Iterator[tuple[int, Samples]]:
    """Mono sound as (first sample's number on the proxy's clock, samples); damage is left out."""
    with open_video(source) as (container, _):
        streams = [s for s in container.streams.audio if s.codec_context is not None]
        if not streams:
            return
        resampler = AudioResampler(format="s16", layout="mono", rate=RATE)
        zero = times.seconds(0)
        # The position is taken once and then counted, so that rounding cannot pile up.
        position: int | None = None
        try:
            for packet in container.demux(streams[0]):
                try:
                    frames = packet.decode()
                except av.FFmpegError:
                    continue
                for frame in frames:
                    if not isinstance(frame, AudioFrame) or frame.pts is None:
                        continue
                    assert frame.time_base is not None
                    at = round((frame.pts * Fraction(frame.time_base) - zero) * RATE)
                    if position is None or abs(at - position) > RATE // 10:
                        position = at
                    if position > MOST_SECONDS * RATE:
                        return
                    for part in resampler.resample(frame):
                        sound = part.to_ndarray().reshape(-1).astype(np.int16, copy=False)
                        yield position, sound
                        position += len(sound)
        except (av.FFmpegError, ValueError):
            return


def peaks(source: Path, times: FrameTimes) -> NDArray[np.uint8]:
    """The loudest sample of each 1/50 s from frame 0 on, 0 … 255 (full scale)."""
    per_peak = RATE // PEAKS_PER_SECOND
    span = float(times.seconds_from_start(len(times) - 1)) + 1 / PEAKS_PER_SECOND
    loudest = np.zeros(max(1, int(np.ceil(span * PEAKS_PER_SECOND))), dtype=np.int32)
    for first, sound in samples(source, times):
        bins = (np.arange(first, first + len(sound))) // per_peak
        inside = (bins >= 0) & (bins < len(loudest))
        np.maximum.at(loudest, bins[inside], np.abs(sound[inside].astype(np.int32)))
    return np.minimum(loudest * 255 // 32767, 255).astype(np.uint8)


def speech(source: Path, times: FrameTimes) -> Speech | None:
    """Where people seem to speak (privacy); None without the detector installed."""
    try:
        import webrtcvad  # type: ignore[import-untyped]
    except ImportError:
        return None
    detector = webrtcvad.Vad(VAD_STRICTNESS)
    size = RATE * VAD_MILLISECONDS // 1000
    rest = np.zeros(0, dtype=np.int16)
    voiced = bytearray()  # an hour has 120,000 of them
    start: int | None = None
    for first, sound in samples(source, times):
        if start is None:
            start = first
        rest = np.concatenate([rest, sound])
        while len(rest) >= size:
            voiced.append(bool(detector.is_speech(rest[:size].tobytes(), RATE)))
            rest = rest[size:]
    if start is None or not voiced:
        return Speech(0.0, [])
    flags = np.frombuffer(voiced, dtype=np.uint8).astype(np.float64)
    smooth = np.convolve(flags, np.ones(VAD_WINDOW) / VAD_WINDOW, mode="same") >= 0.8
    edges = np.flatnonzero(np.diff(np.concatenate([[0], smooth.astype(np.int8), [0]])))
    step, zero = VAD_MILLISECONDS / 1000, start / RATE
    runs = [
        (round(zero + float(a) * step, 2), round(zero + float(b) * step, 2))
        for a, b in zip(edges[::2], edges[1::2], strict=True)
    ]
    return Speech(float(smooth.mean()), runs)
