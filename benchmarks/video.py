"""CPU and memory of each video stage, beside ffmpeg's own command line doing the same.

    python benchmarks/video.py                     # 5 minutes of 720p30
    python benchmarks/video.py --size 1920x1080    # 5 minutes of 1080p30
    python benchmarks/video.py --source FILE       # your own file
    python benchmarks/video.py --memory            # peak memory over length, 1 to 60 minutes

CPU seconds are those of the process (`wait4`), so a busy machine changes the wall clock and not
these figures much; it does not change memory at all. ffmpeg comes from PATH or from the wheel
imageio-ffmpeg.
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
from videos.sandbox import ENVIRONMENT

ROOT = Path(__file__).resolve().parent.parent
HUGE = {"cpu_seconds": 36_000, "memory_bytes": 16 * 2**30, "file_bytes": 64 * 2**30}


# A process's peak memory is never less than what its parent held when it began: the kernel carries
# the parent's over. So each is started by one that holds nothing but a bare interpreter.
LAUNCHER = """
import json, os, sys
child = os.fork()
if child == 0:
    os.execvp(sys.argv[2], sys.argv[2:])
_, status, usage = os.wait4(child, 0)
with open(sys.argv[1], "w") as out:
    json.dump([os.waitstatus_to_exitcode(status), usage.ru_utime + usage.ru_stime,
               usage.ru_maxrss], out)
"""


@dataclass(frozen=True)
class Cost:
    """What one process used."""

    cpu_seconds: float
    memory_mb: float
    answer: dict[str, Any]


def run(command: Sequence[str], *, request: dict[str, Any] | None = None) -> Cost:
    """Run one process to its end. Raises when it fails."""
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        used = Path(name) / "used.json"
        done = subprocess.run(
            [sys.executable, "-S", "-E", "-c", LAUNCHER, str(used), *command],
            input=json.dumps(request or {}).encode(),
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=os.environ | ENVIRONMENT,
            check=True,
        )
        code, cpu_seconds, kilobytes = json.loads(used.read_text())
    if code != 0:
        raise RuntimeError(f"{command[0]} ended with {code}")
    answer = json.loads(done.stdout) if request is not None else {}
    if request is not None and "result" not in answer:
        raise RuntimeError(str(answer))
    return Cost(cpu_seconds, kilobytes / 1024, answer.get("result", {}))


# The decoder, told its parent by itself: that is the launcher, which has no number before it runs.
STAGE = """
import io, json, os, sys
sys.path.insert(0, sys.argv[1])
request = json.load(sys.stdin) | {"parent": os.getppid()}
sys.stdin = io.StringIO(json.dumps(request))
from videos import decoder
sys.exit(decoder.main())
"""


def stage(name: str, source: Path, folder: Path, options: dict[str, Any]) -> Cost:
    """One stage, exactly as a worker runs it, except for the limits."""
    request = {
        "stage": name,
        "source": str(source),
        "folder": str(folder),
        "options": options,
        "limits": HUGE,
    }
    return run([sys.executable, "-c", STAGE, str(ROOT)], request=request)


def lengthened(clip: Path, target: Path, minutes: float) -> None:
    """Copy `clip`'s packets, sound too, one after another until `minutes` are full."""
    with av.open(str(target), "w", options={"movflags": "+faststart"}) as out:
        shift, written = Fraction(0), dict[int, Any]()
        while shift < minutes * 60:
            with av.open(str(clip)) as container:
                pictures = container.streams.video[0]
                step = Fraction(pictures.duration or 0) * Fraction(pictures.time_base or 1)
                for source in container.streams:
                    if source.index not in written:
                        written[source.index] = out.add_stream_from_template(source)
                for packet in container.demux():
                    if not packet.size or packet.pts is None or packet.dts is None:
                        continue
                    base = Fraction(packet.time_base or 1)
                    is_sound = packet.stream.index != pictures.index
                    if is_sound and not 0 <= packet.pts * base < step:
                        continue  # the encoder's run-in, and what would overlap the next copy
                    packet.pts += int(shift / base)
                    packet.dts += int(shift / base)
                    packet.stream = written[packet.stream.index]
                    out.mux(packet)
            shift += step


