"""γ: published numbers, an exhaustive reference, and what must hold for any timelines."""

from __future__ import annotations

import csv
from functools import cache
from itertools import combinations, permutations, product
from pathlib import Path
from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from timelines.reliability.alignment import (
    GAMMA_COST,
    PairCost,
    align,
    candidate_pairs,
    group_costs,
    pair_bound,
    pair_costs,
    units_of,
)
from timelines.reliability.assignment import best_matching
from timelines.reliability.gamma import gamma, observed_disorder, pair_cost
from timelines.segment import Segment, Timeline
from timelines.simulator import FAIR, annotate_many, make_truth

Triple = tuple[int, int, str]


def timeline(*segments: Triple, frames: int = 1000) -> Timeline:
    return Timeline(frames, 30.0, (Segment(*s) for s in segments))


def read(path: Path) -> list[Timeline]:
    by_annotator: dict[str, list[Triple]] = {}
    with path.open() as lines:
        for annotator, label, start, end in csv.reader(lines):
            by_annotator.setdefault(annotator, []).append((int(start), int(end), label))
    return [timeline(*segments) for segments in by_annotator.values()]


def exhaustive_disorder(timelines: list[Timeline]) -> float:
    """Smallest disorder over every alignment there is (tiny timelines only)."""
    n = len(timelines)
    units = [(a, s) for a, t in enumerate(timelines) for s in t]
    pairs = n * (n - 1) // 2

    def cost(group: tuple[int, ...]) -> float:
        total = float(pairs)
        for i, j in combinations(group, 2):
            a, b = units[i][1], units[j][1]
            off = abs(a.start_frame - b.start_frame) + abs(a.end_frame - b.end_frame)
            total += 3 * (off / (a.length + b.length)) ** 2 - 1
            total += a.action_type != b.action_type
        return total / pairs

    @cache
    def best(free: frozenset[int]) -> float:
        if not free:
            return 0.0
        first = min(free)
        others = [
            [None, *(i for i in free if units[i][0] == a)] for a in range(units[first][0] + 1, n)
        ]
        found = float("inf")
        for choice in product(*others):
            group = (first, *(i for i in choice if i is not None))
            found = min(found, cost(group) + best(free - set(group)))
        return found

    return best(frozenset(range(len(units)))) / (len(units) / n)


# Published numbers ------------------------------------------------------------------------------


def test_pair_cost_of_the_worked_example() -> None:
    assert pair_cost((0, 10, "a"), (2, 10, "a")) == pytest.approx(3 * (2 / 18) ** 2)
    assert pair_cost((0, 10, "a"), (2, 10, "a")) == pytest.approx(0.037037, abs=1e-6)
    assert pair_cost((0, 10, "a"), (2, 10, "b")) == pytest.approx(1.037037, abs=1e-6)


def test_vectorised_pair_cost_equals_the_single_one() -> None:
    random = Random(1)
    triples = [(s, s + random.randint(1, 40), random.choice("ab")) for s in range(30)]
    units = units_of([timeline(*triples)])
    left, right = np.divmod(np.arange(900), 30)
    expected = [pair_cost(triples[i], triples[j]) for i, j in zip(left, right, strict=True)]
    assert pair_costs(units, left, right, GAMMA_COST) == pytest.approx(expected, abs=1e-12)


def test_two_disjoint_single_segments_have_disorder_two() -> None:
    found = observed_disorder([timeline((0, 10, "a")), timeline((500, 510, "a"))])
    assert found.value == pytest.approx(2.0)
    assert found.groups == 2


def test_two_segments_against_an_equal_one_have_disorder_two_thirds() -> None:
    left = timeline((0, 10, "a"), (50, 60, "a"))
    assert observed_disorder([left, timeline((0, 10, "a"))]).value == pytest.approx(2 / 3)


@pytest.mark.parametrize(
    ("name", "disorder"),
    [("AlexPaulSuzan", 0.960625), ("example_figure10", 1.511111), ("3by100", 0.343512)],
)
def test_published_disorders(shared_data: Path, name: str, disorder: float) -> None:
    found = observed_disorder(read(shared_data / f"agreement/pygamma_{name}.csv"))
    assert found.value == pytest.approx(disorder, abs=1e-6)
    assert found.exact


# The search -------------------------------------------------------------------------------------


@pytest.mark.parametrize(("annotators", "most"), [(2, 5), (3, 4), (4, 3)])
def test_disorder_equals_the_exhaustive_one(annotators: int, most: int) -> None:
    for seed in range(200 if annotators < 4 else 60):
        random = Random(seed)
        spread = random.choice((10, 30, 120))
        timelines = []
        for _ in range(annotators):
            segments = []
            for _ in range(random.randint(0, most)):
                start = random.randrange(spread)
                segments.append((start, start + random.randint(1, 15), random.choice("ab")))
            timelines.append(timeline(*segments))
        if not any(len(t) for t in timelines):
            continue
        expected = exhaustive_disorder(timelines)
        for exact in (None, True):
            found = observed_disorder(timelines, exact=exact)
            assert found.value == pytest.approx(expected, abs=1e-9), (seed, exact)
            assert found.exact


