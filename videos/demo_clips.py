"""Short first-person-like clips with the frame number burned in. Deterministic. No Django.

The product cannot ship other people's footage, so the demo and the tests draw their own: a table,
two hands that reach for things, a head that sways. Every frame carries its number twice: as digits
for people, and as a barcode along the lower edge that a test can read from pixels.

The variants are the traps that real uploads hold: variable rate, late start, edit list, one frame.
"""

from __future__ import annotations

import json
import math
import random
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from itertools import accumulate
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.container import OutputContainer
from av.video.stream import VideoStream
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

WIDTH, HEIGHT = 640, 360
TICKS = 90_000  # time base of the video stream

# The barcode: CELLS squares of CELL pixels from the lower left corner: white, black, then the
# frame's number in BITS bits, most significant first, white for 1, then even parity.
CELL = 16
BITS = 16
CELLS = 2 + BITS + 1

DATA = Path(__file__).resolve().parent / "demo_data" / "goalstep_extract.json"


@dataclass(frozen=True)
class Kind:
    """How a clip's frames lie in time.

    Attributes:
        fps: frames per second (the average of a variable one).
        hidden: leading frames that an edit list hides; the burned-in number counts them too.
        late_frames: frames by which the first one comes after zero.
    """

    name: str
    fps: Fraction = Fraction(30)
    variable: bool = False
    hidden: int = 0
    late_frames: int = 0
    audio: bool = False
    only_frames: int | None = None


KINDS = {
    kind.name: kind
    for kind in (
        Kind("regular", audio=True),
        Kind("ntsc", Fraction(30000, 1001)),
        Kind("variable", variable=True),
        Kind("fast", Fraction(60)),
        Kind("late", late_frames=1),
        Kind("edited", hidden=45),
        Kind("single", only_frames=1),
    )
}
DEMO_KINDS = ("regular", "ntsc", "variable", "fast")


@dataclass(frozen=True)
class DemoClip:
    """A generated clip and a plausible timeline for it."""

    path: Path
    title: str
    steps: list[dict[str, Any]]  # start_seconds, end_seconds, description, category


def generate_demo_clips(folder: Path, count: int = 4, seconds: float = 10) -> list[DemoClip]:
    """Write `count` clips of about `seconds` seconds into `folder`, each with a timeline.

    Files that are there already are kept. Timelines are cut from Ego4D Goal-Step (MIT) and scaled
    to the clip's length.
    """
    folder.mkdir(parents=True, exist_ok=True)
    extracts = json.loads(DATA.read_text())["extracts"]
    clips = []
    for number in range(count):
        kind = KINDS[DEMO_KINDS[number % len(DEMO_KINDS)]]
        extract = extracts[number % len(extracts)]
        path = folder / f"demo-{number + 1}-{kind.name}-{seconds:g}s.mp4"
        if not path.exists():
            part = path.with_suffix(".part")
            write_clip(part, kind, seconds=seconds, seed=number)
            part.replace(path)
        title = f"{extract['goal']} (demo {number + 1}, {kind.name})"
        clips.append(DemoClip(path, title, scaled_steps(extract, seconds)))
    return clips


def scaled_steps(extract: dict[str, Any], seconds: float) -> list[dict[str, Any]]:
    """The extract's steps with its window squeezed into `0 … seconds`."""
    start, end = extract["window"]
    factor = seconds / (end - start)
    return [
        {
            "start_seconds": round((step["start_time"] - start) * factor, 3),
            "end_seconds": round((step["end_time"] - start) * factor, 3),
            "description": step["step_description"].strip(),
            "category": step["step_category"],
        }
        for step in extract["steps"]
    ]


def frame_ticks(kind: Kind, seconds: float, seed: int = 0) -> list[int]:
    """Presentation times of a clip's displayed frames, in ticks of 1/90000 s.

    The expectation that tests compare a probe with: made here, not read from the file.
    """
    count = kind.only_frames or max(1, round(seconds * float(kind.fps)))
    step = Fraction(TICKS) / kind.fps
    if kind.variable:
        chance = random.Random(seed)
        gaps = [round(step * chance.choice((1, 1, 1, 2, Fraction(1, 2)))) for _ in range(count)]
        ticks = list(accumulate(gaps[:-1], initial=0))
    else:
        ticks = [round(i * step) for i in range(count + kind.hidden)]
    ticks = [t + round(kind.late_frames * step) for t in ticks]
    if kind.hidden:
        zero = ticks[kind.hidden]
        ticks = [t - zero for t in ticks[kind.hidden :]]
    return ticks


