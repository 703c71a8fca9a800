"""Did anything change since a step was done? Names, sizes and times of files, not their bytes."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Iterator
from pathlib import Path

_NEVER = {"node_modules", "__pycache__", "tests", "benchmarks", "docs"}


def sources(root: Path) -> str:
    """Changes with any file of the project that a migration or the demo could depend on."""
    return _digest(_files(root))


def static_files(root: Path) -> str:
    """Changes with any static file of ours, the settings, or the set of installed packages."""
    chosen = [root / "requirements.txt", root / "annotation_platform" / "settings.py"]
    return _digest([*chosen, *(path for path in _files(root) if "static" in path.parts)])


def _files(root: Path) -> Iterator[Path]:
    """Files below `root`, in order, without hidden directories (.venv, .run, .git) and tests."""
    for folder, directories, names in os.walk(root):
        directories[:] = sorted(
            name for name in directories if not name.startswith(".") and name not in _NEVER
        )
        for name in sorted(names):
            yield Path(folder, name)


def _digest(paths: Iterable[Path]) -> str:
    digest = hashlib.sha256()
    for path in paths:
        status = path.stat()
        digest.update(f"{path} {status.st_size} {status.st_mtime_ns}\n".encode())
    return digest.hexdigest()
