"""How well screening separates clean clips from damaged copies of them. No Django.

Makes each damage of `damaged_clips.VARIANTS` from each clip, screens everything with the default
thresholds and counts: a *miss* is a damaged copy without its warning (or a copy that is not seen to
be one), a *false alarm* a warning on a clip that has no such damage.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from videos import fingerprint, screening
from videos.damaged_clips import VARIANTS, write_variant
from videos.probe import probe

CODES = ("blurred", "covered", "dark", "over_exposed", "frozen", "shaken")


@dataclass(frozen=True)
class Screened:
    """One clip or damaged copy, screened."""

    clip: str
    variant: str  # "clean" for the clip itself
    codes: frozenset[str]
    hashes: fingerprint.Hashes


def run(clips: Sequence[Path], folder: Path, tell: Callable[[str], None]) -> list[Screened]:
    """Screen `clips` and their damaged copies, which are written to `folder`."""
    done = []
    for clip in clips:
        tell(clip.name)
        done.append(_screened(clip, clip.stem, "clean"))
        for name, (change, _) in VARIANTS.items():
            copy = folder / f"{clip.stem}-{name.replace(' ', '-')}.mp4"
            write_variant(clip, copy, change)
            done.append(_screened(copy, clip.stem, name))
            copy.unlink()
    return done


def _screened(path: Path, clip: str, variant: str) -> Screened:
    found = probe(path)
    report = screening.screen(path, times=found.times, rotation=found.rotation, with_sound=False)
    codes = frozenset(w.code for w in report.warnings)
    return Screened(clip, variant, codes, report.hashes)


def table(done: Sequence[Screened]) -> str:
    """A Markdown table of misses and false alarms."""
    clean = [s for s in done if s.variant == "clean"]
    lines = [
        "| damage | copies | missed | clean clips with this warning |",
        "|---|---|---|---|",
    ]
    for name, (_, code) in VARIANTS.items():
        copies = [s for s in done if s.variant == name]
        if code is not None:
            missed = [s.clip for s in copies if code not in s.codes]
            alarms = [s.clip for s in clean if code in s.codes]
        else:
            originals = {s.clip: s for s in clean}
            missed = [
                s.clip for s in copies
                if not fingerprint.alike(s.hashes, originals[s.clip].hashes)
            ]  # fmt: skip
            alarms = [
                s.clip for s in copies
                if any(fingerprint.alike(s.hashes, c.hashes) for c in clean if c.clip != s.clip)
            ]  # fmt: skip
        lines.append(f"| {name} | {len(copies)} | {_told(missed)} | {_told(alarms)} |")
    pairs = [
        f"{a.clip} and {b.clip}"
        for n, a in enumerate(clean)
        for b in clean[n + 1 :]
        if fingerprint.alike(a.hashes, b.hashes)
    ]
    lines += ["", f"Clean clips taken for copies of each other: {_told(pairs)}."]
    return "\n".join(lines)


def _told(names: Sequence[str]) -> str:
    return f"{len(names)} ({', '.join(names)})" if names else "0"
