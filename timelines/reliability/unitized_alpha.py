"""Krippendorff's unitized α: agreement on one hand's timeline, corrected for chance.

Krippendorff, Mathet, Bouvry, Widlöcher (2016), *On the reliability of unitizing textual continua:
Further developments*, Quality & Quantity 50:2347-2364, the coefficient ``uα`` over units and gaps.
With n annotators over T frames and ``L_c`` all frames that anybody gave label c (∅ for the gaps)::

    observed = n·T - sum over runs w · sum_c n_c (n_c - 1)/(n - 1)
    expected = n·T · (1 - (sum_c (L_c² - S_c)) / ((n·T)² - sum_c S_c))
    S_c = sum of the squared lengths of the units labelled c;  S_∅ = L_∅
    α = 1 - observed / expected

``S`` takes out what cannot be drawn by chance: a frame with another frame of its own unit. Gaps
are no units, so there it is each frame with itself only.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from timelines.reliability.runs import GAP, Runs, agreeing_pairs, frames_per_code, hand_runs
from timelines.segment import Hands, Timeline


@dataclass(frozen=True, slots=True)
class UnitizedAlpha:
    """α of one hand.

    Attributes:
        alpha: 1 is perfect, 0 is chance; None where it has no meaning (see ``flag``).
        observed, expected: disagreement in annotator-frames.
        flag: ``both_empty`` (nobody marked this hand), ``no_variation`` (chance alone could not
            disagree), ``too_few_annotators`` or None.
    """

    alpha: float | None
    observed: float | None = None
    expected: float | None = None
    flag: str | None = None

    def as_dict(self) -> dict[str, Any]:
        """Plain data."""
        return asdict(self)


def unitized_alpha(timelines: Sequence[Timeline], hand: Hands | None) -> UnitizedAlpha:
    """α of two or more annotators for one hand (LEFT or RIGHT; None: whatever hand)."""
    if len(timelines) < 2:
        return UnitizedAlpha(None, flag="too_few_annotators")
    return unitized_alpha_of_runs(hand_runs(timelines, hand))


def unitized_alpha_by_hand(timelines: Sequence[Timeline]) -> dict[str, UnitizedAlpha]:
    """α of each hand, under ``left`` and ``right``."""
    return {
        "left": unitized_alpha(timelines, Hands.LEFT),
        "right": unitized_alpha(timelines, Hands.RIGHT),
    }


def unitized_alpha_of_runs(runs: Runs) -> UnitizedAlpha:
    """α of annotators already laid over each other."""
    if runs.empty:
        return UnitizedAlpha(None, flag="both_empty")
    everything = float(len(runs.units) * runs.total)
    observed = everything - agreeing_pairs(runs)
    frames = frames_per_code(runs).sum(axis=0).astype(np.float64)
    own = np.zeros(runs.categories)
    for u in runs.units:
        own += np.bincount(
            u.codes, weights=(u.ends - u.starts).astype(np.float64) ** 2, minlength=own.size
        )
    own[GAP] = frames[GAP]
    possible = everything**2 - float(own.sum())
    alike = float((frames**2 - own).sum())
    if alike >= possible:
        return UnitizedAlpha(None, observed, 0.0, "no_variation")
    expected = everything * (1.0 - alike / possible)
    return UnitizedAlpha(1.0 - observed / expected, observed, expected)
