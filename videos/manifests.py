"""Reading manifests: CSV or JSON Lines with `key` or `path`, and maybe `title`. No database."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from videos.problems import InvalidManifest
from videos.rules import VIDEO_SUFFIXES

COLUMNS = ("key", "path", "title")


def read_manifest(path: Path) -> Iterator[dict[str, Any]]:
    """The rows of a `.csv` (with a header) or `.jsonl` file, in order.

    Raises `InvalidManifest`, naming the line, when the file itself cannot be read as rows.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            if path.suffix.lower() == ".csv":
                yield from _csv(file)
            else:
                yield from _json_lines(file)
    except UnicodeDecodeError as error:
        raise InvalidManifest(f"{path.name} is not UTF-8 text.") from error


def _csv(file: Any) -> Iterator[dict[str, Any]]:
    reader = csv.DictReader(file)
    if not {"key", "path"} & set(reader.fieldnames or ()):
        raise InvalidManifest("The first line must name the columns: key or path, and title.")
    for row in reader:
        yield {name: row[name] for name in COLUMNS if row.get(name)}


def _json_lines(file: Any) -> Iterator[dict[str, Any]]:
    for number, line in enumerate(file, start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except ValueError as error:
            raise InvalidManifest(f"Line {number} is not JSON: {error}.") from error
        if not isinstance(row, dict):
            raise InvalidManifest(f"Line {number} is not a JSON object.")
        yield {name: row[name] for name in COLUMNS if row.get(name)}


def rows_of_folder(folder: Path) -> Iterator[dict[str, Any]]:
    """One row per video file in `folder`, recursively, by name."""
    for path in sorted(folder.rglob("*")):
        if path.is_file() and path.suffix.lower() in VIDEO_SUFFIXES:
            yield {"path": str(path.relative_to(folder))}
