"""Opening a file that strangers uploaded: which formats, and what counts as unreadable. No Django.

FFmpeg reads play lists and scripts that name other files or addresses; an upload must never make
us read those, so only plain containers and the local file protocol are allowed.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import av
from av.container import InputContainer
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

# FFmpeg's own names. No hls, dash, concat, image2, lavfi: those open other files.
FORMATS = "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,mpegts,mpeg,flv,ogg,asf"
CODECS = frozenset(
    {"h264", "hevc", "av1", "libdav1d", "libaom-av1", "vp8", "vp9", "libvpx", "libvpx-vp9"}
    | {"mpeg4", "mpeg2video", "mpeg1video", "mjpeg", "theora", "h263", "prores", "dnxhd"}
    | {"wmv3", "vc1", "msmpeg4v3"}
)
MAX_SIDE = 8192  # pixels
MAX_PIXELS = 8192 * 4352  # a little above 8K


class UnreadableVideo(Exception):
    """The file cannot be decoded into frames. The text says why, to a person."""


@contextmanager
def open_video(path: str | Path) -> Iterator[tuple[InputContainer, VideoStream]]:
    """Open `path` and its one video stream (cover pictures do not count).

    Raises `UnreadableVideo` for a format or codec that is not allowed, for a missing or absurdly
    large picture, and for whatever FFmpeg itself refuses.
    """
    try:
        container = av.open(
            str(path),
            options={"format_whitelist": FORMATS, "protocol_whitelist": "file"},
            metadata_errors="replace",
        )
    except av.FFmpegError as error:
        raise UnreadableVideo(f"Not a readable video file: {_reason(error)}.") from error
    with container:
        yield container, _video_stream(container)


def _video_stream(container: InputContainer) -> VideoStream:
    streams = [
        stream
        for stream in container.streams.video
        if not stream.disposition & stream.disposition.__class__.attached_pic
    ]
    if not streams:
        raise UnreadableVideo("The file has no video stream.")
    stream = streams[0]
    context = stream.codec_context
    if context is None or context.name not in CODECS:
        name = context.name if context is not None else "unknown"
        raise UnreadableVideo(f"Its codec ({name}) is not supported.")
    if context.width <= 0 or context.height <= 0:
        raise UnreadableVideo("The picture has no size.")
    if max(context.width, context.height) > MAX_SIDE or context.width * context.height > MAX_PIXELS:
        raise UnreadableVideo(f"The picture is too large ({context.width} by {context.height}).")
    return stream


def decode_displayed(
    container: InputContainer, stream: VideoStream, *, wanted_from: int | None = None
) -> Iterator[VideoFrame]:
    """Decode every displayed frame, going on after damaged packets as a player does.

    Frames come in presentation order. Damaged packets yield no frame and no exception: compare
    with the time table to learn which frames are missing. Before the tick `wanted_from`, frames
    that no other frame needs are not decoded at all.
    """
    context = stream.codec_context
    hidden: set[int] = set()
    for packet in container.demux(stream):
        if packet.is_discard and packet.pts is not None:
            hidden.add(packet.pts)
        if wanted_from is not None:
            before = packet.pts is not None and packet.pts < wanted_from
            context.skip_frame = "NONREF" if before else "DEFAULT"
        try:
            frames = packet.decode()
        except av.FFmpegError:
            continue
        for frame in frames:
            if isinstance(frame, VideoFrame) and frame.pts not in hidden:
                yield frame


def _reason(error: av.FFmpegError) -> str:
    text = (error.strerror or type(error).__name__).strip().rstrip(".")
    return text[:1].lower() + text[1:]
