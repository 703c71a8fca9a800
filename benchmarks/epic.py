"""Reads EPIC-KITCHENS-100 annotations as timelines, for tests and benchmarks only.

The annotations are CC BY-NC 4.0, © their authors (Damen et al. 2022): nothing of them may be
shipped, and nothing is. They are read where the developer has put them.
"""

from __future__ import annotations

import csv
from collections import defaultdict
from pathlib import Path
from typing import Final

from timelines.segment import Hands, Segment, Timeline

# EPIC does not say which hand; they are dealt in turn so that each hand does one thing at a time.
_TURN: Final = (Hands.RIGHT, Hands.LEFT, Hands.RIGHT, Hands.BOTH, Hands.LEFT, Hands.NONE)


def read_epic(annotations: Path) -> dict[str, Timeline]:
    """Timelines of the validation videos, by video id.

    Arguments:
        annotations: the folder with ``EPIC_100_validation.csv`` and ``EPIC_100_video_info.csv``.

    Frames are counted from the timestamps at the video's rate (the published frame numbers are
    those of extracted images). An action for which no hand is free is left out.
    """
    rates: dict[str, tuple[float, float]] = {}
    with (annotations / "EPIC_100_video_info.csv").open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            rates[row["video_id"]] = (float(row["duration"]), float(row["fps"]))
    drawn: dict[str, list[Segment]] = defaultdict(list)
    with (annotations / "EPIC_100_validation.csv").open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            duration, fps = rates[row["video_id"]]
            drawn[row["video_id"]].append(
                Segment(
                    round(_seconds(row["start_timestamp"]) * fps),
                    min(round(_seconds(row["stop_timestamp"]) * fps), int(duration * fps)),
                    f"verb-{row['verb_class']}",
                    Hands.NONE,
                    row["narration"],
                )
            )
    return {
        video: Timeline(int(rates[video][0] * rates[video][1]), rates[video][1], _deal(segments))
        for video, segments in sorted(drawn.items())
    }


def _seconds(timestamp: str) -> float:
    hours, minutes, seconds = timestamp.split(":")
    return 3600 * int(hours) + 60 * int(minutes) + float(seconds)


def _deal(segments: list[Segment]) -> list[Segment]:
    free = {Hands.LEFT: 0, Hands.RIGHT: 0, Hands.NONE: 0}
    dealt: list[Segment] = []
    for segment in sorted(segments, key=lambda s: (s.start_frame, s.end_frame)):
        if segment.length <= 0:
            continue
        turn = len(dealt) % len(_TURN)
        for hands in _TURN[turn:] + _TURN[:turn]:
            lanes = [lane for lane in (Hands.LEFT, Hands.RIGHT) if lane & hands] or [Hands.NONE]
            if all(free[lane] <= segment.start_frame for lane in lanes):
                dealt.append(
                    Segment(
                        segment.start_frame,
                        segment.end_frame,
                        segment.action_type,
                        hands,
                        segment.description,
                    )
                )
                free.update(dict.fromkeys(lanes, segment.end_frame))
                break
    return dealt
