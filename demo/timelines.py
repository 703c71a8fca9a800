"""Plausible timelines to hand in, from Ego4D Goal-Step's steps (MIT, see videos/demo_data).

Goal-Step says when something is done and what; the action type and the hands are added here by
the verb. No Django.
"""

from __future__ import annotations

import json
from functools import cache
from typing import Any

from videos.demo_clips import DATA

Row = dict[str, Any]  # one segment as the API takes it

# First word of a description → (action type, hands).
_BY_VERB: dict[str, tuple[str, str]] = {
    "add": ("pour", "right"),
    "pour": ("pour", "right"),
    "power": ("turn", "right"),
    "regulate": ("turn", "left"),
    "rekindle": ("turn", "both"),
    "flip": ("turn", "right"),
    "twist": ("turn", "both"),
    "wash": ("wash", "both"),
    "wipe": ("wash", "both"),
    "clean": ("wash", "right"),
    "dry": ("wash", "both"),
    "stir": ("mix", "right"),
    "mix": ("mix", "both"),
    "put": ("put_down", "both"),
    "place": ("put_down", "both"),
    "dispose": ("put_down", "left"),
    "transfer": ("move", "right"),
    "remove": ("remove", "both"),
    "peels": ("cut", "both"),
    "arrange": ("fold", "left"),
    "shape": ("fold", "both"),
    "spreads": ("fold", "both"),
}


@cache
def _extracts() -> list[dict[str, Any]]:
    extracts: list[dict[str, Any]] = json.loads(DATA.read_text())["extracts"]
    return extracts


def careful(number: int, frame_count: int) -> list[Row]:
    """A careful timeline for demo clip `number` (0-based), scaled to a clip of `frame_count`."""
    extract = _extracts()[number % len(_extracts())]
    start, end = extract["window"]
    scale = frame_count / (end - start)
    rows: list[Row] = []
    for step in extract["steps"]:
        words = step["step_description"].strip().rstrip(".")
        action_type, hands = _BY_VERB.get(words.split()[0].lower(), ("other", "both"))
        rows.append(
            {
                "start_frame": round((step["start_time"] - start) * scale),
                "end_frame": round((step["end_time"] - start) * scale),
                "hands": hands,
                "action_type": action_type,
                "description": words[0].upper() + words[1:],
            }
        )
    return [row for row in rows if row["end_frame"] > row["start_frame"]]


def almost_the_same(rows: list[Row], frames: int = 1) -> list[Row]:
    """Another careful person: every boundary `frames` inwards (segments are longer than that)."""
    return [
        row | {"start_frame": row["start_frame"] + frames, "end_frame": row["end_frame"] - frames}
        for row in rows
    ]


def coarse(rows: list[Row]) -> list[Row]:
    """Somebody in a hurry: each three neighbours as one segment, its type and words kept vague."""
    groups = [rows[i : i + 3] for i in range(0, len(rows), 3)]
    return [
        {
            "start_frame": group[0]["start_frame"],
            "end_frame": group[-1]["end_frame"],
            "hands": "none",
            "action_type": "other",
            "description": "Works in the kitchen",
        }
        for group in groups
    ]


def nonsense(frame_count: int) -> list[Row]:
    """Work that deserves a rejection: one segment over everything."""
    return [
        {
            "start_frame": 0,
            "end_frame": frame_count,
            "hands": "none",
            "action_type": "walk",
            "description": "Video",
        }
    ]
