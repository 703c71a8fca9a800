"""Each stage as `(source, folder, options) → plain JSON`, for the decoding process. No Django."""

from __future__ import annotations

import base64
from collections.abc import Callable
from pathlib import Path
from typing import Any

from videos.probe import probe


def probe_stage(source: Path, folder: Path, options: dict[str, Any]) -> dict[str, Any]:
    """The probe; the time table is packed and in base 64."""
    found = probe(source)
    base = found.times.time_base
    return {
        "frame_times": base64.b64encode(found.times.pack()).decode(),
        "time_base_num": base.numerator,
        "time_base_den": base.denominator,
        "frame_count": len(found.times),
        "duration_ticks": found.duration_ticks,
        "width": found.width,
        "height": found.height,
        "rotation": found.rotation,
        "codec": found.codec,
        "has_audio": found.has_audio,
        "variable_frame_rate": found.variable_frame_rate,
        "promised_frames": found.promised_frames,
        "hidden_frames": found.hidden_frames,
        "is_truncated": found.is_truncated,
    }


STAGES: dict[str, Callable[[Path, Path, dict[str, Any]], dict[str, Any]]] = {
    "probe": probe_stage,
}
