"""Looking for defects that a person should know of before a video becomes work. No Django.

Only warnings, each with the frame it points to: people decide. Most samples are keyframes, which
can be decoded by themselves; a file with few of them is decoded whole.
"""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

import numpy as np

from videos import fingerprint, picture_measures, sampling, sound
from videos.container import UnreadableVideo
from videos.timetable import FrameTimes

WIDTH = 640  # of the picture that sharpness is measured on
MOTION = (256, 144)  # for shake
MOST_SAMPLES = 80
BURSTS = 8
SHOWN = 6  # sample frames kept for the manager, besides those of warnings
SHOWN_WIDTH = 320


@dataclass(frozen=True)
class Thresholds:
    """When to warn. Defaults were fitted on first-person household clips (docs/video.md).

    Attributes:
        blurred_below: Laplacian variance at 640 px, median over the video.
        dark_below, bright_above: mean brightness, 0 … 255, median over the video.
        black_share_above, clipped_share_above: of pixels, median over the video.
        covered_share_above: of samples in which the lens seems covered.
        covered_plain_above: share of tiles without texture that makes a sample "covered".
        frozen_below: mean difference between samples that makes them "the same".
        frozen_seconds: how long the same picture may stand.
        shaken_above: median change of motion between consecutive frames, per cent of the width.
        speech_share_above: of the sound.
    """

    blurred_below: float = 30.0
    dark_below: float = 40.0
    bright_above: float = 205.0
    black_share_above: float = 0.6
    clipped_share_above: float = 0.3
    covered_share_above: float = 0.3
    covered_plain_above: float = 0.85
    frozen_below: float = 0.6
    frozen_seconds: float = 2.0
    shaken_above: float = 1.5
    speech_share_above: float = 0.03

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> Thresholds:
        """From plain data, e.g. a project's own. Raises `ValueError` naming what is wrong."""
        known = {f.name for f in fields(cls)}
        for name, value in values.items():
            if name not in known:
                raise ValueError(f"There is no threshold called {name}.")
            if isinstance(value, bool) or not isinstance(value, int | float):
                raise ValueError(f"{name} must be a number.")
            if not 0 <= value < float("inf"):
                raise ValueError(f"{name} must not be negative.")
        return cls(**{name: float(value) for name, value in values.items()})


@dataclass(frozen=True)
class Finding:
    """Something a person should look at.

    Attributes:
        frame: where to look.
        value, threshold: what was measured, and the limit it crossed.
    """

    code: str
    message: str
    frame: int
    value: float
    threshold: float


@dataclass
class Measures:
    """What was measured, sample by sample (same order as `frames`): facts of the video.

    Everything that thresholds are held against is here, so that other thresholds need no decoding.
    """

    frames: list[int] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)  # of each sample, on the source's clock
    sharpness: list[float] = field(default_factory=list)
    mean: list[float] = field(default_factory=list)
    black: list[float] = field(default_factory=list)
    clipped: list[float] = field(default_factory=list)
    plain: list[float] = field(default_factory=list)
    change: list[float | None] = field(default_factory=list)  # against the sample before
    shake_frames: list[int] = field(default_factory=list)
    shake: list[float] = field(default_factory=list)
    speech_share: float | None = None  # of the sound; None when it was not listened to
    speech_frame: int | None = None  # at which somebody seems to speak first

    @classmethod
    def of(cls, plain: Mapping[str, Any]) -> Measures:
        """From what `as_dict` made."""
        return cls(**plain)

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON, with as many digits as mean something."""
        return {
            name: [_short(v) for v in value] if isinstance(value, list) else _short(value)
            for name, value in asdict(self).items()
        }


@dataclass
class Screening:
    """The report: numbers, warnings, hashes for near-duplicates, pictures for the manager."""

    measures: Measures
    warnings: list[Finding]
    hashes: list[tuple[int, int, int, int]]  # slot, frame, per cent kept, hash
    speech: sound.Speech | None
    pictures: dict[int, bytes]  # frame → JPEG

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON for the job's result; pictures are files."""
        m = self.measures
        return {
            "samples": len(m.frames),
            "summary": {
                "sharpness": median(m.sharpness),
                "mean": median(m.mean),
                "black": median(m.black),
                "clipped": median(m.clipped),
                "plain": median(m.plain),
                "shake": median(m.shake),
            },
            "measures": m.as_dict(),
            "warnings": [asdict(w) for w in self.warnings],
            "hashes": [list(h) for h in self.hashes],
            "speech": asdict(self.speech) if self.speech is not None else None,
        }


