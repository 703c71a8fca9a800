"""Best alignment of several annotators' segments: the optimisation behind γ and consensus.

An alignment puts every segment into exactly one group that holds at most one segment of each
annotator. With ``n`` annotators, ``P = n(n-1)/2`` pairs and a cost of 1 for every pair in which
somebody is missing (Δ∅ = 1), a group of ``m`` segments costs (Mathet, Widlöcher, Métivier 2015,
*The unified and holistic method gamma*, Computational Linguistics 41(3), sections 4.2-4.4)::

    cost(group) = (sum of pair costs in it + (P - m(m-1)/2)) / P
                = (P + sum over its pairs of (d - 1)) / P

so that finding the best alignment is: open groups at ``opening = P`` each, and earn ``1 - d`` for
every pair that is put together. Consensus uses the same search with another opening price.

**What can be pruned without loss.** Cut a group of the best alignment into two halves ``A | B``:
were the halves apart, one more opening would be paid and the crossing pairs would be saved. So
``sum over crossing pairs of (d - 1) <= opening`` in some best alignment, for every cut. With
``A`` of one segment it follows that no pair with ``d > opening + n - 2 + 1`` is needed (two
annotators: ``d > 2``, which is the paper's ``n · Δ∅`` rule in section 5.1.1). This rule is
stronger than the paper's, which prunes on the total of the group only.

**The search** is block coordinate descent: cut all groups along the same set of annotators, and
put the halves together again in the best possible way, by an exact sparse linear assignment.
That never makes the alignment worse. With two annotators the first step is already the optimum;
with more, ``exact.py`` can prove or improve the result.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import numpy.typing as npt
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from timelines.reliability.assignment import best_matching
from timelines.segment import Timeline

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

_CHUNK = 1 << 18  # candidate pairs examined at once: bounds the memory, not the result


@dataclass(frozen=True, slots=True)
class PairCost:
    """How much two segments differ: ``position·x² + category·[type ≠] + hands·(1 - Jaccard)``.

    ``x = (|Δstart| + |Δend|) / (length₁ + length₂)``. γ takes α = 3, β = 1 and no hands.
    """

    position: float = 3.0
    category: float = 1.0
    hands: float = 0.0


GAMMA_COST = PairCost()


@dataclass(frozen=True, slots=True)
class Units:
    """Segments of all annotators as columns, sorted by annotator, then start.

    Several independent continua may lie one behind the other on the frame axis, far enough
    apart that nothing can be paired across; ``region`` tells them apart.
    """

    annotators: int
    annotator: Ints
    start: Floats
    end: Floats
    category: Ints
    hands: Ints
    region: Ints

    def __len__(self) -> int:
        return int(self.start.size)


def units_of(timelines: Sequence[Timeline]) -> Units:
    """The segments of the given annotators as one set of columns (one region)."""
    codes: dict[str, int] = {}
    for timeline in timelines:
        for name in timeline.action_types:
            codes.setdefault(name, len(codes))
    category = [codes[name] for timeline in timelines for name in timeline.action_types]
    sizes = [len(timeline) for timeline in timelines]
    return Units(
        annotators=len(timelines),
        annotator=np.repeat(np.arange(len(timelines)), sizes),
        start=np.concatenate([t.starts for t in timelines]).astype(np.float64),
        end=np.concatenate([t.ends for t in timelines]).astype(np.float64),
        category=np.array(category, dtype=np.int64),
        hands=np.concatenate([t.hands for t in timelines]),
        region=np.zeros(sum(sizes), dtype=np.int64),
    )


def pair_costs(units: Units, left: Ints, right: Ints, cost: PairCost) -> Floats:
    """Cost of each pair ``(left[k], right[k])`` of unit numbers, shape (k,)."""
    s1, s2 = units.start[left], units.start[right]
    e1, e2 = units.end[left], units.end[right]
    x: Floats = np.abs(s1 - s2)
    x += np.abs(e1 - e2)
    e1 -= s1
    e2 -= s2
    e1 += e2
    x /= np.maximum(e1, 1.0)
    x *= x
    x *= cost.position
    x += cost.category * (units.category[left] != units.category[right])
    if cost.hands:
        h1, h2 = units.hands[left], units.hands[right]
        x += cost.hands * (1.0 - _JACCARD[h1, h2])
    return x


def _hand_jaccard() -> Floats:
    table = np.ones((4, 4))
    for a in range(4):
        for b in range(4):
            if a | b:
                table[a, b] = (a & b).bit_count() / (a | b).bit_count()
    return table


_JACCARD = _hand_jaccard()


def pair_bound(annotators: int, opening: float) -> float:
    """Largest pair cost that a step of the search can need (see the module's text)."""
    return opening + (annotators // 2) * ((annotators + 1) // 2)


def candidate_pairs(units: Units, cost: PairCost, bound: float) -> tuple[Ints, Ints]:
    """All pairs of segments of different annotators with ``d <= bound``, lower annotator first.

    ``|Δstart| <= x (length₁ + length₂)`` with ``x = sqrt(bound / position)`` leaves a window on
    the sorted start frames, so that the work grows with the neighbours and not with n².
    """
    lefts: list[Ints] = []
    rights: list[Ints] = []
    reach = float(np.sqrt(bound / cost.position)) + 1e-9
    length = units.end - units.start
    edges = np.searchsorted(units.annotator, np.arange(units.annotators + 1))
    for b in range(1, units.annotators):
        other = slice(int(edges[b]), int(edges[b + 1]))
        starts = units.start[other]
        if not starts.size:
            continue
        longest = length[other].max()
        mine = np.arange(edges[b])
        window = reach * (length[mine] + longest)
        first = np.searchsorted(starts, units.start[mine] - window, side="left")
        counts = np.searchsorted(starts, units.start[mine] + window, side="right") - first
        for lo, hi in _chunks(counts):
            part = counts[lo:hi]
            left = np.repeat(mine[lo:hi], part)
            offset = np.arange(part.sum()) - np.repeat(np.cumsum(part) - part, part)
            right = np.repeat(first[lo:hi], part) + offset + other.start
            keep = pair_costs(units, left, right, cost) <= bound
            keep &= units.region[left] == units.region[right]
            lefts.append(left[keep])
            rights.append(right[keep])
    empty = np.zeros(0, dtype=np.int64)
    return np.concatenate([empty, *lefts]), np.concatenate([empty, *rights])


def _chunks(counts: Ints) -> Iterator[tuple[int, int]]:
    """Cut ``counts`` into stretches whose sum stays near ``_CHUNK``."""
    total = np.cumsum(counts)
    lo = 0
    while lo < counts.size:
        base = total[lo - 1] if lo else 0
        hi = max(lo + 1, int(np.searchsorted(total, base + _CHUNK)))
        yield lo, hi
        lo = hi


@dataclass(slots=True)
class _Search:
    """Groups under construction: ``members[g, a]`` is a's unit in group g, or -1."""

    units: Units
    cost: PairCost
    opening: float
    left: Ints
    right: Ints
    members: Ints
    group: Ints

    def step(self, block: Sequence[int], active: Bools) -> Ints:
        """Cut every group in an active region along ``block`` and join the halves at best.

        Returns the regions in which that lowered the cost.
        """
        units, members = self.units, self.members
        n = units.annotators
        inside = np.zeros(n, dtype=bool)
        inside[list(block)] = True
        near, far = np.flatnonzero(inside), np.flatnonzero(~inside)
        near_lead, far_lead = _leads(members, near), _leads(members, far)
        is_lead = np.zeros(len(units), dtype=bool)
        is_lead[near_lead[near_lead >= 0]] = True
        is_lead[far_lead[far_lead >= 0]] = True

        keep = is_lead[self.left] & is_lead[self.right]
        keep &= inside[units.annotator[self.left]] != inside[units.annotator[self.right]]
        keep &= active[units.region[self.left]]
        u, v = self.left[keep], self.right[keep]
        swap = ~inside[units.annotator[u]]
        u, v = np.where(swap, v, u), np.where(swap, u, v)
        row, col = self.group[u], self.group[v]
        gain = self._gains(row, col, near, far)
        keep = gain > 1e-12
        row, col, gain = row[keep], col[keep], gain[keep]

        before = np.zeros(active.size)
        after = np.zeros(active.size)
        together = (near_lead >= 0) & (far_lead >= 0)
        joined = np.flatnonzero(together & active[units.region[np.maximum(near_lead, 0)]])
        np.add.at(before, units.region[near_lead[joined]], self._gains(joined, joined, near, far))
        chosen = best_matching(row, col, gain)
        np.add.at(after, units.region[near_lead[row[chosen]]], gain[chosen])
        better = after > before + 1e-9
        if better.any():
            self._rejoin(row[chosen], col[chosen], near, far, better[_region_of(members, units)])
        return np.flatnonzero(better)

    def _gains(self, row: Ints, col: Ints, near: Ints, far: Ints) -> Floats:
        """What joining the near half of ``row`` with the far half of ``col`` saves."""
        gain = np.full(row.size, float(self.opening))
        for a in near:
            i = self.members[row, a]
            for b in far:
                j = self.members[col, b]
                both = np.flatnonzero((i >= 0) & (j >= 0))
                if both.size:
                    gain[both] += 1.0 - pair_costs(self.units, i[both], j[both], self.cost)
        return gain

    def _rejoin(self, row: Ints, col: Ints, near: Ints, far: Ints, changed: Bools) -> None:
        keep = changed[row]
        row, col = row[keep], col[keep]
        old = self.members
        count = old.shape[0]
        partner = np.full(count, -1)
        partner[row] = col
        taken = np.zeros(count, dtype=bool)
        taken[col] = True
        fixed = old[~changed]
        rows = np.flatnonzero(changed)
        near_half = np.full((rows.size, old.shape[1]), -1)
        near_half[:, near] = old[np.ix_(rows, near)]
        has = partner[rows] >= 0
        near_half[np.ix_(has, far)] = old[np.ix_(partner[rows][has], far)]
        rest = np.flatnonzero(changed & ~taken)
        far_half = np.full((rest.size, old.shape[1]), -1)
        far_half[:, far] = old[np.ix_(rest, far)]
        table = np.concatenate([fixed, near_half, far_half])
        self.members = table[(table >= 0).any(axis=1)]
        where, who = np.nonzero(self.members >= 0)
        self.group[self.members[where, who]] = where


def _leads(members: Ints, annotators: Ints) -> Ints:
    """First member of each group among the given annotators, or -1."""
    if not annotators.size:
        return np.full(members.shape[0], -1)
    part = members[:, annotators]
    first = np.argmax(part >= 0, axis=1)
    lead: Ints = part[np.arange(part.shape[0]), first]
    return lead


def _region_of(members: Ints, units: Units) -> Ints:
    region: Ints = units.region[members.max(axis=1)]
    return region


def align(
    units: Units,
    *,
    cost: PairCost = GAMMA_COST,
    opening: float | None = None,
    rounds: int | None = None,
    starts: int = 1,
) -> Ints:
    """Group the segments of n annotators by block coordinate descent.

    A round cuts along every single annotator, then along every set of two and more (the greatest
    single gain with four and five annotators: 1-3 % less disorder). Further starts take the cuts
    in other orders; wherever two results differ, part by part, the better part is kept.

    Arguments:
        units: segments as columns; regions are independent of each other.
        cost: the pair cost.
        opening: price of a group; ``n(n-1)/2`` (γ) when not given.
        rounds: stop after so many; None goes on until nothing improves.
        starts: how often to search; one is enough for two annotators.

    Returns:
        ``members``, shape (groups, annotators): unit number or -1. Optimal for two annotators.
    """
    n = units.annotators
    price = n * (n - 1) / 2 if opening is None else opening
    if not len(units) or n < 2:
        return _alone(units)
    left, right = candidate_pairs(units, cost, pair_bound(n, price))
    cuts = _cuts(n)
    best: Ints | None = None
    for start in range(starts if n > 2 else 1):
        turned = [tuple((a + start) % n for a in block) for block in cuts]
        if start % 2:
            turned[n:] = reversed(turned[n:])
        members = _alone(units)
        search = _Search(units, cost, price, left, right, members, np.arange(len(units)))
        _descend(search, turned, rounds)
        best = search.members if best is None else _best_parts(search, best)
    assert best is not None
    return best


def _descend(search: _Search, cuts: Sequence[Sequence[int]], rounds: int | None) -> None:
    active = np.ones(int(search.units.region.max()) + 1, dtype=bool)
    while active.any() and rounds != 0:
        improved = np.zeros_like(active)
        for block in cuts:
            improved[search.step(block, active)] = True
        # One cut with two annotators: the first step is the optimum.
        active = improved & (len(cuts) > 1)
        rounds = None if rounds is None else rounds - 1


def _alone(units: Units) -> Ints:
    members = np.full((len(units), units.annotators), -1)
    members[np.arange(len(units)), units.annotator] = np.arange(len(units))
    return members


def _best_parts(search: _Search, other: Ints) -> Ints:
    """The better of two alignments, part by part.

    A part is a smallest set of segments that both alignments group among themselves; so any
    choice of parts is an alignment again.
    """
    units, mine = search.units, search.members
    group = np.zeros(len(units), dtype=np.int64)
    where, who = np.nonzero(other >= 0)
    group[other[where, who]] = where
    a, b = mine.shape[0], other.shape[0]
    graph = coo_matrix(
        (np.ones(len(units), dtype=np.int8), (search.group, a + group)), shape=(a + b, a + b)
    )
    parts, part = connected_components(graph, directed=False)
    price = search.opening
    mine_cost = group_costs(units, mine, cost=search.cost, opening=price)
    other_cost = group_costs(units, other, cost=search.cost, opening=price)
    total = np.bincount(part[:a], mine_cost, parts) - np.bincount(part[a:], other_cost, parts)
    better = total < -1e-9
    return np.concatenate([mine[better[part[:a]]], other[~better[part[a:]]]])


def _cuts(annotators: int) -> list[tuple[int, ...]]:
    """Every way to cut a group in two, once, single annotators first.

    Past six annotators only single ones and pairs: there are 2ⁿ sets.
    """
    largest = annotators // 2 if annotators <= 6 else 2
    cuts = []
    for size in range(1, largest + 1):
        for block in combinations(range(annotators), size):
            if 2 * size < annotators or 0 in block:  # a half is the same cut as its complement
                cuts.append(block)
    return cuts


def group_costs(
    units: Units, members: Ints, *, cost: PairCost = GAMMA_COST, opening: float | None = None
) -> Floats:
    """``opening + sum over pairs of (d - 1)`` of every group, shape (groups,)."""
    n = units.annotators
    price = n * (n - 1) / 2 if opening is None else opening
    total = np.full(members.shape[0], float(price))
    for a, b in combinations(range(n), 2):
        both = np.flatnonzero((members[:, a] >= 0) & (members[:, b] >= 0))
        if both.size:
            total[both] += pair_costs(units, members[both, a], members[both, b], cost) - 1.0
    return total
