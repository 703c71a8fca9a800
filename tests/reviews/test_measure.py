"""What is stored of a comparison is what the library says."""

from __future__ import annotations

import json
from typing import Any

import pytest

from reviews.measure import Measures, measure
from timelines.diagnosis import diagnose
from timelines.score import score_timelines
from timelines.simulator import FAIR, POOR, annotate_many, make_truth


def stored(value: Any) -> Any:
    """As it comes back from a JSON column."""
    return json.loads(json.dumps(value))


@pytest.mark.parametrize("seed", range(5))
def test_alignment_and_diagnosis_are_the_librarys(seed: int) -> None:
    one, other = annotate_many(make_truth(seed, segments=30), skills=[FAIR, POOR], seed=seed)
    found = stored(measure(one, other, Measures()))
    score = score_timelines(one, other)
    assert found["s"] == score.s
    assert found["f1"]["0.75"] == score.f1_75
    assert found["alignment"] == stored([match.as_dict() for match in score.matches])
    assert found["alignment"]
    assert found["diagnosis"]["of_candidate"] == stored([f.as_dict() for f in diagnose(one, other)])
    assert found["diagnosis"]["of_reference"] == stored([f.as_dict() for f in diagnose(other, one)])
    assert found["diagnosis"]["of_candidate"]


def test_settings_survive_storage_and_typos_are_told() -> None:
    measures = Measures.from_dict(
        {"score": {"decay_seconds": 1.0}, "diagnosis": {"tolerance_seconds": 0.2}}
    )
    assert Measures.from_dict(stored(measures.as_dict())) == measures
    assert measures.score.decay_seconds == 1.0
    wrongs: list[dict[str, Any]] = [
        {"scores": {}},
        {"score": {"decay": 1}},
        {"diagnosis": {"tolerance": 1}},
    ]
    for wrong in wrongs:
        with pytest.raises(ValueError):
            Measures.from_dict(wrong)
