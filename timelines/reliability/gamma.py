"""γ: chance-corrected agreement on where segments are and what they are called.

Mathet, Widlöcher, Métivier (2015), *The Unified and Holistic Method Gamma (γ) for Inter-Annotator
Agreement Measure and Alignment*, Computational Linguistics 41(3):437-479::

    γ = 1 - observed disorder / expected disorder

**Observed disorder**: total cost of the best alignment of all annotators, divided by the mean
number of segments per annotator (section 4.4); the pair cost is
``3((|Δstart| + |Δend|)/(length₁ + length₂))² + [type ≠]``, and 1 where somebody has no segment
(α = 3, β = 1, Δ∅ = 1). Only the action type is compared: hands have their own coefficients.

**Expected disorder**: mean disorder of sampled continua (section 5.2). Each sample draws n
annotators with replacement and turns each one's timeline by a pivot in ``[0, T)``: a segment
whose start passes ``T`` comes in again at the front, whole. Pivots keep a distance of half a
mean segment length from each other, or the same annotator drawn twice would agree with himself.

The observed disorder is proven where that is cheap (two annotators always). Sampled ones are
searched once, not proven, and come out a little too large: on average 0.5 % with three
annotators, 1-3 % with five (``benchmarks/agreement.py`` prints it). γ is too large by that share
of ``1 - γ``.

The annotators are put into an order that depends on their content only, so that γ, seed by seed,
does not depend on who is named first.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from math import ceil
from typing import Any

import numpy as np

from timelines.reliability.alignment import (
    GAMMA_COST,
    Bools,
    Floats,
    Ints,
    PairCost,
    Units,
    align,
    group_costs,
    units_of,
)
from timelines.reliability.exact import align_exactly
from timelines.segment import Timeline

_STARTS_UNPROVEN = 2

Z_95 = 1.959964  # two-sided 95 % point of the normal distribution


@dataclass(frozen=True, slots=True)
class Disorder:
    """Disorder of the best alignment found, and whether it is proven to be the best."""

    value: float
    exact: bool
    groups: int

    def as_dict(self) -> dict[str, Any]:
        """Plain data."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Gamma:
    """γ with everything needed to explain it.

    Attributes:
        gamma: at most 1; 0 is chance; None where it has no meaning (see ``flag``).
        low, high: 95 % interval from the uncertainty of the expected disorder alone.
        observed, expected: disorders.
        expected_deviation: standard deviation of the sampled disorders.
        samples: how many continua were sampled.
        exact: the observed disorder is proven to be the smallest.
        flag: ``both_empty`` (nobody marked anything), ``one_empty`` (fewer than two annotators
            marked anything), ``no_variation`` (shifted timelines agree fully: a segment as long
            as the video, or a video of a frame), ``too_few_annotators`` or None.
    """

    gamma: float | None
    low: float | None = None
    high: float | None = None
    observed: float | None = None
    expected: float | None = None
    expected_deviation: float | None = None
    samples: int = 0
    exact: bool = True
    flag: str | None = None

    def as_dict(self) -> dict[str, Any]:
        """Plain data."""
        return asdict(self)


def pair_cost(
    a: tuple[int, int, str], b: tuple[int, int, str], cost: PairCost = GAMMA_COST
) -> float:
    """Cost of one pair of segments, each (start frame, end frame, action type)."""
    x = (abs(a[0] - b[0]) + abs(a[1] - b[1])) / max(a[1] - a[0] + b[1] - b[0], 1)
    return cost.position * x * x + cost.category * (a[2] != b[2])


def observed_disorder(
    timelines: Sequence[Timeline], *, cost: PairCost = GAMMA_COST, exact: bool | None = None
) -> Disorder:
    """Disorder of the best alignment of all annotators (lists of any order give the same).

    Arguments:
        timelines: at least two, of the same video, at least one segment in all.
        cost: the pair cost.
        exact: True proves the optimum however long it takes; False never tries (two annotators
            are exact anyway); None proves it where that is cheap.

    Raises:
        ValueError: fewer than two annotators or no segment at all.
    """
    ordered = canonical_order(timelines)
    if len(ordered) < 2 or not any(len(t) for t in ordered):
        raise ValueError("disorder needs two annotators and at least one segment")
    return _observed(units_of(ordered), cost, exact)


def gamma(
    timelines: Sequence[Timeline],
    *,
    samples: int = 30,
    precision: float | None = None,
    max_samples: int = 1000,
    seed: int = 0,
    cost: PairCost = GAMMA_COST,
    exact: bool | None = None,
) -> Gamma:
    """γ of two or more annotators of one video.

    Arguments:
        timelines: one per annotator; ``frame_count`` of the first is T.
        samples: continua to sample first (the paper's 30).
        precision: if given (e.g. 0.02), sample until the expected disorder is known to this
            relative error with 95 % confidence: ``N = (1.96 · deviation/mean / precision)²``
            (section 5.3).
        max_samples: never more than these.
        seed: the samples depend on the timelines and this number only.
        cost, exact: see :func:`observed_disorder`.
    """
    ordered = canonical_order(timelines)
    if len(ordered) < 2:
        return Gamma(None, flag="too_few_annotators")
    marked = sum(1 for t in ordered if len(t))
    if marked < 2:
        return Gamma(None, flag="one_empty" if marked else "both_empty")
    units = units_of(ordered)
    observed = _observed(units, cost, exact)
    rng = np.random.default_rng(seed)
    total = max(t.frame_count for t in ordered)
    disorders = _sampled_disorders(units, total, max(2, samples), rng, cost)
    if precision is not None and disorders.any():
        variation = disorders.std(ddof=1) / disorders.mean()
        wanted = min(max_samples, ceil((Z_95 * variation / precision) ** 2))
        if wanted > disorders.size:
            more = _sampled_disorders(units, total, wanted - disorders.size, rng, cost)
            disorders = np.concatenate([disorders, more])
    expected = float(disorders.mean())
    deviation = float(disorders.std(ddof=1))
    if expected <= 0:
        return Gamma(None, observed=observed.value, expected=expected, flag="no_variation")
    error = Z_95 * deviation / disorders.size**0.5
    least = expected - error
    return Gamma(
        gamma=1.0 - observed.value / expected,
        low=1.0 - observed.value / least if least > 0 else None,
        high=1.0 - observed.value / (expected + error),
        observed=observed.value,
        expected=expected,
        expected_deviation=deviation,
        samples=int(disorders.size),
        exact=observed.exact,
    )