def jobs_of_ffmpeg(ffmpeg: str, source: Path, folder: Path) -> dict[str, list[str]]:
    """ffmpeg's command line for what each stage does; probing is reading every packet."""
    read = [ffmpeg, "-v", "error", "-y"]
    keys = [*read, "-skip_frame", "nokey", "-i", str(source), "-an"]
    null = ["-f", "null", "-"]
    return {
        "probe": [*read, "-i", str(source), "-map", "0:v", "-c", "copy", *null],
        "screen": [*keys, *null],
        "filmstrip": [*keys, "-vf", "scale=160:-2,tile=10x10", "-fps_mode", "passthrough",
                      str(folder / "theirs-%d.jpg")],
        "proxy": [*read, "-i", str(source), "-an", "-vf", "scale=-2:'min(480,ih)'",
                  "-c:v", "libx264", "-preset", "veryfast", "-crf", "24", "-bf", "0",
                  "-g", "12", "-keyint_min", "12",
                  "-fps_mode", "passthrough", "-copyts", "-enc_time_base", "demux",
                  "-avoid_negative_ts", "disabled", "-movflags", "+faststart",
                  str(folder / "theirs.mp4")],
        "peaks": [*read, "-i", str(source), "-vn", "-ac", "1", "-ar", "16000", *null],
    }  # fmt: skip


def options_of(found: dict[str, Any]) -> dict[str, Any]:
    """What the other stages are given of a probe's answer."""
    return {
        "parameters": {},
        "frame_times": found["frame_times"],
        "time_base": [found["time_base_num"], found["time_base_den"]],
        "rotation": found["rotation"],
    }


def measure(source: Path, minutes: float, ffmpeg: str | None) -> None:
    """Print table rows for one source: CPU and memory."""
    seconds = minutes * 60

    def row(name: str, cost: Cost, beside: Cost | None = None) -> None:
        ratio = f"{cost.cpu_seconds / beside.cpu_seconds:.2f}" if beside is not None else ""
        theirs = " | " if beside is None else f"{beside.cpu_seconds:.1f} | {beside.memory_mb:.0f}"
        print(
            f"| {minutes:g} | {name} | {cost.cpu_seconds:.1f} | {seconds / cost.cpu_seconds:.0f} |"
            f" {cost.memory_mb:.0f} | {theirs} | {ratio} |",
            flush=True,
        )

    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        folder = Path(name)
        probe = stage("probe", source, folder, {"parameters": {}})
        options = options_of(probe.answer)
        screen = stage("screen", source, folder, options)
        both = Cost(
            probe.cpu_seconds + screen.cpu_seconds, max(probe.memory_mb, screen.memory_mb), {}
        )
        keys = proxy = None
        if ffmpeg is not None:
            theirs = jobs_of_ffmpeg(ffmpeg, source, folder)
            keys, proxy = run(theirs["screen"]), run(theirs["proxy"])
        row("probe", probe)
        row("screening", screen)
        row("probe + screening", both, keys)
        row("filmstrip", stage("filmstrip", source, folder, options))
        row("proxy", stage("proxy", source, folder, options), proxy)


OPENING = "import sys, av; from videos import stages; av.open(sys.argv[1]).close()"


def peaks_of_memory(sources: dict[str, Path], ffmpeg: str | None) -> dict[str, tuple[float, float]]:
    """Peak MB of each job, ours and ffmpeg's (0 without it), and of merely opening the file."""
    peaks = {}
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        folder = Path(name)
        opening = [
            sys.executable,
            "-c",
            f"import sys; sys.path.insert(0, {str(ROOT)!r}); {OPENING}",
        ]
        peaks["opening"] = (run([*opening, str(sources["pictures"])]).memory_mb, 0.0)
        for stage_name in ("probe", "screen", "filmstrip", "proxy", "peaks"):
            source = sources["sound" if stage_name == "peaks" else "pictures"]
            options: dict[str, Any] = {"parameters": {}}
            if stage_name != "probe":
                found = stage("probe", source, folder, options).answer
                options = options_of(found)
            ours = stage(stage_name, source, folder, options).memory_mb
            theirs = 0.0
            if ffmpeg is not None:
                theirs = run(jobs_of_ffmpeg(ffmpeg, source, folder)[stage_name]).memory_mb
            peaks[stage_name] = (ours, theirs)
    return peaks


