"""What a file really holds, read from its packets. No Django.

The header lies: about the number of frames (truncated files), about the rate (variable ones) and
about what is displayed (edit lists). The packets do not.
"""

from __future__ import annotations

from array import array
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.container import InputContainer
from av.packet import Packet
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from videos.container import UnreadableVideo, open_video
from videos.timetable import MAX_FRAMES, FrameTimes

__all__ = ["MAX_SECONDS", "Probe", "UnreadableVideo", "probe"]

MAX_SECONDS = 4 * 3600  # a longer file is a mistake or an attack
DECODE_ATTEMPTS = 300  # packets to try before "nothing in it can be decoded"


@dataclass(frozen=True)
class Probe:
    """What the probe found.

    Attributes:
        times: one presentation time per displayed frame.
        duration_ticks: first frame's start to last frame's end, in ticks of the time base.
        width, height: coded pixels, before rotation.
        rotation: degrees clockwise that a player must turn the picture by: 0, 90, 180, 270.
        promised_frames: what the header says, 0 when it says nothing.
        hidden_frames: packets that an edit list hides.
    """

    times: FrameTimes
    duration_ticks: int
    width: int
    height: int
    rotation: int
    codec: str
    has_audio: bool
    variable_frame_rate: bool
    promised_frames: int
    hidden_frames: int

    @property
    def is_truncated(self) -> bool:
        """Whether the header promises more frames than the file holds."""
        return self.promised_frames > len(self.times) + self.hidden_frames


def probe(path: str | Path) -> Probe:
    """Read `path`'s packets and decode its first picture.

    Raises `UnreadableVideo` with a reason when the file has no usable frames or times.
    """
    with open_video(path) as (container, stream):
        read = _read(container, stream)
        if stream.time_base is None or stream.time_base <= 0:
            raise UnreadableVideo("The video stream has no time base.")
        time_base = Fraction(stream.time_base)
        context = stream.codec_context
        width, height, codec = context.width, context.height, context.name
        has_audio = any(s.codec_context is not None for s in container.streams.audio)
        promised = stream.frames
    # The container's index, tens of bytes per frame, is gone before the table is made.
    times, last_duration = _table(read, time_base)
    duration = int(times.pts[-1] - times.pts[0]) + last_duration
    if duration * time_base > MAX_SECONDS:
        hours = MAX_SECONDS // 3600
        raise UnreadableVideo(f"The video claims to be longer than {hours} hours.")
    return Probe(
        times=times,
        duration_ticks=duration,
        width=width,
        height=height,
        rotation=read.rotation,
        codec=codec,
        has_audio=has_audio,
        variable_frame_rate=times.is_variable,
        promised_frames=promised,
        hidden_frames=read.hidden,
    )


@dataclass
class _Packets:
    """What one pass over the packets tells."""

    pts: array[int]  # a list takes five times the memory
    hidden: int
    rotation: int
    last_duration: int  # of the packet that is shown last; 0 when it does not say


def _read(container: InputContainer, stream: VideoStream) -> _Packets:
    """Every packet once. The first picture is decoded on the way: it proves that there is one, and
    only frames tell the rotation. A second opening for it would hold the container's index twice.
    """
    pts = array("q")
    hidden, tried = 0, 0
    latest, last_duration = -(2**63), 0
    rotation: int | None = None
    try:
        for packet in container.demux(stream):
            if rotation is None and tried <= DECODE_ATTEMPTS:
                tried += 1
                rotation = _rotation(packet)
            if packet.size == 0:  # the flush at the end
                continue
            if packet.is_discard:
                hidden += 1
                continue
            if packet.pts is None:
                raise UnreadableVideo("Its frames carry no presentation times.")
            pts.append(packet.pts)
            if packet.pts > latest:
                latest, last_duration = packet.pts, packet.duration or 0
            if len(pts) > MAX_FRAMES:
                raise UnreadableVideo(f"It has more than {MAX_FRAMES} frames.")
    except av.FFmpegError as error:
        if not pts:
            raise UnreadableVideo(f"No frame could be read: {error.strerror}.") from error
        # A damaged tail: what was read before it is there.
    if not pts:
        raise UnreadableVideo("The file holds no displayed frame.")
    if rotation is None:
        raise UnreadableVideo("No frame could be decoded.")
    return _Packets(pts, hidden, rotation, last_duration)


def _table(read: _Packets, base: Fraction) -> tuple[FrameTimes, int]:
    ticks = np.sort(np.frombuffer(read.pts, dtype=np.int64))
    if bool((ticks[1:] == ticks[:-1]).any()):
        raise UnreadableVideo("Two of its frames claim the same presentation time.")
    last = read.last_duration
    if last <= 0:
        last = int(np.median(np.diff(ticks))) if len(ticks) > 1 else 1
    return FrameTimes(ticks, base), last


def _rotation(packet: Packet[VideoStream]) -> int | None:
    """Degrees clockwise that the packet's first picture is to be turned by; None without one."""
    try:
        frames = packet.decode()
    except av.FFmpegError:
        return None
    for frame in frames:
        if isinstance(frame, VideoFrame):
            # PyAV: counter-clockwise, -180 … 180, and it does not rotate.
            return round(-frame.rotation / 90) * 90 % 360
    return None
