"""Unitized α: the worked example, a reference by brute force, the published implementation."""

from __future__ import annotations

from itertools import pairwise
from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from timelines.reliability.unitized_alpha import unitized_alpha, unitized_alpha_by_hand
from timelines.segment import Hands, Segment, Timeline
from timelines.simulator import FAIR, annotate_many, make_truth

L, R, BOTH = Hands.LEFT, Hands.RIGHT, Hands.BOTH
Unit = tuple[int, int, str]


def left(frames: int, *units: Unit) -> Timeline:
    return Timeline(frames, 30.0, (Segment(*u, L) for u in units))


def random_units(random: Random, frames: int) -> list[Unit]:
    """Units that do not overlap; some touch, with equal and with other labels."""
    cuts = sorted(random.sample(range(frames + 1), random.randint(0, min(10, frames))))
    units = []
    for start, end in pairwise(cuts):
        if random.random() < 0.6:
            units.append((start, end, random.choice("abc")))
    return units


def brute_force(people: list[list[Unit]], frames: int) -> float | None:
    """From the definition: disagreeing pairs of frames, observed and to be had by chance."""
    label = np.full((len(people), frames), "", dtype="<U1")
    unit = np.arange(len(people) * frames).reshape(len(people), frames)  # a gap frame: itself
    for a, units in enumerate(people):
        for number, (start, end, name) in enumerate(units):
            label[a, start:end] = name
            unit[a, start:end] = -1 - number - 1000 * a
    n = len(people)
    observed = sum((label[a] != label[b]).sum() for a in range(n) for b in range(n)) / (n - 1)
    labels, owners = label.ravel(), unit.ravel()
    allowed = owners[:, None] != owners[None, :]
    differing = (labels[:, None] != labels[None, :]) & allowed
    if not differing.any():
        return None
    return float(1 - observed / (n * frames * differing.sum() / allowed.sum()))


def test_the_worked_example() -> None:
    found = unitized_alpha([left(10, (2, 6, "a")), left(10, (4, 8, "a"))], L)
    assert found.observed == 8
    assert found.expected == pytest.approx(10.7865, abs=1e-4)
    assert found.alpha == pytest.approx(0.258333, abs=1e-6)


@pytest.mark.parametrize("annotators", [2, 3, 5])
def test_equals_the_definition(annotators: int) -> None:
    defined = 0
    for seed in range(200):
        random = Random(seed)
        frames = random.choice((1, 7, 40, 90))
        people = [random_units(random, frames) for _ in range(annotators)]
        found = unitized_alpha([left(frames, *units) for units in people], L)
        if not any(people):
            assert (found.alpha, found.flag) == (None, "both_empty")
            continue
        expected = brute_force(people, frames)
        if expected is None:
            assert (found.alpha, found.flag) == (None, "no_variation")
        else:
            assert found.alpha == pytest.approx(expected, abs=1e-9), seed
            defined += 1
    assert defined > 100


@pytest.mark.parametrize("annotators", [2, 4])
def test_equals_the_published_implementation(annotators: int) -> None:
    peer = pytest.importorskip(
        "krippendorff_unitized_alpha.krippendorffs_unitized_alpha",
        reason="krippendorff-unitized-alpha is not installed (requirements-peers.in)",
    )
    for seed in range(200):
        random = Random(seed)
        frames = 200
        people = [random_units(random, frames) for _ in range(annotators)]
        found = unitized_alpha([left(frames, *units) for units in people], L)
        if found.alpha is None:
            continue
        data = {}
        for a, units in enumerate(people):
            tiles, at = [], 0  # its own filling of gaps loses frames: fill them here
            for start, end, name in [*units, (frames, frames, "")]:
                if at < start:
                    tiles.append(peer.Segment("_empty", at, start))
                if start < end:
                    tiles.append(peer.Segment(name, start, end))
                at = end
            data[str(a)] = tiles
        expected = peer.KrippendorffUnitizedAlpha(data).result
        assert found.alpha == pytest.approx(expected, abs=1e-9), seed


