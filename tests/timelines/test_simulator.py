"""Made-up annotators: legal, repeatable, and as good or bad as they are meant to be."""

from __future__ import annotations

import subprocess
import sys
from statistics import fmean

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from timelines import simulator
from timelines.lint import check_segments
from timelines.score import score_timelines
from timelines.segment import Hands, Segment, Timeline
from timelines.simulator import SKILLS, Skill, annotate, annotate_many, make_truth

rate = st.floats(0, 1)
skills = st.builds(
    Skill,
    name=st.just("any"),
    boundary_seconds=st.floats(0, 5),
    miss=st.floats(0, 0.9),
    extra=rate,
    split=rate,
    merge=rate,
    action_type=rate,
    hands=rate,
    description=rate,
)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10_000), skills, st.integers(0, 40), st.sampled_from([10.0, 29.97, 60.0]))
def test_everything_drawn_is_legal(seed: int, skill: Skill, segments: int, fps: float) -> None:
    truth = make_truth(seed, segments=segments, fps=fps)
    work = annotate(truth, skill=skill, seed=seed)
    assert len(truth) == segments
    for timeline in (truth, work):
        assert not check_segments(
            timeline.segments,
            frame_count=truth.frame_count,
            action_types=simulator.ACTION_TYPES,
        )


def test_crowded_video_stays_legal() -> None:
    """Frame-long actions from end to end, and noise of many times their length."""
    truth = Timeline(200, 30, [Segment(i, i + 1, "reach", Hands.LEFT, "x") for i in range(200)])
    work = annotate(truth, skill=SKILLS["poor"], seed=1)
    assert len(work) > 20
    assert not check_segments(work.segments, frame_count=200, action_types=simulator.ACTION_TYPES)


def test_the_same_seed_is_the_same_person_in_another_process() -> None:
    program = (
        "from timelines.simulator import *;"
        "print(annotate(make_truth(7), skill=FAIR, seed=3).segments)"
    )
    said = subprocess.run(  # another process has another hash seed
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    ).stdout.strip()
    here = annotate(make_truth(7), skill=SKILLS["fair"], seed=3)
    assert said == str(here.segments)
    assert annotate(make_truth(7), skill=SKILLS["fair"], seed=4) != here
    one, other = annotate_many(make_truth(7), skills=[SKILLS["fair"]] * 2, seed=3)
    assert one != other


def test_the_perfect_annotator_is_right() -> None:
    truth = make_truth(5)
    assert annotate(truth, skill=SKILLS["perfect"], seed=1) == truth


def test_skills_are_in_order_and_fair_is_calibrated() -> None:
    scores = {
        name: [
            score_timelines(make_truth(seed), work)
            for seed in range(20)
            for work in annotate_many(make_truth(seed), skills=[skill] * 3, seed=seed)
        ]
        for name, skill in SKILLS.items()
    }
    mean = {name: fmean(score.s for score in many) for name, many in scores.items()}
    assert mean["perfect"] == 1
    assert 0.95 < mean["expert"] < 1
    assert 0.85 < mean["good"] < 0.95
    assert 0.70 < mean["fair"] < 0.85
    assert mean["poor"] < 0.60
    fair = scores["fair"]
    assert fmean(score.f1_75 for score in fair) == pytest.approx(0.66, abs=0.02)
    errors = [score.mean_boundary_error_frames or 0.0 for score in fair]
    assert fmean(errors) == pytest.approx(12.2, abs=0.4)


@pytest.mark.parametrize("error", ["miss", "extra", "split", "merge", "action_type", "hands"])
def test_each_error_is_made_alone(error: str) -> None:
    """One error switched on changes what it is named for and nothing else."""
    truth = make_truth(11)
    rates = {**SKILLS["perfect"].as_dict(), "name": error, error: 0.3}
    work = annotate(truth, skill=Skill(**rates), seed=2)
    assert work != truth

    def spans(timeline: Timeline) -> list[tuple[int, int]]:
        return [(s.start_frame, s.end_frame) for s in timeline]

    if error in {"action_type", "hands"}:
        assert spans(work) == spans(truth)
        kept = "hands" if error == "action_type" else "action_type"
        assert [getattr(s, kept) for s in work] == [getattr(s, kept) for s in truth]
        wrong = sum(
            getattr(a, error) != getattr(b, error) for a, b in zip(truth, work, strict=True)
        )
        assert 5 <= wrong <= 50
    elif error in {"miss", "merge"}:
        assert len(work) < len(truth)
        assert (set(work) < set(truth)) == (error == "miss")
    else:
        assert len(work) > len(truth)
        assert (set(work) > set(truth)) == (error == "extra")
