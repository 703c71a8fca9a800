"""Skill: drawn to the project's mean by as much as is not known."""

from __future__ import annotations

from random import Random
from statistics import mean, variance

import pytest

from reviews.skill import Seen, estimate_skills


def seen_of(person: int, scores: list[float]) -> Seen:
    spread = variance(scores) if len(scores) > 1 else None
    return Seen(person, len(scores), mean(scores), spread)


def test_nobody() -> None:
    assert estimate_skills([]) == []


def test_one_person_has_their_own_mean() -> None:
    (skill,) = estimate_skills([seen_of(1, [0.8, 0.9])])
    assert skill.skill == pytest.approx(0.85)
    assert skill.low < 0.85 < skill.high


def test_few_scores_are_drawn_to_the_mean_and_many_are_not() -> None:
    people = [
        seen_of(1, [0.9] * 50 + [0.92] * 50),
        seen_of(2, [0.7] * 50 + [0.72] * 50),
        seen_of(3, [0.5]),
    ]
    good, fair, new = estimate_skills(people)
    assert good.skill == pytest.approx(0.91, abs=0.005)
    assert fair.skill == pytest.approx(0.71, abs=0.005)
    assert 0.5 < new.skill < 0.81
    assert new.high - new.low > 5 * (good.high - good.low)


def test_the_same_for_everybody_when_nothing_tells_them_apart() -> None:
    people = [seen_of(n, [0.7, 0.9]) for n in range(4)]
    assert [skill.skill for skill in estimate_skills(people)] == [pytest.approx(0.8)] * 4


def test_the_interval_holds_what_it_promises_and_beats_the_plain_mean() -> None:
    random = Random(7)
    inside = total = 0
    drawn_error = plain_error = 0.0
    for _ in range(60):
        truth = [min(1.0, max(0.0, random.gauss(0.75, 0.08))) for _ in range(25)]
        people = [
            seen_of(n, [random.gauss(skill, 0.1) for _ in range(random.randint(2, 12))])
            for n, skill in enumerate(truth)
        ]
        for skill, true in zip(estimate_skills(people), truth, strict=True):
            inside += skill.low <= true <= skill.high
            total += 1
            drawn_error += (skill.skill - true) ** 2
            plain_error += (skill.seen_mean - true) ** 2
    assert 0.85 < inside / total < 0.95, "a 90 % interval"
    assert drawn_error < 0.9 * plain_error