def test_each_hand_is_judged_by_itself() -> None:
    one = Timeline(100, 30.0, [Segment(10, 40, "a", BOTH), Segment(50, 60, "b", R)])
    other = Timeline(100, 30.0, [Segment(10, 40, "a", L), Segment(50, 60, "b", R)])
    found = unitized_alpha_by_hand([one, other])
    assert found["left"].alpha == pytest.approx(1.0)
    right = unitized_alpha([left(100, (10, 40, "a"), (50, 60, "b")), left(100, (50, 60, "b"))], L)
    assert found["right"] == right
    assert found["right"].alpha != pytest.approx(1.0)


def test_touching_units_of_one_label_stay_two_units() -> None:
    two = [left(20, (2, 6, "a"), (6, 10, "a")), left(20, (2, 10, "a"))]
    one = [left(20, (2, 10, "a")), left(20, (2, 10, "a"))]
    assert unitized_alpha(two, L).expected != unitized_alpha(one, L).expected


@pytest.mark.parametrize(
    ("people", "flag"),
    [
        ([left(10), left(10)], "both_empty"),
        ([left(0), left(0)], "both_empty"),
        ([left(10, (0, 10, "a")), left(10, (0, 10, "a"))], "no_variation"),
        ([left(10, (0, 10, "a"))], "too_few_annotators"),
    ],
)
def test_alpha_is_null_where_it_has_no_meaning(people: list[Timeline], flag: str) -> None:
    found = unitized_alpha(people, L)
    assert (found.alpha, found.flag) == (None, flag)
    assert found.as_dict()["flag"] == flag


def test_one_empty_annotator_disagrees_more_than_chance() -> None:
    found = unitized_alpha([left(10, (2, 6, "a")), left(10)], L)
    assert found.alpha is not None
    assert found.alpha < 0


def test_a_thousand_segments_each() -> None:
    people = annotate_many(make_truth(1, segments=1000), skills=[FAIR] * 5, seed=1)
    for found in unitized_alpha_by_hand(people).values():
        assert found.alpha is not None
        assert 0.3 < found.alpha < 1


FRAMES = 60


@st.composite
def any_timeline(draw: st.DrawFn) -> Timeline:
    """Overlapping and nested segments of one hand too: a draft may hold them."""
    segments = []
    for start in draw(st.lists(st.integers(0, FRAMES - 1), max_size=5)):
        end = draw(st.integers(start + 1, FRAMES))
        hands = draw(st.sampled_from(list(Hands)))
        segments.append(Segment(start, end, draw(st.sampled_from("ab")), hands))
    return Timeline(FRAMES, 30.0, segments)


people_strategy = st.lists(any_timeline(), min_size=2, max_size=4)


@settings(max_examples=100, deadline=None)
@given(people_strategy, st.permutations(range(4)))
def test_order_of_annotators_does_not_matter(people: list[Timeline], order: list[int]) -> None:
    mixed = [people[i] for i in order if i < len(people)]
    for hand in (L, R, None):
        one, other = unitized_alpha(people, hand), unitized_alpha(mixed, hand)
        assert one.flag == other.flag
        assert one.alpha == pytest.approx(other.alpha, abs=1e-12)


@settings(max_examples=100, deadline=None)
@given(people_strategy)
def test_alpha_is_at_most_one_and_one_for_identical_people(people: list[Timeline]) -> None:
    for hand in (L, R, None):
        found = unitized_alpha(people, hand)
        assert found.alpha is None or found.alpha <= 1
        same = unitized_alpha([people[0]] * len(people), hand)
        assert same.flag in ("both_empty", "no_variation") or same.alpha == pytest.approx(1.0)


@settings(max_examples=100, deadline=None)
@given(people_strategy, st.integers(0, 500))
def test_alpha_depends_on_no_offset_when_the_video_is_as_long(
    people: list[Timeline], offset: int
) -> None:
    def moved(t: Timeline, by: int) -> Timeline:
        return Timeline(
            FRAMES + 500,
            t.fps,
            (Segment(s.start_frame + by, s.end_frame + by, s.action_type, s.hands) for s in t),
        )

    one = unitized_alpha([moved(t, 0) for t in people], L)
    other = unitized_alpha([moved(t, offset) for t in people], L)
    assert one.flag == other.flag
    assert one.alpha == pytest.approx(other.alpha, abs=1e-12)
