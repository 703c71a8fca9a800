"""Boundary similarity by hand and beside segeval, its author's implementation."""

from __future__ import annotations

import json
from itertools import combinations, pairwise
from pathlib import Path
from random import Random

import pytest

from timelines.boundaries import boundary_similarity, similarity_of_boundaries
from timelines.segment import Segment, Timeline


def line(*spans: tuple[int, int]) -> Timeline:
    return Timeline(100, 30, [Segment(a, b, "x") for a, b in spans])


def test_by_hand() -> None:
    truth = line((0, 10), (10, 20), (30, 40))  # boundaries 0 10 20 30 40
    assert boundary_similarity(truth, truth, span_frames=1) == 1
    assert boundary_similarity(line(), line(), span_frames=3) == 1
    assert boundary_similarity(truth, line(), span_frames=3) == 0
    # 0 and 10 match, 20 against 22 is a near miss of 2 frames, 30 and 40 are missing.
    work = line((0, 10), (10, 22))
    assert boundary_similarity(truth, work, span_frames=4) == pytest.approx(1 - (2 + 2 / 4) / 5)
    assert boundary_similarity(truth, work, span_frames=2) == pytest.approx(1 - 4 / 6)
    with pytest.raises(ValueError, match="span_frames"):
        boundary_similarity(truth, work, span_frames=0)


def masses(boundaries: set[int], length: int) -> tuple[int, ...]:
    return tuple(b - a for a, b in pairwise([0, *sorted(boundaries), length]))


def test_same_as_segeval_on_random_cases() -> None:
    segeval = pytest.importorskip("segeval", reason="the peer is not installed")
    random = Random(1)
    for _ in range(300):
        length = random.randint(5, 60)
        one, other = (
            set(random.sample(range(1, length), random.randint(0, (length - 1) // 2)))
            for _ in range(2)
        )
        if not one | other:
            continue  # segeval raises
        theirs = segeval.boundary_similarity(masses(one, length), masses(other, length), n_t=2)
        assert similarity_of_boundaries(one, other, 2) == pytest.approx(float(theirs), abs=1e-9)


def test_same_as_segeval_on_seven_annotators(shared_data: Path) -> None:
    segeval = pytest.importorskip("segeval", reason="the peer is not installed")
    data = json.loads((shared_data / "agreement" / "segeval_hearst1997.json").read_text())
    people = next(iter(data["items"].values()))
    assert len(people) == 7
    for one, other in combinations(people.values(), 2):
        ours, others = ({sum(m[: i + 1]) for i in range(len(m) - 1)} for m in (one, other))
        theirs = segeval.boundary_similarity(tuple(one), tuple(other), n_t=2)
        assert similarity_of_boundaries(ours, others, 2) == pytest.approx(float(theirs), abs=1e-9)
