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
        rotation = _rotation(path)
        pts, durations, hidden = _packet_times(container, stream)
        time_base = stream.time_base
        if time_base is None or time_base <= 0:
            raise UnreadableVideo("The video stream has no time base.")
        times, last_duration = _table(pts, durations, Fraction(time_base))
        duration = int(times.pts[-1] - times.pts[0]) + last_duration
        if duration * times.time_base > MAX_SECONDS:
            hours = MAX_SECONDS // 3600
            raise UnreadableVideo(f"The video claims to be longer than {hours} hours.")
        context = stream.codec_context
        return Probe(
            times=times,
            duration_ticks=duration,
            width=context.width,
            height=context.height,
            rotation=rotation,
            codec=context.name,
            has_audio=any(s.codec_context is not None for s in container.streams.audio),
            variable_frame_rate=times.is_variable,
            promised_frames=stream.frames,
            hidden_frames=hidden,
        )


def _packet_times(
    container: InputContainer, stream: VideoStream
) -> tuple[array[int], array[int], int]:
    pts, durations = array("q"), array("q")  # a list takes five times the memory
    hidden = 0
    try:
        for packet in container.demux(stream):
            if packet.size == 0:  # the flush at the end
                continue
            if packet.is_discard:
                hidden += 1
                continue
            if packet.pts is None:
                raise UnreadableVideo("Its frames carry no presentation times.")
            pts.append(packet.pts)
            durations.append(packet.duration or 0)
            if len(pts) > MAX_FRAMES:
                raise UnreadableVideo(f"It has more than {MAX_FRAMES} frames.")
    except av.FFmpegError as error:
        if not pts:
            raise UnreadableVideo(f"No frame could be read: {error.strerror}.") from error
        # A damaged tail: what was read before it is there.
    if not pts:
        raise UnreadableVideo("The file holds no displayed frame.")
    return pts, durations, hidden


def _table(pts: array[int], durations: array[int], base: Fraction) -> tuple[FrameTimes, int]:
    ticks = np.array(pts, dtype=np.int64)
    order = np.argsort(ticks, kind="stable")
    ticks = ticks[order]
    if len(ticks) > 1 and bool((np.diff(ticks) == 0).any()):
        raise UnreadableVideo("Two of its frames claim the same presentation time.")
    last = durations[int(order[-1])]
    if last <= 0:
        last = int(np.median(np.diff(ticks))) if len(ticks) > 1 else 1
    return FrameTimes(ticks, base), last


def _rotation(path: str | Path) -> int:
    """Decode the first picture: proves that there is one, and only frames tell the rotation."""
    with open_video(path) as (container, stream):
        tried = 0
        try:
            for packet in container.demux(stream):
                tried += 1
                try:
                    frames = packet.decode()
                except av.FFmpegError:
                    frames = []
                for frame in frames:
                    if isinstance(frame, VideoFrame):
                        # PyAV: counter-clockwise, -180 … 180, and it does not rotate.
                        return round(-frame.rotation / 90) * 90 % 360
                if tried > DECODE_ATTEMPTS:
                    break
        except av.FFmpegError as error:
            raise UnreadableVideo(f"No frame could be read: {error.strerror}.") from error
    raise UnreadableVideo("No frame could be decoded.")
