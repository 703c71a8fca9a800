"""Consensus: worked cases, quality on simulated people, and what must hold for any timelines."""

from __future__ import annotations

from collections import Counter
from math import exp
from random import Random
from statistics import mean

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from timelines.consensus import Consensus, build_consensus, weighted_median
from timelines.score import score_timelines
from timelines.segment import Hands, Segment, Timeline
from timelines.simulator import FAIR, POOR, annotate_many, make_truth

L, R, BOTH, NONE = Hands.LEFT, Hands.RIGHT, Hands.BOTH, Hands.NONE


def timeline(*segments: Segment, frames: int = 1000) -> Timeline:
    return Timeline(frames, 60.0, segments)


def seg(start: int, end: int, name: str = "cut", hands: Hands = L, text: str = "") -> Segment:
    return Segment(start, end, name, hands, text)


def overlaps(consensus: Timeline) -> list[tuple[Segment, Segment]]:
    found = []
    for k, one in enumerate(consensus):
        for other in consensus.segments[k + 1 :]:
            same_hand = bool(one.hands & other.hands) or one.hands == other.hands
            if same_hand and other.start_frame < one.end_frame:
                found.append((one, other))
    return found


# Worked cases -----------------------------------------------------------------------------------


def test_boundaries_are_medians_and_the_outlier_does_not_pull() -> None:
    found = build_consensus(
        [timeline(seg(100, 200)), timeline(seg(104, 196)), timeline(seg(103, 260))]
    )
    assert [c.segment for c in found.segments] == [seg(103, 200)]
    assert found.disputed == ()


@pytest.mark.parametrize(
    ("values", "weights", "expected"),
    [
        ([5], [1.0], 5),
        ([1, 9], [1.0, 1.0], 5),
        ([1, 2, 9], [1.0, 1.0, 1.0], 2),
        ([9, 2, 1], [1.0, 1.0, 1.0], 2),
        ([1, 2, 9], [1.0, 1.0, 3.0], 9),
        ([1, 2, 9], [1.0, 1.0, 2.0], 5),
        ([1, 2, 4, 9], [0.1, 0.2, 0.3, 0.4], 4),
    ],
)
def test_weighted_median(values: list[int], weights: list[float], expected: int) -> None:
    assert weighted_median(values, weights) == expected


def test_what_half_or_fewer_drew_goes_to_adjudication() -> None:
    both, one = seg(100, 200), seg(500, 600)
    found = build_consensus([timeline(both, one), timeline(both)])
    assert [c.segment for c in found.segments] == [both]
    assert [(d.support, d.reason) for d in found.disputed] == [(0.5, "too little support")]
    assert [(s.annotator, s.index, s.segment) for s in found.disputed[0].sources] == [(0, 1, one)]

    found = build_consensus([timeline(both, one), timeline(both, one), timeline(both), timeline()])
    assert [c.segment for c in found.segments] == [both]
    assert [d.support for d in found.disputed] == [0.5]


def test_type_hands_and_description_are_voted_and_never_invented() -> None:
    found = build_consensus(
        [
            timeline(seg(10, 50, "cut", BOTH, "cut the red tomato")),
            timeline(seg(10, 50, "cut", R, "cut the tomato")),
            timeline(seg(10, 50, "wipe", R, "wipe a table")),
        ]
    )
    (merged,) = found.segments
    assert merged.segment == seg(10, 50, "cut", R, "cut the tomato")
    assert merged.support == pytest.approx(1)
    assert merged.label_share == pytest.approx(1 / 3)  # one has both the type and the hand
    assert merged.confidence == pytest.approx(1 / 3)


def test_the_medoid_description_is_the_one_closest_to_the_others() -> None:
    texts = ["grab red cup", "grab the red cup", "grab the red cup quickly"]
    found = build_consensus([timeline(seg(0, 60, text=t)) for t in texts])
    assert found.segments[0].segment.description == "grab the red cup"


def test_a_description_comes_from_a_member_with_the_chosen_label() -> None:
    found = build_consensus(
        [
            timeline(seg(10, 50, "cut", R, "cut it with the right hand")),
            timeline(seg(10, 50, "cut", R, "slice")),
            timeline(seg(10, 50, "cut", L, "cut it with the left hand")),
            timeline(seg(10, 50, "cut", L, "cut it with the left hand")),
            timeline(seg(10, 50, "cut", R, "chop")),
        ]
    )
    assert found.segments[0].segment.hands == R
    assert found.segments[0].segment.description == "cut it with the right hand"


def test_a_tied_vote_follows_the_member_closest_to_the_others() -> None:
    for inner, outer in (("cut", "wipe"), ("wipe", "cut")):
        segments = [seg(14, 54, outer), seg(24, 64, inner), seg(26, 66, inner), seg(36, 76, outer)]
        (merged,) = build_consensus([timeline(s) for s in segments]).segments
        assert merged.segment.action_type == inner


