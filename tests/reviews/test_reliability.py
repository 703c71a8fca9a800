"""A project's reliability from its tasks, without a database."""

from __future__ import annotations

import json

import numpy as np
import pytest

from reviews import reliability
from timelines.reliability.gamma import gamma
from timelines.reliability.unitized_alpha import unitized_alpha
from timelines.score import ScoreParameters
from timelines.segment import Hands, Segment, Timeline
from timelines.simulator import FAIR, GOOD, POOR, annotate_many, make_truth


def found_of(*tasks: list[Timeline]) -> dict[str, object]:
    found = reliability.empty()
    for number, timelines in enumerate(tasks):
        reliability.add_task(found, number, timelines, ScoreParameters())
    return json.loads(json.dumps(found))  # type: ignore[no-any-return]  # as it is stored


def test_one_task_has_the_figures_of_the_library() -> None:
    pair = annotate_many(make_truth(1, segments=30), skills=[FAIR, FAIR], seed=1)
    answer = reliability.summarise(found_of(pair))
    assert answer["gamma"]["value"] == pytest.approx(gamma(pair).gamma)
    assert answer["alpha"]["left"]["value"] == pytest.approx(unitized_alpha(pair, Hands.LEFT).alpha)
    assert answer["gamma"]["low"] is None, "one task has no spread"
    assert (answer["tasks"], answer["segments"]) == (1, len(pair[0]) + len(pair[1]))


def test_tasks_are_pooled_by_their_disagreement() -> None:
    pairs = [
        annotate_many(make_truth(n, segments=10 + 10 * n), skills=[FAIR, GOOD], seed=n)
        for n in range(4)
    ]
    answer = reliability.summarise(found_of(*pairs))
    alphas = [unitized_alpha(pair, Hands.RIGHT) for pair in pairs]
    observed = sum(a.observed or 0 for a in alphas)
    expected = sum(a.expected or 0 for a in alphas)
    assert answer["alpha"]["right"]["value"] == pytest.approx(1 - observed / expected)
    low, high = answer["gamma"]["low"], answer["gamma"]["high"]
    assert low < answer["gamma"]["value"] < high
    assert answer == reliability.summarise(found_of(*pairs)), "the same on every run"


def test_better_annotators_are_more_reliable() -> None:
    def value(skill: object) -> float:
        pairs = [
            annotate_many(make_truth(n, segments=30), skills=[skill, skill], seed=n)  # type: ignore[list-item]
            for n in range(5)
        ]
        return float(reliability.summarise(found_of(*pairs))["gamma"]["value"])

    assert value(GOOD) > value(FAIR) > value(POOR)


def test_confused_types_and_boundary_distances_are_counted_exactly() -> None:
    def line(*rows: tuple[int, int, str]) -> Timeline:
        return Timeline(400, 100.0, [Segment(*row, Hands.LEFT, "x") for row in rows])

    one = line((0, 100, "open"), (100, 200, "open"), (200, 300, "pour"))
    other = line((0, 100, "open"), (103, 200, "close"), (200, 310, "pour"))
    answer = reliability.summarise(found_of([one, other]))
    types = answer["action_types"]
    assert types["pairs"] == 3
    assert types["agreement"] == pytest.approx(2 / 3)
    assert types["confused"] == [{"one": "close", "other": "open", "count": 1}]
    assert types["by_type"] == [
        {"action_type": "close", "count": 1, "agreement": 0.0},
        {"action_type": "open", "count": 3, "agreement": pytest.approx(2 / 3)},
        {"action_type": "pour", "count": 2, "agreement": 1.0},
    ]
    boundaries = answer["boundaries"]
    assert boundaries["count"] == 6
    assert boundaries["mean_ms"] == pytest.approx((30 + 100) / 6)
    assert boundaries["quantiles_ms"] == {"0.50": 0, "0.75": 30, "0.90": 100, "0.95": 100}
    assert boundaries["shares_within_ms"]["33"] == pytest.approx(5 / 6)
    assert boundaries["shares_within_ms"]["100"] == 1.0


def test_nothing_gives_no_figures() -> None:
    answer = reliability.summarise(reliability.empty())
    assert answer["gamma"]["value"] is None
    assert answer["action_types"]["agreement"] is None
    assert answer["boundaries"]["mean_ms"] is None
    empty = Timeline(100, 30.0)
    answer = reliability.summarise(found_of([empty, empty]))
    assert (answer["tasks"], answer["gamma"]["tasks"]) == (1, 0)
    assert not np.isnan(answer["segments"])
