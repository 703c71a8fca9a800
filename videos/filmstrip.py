"""Small pictures for the strip under the timeline: sprite sheets and a WebVTT index. No Django."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np
from PIL import Image

from videos import sampling
from videos.container import UnreadableVideo
from videos.timetable import FrameTimes

TILE_WIDTH = 160
COLUMNS, ROWS = 10, 10
MOST_TILES = 300
LEAST_SECONDS = 0.5  # between tiles
QUALITY = 70


@dataclass(frozen=True)
class Filmstrip:
    """Which frame each tile shows; tile `n` is on sheet `n // (columns * rows)`, row by row."""

    tile_width: int
    tile_height: int
    columns: int
    rows: int
    frames: list[int]
    sheets: list[str]


def make_filmstrip(
    source: Path, folder: Path, *, times: FrameTimes, rotation: int = 0
) -> Filmstrip:
    """Write `sheet-N.jpg` into `folder`: a tile every half second, or 300 in all.

    Tiles are keyframes where there are enough of them; each knows its exact frame.
    """
    with sampling.Film(source) as film:
        return _laid_out(_samples(film, times), folder, rotation)


def _samples(film: sampling.Film, times: FrameTimes) -> Iterator[sampling.Sample]:
    wanted = _wanted(times)
    keys = sampling.keyframes(film, times)
    if len(keys) >= sampling.ENOUGH * len(wanted):
        return sampling.decode_keyframes(film, times, _nearest(keys, wanted))
    return sampling.decode_every(film, times, wanted)


def _laid_out(samples: Iterator[sampling.Sample], folder: Path, rotation: int) -> Filmstrip:
    frames: list[int] = []
    sheets: list[str] = []
    sheet: Image.Image | None = None
    width = height = 0
    per_sheet = COLUMNS * ROWS
    for sample in samples:
        tile = sampling.upright(sample.pictures[0], TILE_WIDTH, rotation)
        if not frames:
            width, height = tile.size
        if len(frames) % per_sheet == 0:
            _save(sheet, folder, sheets)
            sheet = Image.new("RGB", (width * COLUMNS, height * ROWS))
        assert sheet is not None
        at = len(frames) % per_sheet
        sheet.paste(tile.resize((width, height)), (at % COLUMNS * width, at // COLUMNS * height))
        frames.append(sample.frame)
    if not frames:
        raise UnreadableVideo("None of its frames can be decoded.")
    if sheet is not None and len(frames) % per_sheet:
        used = -(-(len(frames) % per_sheet) // COLUMNS)  # rows, rounded up
        sheet = sheet.crop((0, 0, sheet.width, used * height))
    _save(sheet, folder, sheets)
    return Filmstrip(width, height, COLUMNS, ROWS, frames, sheets)


def webvtt(strip: Filmstrip, times: FrameTimes, sheets: Sequence[str]) -> str:
    """The strip as WebVTT on the proxy's clock; `sheets` are the addresses of the sheets.

    WebVTT has milliseconds: use it for thumbnails, never to find a frame.
    """
    lines = ["WEBVTT", ""]
    per_sheet = strip.columns * strip.rows
    end = times.seconds_from_start(len(times) - 1) + Fraction(1, 1000)
    starts = [times.seconds_from_start(f) for f in strip.frames]
    starts[0] = Fraction(0)
    for n, start in enumerate(starts):
        stop = starts[n + 1] if n + 1 < len(starts) else max(end, start + Fraction(1, 1000))
        at = n % per_sheet
        x, y = at % strip.columns * strip.tile_width, at // strip.columns * strip.tile_height
        box = f"{x},{y},{strip.tile_width},{strip.tile_height}"
        lines += [f"{_clock(start)} --> {_clock(stop)}", f"{sheets[n // per_sheet]}#xywh={box}", ""]
    return "\n".join(lines)


def _wanted(times: FrameTimes) -> list[int]:
    span = float(times.seconds_from_start(len(times) - 1))
    count = min(MOST_TILES, len(times), max(1, int(span / LEAST_SECONDS) + 1))
    moments = np.linspace(0, span, count)
    start = float(times.seconds(0))
    return sorted({times.frame_at(start + float(m)) for m in moments})


def _nearest(keys: Sequence[int], wanted: Sequence[int]) -> list[int]:
    array = np.array(keys)
    return sorted({int(array[np.abs(array - frame).argmin()]) for frame in wanted})


def _save(sheet: Image.Image | None, folder: Path, sheets: list[str]) -> None:
    if sheet is None:
        return
    name = f"sheet-{len(sheets)}.jpg"
    sheet.save(folder / name, quality=QUALITY)
    sheets.append(name)


def _clock(seconds: Fraction) -> str:
    total = int(seconds * 1000)
    minutes, milliseconds = divmod(total, 60_000)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:02d}:{minutes:02d}:{milliseconds // 1000:02d}.{milliseconds % 1000:03d}"