def write_clip(
    path: Path,
    kind: Kind,
    *,
    seconds: float = 10,
    seed: int = 0,
    size: tuple[int, int] = (WIDTH, HEIGHT),
) -> None:
    """Draw and encode one clip (H.264 with B-frames, MP4) to `path`, replacing it.

    `size` is (width, height) in pixels, both even, the width at least CELLS * CELL.
    """
    displayed = frame_ticks(kind, seconds, seed)
    step = round(Fraction(TICKS) / kind.fps)
    ticks = [displayed[0] - step * n for n in range(kind.hidden, 0, -1)] + displayed
    options = {
        "avoid_negative_ts": "disabled",  # packets before zero become an edit list
        "movie_timescale": str(TICKS),  # or a late start is rounded to milliseconds
        "fflags": "+bitexact",  # no date, no version: the same bytes every time
    }
    with av.open(str(path), "w", format="mp4", options=options) as out:
        video = _video_stream(out, kind, size)
        sound = out.add_stream("aac", rate=16_000, layout="mono") if kind.audio else None
        shift = kind.hidden * step  # encoders want times from zero; packets are moved back after
        for index, picture in enumerate(_pictures(len(ticks), kind, seed, size)):
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts, frame.time_base = ticks[index] + shift, Fraction(1, TICKS)
            _mux(out, video.encode(frame), shift)
        _mux(out, video.encode(None), shift)
        if sound is not None:
            for chunk in _sound((ticks[-1] + step) / TICKS):
                out.mux(sound.encode(chunk))
            out.mux(sound.encode(None))


def read_barcode(picture: NDArray[Any]) -> int | None:
    """The frame number in a picture (height, width[, colours]) of any size, or None.

    The inverse of the drawing: proof that a frame is the frame it is said to be.
    """
    grey = picture if picture.ndim == 2 else picture.mean(axis=2)
    height, width = grey.shape
    scale = height / HEIGHT
    y = round(height - CELL * scale / 2)
    xs = [round((i + 0.5) * CELL * scale) for i in range(CELLS)]
    if xs[-1] >= width:
        return None
    lit = [bool(grey[y - 1 : y + 2, x - 1 : x + 2].mean() > 127) for x in xs]
    bits = lit[2 : 2 + BITS]
    if not lit[0] or lit[1] or lit[-1] != (sum(bits) % 2 == 1):
        return None
    return sum(bit << (BITS - 1 - i) for i, bit in enumerate(bits))


# --- drawing -----------------------------------------------------------------------------------


def _pictures(
    count: int, kind: Kind, seed: int, size: tuple[int, int]
) -> Iterator[NDArray[np.uint8]]:
    chance = random.Random(seed)
    table = _table_top(chance)
    things = [
        (chance.uniform(0.15, 0.85), chance.uniform(0.35, 0.75), chance.randrange(4), _hue(chance))
        for _ in range(6)
    ]
    big, small = ImageFont.load_default(28), ImageFont.load_default(14)
    for index in range(count):
        second = index / float(kind.fps)
        sway = (12 * math.sin(second * 1.7 + seed), 7 * math.sin(second * 2.9))
        left, top = 40 + round(sway[0]), 30 + round(sway[1])
        picture = table.crop((left, top, left + WIDTH, top + HEIGHT))
        draw = ImageDraw.Draw(picture)
        for x, y, shape, colour in things:
            _thing(draw, x * WIDTH - sway[0], y * HEIGHT - sway[1], shape, colour)
        _hand(draw, things[int(second / 2) % 6], second, sway, side=-1)
        _hand(draw, things[int(second / 3 + 2) % 6], second * 0.8 + 1, sway, side=1)
        draw.rectangle((8, 8, 150, 44), fill=(0, 0, 0))
        draw.text((16, 8), f"{index:06d}", fill=(255, 255, 255), font=big)
        draw.text((160, 16), f"{kind.name} {second:.3f} s", fill=(255, 255, 255), font=small)
        _barcode(draw, index)
        if size != (WIDTH, HEIGHT):
            picture = picture.resize(size, Image.Resampling.BILINEAR)
        yield np.asarray(picture)


def _table_top(chance: random.Random) -> Image.Image:
    noise = np.random.default_rng(chance.randrange(2**32))
    height, width = HEIGHT + 60, WIDTH + 80
    base = np.array([150, 112, 74], dtype=np.float64) + chance.uniform(-20, 20)
    grain = noise.normal(0, 10, (height // 4, width)).repeat(4, axis=0)[:, :, None]
    light = np.linspace(1.15, 0.8, height)[:, None, None]
    speckle = noise.normal(0, 5, (height, width, 1))
    pixels = (base + grain + speckle) * light
    return Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8))