def screen(
    source: Path,
    *,
    times: FrameTimes,
    rotation: int = 0,
    thresholds: Thresholds | None = None,
    with_sound: bool = True,
) -> Screening:
    """Measure `source` and compare with `thresholds`. Raises `UnreadableVideo`.

    `rotation` (degrees clockwise) turns what people see, and what near-duplicates are found by.
    """
    # First, while little else is in memory: it opens the file for itself.
    spoken = sound.speech(source, times) if with_sound else None
    with sampling.Film(source) as film:
        return _screen(film, times, rotation, thresholds or Thresholds(), spoken)


def _screen(
    film: sampling.Film,
    times: FrameTimes,
    rotation: int,
    thresholds: Thresholds,
    spoken: sound.Speech | None,
) -> Screening:
    measures, hashes, pictures = measure(film, times, rotation)
    if spoken is not None:
        measures.speech_share = spoken.share
        if spoken.runs:
            start = float(times.seconds(0)) + max(0.0, spoken.runs[0][0])
            measures.speech_frame = times.frame_at(start)
    warnings = judge(measures, thresholds)
    missing = sorted({w.frame for w in warnings} - pictures.keys())
    for sample in sampling.decode_bursts(film, times, missing, 1):
        pictures[sample.frame] = _jpeg(sample, rotation)
    return Screening(measures, warnings, hashes, spoken, pictures)


def measure(
    film: sampling.Film, times: FrameTimes, rotation: int = 0
) -> tuple[Measures, list[tuple[int, int, int, int]], dict[int, bytes]]:
    """Decode the samples and measure them; no judgement. Raises `UnreadableVideo`."""
    wanted = _every_second(times)
    keys = sampling.keyframes(film, times)
    slots = {min(int(s * len(times)), len(times) - 1): n for n, s in enumerate(fingerprint.SLOTS)}
    measures, pictures = Measures(), dict[int, bytes]()
    hashes: list[tuple[int, int, int, int]] = []
    before: sampling.Grey | None = None
    shown = set(sampling.evenly(wanted, SHOWN))

    def look(sample: sampling.Sample) -> None:
        nonlocal before
        before = _measure_picture(sample, times, before, measures)
        if sample.frame in shown:
            pictures[sample.frame] = _jpeg(sample, rotation)

    def remember(sample: sampling.Sample) -> None:
        picture = sampling.upright_grey(sample.pictures[0], *MOTION, rotation)
        for kept, value in fingerprint.hashes(picture).items():
            hashes.append((slots[sample.frame], sample.frame, kept, value))

    if len(keys) >= sampling.ENOUGH * len(wanted) and len(keys) > 4:
        chosen = sampling.evenly(keys, MOST_SAMPLES)
        shown = set(sampling.evenly(chosen, SHOWN))
        for sample in sampling.decode_keyframes(film, times, chosen):
            look(sample)
        for sample in sampling.decode_bursts(film, times, sampling.evenly(chosen, BURSTS), 3):
            _measure_motion(sample, measures)
        for sample in sampling.decode_bursts(film, times, sorted(slots), 1):
            if sample.frame in slots:
                remember(sample)
    else:
        starts = [f for f in sampling.evenly(wanted, BURSTS) if f + 2 < len(times)]
        bursts: dict[int, list[Any]] = {start: [] for start in starts}
        union = {*wanted, *slots, *(f + i for f in starts for i in range(3))}
        looked = set(wanted)
        for sample in sampling.decode_every(film, times, sorted(union)):
            if sample.frame in looked:
                look(sample)
            if sample.frame in slots:
                remember(sample)
            for start in (sample.frame - i for i in range(3)):
                if start in bursts:
                    bursts[start] += sample.pictures
        for start, frames in bursts.items():
            _measure_motion(sampling.Sample(start, frames), measures)
    if not measures.frames:
        raise UnreadableVideo("None of its frames can be decoded.")
    return measures, hashes, pictures


# What `judge` may warn of; other warnings (damage, near-duplicates) know no thresholds.
JUDGED = frozenset({"dark", "over_exposed", "covered", "blurred", "frozen", "shaken", "speech"})


