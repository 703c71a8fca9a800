"""Reading manifests: CSV or JSON Lines with `key` or `path`, and maybe `title`. No database."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import IO, Any

from videos.problems import InvalidManifest
from videos.rules import is_video

COLUMNS = ("key", "path", "title")


def read_manifest(file: IO[bytes], name: str) -> Iterator[dict[str, Any]]:
    """The rows of a file called `name`: `.csv` (with a header) or `.jsonl`, in order.

    Raises `InvalidManifest`, naming the line, when the file itself cannot be read as rows.
    """
    text = io.TextIOWrapper(file, encoding="utf-8-sig", newline="")
    try:
        match PurePosixPath(name).suffix.lower():
            case ".csv":
                yield from _csv(text)
            case ".jsonl" | ".ndjson":
                yield from _json_lines(text)
            case _:
                raise InvalidManifest("A manifest is a .csv or a .jsonl file.")
    except UnicodeDecodeError as error:
        raise InvalidManifest(f"{name} is not UTF-8 text.") from error
    finally:
        text.detach()  # whoever opened the file closes it


def _csv(file: Any) -> Iterator[dict[str, Any]]:
    reader = csv.DictReader(file)
    if not {"key", "path"} & set(reader.fieldnames or ()):
        raise InvalidManifest("The first line must name the columns: key or path, and title.")
    try:
        for row in reader:
            yield {name: row[name] for name in COLUMNS if row.get(name)}
    except csv.Error as error:
        raise InvalidManifest(f"Line {reader.line_num} is not CSV: {error}.") from error


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
        if path.is_file() and is_video(path.name):
            yield {"path": str(path.relative_to(folder))}
