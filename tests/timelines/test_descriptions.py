"""What is flagged in a description, and what must not be."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from timelines.descriptions import CODES, flag_descriptions, is_unlike, similarity
from timelines.segment import Hands, Segment

N, L, R, B = Hands.NONE, Hands.LEFT, Hands.RIGHT, Hands.BOTH


def codes(text: str, action_type: str = "move", hands: Hands = L) -> list[str]:
    return [flag.code for flag in flag_descriptions([Segment(0, 9, action_type, hands, text)])]


@pytest.mark.parametrize(
    ("text", "action_type", "hands", "expected"),
    [
        ("", "move", L, ["empty"]),
        (" ... ", "move", L, ["empty"]),
        ("stir", "stir", L, ["too_short"]),
        ("cup", "grasp", L, ["too_short", "no_verb"]),
        ("the red cup on the table", "grasp", L, ["no_verb"]),
        ("stirring the soup", "stir", R, []),
        ("chopped an onion", "cut", R, []),
        ("carries the pan to the stove", "move", B, []),
        ("took the lid", "grasp", L, []),
        ("grommet the sheet", "grommet", L, []),  # the project's own word is a verb
        ("拿起杯子", "grasp", L, []),
        ("hold the cup with the left hand", "hold", R, ["contradicts_hands"]),
        ("hold the cup with the left hand", "hold", L, []),
        ("hold the cup with the left hand", "hold", B, []),
        ("lift the pot with both hands", "lift", L, ["contradicts_hands"]),
        ("lift the pot with both hands", "lift", B, []),
        ("move cup from left hand to right hand", "move", R, ["contradicts_hands"]),
        ("pick up the Right-hand glove", "grasp", N, ["contradicts_hands"]),
        ("turn left and walk on", "move", R, []),
        ("open the right-hand side drawer", "open", L, []),
        ("close the drawer", "open", L, ["contradicts_action_type"]),
        ("closing the drawer", "open-drawer", L, ["contradicts_action_type"]),
        ("shut the door", "open_door", L, ["contradicts_action_type"]),
        ("open the drawer", "open", L, []),
        ("open and close the drawer", "close", L, []),
        ("open the tap to close off the hose", "open", L, []),
        ("put down the knife", "take", L, ["contradicts_action_type"]),
        ("turn off the tap", "turn-on", L, ["contradicts_action_type"]),
        ("turn the tap on", "turn-on", L, []),
        ("unscrew the lid", "screw", L, ["contradicts_action_type"]),
    ],
)
def test_rules(text: str, action_type: str, hands: Hands, expected: list[str]) -> None:
    assert codes(text, action_type, hands) == expected


def test_copied_to_every_segment() -> None:
    same = [Segment(i, i + 1, "stir", L, "Stir the soup.") for i in range(4)]
    assert flag_descriptions(same) == []
    same.append(Segment(4, 5, "stir", L, "stir the SOUP"))
    flags = flag_descriptions(same)
    assert [(flag.index, flag.code) for flag in flags] == [(i, "copied") for i in range(5)]
    assert flags[0].detail == "Segment 1: “Stir the soup.” is written on 5 segments."
    other = [Segment(i, i + 1, "cut", L, f"cut tomato {i}") for i in range(5, 7)]
    assert flag_descriptions([*same, *other]) == []  # 5 of 7 is no habit


def test_every_code_can_be_told() -> None:
    told = {
        *codes(""),
        *codes("cup", "hold"),
        *codes("close it with the right hand", "open", L),
        *(
            f.code
            for f in flag_descriptions([Segment(i, i + 1, "cut", L, "x y") for i in range(5)])
        ),
    }
    assert told == set(CODES)


def test_similarity() -> None:
    assert similarity("Pick up the cup", "the cup, pick up!") == 100
    assert similarity("", "") == 100
    assert similarity("cup", "") == 0
    assert not is_unlike("take the cup", "take cup from table")
    assert is_unlike("take the cup", "mix soup")


def test_real_narrations_are_rarely_flagged(shared_data: Path) -> None:
    """A rule that cries wolf is worse than none."""
    folder = shared_data / "annotations"
    with (folder / "EPIC_100_validation.csv").open(newline="", encoding="utf-8") as file:
        texts = [row["narration"] for row in csv.DictReader(file)]
    segments = [Segment(0, 9, "no such type", L, text) for text in texts]
    flags = [flag.code for flag in flag_descriptions(segments)]
    assert flags.count("no_verb") < 0.005 * len(texts)
    assert len(flags) < 0.01 * len(texts)

    steps = json.loads((folder / "ego4d_goalstep_valid.json").read_text(encoding="utf-8"))
    texts = [step["step_description"] for video in steps["videos"] for step in video["segments"]]
    segments = [Segment(0, 9, "no such type", L, text) for text in texts]
    flags = [flag.code for flag in flag_descriptions(segments)]
    assert len(texts) > 1000
    assert flags.count("no_verb") < 0.02 * len(texts)  # written by many hands, with slips
