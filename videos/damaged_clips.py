"""Damaged copies of a clip, to see what screening finds and what it misses. No Django."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.filter import Graph
from av.video.frame import VideoFrame
from av.video.stream import VideoStream
from numpy.typing import NDArray

from videos.container import decode_displayed, open_video

Change = Callable[[Iterator[VideoFrame]], Iterator[VideoFrame]]


def filtered(*chain: str) -> Change:
    """FFmpeg filters, each `name=arguments`."""

    def change(frames: Iterator[VideoFrame]) -> Iterator[VideoFrame]:
        graph: Graph | None = None
        for frame in frames:
            if graph is None:
                graph = Graph()
                head = graph.add_buffer(
                    width=frame.width,
                    height=frame.height,
                    format=frame.format,
                    time_base=frame.time_base,
                )
                nodes = [head]
                for part in (*chain, "format=yuv420p"):
                    name, _, arguments = part.partition("=")
                    nodes.append(graph.add(name, arguments))
                nodes.append(graph.add("buffersink"))
                graph.link_nodes(*nodes).configure()
            graph.vpush(frame)
            yield graph.vpull()

    return change


def frozen(from_share: float = 0.4, seconds: float = 5.0) -> Change:
    """The picture stands still from a share of ten seconds on."""

    def change(frames: Iterator[VideoFrame]) -> Iterator[VideoFrame]:
        held: NDArray[np.uint8] | None = None
        for frame in frames:
            at = frame.time or 0.0
            if from_share * 10 <= at < from_share * 10 + seconds:
                if held is None:
                    held = frame.to_ndarray(format="rgb24").astype(np.uint8, copy=False)
                still = VideoFrame.from_ndarray(held, format="rgb24")
                still.pts, still.time_base = frame.pts, frame.time_base
                yield still
            else:
                yield frame

    return change


def shaken(share: float = 0.03, seed: int = 0) -> Change:
    """The camera trembles by about `share` of the picture's width from frame to frame."""

    def change(frames: Iterator[VideoFrame]) -> Iterator[VideoFrame]:
        chance = np.random.default_rng(seed)
        for frame in frames:
            picture = frame.to_ndarray(format="rgb24").astype(np.uint8, copy=False)
            height, width = picture.shape[:2]
            margin = round(width * share * 2)
            dx, dy = np.clip(chance.normal(0, width * share, 2), -margin, margin).astype(int)
            left, top = margin + dx, (margin + dy) // 2
            part = picture[top : top + height - margin, left : left + width - 2 * margin]
            even = part[: part.shape[0] // 2 * 2, : part.shape[1] // 2 * 2]
            whole: NDArray[np.uint8] = np.ascontiguousarray(even)
            moved = VideoFrame.from_ndarray(whole, format="rgb24")
            moved.pts, moved.time_base = frame.pts, frame.time_base
            yield moved

    return change


_GREYED = "lutyuv=y=val*0.3+45"  # a finger: little contrast

# name → (what is done, the warning it should give; None for copies, which near-duplicates find)
VARIANTS: dict[str, tuple[Change, str | None]] = {
    "blurred": (filtered("gblur=sigma=4"), "blurred"),
    "covered": (filtered("gblur=sigma=60", _GREYED, "noise=alls=4:allf=t"), "covered"),
    "dark": (filtered("lutyuv=y=val*0.12+14"), "dark"),
    "over-exposed": (filtered("lutyuv=y=clip(val*1.9+60\\,0\\,255)"), "over_exposed"),
    "frozen": (frozen(), "frozen"),
    "shaken": (shaken(), "shaken"),
    "re-encoded copy": (filtered("scale=320:180"), None),
    "cropped copy": (filtered("crop=trunc(iw*0.9/2)*2:trunc(ih*0.9/2)*2", "scale=480:270"), None),
}  # fmt: skip


def write_variant(source: Path, target: Path, change: Change, *, crf: int = 28) -> None:
    """Encode a changed copy of `source` (H.264, MP4, picture only) with its own frame times."""
    with open_video(source) as (container, stream), av.open(str(target), "w", format="mp4") as out:
        base = Fraction(stream.time_base or 0)
        video: VideoStream | None = None
        for frame in change(decode_displayed(container, stream)):
            if video is None:
                made = out.add_stream("libx264", rate=stream.average_rate or Fraction(30))
                assert isinstance(made, VideoStream)
                video = made
                video.width, video.height = frame.width, frame.height
                video.pix_fmt = "yuv420p"
                video.time_base = video.codec_context.time_base = base
                video.options = {"preset": "veryfast", "crf": str(crf)}
            frame.pict_type = 0
            out.mux(video.encode(frame))
        if video is not None:
            out.mux(video.encode(None))
