"""Framewise agreement: every frame of one hand is an item, its action type (or none) the label.

Counted over runs, never over expanded frames. Sources: Cohen (1960), *A coefficient of agreement
for nominal scales*; Scott (1955), *Reliability of content analysis*, in the form of Fleiss (1971)
for more than two; Krippendorff (2004), *Content Analysis*, chapter 11, nominal α. With ``A`` the
share of agreeing pairs, ``p_ac`` annotator a's share of label c and ``p_c`` the share of all::

    κ = (A - sum_c p_1c p_2c) / (1 - sum_c p_1c p_2c)      mean over pairs of annotators
    π = (A - sum_c p_c²) / (1 - sum_c p_c²)
    α = 1 - (1 - A) / (1 - sum_c N_c (N_c - 1) / (N (N - 1))),   N = annotators · frames
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import combinations
from typing import Any

import numpy as np

from timelines.reliability.runs import Runs, agreeing_pairs, frames_per_code, hand_runs
from timelines.segment import Hands, Timeline


@dataclass(frozen=True, slots=True)
class Framewise:
    """Agreement over frames.

    Attributes:
        agreement: share of pairs of annotators that label a frame alike, mean over frames.
        kappa, pi, alpha: the same, corrected for chance; None where chance leaves no room to
            disagree.
        frames: frames of the video.
        flag: ``both_empty`` (nobody marked anything), ``no_variation``, ``too_few_annotators``
            or None.
    """

    agreement: float | None
    kappa: float | None = None
    pi: float | None = None
    alpha: float | None = None
    frames: int = 0
    flag: str | None = None

    def as_dict(self) -> dict[str, Any]:
        """Plain data."""
        return asdict(self)


def framewise(timelines: Sequence[Timeline], hand: Hands | None) -> Framewise:
    """Framewise agreement of two or more annotators for one hand (None: whatever hand)."""
    if len(timelines) < 2:
        return Framewise(None, flag="too_few_annotators")
    return framewise_of_runs(hand_runs(timelines, hand))


def framewise_by_hand(timelines: Sequence[Timeline]) -> dict[str, Framewise]:
    """Framewise agreement of each hand, under ``left`` and ``right``."""
    return {
        "left": framewise(timelines, Hands.LEFT),
        "right": framewise(timelines, Hands.RIGHT),
    }


def framewise_of_runs(runs: Runs) -> Framewise:
    """Framewise agreement of annotators already laid over each other."""
    if runs.empty:
        return Framewise(1.0 if runs.total else None, frames=runs.total, flag="both_empty")
    n, everything = len(runs.units), len(runs.units) * runs.total
    agreement = agreeing_pairs(runs) / everything
    frames = frames_per_code(runs)
    all_frames = frames.sum(axis=0).astype(np.float64)
    by_chance = float(((all_frames / everything) ** 2).sum())
    without_replacement = float((all_frames * (all_frames - 1.0)).sum()) / (
        everything * (everything - 1.0)
    )
    kappas = [_kappa(runs, frames / runs.total, a, b) for a, b in combinations(range(n), 2)]
    defined = [k for k in kappas if k is not None]
    constant = bool((all_frames == everything).any())
    return Framewise(
        agreement=agreement,
        kappa=float(np.mean(defined)) if defined else None,
        pi=None if constant else (agreement - by_chance) / (1.0 - by_chance),
        alpha=None if constant else 1.0 - (1.0 - agreement) / (1.0 - without_replacement),
        frames=runs.total,
        flag="no_variation" if constant else None,
    )


def _kappa(runs: Runs, shares: np.typing.NDArray[np.float64], a: int, b: int) -> float | None:
    """Cohen's κ of annotators a and b; None if both gave one and the same label throughout."""
    if shares[a].max() == 1.0 and (shares[a] == shares[b]).all():
        return None
    alike = float(runs.lengths[runs.codes[:, a] == runs.codes[:, b]].sum()) / runs.total
    by_chance = float(shares[a] @ shares[b])
    return (alike - by_chance) / (1.0 - by_chance)
