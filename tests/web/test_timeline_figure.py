"""The drawing: positions follow frames, lanes follow hands."""

from __future__ import annotations

import pytest

from timelines.segment import Hands, Segment
from web.timeline_figure import LANE, MARGIN, RIGHT, WIDTH, Drawn, figure

INSIDE = WIDTH - MARGIN - RIGHT


@pytest.mark.parametrize(
    ("hands", "lane", "lanes"),
    [(Hands.LEFT, 0, 1), (Hands.RIGHT, 1, 1), (Hands.BOTH, 0, 2), (Hands.NONE, 2, 1)],
)
def test_hands_choose_the_lanes(hands: Hands, lane: int, lanes: int) -> None:
    drawn = figure(
        [Drawn("A", True, [Segment(0, 100, "cut", hands, "Cut")])],
        frame_count=100,
        action_types=["cut"],
    )
    (row,) = drawn.rows
    (box,) = row.boxes
    assert (box.y - 1 - row.y, box.height + 2) == (lane * LANE, lanes * LANE)
    assert (box.x, box.width) == (MARGIN, INSIDE)


def test_links_join_the_middles_and_what_has_none_is_alone() -> None:
    upper = [Segment(0, 20, "cut", Hands.LEFT, "Cut"), Segment(50, 60, "cut", Hands.LEFT, "Cut")]
    lower = [Segment(0, 40, "pour", Hands.LEFT, "Pour")]
    drawn = figure(
        [
            Drawn("A", True, upper, matched={0}, links=[(0, 0)]),
            Drawn("B", False, lower, matched={0}),
        ],
        frame_count=100,
        action_types=["cut", "pour"],
    )
    assert [[box.alone for box in row.boxes] for row in drawn.rows] == [[False, True], [False]]
    assert [[box.colour for box in row.boxes] for row in drawn.rows] == [[0, 0], [1]]
    (link,) = drawn.links
    assert link.x1 == pytest.approx(MARGIN + 0.1 * INSIDE)
    assert link.x2 == pytest.approx(MARGIN + 0.2 * INSIDE)
    assert link.y1 < link.y2


def test_one_frame_is_still_seen_and_a_label_never_leaves_its_box() -> None:
    segments = [
        Segment(0, 1, "cut", Hands.LEFT, "Cut the onion"),
        Segment(10, 60, "cut", Hands.LEFT, "Cut the onion"),
        Segment(100, 400, "cut", Hands.LEFT, "Cut the onion"),
    ]
    drawn = figure([Drawn("A", True, segments)], frame_count=10_000, action_types=["cut"])
    assert [box.width >= 1 for box in drawn.rows[0].boxes] == [True, True, True]
    assert [box.label for box in drawn.rows[0].boxes] == ["", "", "3"]
    wide = figure([Drawn("A", True, segments)], frame_count=400, action_types=["cut"])
    assert [box.label for box in wide.rows[0].boxes] == ["", "2 Cut the onion", "3 Cut the onion"]


@pytest.mark.parametrize("frames", [1, 7, 300, 4800, 250_000])
def test_the_axis_has_a_handful_of_round_ticks(frames: int) -> None:
    ticks = figure([Drawn("A", True, [])], frame_count=frames, action_types=[]).ticks
    assert 1 <= len(ticks) <= 13
    assert ticks[0] == (MARGIN, 0)
    assert all(frame <= frames for _, frame in ticks)
