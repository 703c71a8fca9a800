"""The file that browsers play: the source's displayed frames at their own times. No Django.

H.264, 480 lines, GOP 12, no B-frames, no edit list, turned upright, starting at zero. What tools do
by default (invent or drop frames for a constant rate, shift a start) would put every label on a
wrong frame, so the result is checked against the time table before anybody may see it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
from av.audio.frame import AudioFrame
from av.audio.stream import AudioStream
from av.container import InputContainer, OutputContainer
from av.filter import Graph
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from videos.container import UnreadableVideo, decode_displayed, open_video
from videos.timetable import FrameTimes

GOP = 12
HEIGHT = 480
LARGE_HEIGHT = 720
CRF = 24
AUDIO_RATE = 48_000
MAX_MISSING_SHARE = 0.5

_TURN = {90: "transpose=clock", 180: "hflip,vflip", 270: "transpose=cclock"}


class WrongProxy(Exception):
    """The proxy does not have the source's frames at the source's times. A bug, not bad input."""


@dataclass
class ProxyReport:
    """What was found while every frame was decoded.

    Attributes:
        missing: runs of frames `[start, end)` that could not be decoded; each shows the picture
            before it (or, at the start, the one after it).
        corrupt: single frames that the decoder marked as damaged.
    """

    frame_count: int
    width: int
    height: int
    has_audio: bool
    missing: list[tuple[int, int]] = field(default_factory=list)
    corrupt: list[int] = field(default_factory=list)

    @property
    def missing_count(self) -> int:
        return sum(end - start for start, end in self.missing)


def make_proxy(
    source: Path,
    target: Path,
    *,
    times: FrameTimes,
    rotation: int = 0,
    height: int = HEIGHT,
    audio: bool = True,
) -> ProxyReport:
    """Write the proxy of `source` to `target` (MP4) and check it frame by frame.

    Arguments:
        times: the source's time table; the proxy gets these frames, less `times.seconds(0)`.
        rotation: degrees clockwise, drawn into the picture.
        height: at most so many pixels on the shorter side; never enlarged.

    Raises `UnreadableVideo` when more than half of the frames cannot be decoded, `WrongProxy` when
    the check fails.
    """
    with open_video(source) as (container, stream):
        stream.thread_type = "AUTO"
        options = {
            "movflags": "+faststart",
            "use_editlist": "0",
            "avoid_negative_ts": "disabled",
            "video_track_timescale": str(times.time_base.denominator),
            "fflags": "+bitexact",
        }
        with av.open(str(target), "w", format="mp4", options=options) as out:
            writer = _Writer(out, stream, times, rotation, height)
            sound = _Sound.of(container, out, times) if audio else None
            _transcode(container, stream, writer, sound)
            if writer.next_frame < len(times):
                _show_tail(source, writer, int(times.pts[writer.next_frame]))
            report = writer.finish()
            report.has_audio = sound.finish() if sound is not None else False
    check_proxy(target, times)
    return report


def _transcode(
    container: InputContainer, stream: VideoStream, writer: _Writer, sound: _Sound | None
) -> None:
    streams = [stream, sound.source] if sound is not None else [stream]
    hidden: set[int] = set()
    for packet in _packets(container, streams):
        if packet.stream.index != stream.index:
            assert sound is not None
            sound.feed(packet)
            continue
        if packet.is_discard and packet.pts is not None:
            hidden.add(packet.pts)
        try:
            frames = packet.decode()
        except av.FFmpegError:
            continue  # a damaged packet: its frame will be missing
        for frame in frames:
            if frame.pts is not None and frame.pts not in hidden:
                writer.show(frame)


def _show_tail(source: Path, writer: _Writer, tick: int) -> None:
    """Decode once more from `tick` on, without threads.

    Threads hand their last pictures over together, and a damaged one takes those before it along.
    """
    with open_video(source) as (container, stream), suppress(av.FFmpegError):
        with suppress(av.FFmpegError):  # else from the start
            container.seek(tick, stream=stream, backward=True)
        for frame in decode_displayed(container, stream):
            writer.show(frame)


def _packets(container: InputContainer, streams: list[Any]) -> Iterator[Any]:
    try:
        yield from container.demux(*streams)
    except av.FFmpegError:
        return  # a damaged tail; the table was made from the same packets


class _Writer:
    """Puts each decoded picture at its place in the table and fills the holes."""

    def __init__(
        self,
        out: OutputContainer,
        source: VideoStream,
        times: FrameTimes,
        rotation: int,
        height: int,
    ) -> None:
        self._out = out
        self._times = times
        self._next = 0
        self._last: VideoFrame | None = None
        context = source.codec_context
        self._size = proxy_size(context.width, context.height, rotation, height)
        self._filter = _Upright(rotation, self._size)
        self._stream = _proxy_stream(out, times, self._size)
        self._report = ProxyReport(len(times), *self._size, has_audio=False)

    def show(self, frame: VideoFrame) -> None:
        place = self._times.frame_of(frame.pts)
        if place is None or place < self._next:
            return  # the table does not know it, or it comes twice
        if frame.is_corrupt:
            self._report.corrupt.append(place)
        picture = self._filter(frame)
        if place > self._next:
            self._fill(place, self._last or picture)
        self._encode(picture, place)
        self._last = picture

    @property
    def next_frame(self) -> int:
        """The first frame that has not been shown."""
        return self._next

    def finish(self) -> ProxyReport:
        count = len(self._times)
        if self._next < count:
            if self._last is None:
                raise UnreadableVideo("None of its frames can be decoded.")
            self._fill(count, self._last)
        self._mux(self._stream.encode(None))
        missing = self._report.missing_count
        if missing > MAX_MISSING_SHARE * count:
            raise UnreadableVideo(f"{missing} of its {count} frames cannot be decoded.")
        return self._report

    def _fill(self, until: int, picture: VideoFrame) -> None:
        self._report.missing.append((self._next, until))
        for place in range(self._next, until):
            self._encode(picture, place)

    def _encode(self, picture: VideoFrame, place: int) -> None:
        base = self._times.time_base
        picture.pts = int(self._times.pts[place] - self._times.pts[0]) * base.numerator
        picture.time_base = Fraction(1, base.denominator)
        picture.pict_type = 0  # the source's own types must not steer the encoder
        self._next = place + 1
        self._mux(self._stream.encode(picture))

    def _mux(self, packets: list[Any]) -> None:
        for packet in packets:
            self._out.mux(packet)


class _Upright:
    """Scales and turns pictures; built anew when a stream changes its picture size midway."""

    def __init__(self, rotation: int, size: tuple[int, int]) -> None:
        self._rotation = rotation
        self._size = size
        self._shape: tuple[int, int, str] | None = None
        self._graph: Graph | None = None

    def __call__(self, frame: VideoFrame) -> VideoFrame:
        shape = (frame.width, frame.height, frame.format.name)
        if self._graph is None or shape != self._shape:
            self._graph, self._shape = self._build(frame), shape
        self._graph.vpush(frame)
        return self._graph.vpull()

    def _build(self, frame: VideoFrame) -> Graph:
        graph = Graph()
        width, height = self._size
        turned = self._rotation in (90, 270)
        scale = f"{height}:{width}" if turned else f"{width}:{height}"
        # Scale first: turning the smaller picture is cheaper.
        chain = [graph.add_buffer(width=frame.width, height=frame.height, format=frame.format,
                                  time_base=Fraction(1, 1000))]  # fmt: skip
        for text in filter(None, [f"scale={scale}", _TURN.get(self._rotation, "")]):
            for part in text.split(","):
                name, _, arguments = part.partition("=")
                chain.append(graph.add(name, arguments))
        chain.append(graph.add("format", "yuv420p"))
        chain.append(graph.add("buffersink"))
        graph.link_nodes(*chain).configure()
        return graph


class _Sound:
    """The sound, re-encoded and moved so that it fits the proxy's clock. Damage is silence."""

    def __init__(
        self, source: AudioStream, out: OutputContainer, shift: Fraction, end: Fraction
    ) -> None:
        self.source = source
        self._out = out
        self._shift = shift
        self._end = end
        self._graph: Graph | None = None
        self._shape: tuple[str, str, int] | None = None
        self._written = False
        stream = out.add_stream("aac", rate=AUDIO_RATE, layout="mono")
        assert isinstance(stream, AudioStream)
        stream.bit_rate = 64_000
        self._stream = stream

    @classmethod
    def of(
        cls, container: InputContainer, out: OutputContainer, times: FrameTimes
    ) -> _Sound | None:
        streams = [s for s in container.streams.audio if s.codec_context is not None]
        if not streams or streams[0].time_base is None:
            return None
        span = times.seconds(len(times) - 1) - times.seconds(0)
        step = span / max(1, len(times) - 1)
        return cls(streams[0], out, times.seconds(0), span + step)

    def feed(self, packet: Any) -> None:
        try:
            frames = packet.decode()
        except av.FFmpegError:
            return
        for frame in frames:
            if isinstance(frame, AudioFrame) and frame.pts is not None:
                self._push(frame)

    def finish(self) -> bool:
        """Flush. Whether there was any sound."""
        if self._graph is not None:
            self._graph.push(None)
            self._pull()
        self._mux(self._stream.encode(None))
        return self._written

    def _push(self, frame: AudioFrame) -> None:
        assert frame.pts is not None
        assert frame.time_base is not None
        at = frame.pts * frame.time_base - self._shift
        if at >= self._end:
            return
        frame.pts = round(at * frame.sample_rate)
        frame.time_base = Fraction(1, frame.sample_rate)
        shape = (frame.format.name, frame.layout.name, frame.sample_rate)
        if self._graph is None or shape != self._shape:
            self._graph, self._shape = self._build(frame), shape
        self._graph.push(frame)
        self._pull()

    def _build(self, frame: AudioFrame) -> Graph:
        graph = Graph()
        graph.link_nodes(
            graph.add_abuffer(
                format=frame.format.name,
                sample_rate=frame.sample_rate,
                layout=frame.layout.name,
                time_base=frame.time_base,
            ),
            # Sample 0 at time 0: silence before a late start, a cut before an early one.
            graph.add("aresample", f"{AUDIO_RATE}:async=1000:first_pts=0"),
            graph.add(
                "aformat", f"sample_fmts=fltp:sample_rates={AUDIO_RATE}:channel_layouts=mono"
            ),
            graph.add("abuffersink"),
        ).configure()
        return graph

    def _pull(self) -> None:
        assert self._graph is not None
        while True:
            try:
                frame = self._graph.pull()
            except (av.BlockingIOError, av.EOFError):
                return
            assert isinstance(frame, AudioFrame)
            self._mux(self._stream.encode(frame))

    def _mux(self, packets: list[Any]) -> None:
        for packet in packets:
            # The encoder's run-in lies before zero and would need an edit list.
            if packet.pts is not None and packet.pts >= 0:
                self._written = True
                self._out.mux(packet)


