"""The lint rules against the fixture that the browser's tests read too."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from timelines import lint
from timelines.segment import Hands, Segment

CASES: dict[str, list[dict[str, Any]]] = json.loads(
    (Path(lint.__file__).parent / "lint_cases.json").read_text(encoding="utf-8")
)


def read_segments(case: dict[str, Any]) -> list[Segment]:
    return [Segment(**{**s, "hands": Hands(s["hands"])}) for s in case["segments"]]


@pytest.mark.parametrize("case", CASES["errors"], ids=lambda case: str(case["name"]))
def test_error_cases(case: dict[str, Any]) -> None:
    problems = lint.check_segments(
        read_segments(case), frame_count=case["frame_count"], action_types=case["action_types"]
    )
    assert [p.as_dict() for p in problems] == case["problems"]


@pytest.mark.parametrize("case", CASES["warnings"], ids=lambda case: str(case["name"]))
def test_warning_cases(case: dict[str, Any]) -> None:
    problems = lint.warn_segments(
        read_segments(case),
        frame_count=case["frame_count"],
        gap_frames=case["gap_frames"],
        short_frames=case["short_frames"],
    )
    assert [p.as_dict() for p in problems] == case["problems"]


def test_every_rule_has_a_case() -> None:
    told = {p["code"] for case in CASES["errors"] for p in case["problems"]}
    assert told == set(lint.RULES)
    told = {p["code"] for case in CASES["warnings"] for p in case["problems"]}
    assert told == set(lint.WARNINGS)


spans = st.tuples(st.integers(0, 40), st.integers(1, 12), st.sampled_from(list(Hands)))


@given(st.lists(spans, max_size=12))
def test_an_overlap_is_told_exactly_when_two_segments_share_a_lane_and_a_frame(
    drawn: list[tuple[int, int, Hands]],
) -> None:
    segments = [Segment(a, a + n, "reach", h, "reach") for a, n, h in drawn]
    problems = lint.check_segments(segments, frame_count=60, action_types=["reach"])

    def collide(i: int, j: int) -> bool:
        a, b = segments[i], segments[j]
        same_lane = bool(a.hands & b.hands) or a.hands == b.hands == Hands.NONE
        return same_lane and a.start_frame < b.end_frame and b.start_frame < a.end_frame

    # A segment is told exactly if it collides with one that comes before it by (start, index).
    order = sorted(range(len(segments)), key=lambda i: (segments[i].start_frame, i))
    expected = {i for place, i in enumerate(order) if any(collide(i, j) for j in order[:place])}
    assert {p.index for p in problems} == expected
    assert all(p.other_index is not None and collide(p.index, p.other_index) for p in problems)


def test_of_ten_thousand_overlapping_segments_each_is_told_once() -> None:
    segments = [Segment(i, i + 5000, "reach", Hands.LEFT, "reach") for i in range(10_000)]
    problems = lint.check_segments(segments, frame_count=20_000, action_types=["reach"])
    assert len(problems) == 9_999
