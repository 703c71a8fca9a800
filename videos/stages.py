"""Each stage as `(source, folder, options) → plain JSON`, for the decoding process. No Django."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from dataclasses import asdict
from fractions import Fraction
from pathlib import Path
from typing import Any

from videos import filmstrip, proxy, screening, sound
from videos.probe import Probe, probe
from videos.timetable import FrameTimes

MOST_TOLD = 100


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
        "warnings": [asdict(w) for w in _truncation(found)],
    }


def _truncation(found: Probe) -> list[screening.Finding]:
    if not found.is_truncated:
        return []
    held, promised = len(found.times) + found.hidden_frames, found.promised_frames
    text = f"The file is cut off: it promises {promised} frames and holds {held}."
    last = len(found.times) - 1
    return [screening.Finding("truncated", text, last, 1 - held / promised, 0.0)]


def screen_stage(source: Path, folder: Path, options: dict[str, Any]) -> dict[str, Any]:
    """Screening; `frame-N.jpg` are the pictures for the manager."""
    limits = screening.Thresholds.of(options["parameters"].get("thresholds", {}))
    report = screening.screen(
        source, times=_times(options), rotation=options["rotation"], thresholds=limits
    )
    for frame, jpeg in report.pictures.items():
        (folder / f"frame-{frame}.jpg").write_bytes(jpeg)
    return report.as_dict()


def proxy_stage(source: Path, folder: Path, options: dict[str, Any]) -> dict[str, Any]:
    """The proxy; a warning for frames that could not be decoded or came out damaged."""
    report = proxy.make_proxy(
        source,
        folder / "proxy.mp4",
        times=_times(options),
        rotation=options["rotation"],
        height=int(options["parameters"].get("height", proxy.HEIGHT)),
    )
    return _proxy_result(report)


def large_stage(source: Path, folder: Path, options: dict[str, Any]) -> dict[str, Any]:
    """The proxy of 720 lines. It warns of nothing: the small one does."""
    report = proxy.make_proxy(
        source,
        folder / "large.mp4",
        times=_times(options),
        rotation=options["rotation"],
        height=proxy.LARGE_HEIGHT,
    )
    return _proxy_result(report) | {"warnings": []}


def _proxy_result(report: proxy.ProxyReport) -> dict[str, Any]:
    warnings = []
    damaged = report.missing_count + len(report.corrupt)
    if damaged:
        first = min([start for start, _ in report.missing] + report.corrupt)
        text = (
            f"{report.missing_count} frames cannot be decoded (each shows the one before it) and"
            f" {len(report.corrupt)} are damaged."
        )
        share = damaged / report.frame_count
        warnings.append(asdict(screening.Finding("damaged", text, first, share, 0.0)))
    return {
        "frame_count": report.frame_count,
        "width": report.width,
        "height": report.height,
        "has_audio": report.has_audio,
        "missing_count": report.missing_count,
        "missing": report.missing[:MOST_TOLD],
        "corrupt": report.corrupt[:MOST_TOLD],
        "warnings": warnings,
    }


def filmstrip_stage(source: Path, folder: Path, options: dict[str, Any]) -> dict[str, Any]:
    """The filmstrip's sheets and which frame each tile shows."""
    return asdict(
        filmstrip.make_filmstrip(
            source, folder, times=_times(options), rotation=options["rotation"]
        )
    )


def peaks_stage(source: Path, folder: Path, options: dict[str, Any]) -> dict[str, Any]:
    """`peaks.json`: `{"per_second", "peaks"}`, peaks 0 … 255 in base 64 from frame 0 on."""
    found = sound.peaks(source, _times(options))
    document = {
        "per_second": sound.PEAKS_PER_SECOND,
        "peaks": base64.b64encode(found.tobytes()).decode(),
    }
    (folder / "peaks.json").write_text(json.dumps(document))
    return {"count": len(found), "loudest": int(found.max())}


def _times(options: dict[str, Any]) -> FrameTimes:
    num, den = options["time_base"]
    return FrameTimes.unpack(base64.b64decode(options["frame_times"]), Fraction(num, den))


STAGES: dict[str, Callable[[Path, Path, dict[str, Any]], dict[str, Any]]] = {
    "probe": probe_stage,
    "screen": screen_stage,
    "proxy": proxy_stage,
    "filmstrip": filmstrip_stage,
    "peaks": peaks_stage,
    "large": large_stage,
}
