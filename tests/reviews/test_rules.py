"""The rule as a function: thresholds at their edges, words, the sample."""

from __future__ import annotations

import pytest

from reviews.rules import (
    Action,
    RuleParameters,
    Standing,
    evidence_problems,
    in_words,
    is_sampled,
    judge,
    rejection_problems,
)


def standing(s: float | None, rq: float | None = 1.0, **changes: bool | int) -> Standing:
    values: dict[str, bool | int] = {
        "wanted": 2,
        "complete": True,
        "may_raise": True,
        "settled": False,
        "screened_unusable": False,
    }
    return Standing(s=s, rq=rq if s is not None else None, **(values | changes))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("s", "rq", "action"),
    [
        (0.85, 0.90, Action.ACCEPT),
        (1.0, 1.0, Action.ACCEPT),
        (0.8499, 1.0, Action.REVIEW),
        (0.95, 0.8999, Action.REVIEW),
        (0.70, 0.70, Action.REVIEW),
        (0.6999, 1.0, Action.ADJUDICATE),
        (0.0, 0.0, Action.ADJUDICATE),
    ],
)
def test_the_starting_thresholds(s: float, rq: float, action: Action) -> None:
    assert judge(RuleParameters(), standing(s, rq)).action == action


@pytest.mark.parametrize(
    ("changes", "action"),
    [
        ({}, Action.RAISE_OVERLAP),
        ({"may_raise": False}, Action.ADJUDICATE),
        ({"settled": True}, Action.REVIEW),
        ({"complete": False}, Action.WAIT),
        ({"screened_unusable": True}, Action.REVIEW),
    ],
)
def test_low_agreement_under_a_rule_that_raises(changes: dict[str, bool], action: Action) -> None:
    rule = RuleParameters(raise_overlap=True)
    assert judge(rule, standing(0.5, **changes)).action == action


def test_high_agreement_does_not_wait_for_the_others() -> None:
    assert judge(RuleParameters(), standing(0.9, complete=False)).action == Action.ACCEPT


def test_an_unusable_verdict_is_never_accepted_by_the_rule() -> None:
    found = judge(RuleParameters(), standing(1.0, screened_unusable=True))
    assert found.action == Action.REVIEW


def test_single_annotation() -> None:
    assert judge(RuleParameters(), standing(None, wanted=1)).action == Action.REVIEW
    accepting = RuleParameters(single="accept")
    assert judge(accepting, standing(None, wanted=1)).action == Action.ACCEPT
    assert judge(accepting, standing(None, wanted=2)).action == Action.WAIT


def test_words_never_round_up_over_a_threshold() -> None:
    assert in_words(0.8499999) == "84.9 %"
    assert in_words(0.85) == "85.0 %"
    assert in_words(1.0) == "100.0 %"
    told = judge(RuleParameters(), standing(0.84999)).explanation
    assert "84.9 %" in told
    assert "below 85.0 %" in told


@pytest.mark.parametrize(
    "parameters",
    [
        {"accept_s": 1.01},
        {"sample_share": -0.1},
        {"review_s": 0.9},
        {"single": "pay"},
        {"review_lease_seconds": 5},
        {"review_deadline_seconds": 60},
        {"typo": 1},
    ],
)
def test_settings_that_make_no_sense_are_refused(parameters: dict[str, object]) -> None:
    with pytest.raises(ValueError):
        RuleParameters.from_dict(parameters)


def test_settings_survive_storage() -> None:
    rule = RuleParameters(accept_s=0.9, raise_overlap=True)
    assert RuleParameters.from_dict(rule.as_dict()) == rule


def test_the_sample_has_its_share_and_is_the_same_every_time() -> None:
    drawn = [pk for pk in range(1, 20_001) if is_sampled(pk, 0.10)]
    assert 0.09 < len(drawn) / 20_000 < 0.11
    assert drawn == [pk for pk in range(1, 20_001) if is_sampled(pk, 0.10)]
    assert set(drawn) <= {pk for pk in range(1, 20_001) if is_sampled(pk, 0.20)}
    assert not any(is_sampled(pk, 0.0) for pk in range(1000))
    assert all(is_sampled(pk, 1.0) for pk in range(1000))


def test_evidence_is_checked_place_by_place() -> None:
    entries = [
        {"start_frame": 0, "end_frame": 300, "text": "All of it."},
        {"start_frame": 10, "end_frame": 10, "text": "Empty."},
        {"start_frame": 10, "end_frame": 301, "text": "Beyond."},
        {"start_frame": 10, "end_frame": 20, "text": "  "},
    ]
    found = evidence_problems("accepted", entries, 300)
    assert [problem["pointer"] for problem in found] == [
        "/evidence/1", "/evidence/2", "/evidence/3",
    ]  # fmt: skip
    assert evidence_problems("accepted", [], 300) == []
    assert [p["code"] for p in evidence_problems("rejected", [], 300)] == ["no_evidence"]


def test_a_rejection_of_99_characters_is_too_short() -> None:
    def found(text: str) -> list[dict[str, str]]:
        return rejection_problems(reason_code="copied", guideline_clause="1", text=text)

    assert [problem["pointer"] for problem in found("x" * 99 + "   ")] == ["/text"]
    assert found("x" * 100) == []
