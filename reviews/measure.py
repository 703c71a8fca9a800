"""From two timelines to the columns of a stored score. No database."""

from __future__ import annotations

from typing import Any

from timelines.score import ScoreParameters, score_timelines
from timelines.segment import Timeline


def measure(
    reference: Timeline, candidate: Timeline, parameters: ScoreParameters
) -> dict[str, Any]:
    """Everything `reviews.models.Score` stores of a comparison, by column name.

    Segments are named by their position in the timeline (0-based, by start frame), as on the
    stored submission.
    """
    score = score_timelines(reference, candidate, parameters=parameters)
    return {
        "s": score.s,
        "rq": score.rq,
        "sq": score.sq,
        "tp": score.tp,
        "fp": score.fp,
        "fn": score.fn,
        "mean_boundary_error_frames": score.mean_boundary_error_frames,
        "mean_boundary_error_ms": score.mean_boundary_error_ms,
        "f1": {
            "0.10": score.f1_10,
            "0.25": score.f1_25,
            "0.50": score.f1_50,
            "0.75": score.f1_75,
            "0.90": score.f1_90,
        },
        "edit_score": score.edit_score,
        "flags": list(score.flags),
        "alignment": [match.as_dict() for match in score.matches],
        "diagnosis": {"of_candidate": [], "of_reference": []},
        "parameters": parameters.as_dict(),
    }
