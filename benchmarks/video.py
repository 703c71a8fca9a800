"""CPU and memory of each video stage, beside ffmpeg's own command line doing the same.

    python benchmarks/video.py                     # 5 minutes of 720p30
    python benchmarks/video.py --size 1920x1080    # 5 minutes of 1080p30
    python benchmarks/video.py --size 320x180 --minutes 1 60   # memory over length
    python benchmarks/video.py --source FILE       # your own file

CPU seconds are those of the process (`wait4`), so a busy machine changes the wall clock and not
these figures much. ffmpeg comes from PATH or from the wheel imageio-ffmpeg.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import av

from videos.demo_clips import KINDS, write_clip

HUGE = {"cpu_seconds": 36_000, "memory_bytes": 16 * 2**30, "file_bytes": 64 * 2**30}


@dataclass(frozen=True)
class Cost:
    """What one process used."""

    cpu_seconds: float
    memory_mb: float
    answer: dict[str, Any]


def run(command: Sequence[str], *, request: dict[str, Any] | None = None) -> Cost:
    """Run one process to its end. Raises when it fails."""
    with tempfile.TemporaryFile() as stdin, tempfile.TemporaryFile() as stdout:
        stdin.write(json.dumps(request or {}).encode())
        stdin.seek(0)
        # The sandbox's own environment: numpy's threads would only spin.
        env = os.environ | {"OMP_NUM_THREADS": "1"}
        process = subprocess.Popen(
            command, stdin=stdin, stdout=stdout, stderr=subprocess.DEVNULL, env=env
        )
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode != 0:
            raise RuntimeError(f"{command[0]} ended with {process.returncode}")
        stdout.seek(0)
        text = stdout.read()
    answer = json.loads(text) if request is not None else {}
    if request is not None and "result" not in answer:
        raise RuntimeError(str(answer))
    cpu = usage.ru_utime + usage.ru_stime
    return Cost(cpu, usage.ru_maxrss / 1024, answer.get("result", {}))


def stage(name: str, source: Path, folder: Path, options: dict[str, Any]) -> Cost:
    """One stage, exactly as a worker runs it, except for the limits."""
    request = {
        "stage": name,
        "source": str(source),
        "folder": str(folder),
        "options": options,
        "limits": HUGE,
        "parent": os.getpid(),
    }
    return run([sys.executable, "-m", "videos.decoder"], request=request)


def lengthened(clip: Path, target: Path, minutes: float) -> None:
    """Copy `clip`'s packets one after another until `minutes` are full."""
    with av.open(str(target), "w", options={"movflags": "+faststart"}) as out:
        shift, stream = 0, None
        while True:
            with av.open(str(clip)) as container:
                source = container.streams.video[0]
                if stream is None:
                    stream = out.add_stream_from_template(source)
                base = Fraction(source.time_base or 1)
                step = source.duration or 0
                for packet in container.demux(source):
                    if packet.size and packet.pts is not None and packet.dts is not None:
                        packet.pts += shift
                        packet.dts += shift
                        packet.stream = stream
                        out.mux(packet)
            shift += step
            if shift * base >= minutes * 60:
                return


def measure(source: Path, minutes: float, ffmpeg: str | None) -> list[str]:
    """Table rows for one source."""
    rows = []
    seconds = minutes * 60

    def row(name: str, cost: Cost, beside: Cost | None = None) -> None:
        ratio = f"{cost.cpu_seconds / beside.cpu_seconds:.2f}" if beside is not None else ""
        theirs = " | " if beside is None else f"{beside.cpu_seconds:.1f} | {beside.memory_mb:.0f}"
        rows.append(
            f"| {minutes:g} | {name} | {cost.cpu_seconds:.1f} | {seconds / cost.cpu_seconds:.0f} |"
            f" {cost.memory_mb:.0f} | {theirs} | {ratio} |"
        )
        print(rows[-1], flush=True)

    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        folder = Path(name)
        probe = stage("probe", source, folder, {"parameters": {}})
        found = probe.answer
        options = {
            "parameters": {},
            "frame_times": found["frame_times"],
            "time_base": [found["time_base_num"], found["time_base_den"]],
            "rotation": found["rotation"],
        }
        screen = stage("screen", source, folder, options)
        both = Cost(
            probe.cpu_seconds + screen.cpu_seconds, max(probe.memory_mb, screen.memory_mb), {}
        )
        keys = proxy = None
        if ffmpeg is not None:
            read = [ffmpeg, "-v", "error", "-y"]
            keys = run([*read, "-skip_frame", "nokey", "-i", str(source), "-an", "-f", "null", "-"])
            proxy = run(
                [*read, "-i", str(source), "-an", "-vf", "scale=-2:'min(480,ih)'",
                 "-c:v", "libx264", "-preset", "veryfast", "-crf", "24", "-bf", "0",
                 "-g", "12", "-keyint_min", "12",
                 "-fps_mode", "passthrough", "-copyts", "-enc_time_base", "demux",
                 "-avoid_negative_ts", "disabled", "-movflags", "+faststart",
                 str(folder / "theirs.mp4")]
            )  # fmt: skip
        row("probe", probe)
        row("screening", screen)
        row("probe + screening", both, keys)
        row("filmstrip", stage("filmstrip", source, folder, options))
        row("proxy", stage("proxy", source, folder, options), proxy)
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, nargs="+", default=[5.0])
    parser.add_argument("--size", default="1280x720", help="Of the drawn clip, WIDTHxHEIGHT.")
    parser.add_argument("--without-ffmpeg", action="store_true", help="Only our own figures.")
    parser.add_argument("--source", type=Path)
    parser.add_argument("--draw", type=Path, help=argparse.SUPPRESS)
    wanted = parser.parse_args()
    if wanted.draw is not None:
        width, _, height = wanted.size.partition("x")
        write_clip(wanted.draw, KINDS["ntsc"], seconds=20, size=(int(width), int(height)))
        return
    ffmpeg = None if wanted.without_ffmpeg else shutil.which("ffmpeg")
    if ffmpeg is None and not wanted.without_ffmpeg:
        try:
            import imageio_ffmpeg  # type: ignore[import-untyped]

            ffmpeg = imageio_ffmpeg.get_ffmpeg_exe()
        except ImportError:
            print("No ffmpeg: only our own figures.", file=sys.stderr)
    columns = ["minutes", "stage", "CPU s", "times real time, per core", "MB", "ffmpeg CPU s"]
    print(f"| {' | '.join([*columns, 'ffmpeg MB', 'CPU ratio'])} |")
    print("|---|---|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        if wanted.source is not None:
            with av.open(str(wanted.source)) as container:
                minutes = (container.duration or 0) / 1_000_000 / 60
            measure(wanted.source, round(minutes, 2), ffmpeg)
            return
        clip = Path(name) / "clip.mp4"
        # In a process of its own: a child's peak memory never shows less than its parent's size.
        run([sys.executable, __file__, "--draw", str(clip), "--size", wanted.size])
        for minutes in wanted.minutes:
            source = Path(name) / f"{minutes:g}.mp4"
            lengthened(clip, source, minutes)
            measure(source, minutes, ffmpeg)
            source.unlink()


if __name__ == "__main__":
    main()