def compare_memory(folder: Path, lengths: Sequence[float], ffmpeg: str | None) -> None:
    """Print each job's peak MB at each length beside ffmpeg's, and how both grow.

    Ten hours are of 30 frames a second, by the growth per frame: the pipeline refuses them.
    """
    found: dict[float, dict[str, tuple[float, float]]] = {}
    clips = {}
    for name, kind in (("pictures", "ntsc"), ("sound", "regular")):
        clips[name] = folder / f"{name}.mp4"
        run([sys.executable, __file__, "--draw", str(clips[name]), "--size", "320x180",
             "--kind", kind])  # fmt: skip
    frames = {}
    for minutes in lengths:
        sources = {name: folder / f"{name}-{minutes:g}.mp4" for name in clips}
        for name, source in sources.items():
            lengthened(clips[name], source, minutes)
        with av.open(str(sources["pictures"])) as container:
            frames[minutes] = container.streams.video[0].frames
        found[minutes] = peaks_of_memory(sources, ffmpeg)
        print(f"{minutes:g} minutes: {found[minutes]}", file=sys.stderr, flush=True)
        for source in sources.values():
            source.unlink()
    first, last = lengths[0], lengths[-1]
    steady = lengths[min(1, len(lengths) - 2)]  # the filmstrip's sheets fill within 150 seconds

    def growth(name: str, whose: int, since: float = first) -> float:
        return found[last][name][whose] - found[since][name][whose]

    def per_frame(name: str, whose: int) -> float:
        return growth(name, whose, steady) * 2**20 / (frames[last] - frames[steady])

    columns = [f"{minutes:g} min" for minutes in lengths]
    print(
        f"| job | {' | '.join(columns)} | ffmpeg {' | ffmpeg '.join(columns)} | growth | ffmpeg's |"
        f" less opening's | ratio | bytes per frame from {steady:g} min | ffmpeg's | at 10 hours |"
    )
    print("|---" * (2 * len(lengths) + 8) + "|")
    for name in found[first]:
        ours = growth(name, 0)
        cells = [f"{found[minutes][name][0]:.1f}" for minutes in lengths]
        if name == "opening" or ffmpeg is None:
            cells += ["" for _ in lengths]
            cells += [f"{ours:.1f}", "", "", "", f"{per_frame(name, 0):.0f}", ""]
        else:
            theirs = growth(name, 1)
            cells += [f"{found[minutes][name][1]:.1f}" for minutes in lengths]
            cells += [f"{ours:.1f}", f"{theirs:.1f}", f"{ours - growth('opening', 0):.1f}"]
            cells += [f"{ours / theirs:.2f}" if theirs > 0 else ""]
            cells += [f"{per_frame(name, 0):.0f}", f"{per_frame(name, 1):.0f}"]
        ten_hours = found[last][name][0] + per_frame(name, 0) * (1_080_000 - frames[last]) / 2**20
        print(f"| {name} | {' | '.join(cells)} | {ten_hours:.0f} |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, nargs="+", help="Of the clip; 5.")
    parser.add_argument("--memory", action="store_true", help="Peak memory at 1, 10, 30, 60 min.")
    parser.add_argument("--size", default="1280x720", help="Of the drawn clip, WIDTHxHEIGHT.")
    parser.add_argument("--without-ffmpeg", action="store_true", help="Only our own figures.")
    parser.add_argument("--source", type=Path)
    parser.add_argument("--draw", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--kind", default="ntsc", choices=KINDS, help=argparse.SUPPRESS)
    wanted = parser.parse_args()
    if wanted.draw is not None:
        width, _, height = wanted.size.partition("x")
        write_clip(wanted.draw, KINDS[wanted.kind], seconds=20, size=(int(width), int(height)))
        return
    ffmpeg = None if wanted.without_ffmpeg else shutil.which("ffmpeg")
    if ffmpeg is None and not wanted.without_ffmpeg:
        try:
            import imageio_ffmpeg  # type: ignore[import-untyped]

            ffmpeg = imageio_ffmpeg.get_ffmpeg_exe()
        except ImportError:
            print("No ffmpeg: only our own figures.", file=sys.stderr)
    if wanted.memory:
        with tempfile.TemporaryDirectory(prefix="bench-") as name:
            compare_memory(Path(name), sorted(wanted.minutes or [1, 10, 30, 60]), ffmpeg)
        return
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
        run([sys.executable, __file__, "--draw", str(clip), "--size", wanted.size])
        for minutes in wanted.minutes or [5.0]:
            source = Path(name) / f"{minutes:g}.mp4"
            lengthened(clip, source, minutes)
            measure(source, minutes, ffmpeg)
            source.unlink()


if __name__ == "__main__":
    main()
