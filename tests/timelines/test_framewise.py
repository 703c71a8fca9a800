"""Framewise κ, π, α: published numbers, and published implementations over expanded frames."""

from __future__ import annotations

from itertools import pairwise
from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from timelines.reliability.framewise import framewise, framewise_by_hand
from timelines.segment import Hands, Segment, Timeline

L, R = Hands.LEFT, Hands.RIGHT


def left(frames: int, *units: tuple[int, int, str]) -> Timeline:
    return Timeline(frames, 30.0, (Segment(*u, L) for u in units))


def random_people(seed: int, annotators: int) -> list[Timeline]:
    random = Random(seed)
    frames = random.choice((5, 60, 400))
    people = []
    for _ in range(annotators):
        cuts = sorted(random.sample(range(frames + 1), random.randint(2, min(12, frames))))
        people.append(
            left(
                frames,
                *(
                    (start, end, random.choice("abc"))
                    for start, end in pairwise(cuts)
                    if random.random() < 0.7
                ),
            )
        )
    return people


def expanded(timeline: Timeline) -> list[str]:
    labels = [""] * timeline.frame_count
    for s in timeline:
        labels[s.start_frame : s.end_frame] = [s.action_type] * s.length
    return labels


def test_nominal_alpha_of_the_worked_example() -> None:
    found = framewise([left(10, (2, 6, "a")), left(10, (4, 8, "a"))], L)
    assert found.alpha == pytest.approx(0.208333, abs=1e-6)
    assert found.agreement == pytest.approx(0.6)


def test_krippendorffs_digitised_example_of_1995() -> None:
    found = framewise(
        [left(24, (2, 10, "x"), (14, 20, "x")), left(24, (4, 8, "x"), (15, 17, "x"))], L
    )
    assert found.kappa == pytest.approx(0.385, abs=5e-4)
    assert found.pi == pytest.approx(0.314, abs=5e-4)
    assert found.alpha == pytest.approx(0.329, abs=5e-4)


def test_kappa_equals_scikit_learns() -> None:
    metrics = pytest.importorskip(
        "sklearn.metrics", reason="scikit-learn is not installed (requirements-dev.in)"
    )
    compared = 0
    for seed in range(250):
        one, other = random_people(seed, 2)
        found = framewise([one, other], L)
        if found.flag is not None or found.kappa is None:
            continue
        expected = metrics.cohen_kappa_score(expanded(one), expanded(other))
        assert found.kappa == pytest.approx(expected, abs=1e-9), seed
        compared += 1
    assert compared >= 200


@pytest.mark.parametrize("annotators", [2, 4])
def test_alpha_equals_krippendorffs(annotators: int) -> None:
    peer = pytest.importorskip(
        "krippendorff", reason="krippendorff is not installed (requirements-dev.in)"
    )
    compared = 0
    for seed in range(250):
        people = random_people(seed, annotators)
        found = framewise(people, L)
        if found.alpha is None:
            continue
        data = np.array([expanded(p) for p in people])
        expected = peer.alpha(
            reliability_data=np.searchsorted(["", "a", "b", "c"], data).astype(float),
            level_of_measurement="nominal",
        )
        assert found.alpha == pytest.approx(expected, abs=1e-9), seed
        compared += 1
    assert compared >= 200


def test_kappa_of_three_is_the_mean_over_pairs() -> None:
    people = random_people(8, 3)
    pairs = [framewise([people[i], people[j]], L).kappa for i, j in ((0, 1), (0, 2), (1, 2))]
    assert framewise(people, L).kappa == pytest.approx(sum(k for k in pairs if k) / 3)


def test_hands_are_judged_apart() -> None:
    one = Timeline(50, 30.0, [Segment(0, 20, "a", L), Segment(30, 40, "b", R)])
    other = Timeline(50, 30.0, [Segment(0, 20, "a", L), Segment(35, 45, "b", R)])
    found = framewise_by_hand([one, other])
    assert found["left"].kappa == pytest.approx(1.0)
    assert found["right"].agreement == pytest.approx(0.8)


@pytest.mark.parametrize(
    ("people", "flag"),
    [
        ([left(10), left(10)], "both_empty"),
        ([left(0), left(0)], "both_empty"),
        ([left(9, (0, 9, "a")), left(9, (0, 9, "a"))], "no_variation"),
        ([left(9)], "too_few_annotators"),
    ],
)
def test_coefficients_are_null_where_they_have_no_meaning(
    people: list[Timeline], flag: str
) -> None:
    found = framewise(people, L)
    assert (found.kappa, found.pi, found.alpha, found.flag) == (None, None, None, flag)
    assert found.as_dict()["flag"] == flag


@st.composite
def any_timeline(draw: st.DrawFn) -> Timeline:
    segments = []
    for start in draw(st.lists(st.integers(0, 59), max_size=5)):
        end = draw(st.integers(start + 1, 60))
        segments.append(Segment(start, end, draw(st.sampled_from("ab")), L))
    return Timeline(60, 30.0, segments)


people_strategy = st.lists(any_timeline(), min_size=2, max_size=4)


@settings(max_examples=100, deadline=None)
@given(people_strategy, st.permutations(range(4)))
def test_order_of_annotators_does_not_matter(people: list[Timeline], order: list[int]) -> None:
    one = framewise(people, L)
    other = framewise([people[i] for i in order if i < len(people)], L)
    for name in ("agreement", "kappa", "pi", "alpha"):
        assert getattr(one, name) == pytest.approx(getattr(other, name), abs=1e-12)


@settings(max_examples=100, deadline=None)
@given(people_strategy)
def test_at_most_one_and_one_for_identical_people(people: list[Timeline]) -> None:
    for value in (lambda f: (f.kappa, f.pi, f.alpha))(framewise(people, L)):
        assert value is None or value <= 1 + 1e-12
    same = framewise([people[0]] * len(people), L)
    assert same.agreement == 1
    if same.flag is None:
        assert (same.kappa, same.pi, same.alpha) == pytest.approx((1.0, 1.0, 1.0))
