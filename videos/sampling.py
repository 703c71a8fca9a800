"""Looking at some frames of a video without decoding all of it. No Django."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.container import InputContainer
from av.video.frame import VideoFrame
from av.video.stream import VideoStream
from numpy.typing import NDArray
from PIL import Image

from videos.container import decode_displayed, open_video
from videos.timetable import FrameTimes

ENOUGH = 0.4  # keyframes per wanted sample that spare decoding everything

Grey = NDArray[np.uint8]


@dataclass(frozen=True)
class Sample:
    """Consecutive displayed frames, the first of which is `frame`."""

    frame: int
    pictures: list[VideoFrame]


class Film:
    """One opening of a file for several passes over it, closed at the end of its `with`.

    Opening MP4 costs tens of bytes per frame for its index, and twice that for a moment: rewinding
    costs nothing.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._opening = ExitStack()
        self._opened: tuple[InputContainer, VideoStream] | None = None

    def __enter__(self) -> Film:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file; the next pass opens it again."""
        self._opened = None
        self._opening.close()

    def new(self) -> tuple[InputContainer, VideoStream]:
        """The file as just opened, nothing read or decoded. Raises `UnreadableVideo`."""
        self.close()
        self._opened = self._opening.enter_context(open_video(self._path))
        return self._opened

    def rewound(self, times: FrameTimes) -> tuple[InputContainer, VideoStream]:
        """The file from where all displayed frames can be decoded, without decoding in threads.

        Only MP4's index is exact enough to be trusted with that; others are opened again, and so is
        a file that cannot be sought (its sound begins later, for one).
        """
        if self._opened is None or "mp4" not in self._opened[0].format.name:
            return self.new()
        container, stream = self._opened
        try:
            container.seek(int(times.pts[0]), stream=stream, backward=True)
        except av.FFmpegError:
            return self.new()
        stream.codec_context.skip_frame = "DEFAULT"
        return container, stream


def keyframes(film: Film, times: FrameTimes) -> list[int]:
    """The displayed frames that can be decoded by themselves, in order. Reads packets only."""
    container, stream = film.rewound(times)
    found = {
        times.frame_of(packet.pts)
        for packet in _packets(container, stream)
        if packet.is_keyframe and not packet.is_discard
    }
    return sorted(frame for frame in found if frame is not None)


def evenly(items: Sequence[int], most: int) -> list[int]:
    """At most `most` of `items`, evenly spread, first and last among them."""
    if len(items) <= most:
        return list(items)
    return [items[i] for i in sorted({round(x) for x in np.linspace(0, len(items) - 1, most)})]


def decode_keyframes(film: Film, times: FrameTimes, wanted: Sequence[int]) -> Iterator[Sample]:
    """Decode only the keyframes `wanted` (frame numbers from :func:`keyframes`), in order."""
    chosen = set(wanted)
    container, stream = film.rewound(times)
    stream.codec_context.skip_frame = "NONKEY"
    for packet in _packets(container, stream):
        flush = packet.size == 0
        if not flush and not (packet.is_keyframe and times.frame_of(packet.pts) in chosen):
            continue
        for frame in _decoded(packet):
            at = times.frame_of(frame.pts)
            if at is not None and at in chosen:
                yield Sample(at, [frame])


def decode_bursts(
    film: Film, times: FrameTimes, wanted: Sequence[int], length: int
) -> Iterator[Sample]:
    """From each of `wanted` (frame numbers) the next `length` displayed frames.

    Seeks to the keyframe before each; ends early at the end of the video or at damage.
    """
    from_start: list[int] = []
    if wanted:
        container, stream = film.rewound(times)
    for first in wanted:
        try:
            container.seek(int(times.pts[first]), stream=stream, backward=True)
        except av.FFmpegError:
            from_start.append(first)  # e.g. its sound begins later than that
            continue
        if sample := _burst(container, stream, times, first, length):
            yield sample
    for first in from_start:
        if sample := _burst(*film.rewound(times), times, first, length):
            yield sample


def _burst(
    container: InputContainer, stream: VideoStream, times: FrameTimes, first: int, length: int
) -> Sample | None:
    last = min(first + length, len(times)) - 1
    low, high = int(times.pts[first]), int(times.pts[last])
    pictures: list[VideoFrame] = []
    start = None
    for frame in decode_displayed(container, stream, wanted_from=low):
        if frame.pts is None or frame.pts < low:
            continue
        if frame.pts <= high:
            if start is None:
                start = int(np.searchsorted(times.pts, frame.pts))
            pictures.append(frame)
        if frame.pts >= high:
            break
    return Sample(start, pictures) if start is not None else None


def decode_every(film: Film, times: FrameTimes, wanted: Sequence[int]) -> Iterator[Sample]:
    """Decode everything and yield the frames `wanted`: for files with few keyframes.

    Threads hand their last pictures over together, and a damaged one takes those before it along:
    what did not come at the end is decoded once more, without threads.
    """
    left = sorted(set(wanted))
    container, stream = film.new()
    stream.thread_type = "AUTO"
    for sample in _chosen(container, stream, times, left):
        left = left[bisect_right(left, sample.frame) :]  # frames that are skipped are damaged
        yield sample
    film.close()  # whoever goes on with it wants no threads
    if left:
        container, stream = film.new()
        with suppress(av.FFmpegError):  # else from the start
            container.seek(int(times.pts[left[0]]), stream=stream, backward=True)
        yield from _chosen(container, stream, times, left)


def _chosen(
    container: InputContainer, stream: VideoStream, times: FrameTimes, wanted: Sequence[int]
) -> Iterator[Sample]:
    chosen = set(wanted)
    with suppress(av.FFmpegError):  # a damaged tail
        for frame in decode_displayed(container, stream):
            at = times.frame_of(frame.pts)
            if at is not None and at in chosen:
                yield Sample(at, [frame])


def grey(frame: VideoFrame, width: int, height: int) -> Grey:
    """The picture's brightness as (height, width) uint8, 0 black … 255 white (full range)."""
    picture = frame.to_ndarray(format="gray", width=width, height=height, interpolation="AREA")
    return picture.astype(np.uint8, copy=False)


def upright(frame: VideoFrame, width: int, rotation: int) -> Image.Image:
    """The picture in colour as a player shows it, `width` pixels wide: PyAV does not rotate."""
    turned = rotation in (90, 270)
    shown = Fraction(frame.height, frame.width) if turned else Fraction(frame.width, frame.height)
    height = max(2, round(width / shown / 2) * 2)
    size = (height, width) if turned else (width, height)
    scaled = frame.reformat(width=size[0], height=size[1], format="rgb24")
    picture: Image.Image = scaled.to_image()  # type: ignore[no-untyped-call]
    return picture.rotate(-rotation, expand=True) if rotation else picture


def upright_grey(frame: VideoFrame, width: int, height: int, rotation: int) -> Grey:
    """`grey` of the picture as a player shows it."""
    size = (height, width) if rotation in (90, 270) else (width, height)
    return np.ascontiguousarray(np.rot90(grey(frame, *size), -rotation // 90))


def _packets(container: InputContainer, stream: VideoStream) -> Iterator[Any]:
    try:
        yield from container.demux(stream)
    except av.FFmpegError:
        return  # a damaged tail


def _decoded(packet: Any) -> list[VideoFrame]:
    try:
        return [frame for frame in packet.decode() if isinstance(frame, VideoFrame)]
    except av.FFmpegError:
        return []
