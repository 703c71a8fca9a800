"""The value types: order of input does not matter, equality is of content."""

from __future__ import annotations

import pickle
from itertools import permutations

from timelines.segment import Hands, Segment, Timeline

SEGMENTS = (
    Segment(0, 10, "reach", Hands.LEFT, "reach"),
    Segment(0, 10, "reach", Hands.RIGHT, "reach"),
    Segment(0, 12, "cut", Hands.NONE, ""),
    Segment(5, 6, "cut", Hands.BOTH, "cut"),
)


def test_order_of_input_does_not_matter() -> None:
    lines = {Timeline(20, 30, order) for order in permutations(SEGMENTS)}
    assert len(lines) == 1
    line = lines.pop()
    assert line.segments == SEGMENTS
    assert line.starts.tolist() == [0, 0, 0, 5]
    assert line.ends.tolist() == [10, 10, 12, 6]
    assert line.hands.tolist() == [1, 2, 0, 3]
    assert line.action_types == ("reach", "reach", "cut", "cut")
    assert [segment.length for segment in line] == [10, 10, 12, 1]


def test_equality_is_of_content() -> None:
    line = Timeline(20, 30, SEGMENTS)
    assert line == pickle.loads(pickle.dumps(line))
    assert line != Timeline(21, 30, SEGMENTS)
    assert line != Timeline(20, 25, SEGMENTS)
    assert line != Timeline(20, 30, SEGMENTS[:3])
    assert line != SEGMENTS


def test_plain_data() -> None:
    assert SEGMENTS[3].as_dict() == {
        "start_frame": 5,
        "end_frame": 6,
        "action_type": "cut",
        "hands": 3,
        "description": "cut",
    }
    assert len(Timeline(20, 30)) == 0
    assert Timeline(20, 30).starts.tolist() == []
