"""The quick reading of a timeline takes what the serializer takes, or leaves it to it."""

from __future__ import annotations

from typing import Any

import pytest

from tasks.rules import MAX_SEGMENTS
from tasks.serializers import SegmentSerializer
from tasks.timeline_json import read_segments
from timelines.segment import Segment

PLAIN: dict[str, Any] = {
    "start_frame": 0,
    "end_frame": 90,
    "hands": "both",
    "action_type": "pick_up",
    "description": "Pick up the cup, 拿杯子",
}


def slowly(rows: Any) -> list[Segment] | None:
    serializer = SegmentSerializer(data=rows, many=True)
    return [Segment(**row) for row in serializer.validated_data] if serializer.is_valid() else None


@pytest.mark.parametrize("hands", ["none", "left", "right", "both"])
def test_a_timeline_in_order_is_read_alike(hands: str) -> None:
    rows = [{**PLAIN, "hands": hands}, {**PLAIN, "start_frame": 90, "end_frame": 10**12}]
    read = read_segments(rows)
    assert read == slowly(rows)
    assert read is not None
    assert len(read) == 2


@pytest.mark.parametrize(
    "change",
    [
        {"start_frame": "0"},
        {"start_frame": 1.0},
        {"start_frame": True},
        {"start_frame": None},
        {"hands": 3},
        {"hands": ["left"]},
        {"hands": "feet"},
        {"action_type": ""},
        {"action_type": "x" * 101},
        {"action_type": 7},
        {"description": ""},
        {"description": " Pick up "},
        {"description": "x" * 501},
        {"description": "a\x00b"},
        {"extra": 1},
    ],
)
def test_anything_else_is_left_to_the_serializer(change: dict[str, Any]) -> None:
    assert read_segments([PLAIN, {**PLAIN, **change}]) is None


@pytest.mark.parametrize("rows", [None, {}, "x", [None], [[]], [PLAIN] * (MAX_SEGMENTS + 1)])
def test_what_is_no_list_of_segments_is_left_to_the_serializer(rows: Any) -> None:
    assert read_segments(rows) is None


def test_a_missing_field_is_left_to_the_serializer() -> None:
    for name in PLAIN:
        assert read_segments([{k: v for k, v in PLAIN.items() if k != name}]) is None


def test_no_segments_are_a_timeline_too() -> None:
    assert read_segments([]) == slowly([]) == []
