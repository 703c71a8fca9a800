"""The numbers of the design, and the same numbers from twenty independent lines."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import pairwise, permutations
from math import exp
from random import Random
from typing import Any

import pytest

from timelines.descriptions import similarity
from timelines.score import ScoreParameters, score_timelines
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


# --- an independent score: no arrays, every alignment tried ---------------------------------


def plain_iou(a: Segment, b: Segment) -> float:
    shared = max(0, min(a.end_frame, b.end_frame) - max(a.start_frame, b.start_frame))
    return shared / (a.length + b.length - shared)


def plain_jaccard(a: Segment, b: Segment) -> float:
    either = bin(a.hands | b.hands).count("1")
    return bin(a.hands & b.hands).count("1") / either if either else 1.0


def plain_quality(a: Segment, b: Segment, fps: float) -> float:
    def k(off: int) -> float:
        return exp(-max(0, abs(off) - 0.1 * fps) / (0.5 * fps))

    start, end = k(a.start_frame - b.start_frame), k(a.end_frame - b.end_frame)
    where = 0.5 * plain_iou(a, b) + 0.25 * start + 0.25 * end
    words = similarity(a.description, b.description) / 100
    same = a.action_type == b.action_type
    return 0.5 * where + 0.25 * same + 0.15 * plain_jaccard(a, b) + 0.1 * words


def plain_score(one: Timeline, other: Timeline) -> tuple[float, int]:
    """S and TP by trying every alignment: greatest weight, then greatest Σ q."""
    if not len(one) and not len(other):
        return 1.0, 0
    few, many = sorted((one, other), key=len)
    best = (0.0, 0.0, 0)
    for chosen in permutations(range(len(many)), len(few)):
        weight = quality = 0.0
        hits = 0
        for a, b in zip(few, (many[i] for i in chosen), strict=True):
            iou = plain_iou(a, b)
            same = a.action_type == b.action_type
            weight += iou * (1 + 0.25 * same + 0.25 * plain_jaccard(a, b)) / 1.5
            if iou >= 0.5:
                hits += 1
                quality += plain_quality(a, b, one.fps)
        best = max(best, (round(weight, 9), round(quality, 12), hits))
    _, quality, hits = best
    return quality / (hits + 0.5 * (len(one) - hits) + 0.5 * (len(other) - hits)), hits


def test_same_as_trying_every_alignment() -> None:
    random = Random(7)

    def draw() -> Timeline:
        spans = [
            (random.randrange(0, 40, 6), random.randrange(8, 30, 5))
            for _ in range(random.choice((0, 1, 3, 4, 5, 5)))
        ]
        return Timeline(
            100,
            20,
            [
                Segment(
                    a, a + n, random.choice("ab"), random.choice(list(Hands)), random.choice("xyz")
                )
                for a, n in spans
            ],
        )

    several = 0
    for _ in range(400):
        one, other = draw(), draw()
        score = score_timelines(one, other)
        s, hits = plain_score(one, other)
        assert score.s == pytest.approx(s, abs=1e-9)
        assert score.tp == hits
        several += hits > 1
    assert several > 50


def plain_segmental_f1(truth: Timeline, work: Timeline, threshold: float) -> float:
    """As published with the temporal convolutional networks: first come, first served."""
    used: set[int] = set()
    hits = 0
    for b in work:
        ious = [plain_iou(a, b) * (a.action_type == b.action_type) for a in truth]
        if not ious:
            continue
        best = max(range(len(ious)), key=ious.__getitem__)
        if ious[best] >= threshold and best not in used:
            used.add(best)
            hits += 1
    total = len(truth) + len(work)
    return 2 * hits / total if total else 1.0


def plain_edit(truth: Timeline, work: Timeline) -> float:
    a, b = truth.action_types, work.action_types
    row = list(range(len(b) + 1))
    for i, x in enumerate(a, 1):
        last, row[0] = row[0], i
        for j, y in enumerate(b, 1):
            last, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, last + (x != y))
    longest = max(len(a), len(b))
    return 100 * (1 - row[-1] / longest) if longest else 100.0


def test_segmental_scores_are_the_published_ones_on_one_lane() -> None:
    random = Random(3)
    for _ in range(300):

        def draw() -> Timeline:
            cuts = sorted(random.sample(range(101), random.randrange(2, 14)))
            return Timeline(
                100,
                30,
                [
                    Segment(a, b, random.choice("abc"), L)
                    for a, b in pairwise(cuts)
                    if random.random() < 0.8
                ],
            )

        truth, work = draw(), draw()
        score = score_timelines(truth, work)
        # Just above a half, and on, one segment cannot have two partners.
        assert score.f1_75 == pytest.approx(plain_segmental_f1(truth, work, 0.75))
        assert score.f1_90 == pytest.approx(plain_segmental_f1(truth, work, 0.90))
        assert score.edit_score == pytest.approx(plain_edit(truth, work))


def test_edges() -> None:
    empty, one = line(100, 30), line(100, 30, (0, 10, "a", L))
    score = score_timelines(empty, empty)
    assert (score.s, score.rq, score.sq, score.flags) == (1, 1, 1, ("both_empty",))
    assert (score.f1_50, score.edit_score) == (1, 100)
    assert score.mean_boundary_error_frames is None
    assert score.mean_boundary_error_ms is None
    for reference, candidate, fp, fn in [(empty, one, 1, 0), (one, empty, 0, 1)]:
        score = score_timelines(reference, candidate)
        assert (score.s, score.rq, score.sq, score.tp) == (0, 0, 0, 0)
        assert (score.fp, score.fn, score.flags) == (fp, fn, ())
        assert (score.f1_10, score.edit_score) == (0, 0)


def test_different_videos_are_refused() -> None:
    with pytest.raises(ValueError, match="different videos"):
        score_timelines(line(100, 30), line(101, 30))
    with pytest.raises(ValueError, match="different videos"):
        score_timelines(line(100, 30), line(100, 60))


def test_boundary_error_in_frames_and_milliseconds() -> None:
    truth = line(200, 50, (0, 100, "a", L), (100, 200, "b", L))
    work = line(200, 50, (0, 90, "a", L), (90, 196, "b", L))
    score = score_timelines(truth, work)
    assert score.mean_boundary_error_frames == pytest.approx((0 + 10 + 10 + 4) / 4)
    assert score.mean_boundary_error_ms == pytest.approx(1000 * 6 / 50)
    assert [(m.start_off, m.end_off) for m in score.matches] == [(0, -10), (-10, -4)]


def test_parameters_are_pinned_validated_and_survive_storage() -> None:
    parameters = ScoreParameters(version="strict", tolerance_seconds=0.0, match_iou=0.75)
    stored = json.loads(json.dumps(score_timelines(TRUTH, WORK, parameters=parameters).as_dict()))
    assert ScoreParameters.from_dict(stored["parameters"]) == parameters
    assert stored["tp"] == 3
    assert len(stored["matches"]) == 5
    assert [match["quality"] is None for match in stored["matches"]].count(True) == 2
    with pytest.raises(ValueError, match="weight_bounary"):
        ScoreParameters.from_dict({"weight_bounary": 1})
    with pytest.raises(ValueError, match="sum to 1"):
        ScoreParameters(weight_boundary=0.6)
    with pytest.raises(ValueError, match="negative"):
        ScoreParameters(iou_share=1.5, start_share=-0.5, end_share=0)


def test_each_weight_weighs_what_it_says() -> None:
    truth = Timeline(100, 30, [Segment(0, 50, "a", L, "cut the tomato")])

    def s(**change: Any) -> float:
        segment = replace(truth[0], **change)
        return score_timelines(truth, Timeline(100, 30, [segment])).s

    assert s() == 1
    assert s(action_type="b") == pytest.approx(0.75)
    assert s(hands=R) == pytest.approx(0.85)
    assert s(hands=B) == pytest.approx(0.925)
    assert s(description="") == pytest.approx(0.90)
    assert s(end_frame=53) == pytest.approx(1 - 0.5 * 0.5 * 3 / 53)  # within the tolerance
    k = exp(-(10 - 3) / 15)
    assert s(end_frame=40) == pytest.approx(1 - 0.5 * (0.5 * 0.2 + 0.25 * (1 - k)))
    assert s(end_frame=24) == 0