def _hue(chance: random.Random) -> tuple[int, int, int]:
    return chance.randrange(40, 240), chance.randrange(40, 240), chance.randrange(40, 240)


def _thing(
    draw: ImageDraw.ImageDraw, x: float, y: float, shape: int, colour: tuple[int, int, int]
) -> None:
    box = (x - 30, y - 22, x + 30, y + 22)
    if shape == 0:
        draw.ellipse(box, fill=colour, outline=(30, 30, 30), width=2)
    elif shape == 1:
        draw.rectangle(box, fill=colour, outline=(30, 30, 30), width=2)
    elif shape == 2:
        draw.rounded_rectangle(box, 12, fill=colour, outline=(250, 250, 250), width=3)
    else:
        draw.polygon([(x, y - 28), (x + 32, y + 22), (x - 32, y + 22)], fill=colour)


def _hand(
    draw: ImageDraw.ImageDraw,
    thing: tuple[float, float, int, tuple[int, int, int]],
    second: float,
    sway: tuple[float, float],
    side: int,
) -> None:
    reach = 0.5 + 0.5 * math.sin(second * 2.2)
    rest = (WIDTH * (0.5 + side * 0.28), HEIGHT * 1.02)
    goal = (thing[0] * WIDTH - sway[0], thing[1] * HEIGHT - sway[1])
    x, y = (r + (g - r) * reach for r, g in zip(rest, goal, strict=True))
    skin, edge = (224, 172, 138), (120, 80, 60)
    draw.line([(WIDTH * (0.5 + side * 0.4), HEIGHT + 40), (x, y)], fill=skin, width=44)
    draw.ellipse((x - 30, y - 26, x + 30, y + 26), fill=skin, outline=edge, width=2)
    for finger in range(4):
        angle = -math.pi / 2 + (finger - 1.5) * 0.35
        tip = (x + 44 * math.cos(angle), y + 44 * math.sin(angle))
        draw.line([(x, y), tip], fill=skin, width=12)


def _barcode(draw: ImageDraw.ImageDraw, index: int) -> None:
    bits = [bool(index >> (BITS - 1 - i) & 1) for i in range(BITS)]
    cells = [True, False, *bits, sum(bits) % 2 == 1]
    draw.rectangle((0, HEIGHT - CELL, CELL * CELLS, HEIGHT), fill=(0, 0, 0))
    for i, lit in enumerate(cells):
        if lit:
            draw.rectangle((i * CELL, HEIGHT - CELL, (i + 1) * CELL - 1, HEIGHT), (255, 255, 255))


# --- encoding ----------------------------------------------------------------------------------


def _video_stream(out: OutputContainer, kind: Kind, size: tuple[int, int]) -> VideoStream:
    stream = out.add_stream("libx264", rate=kind.fps)
    assert isinstance(stream, VideoStream)
    stream.width, stream.height = size
    stream.pix_fmt = "yuv420p"
    stream.time_base = Fraction(1, TICKS)
    stream.codec_context.time_base = Fraction(1, TICKS)
    stream.codec_context.thread_count = 1  # the same bytes on every machine
    stream.options = {"preset": "veryfast", "crf": "24", "bf": "2", "g": "60"}
    return stream


def _mux(out: OutputContainer, packets: list[Any], shift: int) -> None:
    for packet in packets:
        if shift and packet.pts is not None and packet.dts is not None:
            packet.pts -= shift
            packet.dts -= shift
        out.mux(packet)


def _sound(seconds: float) -> Iterator[av.AudioFrame]:
    """Soft noise with a knock every second: something to see in the strip, and no speech."""
    rate = 16_000
    time = np.arange(int(seconds * rate)) / rate
    noise = np.random.default_rng(0).normal(0, 1, len(time))
    wave = noise * (0.004 + 0.25 * np.exp(-((time % 1.0) * 60)))
    samples = (np.clip(wave, -1, 1) * 32767).astype(np.int16)
    for start in range(0, len(samples), 1024):
        frame = av.AudioFrame.from_ndarray(
            samples[None, start : start + 1024], format="s16", layout="mono"
        )
        frame.sample_rate, frame.pts = rate, start
        frame.time_base = Fraction(1, rate)
        yield frame