def canonical_order(timelines: Sequence[Timeline]) -> list[Timeline]:
    """The timelines in an order that depends on their content only."""
    return sorted(
        timelines,
        key=lambda t: [
            (s.start_frame, s.end_frame, s.action_type, int(s.hands), s.description)
            for s in t.segments
        ],
    )


def _observed(units: Units, cost: PairCost, exact: bool | None) -> Disorder:
    members = align(units, cost=cost)
    proven = units.annotators == 2
    if not proven and exact is not False:
        better = align_exactly(units, members, cost=cost, force=exact is True)
        if better is not None:
            members, proven = better, True
    if not proven:
        members = align(units, cost=cost, starts=_STARTS_UNPROVEN)
    return Disorder(float(_disorders(units, members, cost)[0]), proven, members.shape[0])


def _disorders(units: Units, members: Ints, cost: PairCost) -> Floats:
    """Disorder of each region, shape (regions,)."""
    n = units.annotators
    regions = int(units.region.max()) + 1
    where = units.region[members.max(axis=1)]
    costs = group_costs(units, members, cost=cost) / (n * (n - 1) / 2)
    total = np.bincount(where, weights=costs, minlength=regions)
    mean_size = np.bincount(units.region, minlength=regions) / n
    result: Floats = total / np.maximum(mean_size, 1.0 / n)
    return result


def _sampled_disorders(
    units: Units, total: int, samples: int, rng: np.random.Generator, cost: PairCost
) -> Floats:
    """Disorders of ``samples`` shifted continua, shape (samples,), aligned in batches."""
    batch = max(1, 20_000 // max(1, len(units)))  # bounds the memory of a batch
    parts = []
    for first in range(0, samples, batch):
        sampled = _sample(units, total, min(batch, samples - first), rng)
        parts.append(_disorders(sampled, align(sampled, cost=cost, rounds=2), cost))
    return np.concatenate(parts)


def sampled_units(timelines: Sequence[Timeline], *, samples: int, seed: int) -> Units:
    """Shifted continua as γ samples them, one region each; at least one segment is needed."""
    ordered = canonical_order(timelines)
    total = max(t.frame_count for t in ordered)
    return _sample(units_of(ordered), total, samples, np.random.default_rng(seed))


def _sample(units: Units, total: int, many: int, rng: np.random.Generator) -> Units:
    mean_length = float((units.end - units.start).mean())
    who = _draw_annotators(units, many, rng)
    pivots = _draw_pivots((many, units.annotators), total, mean_length / 2, rng)
    return _shifted(units, who, pivots, total)


def _draw_annotators(units: Units, many: int, rng: np.random.Generator) -> Ints:
    """Annotators of each sample, shape (many, n); never a sample without any segment."""
    n = units.annotators
    marked = np.unique(units.annotator)
    who = rng.integers(0, n, size=(many, n))
    barren = ~np.isin(who, marked).any(axis=1)
    who[barren, 0] = rng.choice(marked, size=int(barren.sum()))
    return who


def _draw_pivots(
    shape: tuple[int, int], total: int, distance: float, rng: np.random.Generator
) -> Ints:
    """Uniform pivots in [0, T), those of one sample at least ``distance`` apart on the circle.

    After 100 refused draws (a video of a few frames) the last draw stands.
    """
    pivots = rng.integers(0, max(total, 1), size=shape)
    for k in range(1, shape[1]):
        for _ in range(100):
            apart = np.abs(pivots[:, :k] - pivots[:, k : k + 1])
            near: Bools = (np.minimum(apart, total - apart) < distance).any(axis=1)
            if not near.any():
                break
            pivots[near, k] = rng.integers(0, max(total, 1), size=int(near.sum()))
    return pivots


def _shifted(units: Units, who: Ints, pivots: Ints, total: int) -> Units:
    """One continuum per row of ``who``, laid one behind the other on the frame axis."""
    many, n = who.shape
    edges = np.searchsorted(units.annotator, np.arange(n + 1))
    sizes = np.diff(edges)[who]
    count = sizes.ravel()
    row = np.repeat(np.arange(many * n), count)
    within = np.arange(count.sum()) - np.repeat(np.cumsum(count) - count, count)
    source = edges[who.ravel()[row]] + within
    start = units.start[source] + pivots.ravel()[row]
    start -= total * (start >= total)
    length = (units.end - units.start)[source]
    region, annotator = np.divmod(row, n)
    # A gap that no candidate window can reach keeps the samples apart.
    stride = total + 100.0 * (float(length.max(initial=1.0)) + 1.0)
    start += region * stride
    order = np.lexsort((start, annotator))
    return Units(
        annotators=n,
        annotator=annotator[order],
        start=start[order],
        end=(start + length)[order],
        category=units.category[source][order],
        hands=units.hands[source][order],
        region=region[order],
    )