def test_matching_gains_as_much_as_the_exhaustive_one() -> None:
    for seed in range(200):
        random = Random(seed)
        cells = [(r, c) for r in range(4) for c in range(4) if random.random() < 0.6]
        # Few different gains: ties are where a reduction would go wrong.
        gains = {cell: float(random.randint(1, 4)) for cell in cells}
        row = np.array([r for r, _ in cells], dtype=np.int64)
        col = np.array([c for _, c in cells], dtype=np.int64)
        gain = np.array([gains[cell] for cell in cells])
        chosen = best_matching(row, col, gain)
        assert len(set(row[chosen])) == len(set(col[chosen])) == chosen.size
        best = max(
            sum(gains.get((r, c), 0.0) for r, c in enumerate(order))
            for order in permutations(range(4))
        )
        assert gain[chosen].sum() == best, seed


def test_matching_solves_many_components_at_once() -> None:
    # A chain a1-b1-a2-b2-... has no dominant edge; 300 of them need several batches.
    row, col, gain = [], [], []
    for at in range(0, 900, 3):
        for r, c, g in [(0, 0, 3.0), (1, 0, 4.0), (1, 1, 3.0), (2, 1, 4.0), (2, 2, 3.0)]:
            row.append(at + r)
            col.append(at + c)
            gain.append(g)
    chosen = best_matching(np.array(row), np.array(col), np.array(gain))
    assert np.array(gain)[chosen].sum() == 300 * 9.0


def test_candidates_are_all_pairs_within_the_bound() -> None:
    truth = make_truth(3, segments=60)
    units = units_of(annotate_many(truth, skills=[FAIR] * 3, seed=3))
    for bound in (2.0, pair_bound(3, 3.0)):
        left, right = candidate_pairs(units, GAMMA_COST, bound)
        i, j = np.triu_indices(len(units), 1)
        close = units.annotator[i] != units.annotator[j]
        close &= pair_costs(units, i, j, GAMMA_COST) <= bound
        assert set(zip(left, right, strict=True)) == set(zip(i[close], j[close], strict=True))


@pytest.mark.parametrize("annotators", [3, 4, 5])
def test_search_without_proof_stays_within_half_a_percent(annotators: int) -> None:
    found, proven = 0.0, 0.0
    for seed in range(5):
        truth = make_truth(seed, segments=40)
        people = annotate_many(truth, skills=[FAIR] * annotators, seed=seed)
        best = observed_disorder(people, exact=True)
        quick = observed_disorder(people, exact=False)
        assert best.exact
        assert not quick.exact
        assert best.value - 1e-9 <= quick.value <= best.value * 1.02
        found += quick.value
        proven += best.value
    assert found <= proven * 1.005


def test_every_segment_is_in_exactly_one_group_of_distinct_annotators() -> None:
    truth = make_truth(8, segments=80)
    units = units_of(annotate_many(truth, skills=[FAIR] * 4, seed=8))
    members = align(units)
    assert sorted(members[members >= 0]) == list(range(len(units)))
    where, who = np.nonzero(members >= 0)
    assert (units.annotator[members[where, who]] == who).all()


def test_a_higher_opening_price_makes_fewer_groups() -> None:
    truth = make_truth(8, segments=40)
    units = units_of(annotate_many(truth, skills=[FAIR] * 3, seed=8))
    sizes = [align(units, opening=price).shape[0] for price in (0.0, 1.0, 3.0)]
    assert sizes == sorted(sizes, reverse=True)
    assert sizes[0] > sizes[-1]


def test_group_costs_of_a_known_group() -> None:
    units = units_of([timeline((0, 10, "a")), timeline((2, 10, "a")), timeline()])
    cost = group_costs(units, np.array([[0, 1, -1]]), cost=PairCost())
    assert cost == pytest.approx([3 - 1 + 3 * (2 / 18) ** 2])


# γ itself ---------------------------------------------------------------------------------------


def test_gamma_is_one_minus_the_ratio_of_disorders() -> None:
    truth = make_truth(5, segments=30)
    people = annotate_many(truth, skills=[FAIR] * 3, seed=5)
    found = gamma(people, samples=40, seed=1)
    assert found.gamma is not None
    assert found.observed is not None
    assert found.expected is not None
    assert found.low is not None
    assert found.high is not None
    assert found.gamma == pytest.approx(1 - found.observed / found.expected)
    assert found.observed == pytest.approx(observed_disorder(people).value)
    assert found.low < found.gamma < found.high
    assert found.samples == 40


def test_people_who_agree_are_far_from_chance_and_unrelated_ones_are_not() -> None:
    def people(truths: list[int]) -> list[Timeline]:
        return [
            annotate_many(make_truth(t, segments=80), skills=[FAIR] * 3, seed=t)[k]
            for k, t in enumerate(truths)
        ]

    def cut(timelines: list[Timeline]) -> list[Timeline]:
        frames = max(t.frame_count for t in timelines)
        return [Timeline(frames, t.fps, t.segments) for t in timelines]

    agreeing = gamma(cut(people([1, 1, 1]))).gamma
    unrelated = gamma(cut(people([1, 2, 3]))).gamma
    assert agreeing is not None
    assert unrelated is not None
    assert agreeing > 0.5
    assert abs(unrelated) < 0.1


