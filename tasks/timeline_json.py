"""Reading a timeline's JSON when all of it is in order, which is nearly always."""

from __future__ import annotations

from collections.abc import Sequence
from operator import attrgetter
from typing import Any

from tasks.rules import MAX_SEGMENTS
from tasks.serializers import HANDS
from timelines.segment import Segment

_FIELDS = {"start_frame", "end_frame", "hands", "action_type", "description"}


def read_segments(rows: Any) -> list[Segment] | None:
    """What `SegmentSerializer(many=True)` makes of it, at a tenth of its cost.

    None when anything is not exactly as it should be: the serializer then mends or refuses it,
    in words.
    """
    if not isinstance(rows, list) or len(rows) > MAX_SEGMENTS:
        return None
    segments = []
    for row in rows:
        if not isinstance(row, dict) or row.keys() != _FIELDS:
            return None
        start, end, hands = row["start_frame"], row["end_frame"], row["hands"]
        action, description = row["action_type"], row["description"]
        if (
            type(start) is not int
            or type(end) is not int
            or type(hands) is not str
            or hands not in HANDS
            or not _is_plain(action, 100)
            or not _is_plain(description, 500)
        ):
            return None
        segments.append(Segment(start, end, action, HANDS[hands], description))
    return segments


def in_order(segments: Sequence[Segment]) -> list[Segment]:
    """As a submission keeps them: by start, end and hands."""
    return sorted(segments, key=attrgetter("start_frame", "end_frame", "hands"))


def _is_plain(text: Any, most: int) -> bool:
    return (
        isinstance(text, str)
        and 0 < len(text) <= most
        and "\x00" not in text
        and text == text.strip()
    )