def test_a_segment_within_another_of_the_same_hand_is_disputed_not_cut() -> None:
    wide = [seg(0, 300)] * 3
    people = [timeline(s) for s in wide]
    people += [timeline(seg(0, 300), seg(100, 110, "wipe"))] * 2
    people += [timeline(seg(100, 110, "wipe"))] * 2
    found = build_consensus(people)
    assert [c.segment for c in found.segments] == [seg(0, 300)]
    assert [d.reason for d in found.disputed] == ["overlaps another"]


def test_two_annotators_who_name_different_hands_get_one_of_their_answers() -> None:
    found = build_consensus([timeline(seg(0, 60, hands=L)), timeline(seg(0, 60, hands=R))])
    assert found.segments[0].segment.hands in (L, R)
    assert found.segments[0].label_share == pytest.approx(0.5)


def test_confidence_is_support_times_label_share_times_spread() -> None:
    # 60 fps: 6 frames are free, then exp(-off / 30).
    found = build_consensus(
        [timeline(seg(100, 200)), timeline(seg(100, 200)), timeline(seg(136, 200)), timeline()]
    )
    (merged,) = found.segments
    assert merged.spread_frames == pytest.approx(36 / 6)
    closeness = (5 + exp(-1)) / 6
    assert merged.confidence == pytest.approx(0.75 * 1.0 * closeness)


def test_overlap_of_one_hand_is_cut_where_the_boundaries_meet() -> None:
    people = [
        timeline(seg(0, 100), seg(100, 200, "wipe")),
        timeline(seg(0, 112), seg(112, 200, "wipe")),
        timeline(seg(0, 106), seg(140, 200, "wipe"), seg(300, 320)),
        timeline(seg(0, 130), seg(400, 420), seg(500, 520)),
        timeline(seg(70, 200, "wipe")),
    ]
    found = build_consensus(people)
    first, second = found.timeline.segments
    # ends 100, 112, 106, 130 and starts 100, 112, 140, 70 meet here: middle of 106 and 112
    assert (first.end_frame, second.start_frame) == (109, 109)
    assert overlaps(found.timeline) == []


def test_different_hands_may_overlap() -> None:
    one = [seg(0, 100, hands=L), seg(50, 150, "wipe", R)]
    found = build_consensus([timeline(*one)] * 3)
    assert list(found.timeline) == one


def test_weights_count_as_votes() -> None:
    people = [timeline(seg(0, 60, "cut")), timeline(seg(0, 60, "wipe"))]
    for weights, name in (((3.0, 1.0), "cut"), ((1.0, 3.0), "wipe")):
        found = build_consensus(people, weights=weights)
        assert found.segments[0].segment.action_type == name
        assert found.segments[0].label_share == pytest.approx(0.75)
    alone = build_consensus([timeline(seg(0, 60)), timeline()], weights=[3.0, 1.0])
    assert alone.segments[0].support == pytest.approx(0.75)


def test_nonsense_is_refused() -> None:
    one = timeline(seg(0, 60))
    with pytest.raises(ValueError, match="at least one"):
        build_consensus([])
    with pytest.raises(ValueError, match="different videos"):
        build_consensus([one, timeline(seg(0, 60), frames=999)])
    for weights in ([1.0], [1.0, 0.0], [1.0, -1.0]):
        with pytest.raises(ValueError, match="weight"):
            build_consensus([one, one], weights=weights)


def test_plain_data() -> None:
    found = build_consensus([timeline(seg(0, 60), seg(90, 99)), timeline(seg(0, 60))])
    data = found.as_dict()
    assert data["segments"][0]["segment"] == seg(0, 60).as_dict()
    assert data["segments"][0]["sources"][1]["annotator"] == 1
    assert data["disputed"][0]["sources"][0]["segment"]["start_frame"] == 90


# Simulated people -------------------------------------------------------------------------------


def test_three_fair_people_agree_on_much_better_work_than_each_alone() -> None:
    together, alone, error, error_alone = [], [], [], []
    for seed in range(20):
        truth = make_truth(seed, segments=100, fps=60.0)
        people = annotate_many(truth, skills=[FAIR] * 3, seed=seed)
        found = build_consensus(people)
        assert overlaps(found.timeline) == []
        score, one = score_timelines(truth, found.timeline), score_timelines(truth, people[0])
        assert score.mean_boundary_error_frames is not None
        assert one.mean_boundary_error_frames is not None
        together.append(score.f1_75)
        alone.append(one.f1_75)
        error.append(score.mean_boundary_error_frames)
        error_alone.append(one.mean_boundary_error_frames)
    assert mean(together) >= 0.87
    assert mean(error) <= 8.5
    assert mean(alone) < 0.72
    assert mean(error_alone) > 11


def test_low_confidence_is_where_the_consensus_is_wrong() -> None:
    right: list[float] = []
    wrong: list[float] = []
    for seed in range(6):
        truth = make_truth(seed, segments=100)
        found = build_consensus(annotate_many(truth, skills=[FAIR] * 3, seed=seed))
        exact = {(s.action_type, s.hands) for s in truth}
        assert exact
        for c in found.segments:
            best = max(_iou(c.segment, t) for t in truth if t.action_type == c.segment.action_type)
            (right if best >= 0.75 else wrong).append(c.confidence)
    assert mean(right) > mean(wrong) + 0.2


