"""How good an annotator is, and how sure one can be of that. No database.

Agreement with others is what is seen; it says little after two tasks. So each annotator's mean
is drawn towards the project's, the less the more there is of it: the normal-normal empirical
Bayes estimate (Efron & Morris 1973), with the variance between annotators by the method of
moments.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from math import sqrt
from typing import Any, Final

# Spread of one person's scores where the project has not shown its own yet.
_PRIOR_SPREAD: Final = 0.15
_Z_90: Final = 1.644854


@dataclass(frozen=True, slots=True)
class Seen:
    """What was seen of one annotator: how many scores, their mean, their sample variance."""

    contractor_id: int
    count: int
    mean: float
    variance: float | None


@dataclass(frozen=True, slots=True)
class Skill:
    """Expected agreement of their next work with another annotator's, in [0, 1].

    ``low`` and ``high`` hold the 90 % credible interval; ``seen_mean`` is the plain mean.
    """

    contractor_id: int
    count: int
    seen_mean: float
    skill: float
    low: float
    high: float

    def as_dict(self) -> dict[str, Any]:
        """Plain data."""
        return asdict(self)


def estimate_skills(seen: Sequence[Seen]) -> list[Skill]:
    """Skill of each annotator of a project, in the order given.

    ``skill = (n x̄/σ² + μ/τ²) / (n/σ² + 1/τ²)`` with σ² the pooled variance of one person's
    scores, μ the mean of the annotators' means weighted by their counts, and
    ``τ² = max(0, Var(x̄) - mean(σ²/n))`` the variance between people. With τ² = 0 nothing tells
    them apart and everybody has the project's mean.
    """
    if not seen:
        return []
    within = _pooled_variance(seen)
    total = sum(one.count for one in seen)
    centre = sum(one.count * one.mean for one in seen) / total
    between = _between(seen, within)
    skills = []
    for one in seen:
        precision = one.count / within
        if between > 0:
            variance = 1 / (precision + 1 / between)
            mean = variance * (precision * one.mean + centre / between)
        else:
            mean, variance = centre, within / total
        half = _Z_90 * sqrt(variance)
        skills.append(
            Skill(
                one.contractor_id,
                one.count,
                one.mean,
                mean,
                max(0.0, mean - half),
                min(1.0, mean + half),
            )
        )
    return skills


def _pooled_variance(seen: Sequence[Seen]) -> float:
    """Of one person's scores, with one prior score's worth of `_PRIOR_SPREAD`."""
    freedom = sum(one.count - 1 for one in seen if one.variance is not None)
    squares = sum((one.count - 1) * one.variance for one in seen if one.variance is not None)
    return (squares + _PRIOR_SPREAD**2) / (freedom + 1)


def _between(seen: Sequence[Seen], within: float) -> float:
    if len(seen) < 2:
        return 0.0
    plain = sum(one.mean for one in seen) / len(seen)
    spread = sum((one.mean - plain) ** 2 for one in seen) / (len(seen) - 1)
    noise = sum(within / one.count for one in seen) / len(seen)
    return max(0.0, spread - noise)