def test_a_seed_fixes_the_samples_and_another_changes_them() -> None:
    people = annotate_many(make_truth(6, segments=20), skills=[FAIR] * 2, seed=6)
    assert gamma(people, seed=4) == gamma(people, seed=4)
    assert gamma(people, seed=4).expected != gamma(people, seed=5).expected


def test_precision_asks_for_as_many_samples_as_the_paper_says() -> None:
    people = annotate_many(make_truth(6, segments=12), skills=[FAIR] * 2, seed=6)
    first = gamma(people, samples=10, seed=2)
    assert first.expected is not None
    assert first.expected_deviation is not None
    wanted = (1.959964 * first.expected_deviation / first.expected / 0.02) ** 2
    assert wanted > 10
    assert gamma(people, samples=10, precision=0.02, seed=2).samples == int(np.ceil(wanted))
    assert gamma(people, samples=10, precision=0.02, max_samples=12, seed=2).samples == 12
    assert gamma(people, samples=10, precision=0.9, seed=2).samples == 10


@pytest.mark.parametrize(
    ("people", "flag"),
    [
        ([timeline(), timeline()], "both_empty"),
        ([timeline((0, 5, "a")), timeline()], "one_empty"),
        ([timeline((0, 1, "a"), frames=1)] * 2, "no_variation"),
        ([timeline((0, 5, "a"))], "too_few_annotators"),
        ([], "too_few_annotators"),
    ],
)
def test_gamma_is_null_where_it_has_no_meaning(people: list[Timeline], flag: str) -> None:
    found = gamma(people)
    assert (found.gamma, found.flag) == (None, flag)
    assert found.as_dict()["flag"] == flag


def test_an_empty_annotator_among_three_counts_as_missing_everything() -> None:
    segment = (10, 20, "a")
    found = gamma([timeline(segment), timeline(segment), timeline()])
    # One group of two: two of three pairs miss somebody; 2/3 segments per annotator.
    assert found.observed == pytest.approx((2 / 3) / (2 / 3))
    assert found.flag is None


def test_disorder_of_nothing_is_refused() -> None:
    for people in ([], [timeline((0, 5, "a"))], [timeline(), timeline()]):
        with pytest.raises(ValueError, match="disorder needs"):
            observed_disorder(people)


def test_a_thousand_segments_each() -> None:
    people = annotate_many(make_truth(1, segments=1000), skills=[FAIR] * 3, seed=1)
    found = gamma(people, samples=2)
    assert found.gamma is not None
    assert 0.5 < found.gamma < 1


# Properties -------------------------------------------------------------------------------------

FRAMES = 120


@st.composite
def any_timeline(draw: st.DrawFn) -> Timeline:
    """Empty, one frame long, touching, nested, equal: whatever fits in the video."""
    starts = draw(st.lists(st.integers(0, FRAMES - 1), max_size=6))
    segments = []
    for start in starts:
        end = draw(st.integers(start + 1, FRAMES))
        segments.append((start, end, draw(st.sampled_from("ab"))))
    return timeline(*segments, frames=FRAMES)


people_strategy = st.lists(any_timeline(), min_size=2, max_size=4)


@settings(max_examples=60, deadline=None)
@given(people_strategy, st.randoms(use_true_random=False))
def test_gamma_does_not_depend_on_the_order_of_annotators(
    people: list[Timeline], random: Random
) -> None:
    mixed = people[:]
    random.shuffle(mixed)
    assert gamma(mixed, samples=3) == gamma(people, samples=3)


@settings(max_examples=60, deadline=None)
@given(people_strategy)
def test_gamma_is_at_most_one(people: list[Timeline]) -> None:
    found = gamma(people, samples=3)
    assert (found.gamma is None) == (found.flag is not None)
    if found.gamma is not None:
        assert found.gamma <= 1
        assert found.observed is not None
        assert found.observed >= 0
        # No alignment is worse than leaving everybody alone: disorder n.
        assert found.observed <= len(people) + 1e-9


@settings(max_examples=40, deadline=None)
@given(any_timeline(), st.integers(2, 4))
def test_identical_annotators_have_gamma_one(one: Timeline, annotators: int) -> None:
    found = gamma([one] * annotators, samples=3)
    if len(one):
        assert found.observed == pytest.approx(0.0, abs=1e-12)
        assert found.gamma == pytest.approx(1.0) or found.flag == "no_variation"
    else:
        assert found.flag == "both_empty"


@settings(max_examples=60, deadline=None)
@given(people_strategy, st.integers(0, 10_000))
def test_disorder_does_not_depend_on_where_frame_zero_is(
    people: list[Timeline], offset: int
) -> None:
    if not any(len(t) for t in people):
        return
    moved = [
        timeline(*((s.start_frame + offset, s.end_frame + offset, s.action_type) for s in t))
        for t in people
    ]
    assert observed_disorder(moved).value == pytest.approx(
        observed_disorder(people).value, abs=1e-9
    )
