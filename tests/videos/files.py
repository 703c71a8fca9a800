from __future__ import annotations

from io import BytesIO
from pathlib import Path

import av
from django.core.files.base import File

from videos.demo_clips import KINDS, write_clip


def named(content: bytes, name: str = "clip.mp4") -> File[bytes]:
    return File(BytesIO(content), name=name)


def cut_short(folder: Path, *, seconds: float, keep: float) -> Path:
    """A clip whose header comes first and whose data ends early: it promises more than it holds."""
    whole, fast, short = folder / "whole.mp4", folder / "fast.mp4", folder / "short.mp4"
    write_clip(whole, KINDS["ntsc"], seconds=seconds)
    with (
        av.open(str(whole)) as source,
        av.open(str(fast), "w", options={"movflags": "+faststart"}) as out,
    ):
        stream = out.add_stream_from_template(source.streams.video[0])
        for packet in source.demux(video=0):
            if packet.size:
                packet.stream = stream
                out.mux(packet)
    raw = fast.read_bytes()
    short.write_bytes(raw[: int(len(raw) * keep)])
    return short