def _iou(one: Segment, other: Segment) -> float:
    shared = min(one.end_frame, other.end_frame) - max(one.start_frame, other.start_frame)
    return max(0, shared) / (one.length + other.length - max(0, shared))


def test_a_thousand_segments_each() -> None:
    truth = make_truth(4, segments=1000)
    found = build_consensus(annotate_many(truth, skills=[FAIR] * 3, seed=4))
    assert overlaps(found.timeline) == []
    assert score_timelines(truth, found.timeline).f1_75 > 0.8


# Properties -------------------------------------------------------------------------------------


def in_order(found: Consensus, order: list[int]) -> Counter[object]:
    """What was found, with annotators by the number they have in ``order``; order-free."""
    items: list[object] = []
    for c in found.segments:
        members = sorted((order[s.annotator], s.segment.start_frame) for s in c.sources)
        items.append((c.segment, round(c.confidence, 9), tuple(members)))
    for d in found.disputed:
        members = sorted((order[s.annotator], s.segment.start_frame) for s in d.sources)
        items.append((d.reason, tuple(members)))
    return Counter(items)


def test_order_of_simulated_annotators_does_not_change_the_answer() -> None:
    for seed in range(6):
        people = annotate_many(make_truth(seed, segments=80), skills=[POOR] * 5, seed=seed)
        expected = in_order(build_consensus(people), [0, 1, 2, 3, 4])
        for order in ([4, 3, 2, 1, 0], [1, 3, 0, 2, 4]):
            found = build_consensus([people[i] for i in order])
            assert in_order(found, order) == expected


FRAMES = 90


@st.composite
def any_timeline(draw: st.DrawFn) -> Timeline:
    """Empty, one frame long, touching, nested and overlapping in one hand."""
    segments = []
    for start in draw(st.lists(st.integers(0, FRAMES - 1), max_size=6)):
        end = draw(st.integers(start + 1, FRAMES))
        segments.append(
            Segment(
                start,
                end,
                draw(st.sampled_from("ab")),
                draw(st.sampled_from(list(Hands))),
                draw(st.sampled_from(["", "left hand", "right hand"])),
            )
        )
    return Timeline(FRAMES, 30.0, segments)


people_strategy = st.lists(any_timeline(), min_size=1, max_size=5)


@settings(max_examples=150, deadline=None)
@given(people_strategy)
def test_no_two_segments_of_one_hand_ever_overlap(people: list[Timeline]) -> None:
    found = build_consensus(people)
    assert overlaps(found.timeline) == []
    for c in found.segments:
        assert 0 <= c.segment.start_frame < c.segment.end_frame <= FRAMES
        assert 0.5 < c.support <= 1 + 1e-9
        assert 0 <= c.confidence <= c.support * c.label_share + 1e-9
        assert c.segment.description in {s.segment.description for s in c.sources}
        assert c.segment.action_type in {s.segment.action_type for s in c.sources}


@settings(max_examples=150, deadline=None)
@given(people_strategy)
def test_every_segment_ends_up_in_one_place(people: list[Timeline]) -> None:
    found = build_consensus(people)
    used = [(s.annotator, s.index) for group in found.segments for s in group.sources]
    used += [(s.annotator, s.index) for group in found.disputed for s in group.sources]
    assert sorted(used) == [(a, i) for a, t in enumerate(people) for i in range(len(t))]
    groups = [c.sources for c in found.segments] + [d.sources for d in found.disputed]
    for sources in groups:
        assert len({s.annotator for s in sources}) == len(sources)


@settings(max_examples=150, deadline=None)
@given(people_strategy, st.randoms(use_true_random=False))
def test_order_of_annotators_does_not_change_the_answer(
    people: list[Timeline], random: Random
) -> None:
    order = list(range(len(people)))
    random.shuffle(order)
    one = build_consensus(people)
    other = build_consensus([people[i] for i in order])
    assert other.timeline == one.timeline
    assert [round(c.confidence, 9) for c in other.segments] == [
        round(c.confidence, 9) for c in one.segments
    ]
    assert len(other.disputed) == len(one.disputed)


@settings(max_examples=60, deadline=None)
@given(any_timeline(), st.integers(1, 4))
def test_people_who_agree_get_what_they_drew(one: Timeline, annotators: int) -> None:
    if overlaps(one):
        return
    found = build_consensus([one] * annotators)
    assert found.timeline == one
    assert found.disputed == ()
    assert all(c.confidence == pytest.approx(1.0) for c in found.segments)


@settings(max_examples=60, deadline=None)
@given(people_strategy, st.integers(1, 1000))
def test_a_later_start_moves_the_answer_and_changes_nothing(
    people: list[Timeline], offset: int
) -> None:
    def moved(t: Timeline, by: int) -> Timeline:
        return Timeline(
            FRAMES + 1000,
            t.fps,
            (
                Segment(s.start_frame + by, s.end_frame + by, s.action_type, s.hands, s.description)
                for s in t
            ),
        )

    here = build_consensus([moved(t, 0) for t in people]).timeline
    there = build_consensus([moved(t, offset) for t in people]).timeline
    assert there == moved(here, offset)
