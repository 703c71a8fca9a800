"""Known errors in known places, made-up and real, and exactly what is said about them."""

from __future__ import annotations

from itertools import combinations_with_replacement
from pathlib import Path

import pytest

from benchmarks.diagnosis import WHERE, pairs_of_kinds, tally
from benchmarks.epic import read_epic
from timelines.diagnosis import CODES, DiagnosisParameters, diagnose
from timelines.lint import check_segments
from timelines.plants import KINDS, Key, key, plant
from timelines.segment import Hands, Segment, Timeline
from timelines.simulator import ACTION_TYPES, make_truth

N, L, R, B = Hands.NONE, Hands.LEFT, Hands.RIGHT, Hands.BOTH


def line(*segments: tuple[int, int, str, Hands] | tuple[int, int, str, Hands, str]) -> Timeline:
    return Timeline(1000, 30, [Segment(*segment) for segment in segments])


def said(reference: Timeline, candidate: Timeline) -> set[Key]:
    findings = diagnose(reference, candidate)
    keys = {key(finding) for finding in findings}
    assert len(keys) == len(findings), "the same thing was said twice"
    return keys


def test_design_example() -> None:
    truth = line(
        (0, 30, "t1", L),
        (30, 60, "t2", R),
        (60, 90, "t3", L),
        (100, 130, "t4", B),
        (140, 170, "t5", L),
        (170, 200, "t6", L),
    )
    work = line(
        (0, 32, "t1", L),
        (30, 60, "t7", R),
        (60, 75, "t3", L),
        (75, 90, "t3", L),
        (100, 130, "t4", L),
        (140, 200, "t5", L),
        (210, 220, "t9", L),
    )
    assert [key(finding) for finding in diagnose(truth, work)] == [
        ("wrong_action_type", (1,), (1,), None),
        ("split", (2,), (2, 3), None),
        ("wrong_hands", (3,), (4,), None),
        ("merged", (4, 5), (5,), None),
        ("extra", (), (6,), None),
    ]


def test_words() -> None:
    truth = line(
        (0, 100, "reach", L, "reach for the cup"),
        (100, 200, "grasp", R, "grasp the cup"),
        (300, 400, "move", N, "move the cup"),
        (500, 600, "open", B, "open the jar"),
        (700, 800, "pour", L, "pour the milk"),
        (800, 900, "stir", L, "stir the milk"),
    )
    work = line(
        (14, 100, "reach", L, "reach for the cup"),
        (100, 185, "lift", R, "grasp the cup"),
        (500, 550, "open", L, "open the jar"),
        (550, 600, "open", L, ""),
        (700, 900, "pour", L, "pour milk, stir milk"),
        (950, 980, "cut", L, "cut bread"),
    )
    assert [finding.detail for finding in diagnose(truth, work)] == [
        "Segment 1 starts 14 frames (0.47 s) too late: frame 14 instead of 0.",
        "Segment 2: action type “lift” instead of “grasp”.",
        "Segment 2 ends 15 frames (0.50 s) too early: frame 185 instead of 200.",
        "Missing from frame 300 to 400: “move” with no hand (move the cup).",
        "Segments 3 and 4: the left hand instead of both hands.",
        "Segments 3 and 4 are one action, from frame 500 to 600.",
        "Segment 4: no description instead of “open the jar”.",
        "Segment 5 joins 2 actions; the next one starts at frame 800.",
        "Segment 6, from frame 950 to 980: no such action there.",
    ]


@pytest.mark.parametrize(("off", "told"), [(3, False), (4, True), (-3, False), (-4, True)])
def test_tolerance_is_a_tenth_of_a_second(off: int, told: bool) -> None:
    truth, work = line((100, 200, "a", L)), line((100 + off, 200, "a", L))
    assert said(truth, work) == ({("start_off", (0,), (0,), off)} if told else set())
    truth, work = line((100, 200, "a", L)), line((100, 200 + off, "a", L))
    assert said(truth, work) == ({("end_off", (0,), (0,), off)} if told else set())


