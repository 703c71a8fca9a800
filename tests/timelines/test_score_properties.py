"""What must hold of score, diagnosis and matching for every timeline there can be."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from math import isclose
from random import Random

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from timelines.boundaries import boundary_similarity
from timelines.diagnosis import Finding, diagnose
from timelines.matching import overlapping_pairs
from timelines.score import Score, score_timelines
from timelines.segment import Hands, Segment, Timeline
from timelines.simulator import SKILLS, annotate, make_truth

FRAMES = 300


@st.composite
def segments(draw: st.DrawFn) -> Segment:
    start = draw(st.integers(0, FRAMES - 1))
    end = draw(st.integers(start + 1, min(FRAMES, start + draw(st.sampled_from([1, 20, 300])))))
    return Segment(
        start,
        end,
        draw(st.sampled_from(["reach", "cut", "拿"])),
        draw(st.sampled_from([Hands.NONE, Hands.LEFT, Hands.RIGHT, Hands.BOTH])),
        draw(st.sampled_from(["", "reach for the cup", "cut it", "切"])),
    )


# Any set of segments, legal or not: nested, touching, equal, of one frame, none at all.
timelines = st.lists(segments(), max_size=9).map(lambda drawn: Timeline(FRAMES, 30, drawn))


@st.composite
def one_handed(draw: st.DrawFn) -> Timeline:
    """A legal timeline of one hand, in order."""
    cuts = draw(st.lists(st.integers(0, FRAMES), min_size=2, max_size=12, unique=True))
    cuts.sort()
    return Timeline(
        FRAMES,
        30,
        [
            Segment(a, b, draw(st.sampled_from(["reach", "cut"])), Hands.LEFT, "do it")
            for a, b in pairwise(cuts)
            if draw(st.booleans())
        ],
    )


def flipped(finding: Finding) -> tuple[object, ...]:
    mirror = {"split": "merged", "merged": "split", "missed": "extra", "extra": "missed"}
    off = None if finding.frames_off is None else -finding.frames_off
    return mirror.get(finding.code, finding.code), finding.candidates, finding.references, off


def numbers(score: Score) -> dict[str, object]:
    stored = score.as_dict()
    return {name: stored[name] for name in stored if name not in {"matches", "parameters"}}


@settings(deadline=None, max_examples=150)
@given(timelines, timelines)
def test_symmetric(one: Timeline, other: Timeline) -> None:
    there, back = score_timelines(one, other), score_timelines(other, one)
    assert isclose(there.s, back.s, abs_tol=1e-9)
    assert isclose(there.edit_score, back.edit_score)
    assert (there.fp - there.fn) == (back.fn - back.fp)
    assert boundary_similarity(one, other, span_frames=3) == pytest.approx(
        boundary_similarity(other, one, span_frames=3)
    )


@settings(deadline=None, max_examples=100)
@given(one_handed(), one_handed())
def test_everything_is_symmetric_where_a_hand_does_one_thing_at_a_time(
    one: Timeline, other: Timeline
) -> None:
    """Without overlaps a segment has at most one partner of IoU above a half."""
    there, back = score_timelines(one, other), score_timelines(other, one)
    exactly_half = [pair for pair in overlapping_pairs(one, other).iou if pair == 0.5]
    assume(not exactly_half)
    assert (there.tp, there.fp, there.fn) == (back.tp, back.fn, back.fp)
    assert isclose(there.rq, back.rq)
    assert isclose(there.sq, back.sq)
    assert there.mean_boundary_error_frames == back.mean_boundary_error_frames
    assert (there.f1_50, there.f1_75, there.f1_90) == (back.f1_50, back.f1_75, back.f1_90)


@settings(deadline=None, max_examples=60)
@given(one_handed())
def test_identity(one: Timeline) -> None:
    score = score_timelines(one, one)
    assert isclose(score.s, 1)
    assert (score.rq, score.sq, score.edit_score) == (1, 1, 100)
    assert (score.f1_10, score.f1_25, score.f1_50, score.f1_75, score.f1_90) == (1,) * 5
    assert score.mean_boundary_error_frames in (0, None)
    assert diagnose(one, one) == ()
    assert boundary_similarity(one, one, span_frames=1) == 1


@settings(deadline=None, max_examples=150)
@given(timelines, timelines)
def test_bounds_and_counts(one: Timeline, other: Timeline) -> None:
    score = score_timelines(one, other)
    assert 0 <= score.s <= score.rq + 1e-12 <= 1 + 2e-12
    assert 0 <= score.sq <= 1
    assert 0 <= score.f1_90 <= score.f1_75 <= score.f1_50 <= score.f1_25 <= score.f1_10 <= 1
    assert 0 <= score.edit_score <= 100
    assert score.tp + score.fn == len(one)
    assert score.tp + score.fp == len(other)
    assert len({m.reference for m in score.matches}) == len(score.matches)
    assert len({m.candidate for m in score.matches}) == len(score.matches)
    assert all((m.iou >= 0.5) == (m.quality is not None) for m in score.matches)
    assert all(0 < m.iou <= 1 for m in score.matches)


@settings(deadline=None, max_examples=100)
@given(timelines, timelines)
def test_the_diagnosis_accounts_for_every_segment(one: Timeline, other: Timeline) -> None:
    findings = diagnose(one, other)
    missed = [f.references[0] for f in findings if f.code == "missed"]
    extra = [f.candidates[0] for f in findings if f.code == "extra"]
    elsewhere = [f for f in findings if f.code not in {"missed", "extra"}]
    assert len(set(missed)) == len(missed)
    assert len(set(extra)) == len(extra)
    assert not {row for f in elsewhere for row in f.references} & set(missed)
    assert not {column for f in elsewhere for column in f.candidates} & set(extra)
    groups = [f for f in findings if f.code in {"split", "merged"}]
    matched_one = len(one) - len(missed) - sum(len(f.references) for f in groups)
    matched_other = len(other) - len(extra) - sum(len(f.candidates) for f in groups)
    assert matched_one == matched_other
    assert [f.frame for f in findings] == sorted(f.frame for f in findings)


@settings(deadline=None, max_examples=100)
@given(one_handed(), one_handed())
def test_the_diagnosis_seen_from_the_other_side_is_its_mirror(
    one: Timeline, other: Timeline
) -> None:
    """Up to a segment that is both split and part of a merge: splits are looked for first."""
    there, back = diagnose(one, other), diagnose(other, one)
    assume(not {"split", "merged"} & {finding.code for finding in there + back})
    ours = {flipped(f) for f in there if not f.code.startswith("wrong")}
    theirs = {
        (f.code, f.references, f.candidates, f.frames_off)
        for f in back
        if not f.code.startswith("wrong")
    }
    assert ours == theirs


@settings(deadline=None, max_examples=60)
@given(timelines, timelines, st.integers(0, 1000), st.integers(0, 2**32))
def test_order_and_offset_do_not_matter(
    one: Timeline, other: Timeline, offset: int, seed: int
) -> None:
    def changed(timeline: Timeline) -> Timeline:
        moved = [
            replace(s, start_frame=s.start_frame + offset, end_frame=s.end_frame + offset)
            for s in timeline
        ]
        Random(seed).shuffle(moved)
        return Timeline(timeline.frame_count + 1000, timeline.fps, moved)

    here, there = score_timelines(one, other), score_timelines(changed(one), changed(other))
    assert there == replace(here, parameters=there.parameters)
    shifted = [
        (f.code, f.references, f.candidates, f.frame - offset, f.frames_off)
        for f in diagnose(changed(one), changed(other))
    ]
    assert shifted == [
        (f.code, f.references, f.candidates, f.frame, f.frames_off) for f in diagnose(one, other)
    ]


@settings(deadline=None, max_examples=60)
@given(one_handed(), st.data())
def test_a_growing_boundary_error_never_raises_the_score(
    truth: Timeline, data: st.DataObject
) -> None:
    assume(len(truth) > 0)
    index = data.draw(st.integers(0, len(truth) - 1))
    segment, at_start = truth[index], data.draw(st.booleans())
    before = truth[index - 1].end_frame if index else 0
    after = truth[index + 1].start_frame if index + 1 < len(truth) else FRAMES
    inwards = range(1, segment.length)
    room = segment.start_frame - before if at_start else after - segment.end_frame
    outwards = range(-1, -room - 1, -1)
    for way in (inwards, outwards):
        last = 1.0
        for off in way:
            moved = (
                replace(segment, start_frame=segment.start_frame + off)
                if at_start
                else replace(segment, end_frame=segment.end_frame - off)
            )
            work = Timeline(FRAMES, 30, [s for s in truth if s is not segment] + [moved])
            s = score_timelines(truth, work).s
            assert s <= last + 1e-9
            last = s
        assert not len(way) or last < 1


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ([], []),
        ([Segment(0, 1, "a")], []),
        ([Segment(0, 1, "a")], [Segment(0, 1, "a")]),
        ([Segment(i, i + 1, "a") for i in range(FRAMES)], [Segment(0, FRAMES, "a")]),
        ([Segment(0, FRAMES - i, "a", Hands.BOTH) for i in range(50)], [Segment(5, 6, "b")]),
        ([Segment(0, 10, "a")] * 5, [Segment(0, 10, "a")] * 3),
    ],
    ids=["empty", "one empty", "one frame", "touching", "nested", "equal"],
)
def test_edges_do_not_crash(one: list[Segment], other: list[Segment]) -> None:
    reference, candidate = Timeline(FRAMES, 29.97, one), Timeline(FRAMES, 29.97, other)
    for pair in ((reference, candidate), (candidate, reference)):
        assert 0 <= score_timelines(*pair).s <= 1
        assert (diagnose(*pair) == ()) == (one == other)


def test_a_thousand_segments_are_fine() -> None:
    truth = make_truth(1, segments=1000)
    work = annotate(truth, skill=SKILLS["fair"], seed=1)
    score, findings = score_timelines(truth, work), diagnose(truth, work)
    assert 0.7 < score.s < 0.85
    assert len(findings) > 500
