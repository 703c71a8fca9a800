"""From two timelines to the columns of a stored score. No database."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from operator import attrgetter
from typing import Any, Final, Self

from timelines.diagnosis import DiagnosisParameters, Finding, diagnose
from timelines.score import Match, ScoreParameters, score_timelines
from timelines.segment import Timeline

# The same as their `as_dict`, which copies deeply: half of the time of a whole comparison.
_MATCH_FIELDS: Final = tuple(each.name for each in fields(Match))
_FINDING_FIELDS: Final = tuple(each.name for each in fields(Finding))
_match_values = attrgetter(*_MATCH_FIELDS)
_finding_values = attrgetter(*_FINDING_FIELDS)


@dataclass(frozen=True, slots=True)
class Measures:
    """What a project's scores weigh and when a difference is told; pinned on every score."""

    score: ScoreParameters = field(default_factory=ScoreParameters)
    diagnosis: DiagnosisParameters = field(default_factory=DiagnosisParameters)

    def as_dict(self) -> dict[str, Any]:
        """Plain data, as it is stored."""
        return {"score": self.score.as_dict(), "diagnosis": self.diagnosis.as_dict()}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """The inverse; what is left out keeps its default. `ValueError` for an unknown name."""
        unknown = sorted(set(data) - {"score", "diagnosis"})
        if unknown:
            raise ValueError(f"Unknown: {', '.join(unknown)}; give “score” and “diagnosis”.")
        return cls(
            ScoreParameters.from_dict(data.get("score", {})),
            DiagnosisParameters.from_dict(data.get("diagnosis", {})),
        )


def measure(reference: Timeline, candidate: Timeline, measures: Measures) -> dict[str, Any]:
    """Everything `reviews.models.Score` stores of a comparison, by column name.

    Segments are named by their position in the timeline (0-based, by start frame), as on the
    stored submission. Each side is diagnosed with the other one taken as the truth, so that
    both annotators can be told about their own work.
    """
    score = score_timelines(reference, candidate, parameters=measures.score)
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
        "alignment": [
            dict(zip(_MATCH_FIELDS, _match_values(match), strict=True)) for match in score.matches
        ],
        "diagnosis": {
            "of_candidate": _findings(reference, candidate, measures),
            "of_reference": _findings(candidate, reference, measures),
        },
        "parameters": measures.as_dict(),
    }


def _findings(truth: Timeline, work: Timeline, measures: Measures) -> list[dict[str, Any]]:
    found = diagnose(truth, work, parameters=measures.diagnosis, score_parameters=measures.score)
    return [dict(zip(_FINDING_FIELDS, _finding_values(each), strict=True)) for each in found]
