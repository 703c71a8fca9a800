"""The demo's guideline, version 1. No Django."""

from __future__ import annotations

from pathlib import Path

TITLE = "Kitchen actions"


def text() -> str:
    """Markdown."""
    return (Path(__file__).parent / "guideline.md").read_text()