def judge(m: Measures, limits: Thresholds) -> list[Finding]:
    """The warnings that these measures give. Pure: a project's own thresholds ask it again."""
    found: list[Finding] = []

    def below(code: str, message: str, values: Sequence[float], limit: float) -> None:
        value = median(values)
        if value is not None and value < limit:
            found.append(Finding(code, message, _worst(m, values, low=True), value, limit))

    def above(code: str, message: str, values: Sequence[float], limit: float) -> None:
        value = median(values)
        if value is not None and value > limit:
            found.append(Finding(code, message, _worst(m, values, low=False), value, limit))

    below("dark", "The picture is dark.", m.mean, limits.dark_below)
    above("dark", "Most of the picture is black.", m.black, limits.black_share_above)
    above("over_exposed", "The picture is very bright.", m.mean, limits.bright_above)
    above("over_exposed", "Much of the picture is white.", m.clipped, limits.clipped_share_above)
    covered = [float(p > limits.covered_plain_above) for p in m.plain]
    share = float(np.mean(covered)) if covered else 0.0
    if found:
        pass  # in the dark, or in glare, nothing more can be said about the lens
    elif share > limits.covered_share_above:
        frame = m.frames[int(np.argmax(covered))]
        text = f"The lens seems covered in {share:.0%} of the samples."
        found.append(Finding("covered", text, frame, share, limits.covered_share_above))
    else:
        # A covered lens is blurred too; saying so twice helps nobody.
        below("blurred", "The picture is out of focus.", m.sharpness, limits.blurred_below)
    _judge_freeze(m, limits, found)
    shaken = median(m.shake)
    if shaken is not None and len(m.shake) >= 3 and shaken > limits.shaken_above:
        frame = m.shake_frames[int(np.argmax(m.shake))]
        text = "The camera shakes."
        found.append(Finding("shaken", text, frame, shaken, limits.shaken_above))
    spoken, heard_at = m.speech_share, m.speech_frame
    if spoken is not None and heard_at is not None and spoken > limits.speech_share_above:
        text = f"People seem to speak ({spoken:.0%} of the sound): mind their privacy."
        found.append(Finding("speech", text, heard_at, spoken, limits.speech_share_above))
    return _one_per_code(found)


def _judge_freeze(m: Measures, limits: Thresholds, found: list[Finding]) -> None:
    longest, longest_from, start = 0.0, 0, 0
    for n in range(1, len(m.frames) + 1):
        change = m.change[n] if n < len(m.frames) else None
        if change is not None and change < limits.frozen_below:
            continue
        stood = m.seconds[n - 1] - m.seconds[start]
        if stood > longest:
            longest, longest_from = stood, start
        start = n
    if longest >= limits.frozen_seconds:
        text = f"The picture stands still for {longest:.1f} s or more."
        frame = m.frames[longest_from]
        found.append(Finding("frozen", text, frame, longest, limits.frozen_seconds))


def _one_per_code(found: list[Finding]) -> list[Finding]:
    return list({w.code: w for w in reversed(found)}.values())[::-1]


def _every_second(times: FrameTimes) -> list[int]:
    span = float(times.seconds_from_start(len(times) - 1))
    count = min(MOST_SAMPLES, len(times), max(2, int(span) + 1))
    start = float(times.seconds(0))
    return sorted({times.frame_at(start + float(s)) for s in np.linspace(0, span, count)})


def _measure_picture(
    sample: sampling.Sample, times: FrameTimes, before: sampling.Grey | None, m: Measures
) -> sampling.Grey:
    frame = sample.pictures[0]
    height = max(36, round(WIDTH * frame.height / frame.width / 2) * 2)
    picture = sampling.grey(frame, WIDTH, height)
    mean, black, clipped = picture_measures.brightness(picture)
    small = picture_measures.quarter(picture)
    m.frames.append(sample.frame)
    m.seconds.append(float(times.seconds(sample.frame)))
    m.sharpness.append(picture_measures.sharpness(picture))
    m.mean.append(mean)
    m.black.append(black)
    m.clipped.append(clipped)
    m.plain.append(picture_measures.plain_share(picture))
    m.change.append(
        None
        if before is None or before.shape != small.shape
        else picture_measures.difference(before, small)
    )
    return small


def _measure_motion(sample: sampling.Sample, m: Measures) -> None:
    value = picture_measures.shake([sampling.grey(f, *MOTION) for f in sample.pictures[:3]])
    if value is not None:
        m.shake_frames.append(sample.frame)
        m.shake.append(value)


def _jpeg(sample: sampling.Sample, rotation: int) -> bytes:
    out = io.BytesIO()
    sampling.upright(sample.pictures[0], SHOWN_WIDTH, rotation).save(out, "JPEG", quality=75)
    return out.getvalue()


def _short(value: Any) -> Any:
    return float(f"{value:.6g}") if isinstance(value, float) else value


def median(values: Sequence[float]) -> float | None:
    """None of nothing."""
    return float(np.median(values)) if values else None


def _worst(m: Measures, values: Sequence[float], *, low: bool) -> int:
    return m.frames[int(np.argmin(values) if low else np.argmax(values))]
