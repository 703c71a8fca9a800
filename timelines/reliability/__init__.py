"""How far annotators agree beyond chance: γ, unitized α, framewise κ, π and α."""

from timelines.reliability.framewise import Framewise, framewise, framewise_by_hand
from timelines.reliability.gamma import Disorder, Gamma, gamma, observed_disorder, pair_cost
from timelines.reliability.unitized_alpha import (
    UnitizedAlpha,
    unitized_alpha,
    unitized_alpha_by_hand,
)

__all__ = [
    "Disorder",
    "Framewise",
    "Gamma",
    "UnitizedAlpha",
    "framewise",
    "framewise_by_hand",
    "gamma",
    "observed_disorder",
    "pair_cost",
    "unitized_alpha",
    "unitized_alpha_by_hand",
]
