"""Proof of the best alignment: set packing over every group that can matter.

A group of ``m`` segments saves ``(m - 1)·opening - sum over its pairs of (d - 1)`` against
leaving its members alone, so the best alignment is the choice of disjoint groups that saves most:
an integer linear programme, whose relaxation is almost always whole already. Mathet et al. (2015,
section 5.1) state it with equalities over all unitary alignments; their paper's pruning keeps a
group if its total is at most ``n·Δ∅``. The cut rule of ``alignment.py`` removes many more: each
member must be worth its place, ``sum over the others of (d - 1) <= opening``.
"""

from __future__ import annotations

import numpy as np
from scipy.optimize import Bounds, LinearConstraint, milp
from scipy.sparse import csc_matrix

from timelines.reliability.alignment import (
    GAMMA_COST,
    Floats,
    Ints,
    PairCost,
    Units,
    candidate_pairs,
    group_costs,
    pair_costs,
)

CHEAP_GROUPS = 20_000  # candidate groups up to which the proof is tried unasked
CHEAP_SECONDS = 5.0


def align_exactly(
    units: Units,
    members: Ints,
    *,
    cost: PairCost = GAMMA_COST,
    opening: float | None = None,
    force: bool = False,
) -> Ints | None:
    """The best alignment, proven; or None if that is not cheap and not forced.

    Arguments:
        units: segments of n annotators.
        members: a good alignment, shape (groups, n), returned if nothing beats it.
        cost, opening: as for :func:`timelines.reliability.alignment.align`.
        force: take as long and as much memory as it needs.
    """
    n = units.annotators
    price = n * (n - 1) / 2 if opening is None else opening
    found = candidate_groups(units, cost, price, None if force else CHEAP_GROUPS)
    if found is None:
        return None
    groups, saving = found
    if not groups.shape[0]:
        return _with_singles(units, groups)
    where, who = np.nonzero(groups >= 0)
    rows = groups[where, who]
    matrix = csc_matrix((np.ones(rows.size), (rows, where)), shape=(len(units), groups.shape[0]))
    options = {"mip_rel_gap": 0.0}
    if not force:
        options["time_limit"] = CHEAP_SECONDS
    result = milp(
        -saving,
        constraints=LinearConstraint(matrix, ub=1.0),
        integrality=np.ones(saving.size),
        bounds=Bounds(0.0, 1.0),
        options=options,
    )
    if result.status != 0:
        return None
    best = _with_singles(units, groups[result.x > 0.5])
    old = group_costs(units, members, cost=cost, opening=price).sum()
    new = group_costs(units, best, cost=cost, opening=price).sum()
    return best if new < old - 1e-9 else members


def candidate_groups(
    units: Units, cost: PairCost, opening: float, limit: int | None
) -> tuple[Ints, Floats] | None:
    """Every group of two or more that some best alignment can need, and what it saves.

    Grown by one annotator at a time. A group that may still grow by ``r`` members is kept while
    each member's sum is at most ``opening + r``, since a further member adds at least -1.

    Returns:
        groups, shape (k, n), unit number or -1; savings > 0, shape (k,). None past ``limit``.
    """
    n = units.annotators
    left, right = candidate_pairs(units, cost, opening + n - 1)
    order = np.lexsort((right, left))
    left, right = left[order], right[order]
    edges = np.searchsorted(left, np.arange(len(units) + 1))
    groups = np.full((len(units), n), -1)
    groups[np.arange(len(units)), units.annotator] = np.arange(len(units))
    sums = np.zeros((len(units), n))  # each member's sum of (d - 1) over the others
    first = np.arange(len(units))
    total = 0
    for a in range(1, n):
        grown_groups, grown_sums, grown_first = [groups], [sums], [first]
        for lo in range(0, groups.shape[0], 4096):
            part = slice(lo, lo + 4096)
            source = first[part]
            count = edges[source + 1] - edges[source]
            row = np.repeat(np.arange(source.size), count) + lo
            offset = np.arange(row.size) - np.repeat(np.cumsum(count) - count, count)
            new = right[np.repeat(edges[source], count) + offset]
            mine = units.annotator[new] == a
            row, new = row[mine], new[mine]
            g, s = groups[row].copy(), sums[row].copy()
            own = np.zeros(new.size)
            for b in range(a):
                has = np.flatnonzero(g[:, b] >= 0)
                d = pair_costs(units, g[has, b], new[has], cost) - 1.0
                s[has, b] += d
                own[has] += d
            g[:, a], s[:, a] = new, own
            keep = (s <= opening + (n - 1 - a) + 1e-9).all(axis=1)
            grown_groups.append(g[keep])
            grown_sums.append(s[keep])
            grown_first.append(first[row[keep]])
            total += int(keep.sum())
            if limit is not None and total > limit:
                return None
        groups = np.concatenate(grown_groups)
        sums = np.concatenate(grown_sums)
        first = np.concatenate(grown_first)
    size = (groups >= 0).sum(axis=1)
    saving = (size - 1) * opening - sums.sum(axis=1) / 2
    keep = (size > 1) & (saving > 1e-12) & (sums <= opening + 1e-9).all(axis=1)
    return groups[keep], saving[keep]


def _with_singles(units: Units, groups: Ints) -> Ints:
    grouped = np.zeros(len(units), dtype=bool)
    grouped[groups[groups >= 0]] = True
    rest = np.flatnonzero(~grouped)
    alone = np.full((rest.size, units.annotators), -1)
    alone[np.arange(rest.size), units.annotator[rest]] = rest
    return np.concatenate([groups, alone])