def test_a_split_needs_two_pieces_of_its_hand_and_most_of_the_frames() -> None:
    truth = line((0, 100, "a", L))
    split = ("split", (0,), (0, 1), None)
    assert said(truth, line((0, 50, "a", L), (50, 100, "a", L))) == {split}
    assert said(truth, line((0, 30, "a", L), (30, 60, "a", L), (60, 100, "a", L))) == {
        ("split", (0,), (0, 1, 2), None)
    }
    # One of them is nearly the whole: its end is off, and the rest is extra.
    assert said(truth, line((0, 85, "a", L), (85, 100, "a", L))) == {
        ("end_off", (0,), (0,), -15),
        ("extra", (), (1,), None),
    }
    # Less than 70 % covered.
    assert said(truth, line((0, 45, "a", L), (76, 100, "a", L))) == {
        ("end_off", (0,), (0,), -55),
        ("extra", (), (1,), None),
    }
    # A piece of the other hand is no piece, while one of the right hand is there.
    assert said(truth, line((0, 60, "a", L), (60, 100, "a", R))) == {
        ("end_off", (0,), (0,), -40),
        ("extra", (), (1,), None),
    }
    # All pieces of the wrong hand.
    assert said(truth, line((0, 50, "a", R), (50, 100, "a", R))) == {
        split,
        ("wrong_hands", (0,), (0, 1), None),
    }


def test_two_hands_doing_things_at_once_are_not_a_split() -> None:
    truth = line((0, 100, "hold", L), (0, 50, "cut", R), (50, 100, "cut", R))
    assert said(truth, truth) == set()
    assert said(truth, line((0, 50, "cut", R), (50, 100, "cut", R))) == {("missed", (1,), (), None)}
    work = line((0, 100, "hold", L), (0, 100, "cut", R))
    assert said(truth, work) == {("merged", (0, 2), (1,), None)}


def test_far_and_unlike_segments_are_two_actions() -> None:
    truth = line((0, 100, "reach", L, "reach for the cup"))
    assert said(truth, line((70, 170, "stir", L, "mix soup"))) == {
        ("missed", (0,), (), None),
        ("extra", (), (0,), None),
    }
    assert said(truth, line((70, 170, "reach", L, "reach for the cup"))) == {
        ("start_off", (0,), (0,), 70),
        ("end_off", (0,), (0,), 70),
    }


def test_parameters_survive_storage_and_refuse_typos() -> None:
    parameters = DiagnosisParameters(version="7", tolerance_seconds=1.0)
    assert DiagnosisParameters.from_dict(parameters.as_dict()) == parameters
    with pytest.raises(ValueError, match="tolerence"):
        DiagnosisParameters.from_dict({"tolerence": 1})
    truth, work = line((100, 200, "a", L)), line((125, 200, "a", L))
    assert diagnose(truth, work, parameters=parameters) == ()


@pytest.mark.parametrize("kind", KINDS)
def test_planted_timelines_are_legal_and_differ_where_they_say(kind: str) -> None:
    truth = make_truth(3)
    for seed in range(10):
        made = plant(truth, [kind], seed=seed)
        assert made is not None
        work, expected = made
        assert {one[0] for one in expected} == {kind}
        problems = check_segments(
            work.segments, frame_count=truth.frame_count, action_types=ACTION_TYPES
        )
        assert {problem.code for problem in problems} <= {"empty_description"}
        assert not problems or kind == "poor_description"
        assert plant(truth, [kind], seed=seed) == made
    assert set(KINDS) == set(CODES)


@pytest.fixture(scope="module")
def epic(shared_data: Path) -> dict[str, Timeline]:
    folder = shared_data / "annotations"
    if not (folder / "EPIC_100_validation.csv").exists():
        pytest.skip("EPIC-KITCHENS annotations are not at ../shared/data/annotations")
    return read_epic(folder)


def test_single_errors_in_real_timelines(epic: dict[str, Timeline]) -> None:
    count = tally(epic, [(kind,) for kind in KINDS], each=120)
    assert count.plants >= 1000
    assert len(count.videos) >= 30
    assert {kinds: count.by_kinds[kinds] for kinds in count.by_kinds} == {
        (kind,): 120 for kind in KINDS
    }
    assert count.accuracy >= 0.99, count.unlike[:5]


@pytest.mark.parametrize("where", WHERE)
def test_two_errors_at_once_in_real_timelines(epic: dict[str, Timeline], where: str) -> None:
    pairs = pairs_of_kinds(where)
    count = tally(epic, pairs, each=10, together=WHERE[where])
    assert count.plants >= 200
    if not WHERE[where]:
        assert set(count.by_kinds) == set(combinations_with_replacement(KINDS, 2))
    assert count.accuracy >= 0.95, count.unlike[:5]