def proxy_size(width: int, height: int, rotation: int, shorter: int) -> tuple[int, int]:
    """(width, height) of the proxy in pixels: upright, even, short side at most `shorter`."""
    if rotation in (90, 270):
        width, height = height, width
    scale = min(Fraction(1), Fraction(shorter, min(width, height)))
    return max(2, round(width * scale / 2) * 2), max(2, round(height * scale / 2) * 2)


def _proxy_stream(out: OutputContainer, times: FrameTimes, size: tuple[int, int]) -> VideoStream:
    rate = (times.average_fps or Fraction(30)).limit_denominator(100_000)
    stream = out.add_stream("libx264", rate=rate)
    assert isinstance(stream, VideoStream)
    stream.width, stream.height = size
    stream.pix_fmt = "yuv420p"
    stream.time_base = Fraction(1, times.time_base.denominator)
    stream.codec_context.time_base = Fraction(1, times.time_base.denominator)
    stream.options = {
        "preset": "veryfast",
        "crf": str(CRF),
        "bf": "0",
        "g": str(GOP),
        "keyint_min": str(GOP),
        "flags": "+cgop",
    }
    return stream


def check_proxy(path: Path, times: FrameTimes) -> None:
    """Compare every packet of a proxy with the time table. Raises `WrongProxy`."""
    count, last_key = 0, 0
    with open_video(path) as (container, stream):
        base = Fraction(stream.time_base or 0)
        for packet in container.demux(stream):  # one by one: a proxy may be larger than memory
            if not packet.size:
                continue
            if packet.is_discard:
                raise WrongProxy("The proxy has an edit list.")
            if packet.pts is None or packet.pts != packet.dts:
                raise WrongProxy("The proxy has B-frames.")
            if count < len(times) and packet.pts * base != times.seconds_from_start(count):
                at, wanted = packet.pts * base, times.seconds_from_start(count)
                raise WrongProxy(f"Frame {count} is at {at} s, not {wanted} s.")
            if packet.is_keyframe:
                last_key = count
            if count - last_key >= GOP or (count == 0 and not packet.is_keyframe):
                raise WrongProxy("The proxy's keyframes are too far apart to seek quickly.")
            count += 1
    if count != len(times):
        raise WrongProxy(f"The proxy has {count} frames, the source {len(times)}.")
