"""Exact maximum-gain bipartite matching on sparse, local graphs.

SciPy's sparse solver (Jonker-Volgenant) walks over all columns for every row. The graphs here
are thousands of small neighbourhoods, so most of that walk is for nothing. Two exact reductions
come first:

* **Dominant edges.** If an edge gains at least as much as the best other edge of its row and the
  best other edge of its column together, then some best matching contains it: replacing those
  two by this one loses nothing. Such edges are taken, their ends removed, and again.
* **Components.** What is left falls apart into small connected components; whole components are
  solved together in batches of about a hundred rows.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.sparse import coo_matrix, csr_matrix
from scipy.sparse.csgraph import connected_components, min_weight_full_bipartite_matching

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

_BATCH_ROWS = 100


def best_matching(row: Ints, col: Ints, gain: Floats) -> Ints:
    """Numbers of the edges in a matching with the greatest total gain.

    Arguments:
        row, col: ends of each edge, non-negative numbers, no edge twice; shape (edges,).
        gain: greater than 0; nobody has to be matched.
    """
    chosen, rest = _take_dominant(row, col, gain)
    if rest.size:
        chosen = np.concatenate([chosen, rest[_by_components(row[rest], col[rest], gain[rest])]])
    return chosen


def _take_dominant(row: Ints, col: Ints, gain: Floats) -> tuple[Ints, Ints]:
    """Edges that some best matching contains, and the edges that stay undecided."""
    taken = [np.zeros(0, dtype=np.int64)]
    alive = np.arange(row.size)
    while alive.size:
        g, ends = gain[alive], (row[alive], col[alive])
        order = np.argsort(g, kind="stable")
        rivals = np.zeros(alive.size)
        for end in ends:
            rivals += _best_other(end, g, order)
        pick = np.flatnonzero(g >= rivals)
        if not pick.size:
            break
        for end in ends:  # equal gains may name two edges of one end: keep the first
            pick = pick[np.unique(end[pick], return_index=True)[1]]
        taken.append(alive[pick])
        gone = np.zeros(alive.size, dtype=bool)
        for end in ends:
            used = np.zeros(int(end.max()) + 1, dtype=bool)
            used[end[pick]] = True
            gone |= used[end]
        alive = alive[~gone]
    return np.concatenate(taken), alive


def _best_other(end: Ints, gain: Floats, order: Ints) -> Floats:
    """For each edge the best gain among the other edges at the same end, or 0."""
    size = int(end.max()) + 1
    best = np.full(size, -1)
    best[end[order]] = order  # written in rising order of gain: the last one is the best
    rest = order[best[end[order]] != order]
    second = np.zeros(size)
    second[end[rest]] = gain[rest]
    is_best = best[end] == np.arange(end.size)
    return np.where(is_best, second[end], gain[best[end]])


def _by_components(row: Ints, col: Ints, gain: Floats) -> Ints:
    rows, r = np.unique(row, return_inverse=True)
    cols, c = np.unique(col, return_inverse=True)
    n, m = rows.size, cols.size
    graph = coo_matrix((np.ones(row.size, dtype=np.int8), (r, n + c)), shape=(n + m, n + m))
    label = connected_components(graph, directed=False)[1][:n]
    # Rows in the order of their component, cut where a batch is full and a component ends.
    place = np.cumsum(np.bincount(label))  # rows up to and with each component
    batch_of_component = (place - 1) // _BATCH_ROWS
    edge_batch = batch_of_component[label[r]]
    order = np.argsort(edge_batch, kind="stable")
    borders = np.flatnonzero(np.diff(edge_batch[order])) + 1
    found = []
    for edges in np.split(order, borders):
        found.append(edges[_solve(r[edges], c[edges], gain[edges])])
    return np.concatenate(found)


def _solve(row: Ints, col: Ints, gain: Floats) -> Ints:
    """One call of the solver.

    Every row also gets a private column with gain 0 ("stay alone"), which makes a full matching
    possible; costs are ``top - gain > 0`` because the solver reads 0 as "no edge".
    """
    rows, r = np.unique(row, return_inverse=True)
    cols, c = np.unique(col, return_inverse=True)
    n, m, edges = rows.size, cols.size, row.size
    top = float(gain.max()) + 1.0
    weight = np.concatenate([top - gain, np.full(n, top)])
    number = np.concatenate([np.arange(edges), np.full(n, -1)])
    key = np.concatenate([r, np.arange(n)]) * (m + n) + np.concatenate([c, m + np.arange(n)])
    order = np.argsort(key)
    key = key[order]
    indptr = np.searchsorted(key, np.arange(n + 1) * (m + n))
    graph = csr_matrix((weight[order], key % (m + n), indptr), shape=(n, m + n))
    picked_row, picked_col = min_weight_full_bipartite_matching(graph)
    at = np.searchsorted(key, picked_row.astype(np.int64) * (m + n) + picked_col)
    chosen: Ints = number[order][at]
    return chosen[chosen >= 0]
