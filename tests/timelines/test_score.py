"""The numbers of the design, and the same numbers from twenty independent lines."""

from __future__ import annotations

import pytest

from timelines.score import score_timelines
from timelines.segment import Hands, Segment, Timeline

N, L, R, B = Hands.NONE, Hands.LEFT, Hands.RIGHT, Hands.BOTH


def line(frame_count: int, fps: float, *segments: tuple[int, int, str, Hands]) -> Timeline:
    return Timeline(frame_count, fps, [Segment(*segment) for segment in segments])


TRUTH = line(
    220,
    30,
    (0, 30, "t1", L),
    (30, 60, "t2", R),
    (60, 90, "t3", L),
    (100, 130, "t4", B),
    (140, 170, "t5", L),
    (170, 200, "t6", L),
)
WORK = line(
    220,
    30,
    (0, 32, "t1", L),
    (30, 60, "t7", R),
    (60, 75, "t3", L),
    (75, 90, "t3", L),
    (100, 130, "t4", L),
    (140, 200, "t5", L),
    (210, 220, "t9", L),
)


def test_worked_example() -> None:
    score = score_timelines(TRUTH, WORK)
    assert (score.tp, score.fp, score.fn) == (5, 2, 1)
    assert score.rq == pytest.approx(0.7692, abs=5e-5)
    assert score.sq == pytest.approx(0.7875, abs=5e-5)
    assert score.s == pytest.approx(0.6517, abs=5e-5)


def test_segmental_example() -> None:
    truth = line(30, 30, (0, 10, "a", N), (10, 20, "b", N), (20, 30, "a", N))
    work = line(30, 30, (0, 14, "a", N), (14, 20, "b", N), (20, 30, "a", N))
    score = score_timelines(truth, work)
    assert (score.f1_10, score.f1_25, score.f1_50) == (1, 1, 1)
    assert score.f1_75 == pytest.approx(1 / 3)
    assert score.f1_90 == pytest.approx(1 / 3)
    assert score.edit_score == 100
