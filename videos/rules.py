"""Predicates and constants of this floor: no database, no clock."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import PurePosixPath

MEBIBYTE = 1024 * 1024

SOURCE_PREFIX = "videos/"
ARRIVAL_PREFIX = f"{SOURCE_PREFIX}uploads/"
ARTEFACT_PREFIX = "artefacts/"

# What a source may be called; anything else is stored and served as plain bytes.
CONTENT_TYPES = {
    ".mp4": "video/mp4",
    ".m4v": "video/mp4",
    ".mov": "video/quicktime",
    ".webm": "video/webm",
    ".mkv": "video/x-matroska",
    ".avi": "video/x-msvideo",
    ".mts": "video/mp2t",
    ".ts": "video/mp2t",
    ".mpg": "video/mpeg",
    ".jpg": "image/jpeg",
    ".webp": "image/webp",
    ".json": "application/json",
    ".vtt": "text/vtt",
}
VIDEO_SUFFIXES = frozenset(s for s, kind in CONTENT_TYPES.items() if kind.startswith("video/"))


@dataclass(frozen=True)
class StageLimits:
    """What one run of a stage may use.

    Attributes:
        cpu_seconds, memory_bytes, file_bytes: hard limits of the decoding process (setrlimit).
        wall_seconds: after this the process is killed; also the lease of the job.
    """

    cpu_seconds: int
    wall_seconds: int
    memory_bytes: int = 3 * 1024 * MEBIBYTE
    file_bytes: int = 64 * 1024 * MEBIBYTE


# Below the broker's visibility time-out (3600 s), or a running job would be delivered again.
STAGE_LIMITS = {
    "probe": StageLimits(cpu_seconds=300, wall_seconds=600, memory_bytes=2 * 1024 * MEBIBYTE),
    "screen": StageLimits(cpu_seconds=900, wall_seconds=1500),
    "proxy": StageLimits(cpu_seconds=6000, wall_seconds=3300),
    "filmstrip": StageLimits(cpu_seconds=900, wall_seconds=1500),
    "peaks": StageLimits(cpu_seconds=300, wall_seconds=600),
    "large": StageLimits(cpu_seconds=9000, wall_seconds=3300),
}

MAX_FAILURES = 6


def retry_delay_seconds(failures: int) -> int:
    """How long to wait after the `failures`-th failure in a row: 30 s, 1 min, 2 min … 1 hour."""
    return int(min(3600, 30 * 2 ** max(0, failures - 1)))


def content_type(key: str) -> str:
    """The media type to serve `key` as; never one that a browser would run."""
    return CONTENT_TYPES.get(PurePosixPath(key).suffix.lower(), "application/octet-stream")


def source_key(sha256: str, filename: str) -> str:
    """Where an uploaded source is kept: by content, so that a name cannot clash or mislead."""
    suffix = PurePosixPath(filename).suffix.lower()
    return f"{SOURCE_PREFIX}{sha256}{suffix if suffix in VIDEO_SUFFIXES else '.bin'}"


def arrival_key(token: str, filename: str) -> str:
    """Where content is kept whose checksum nobody has looked at yet; `token` is random."""
    suffix = PurePosixPath(filename).suffix.lower()
    return f"{ARRIVAL_PREFIX}{token}{suffix if suffix in VIDEO_SUFFIXES else '.bin'}"


def is_video(key: str) -> bool:
    """Whether a name looks like that of a video."""
    return PurePosixPath(key).suffix.lower() in VIDEO_SUFFIXES


def is_usable_key(key: str) -> bool:
    """Whether a manifest may name `key`: relative, plain, and not one of our own artefacts."""
    path = PurePosixPath(key)
    return (
        0 < len(key) <= 512
        and key.isprintable()
        and "\\" not in key
        and not path.is_absolute()
        and str(path) == key
        and ".." not in path.parts
        and not key.startswith(ARTEFACT_PREFIX)
    )


def title_of(name: str) -> str:
    """A readable title from a file name: `making_tea.mp4` → `making tea`."""
    stem = PurePosixPath(name).stem.replace("_", " ").strip()
    return stem[:200] or "untitled"
