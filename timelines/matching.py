"""Which segment of one timeline is which segment of another.

Only pairs that share at least one frame are ever looked at: a hundred segments of a video give a
few hundred of them, not ten thousand.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.optimize import linear_sum_assignment

from timelines.segment import Timeline

IntArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float64]

# Common over combined hands of two hand masks; two segments of no hand agree fully.
_HANDS_JACCARD: FloatArray = np.array(
    [
        [1.0, 0.0, 0.0, 0.0],
        [0.0, 1.0, 0.0, 0.5],
        [0.0, 0.0, 1.0, 0.5],
        [0.0, 0.5, 0.5, 1.0],
    ]
)


@dataclass(frozen=True, eq=False, slots=True)
class Pairs:
    """Every pair of segments that share a frame; all arrays have shape (p,).

    ``reference`` and ``candidate`` are indices into the two timelines, in lexicographic order;
    ``shared`` counts common frames, ``iou`` is common over combined frames, ``same_type`` and
    ``hands`` (Jaccard index of the two sets of hands) lie in [0, 1]; ``start_off`` and
    ``end_off`` are signed frames, candidate minus reference.
    """

    reference: IntArray
    candidate: IntArray
    shared: IntArray
    iou: FloatArray
    same_type: FloatArray
    hands: FloatArray
    start_off: IntArray
    end_off: IntArray

    def __len__(self) -> int:
        return len(self.reference)


def overlapping_pairs(reference: Timeline, candidate: Timeline) -> Pairs:
    """All pairs with common frames; raises `ValueError` if the videos differ.

    Segments without a frame share nothing. O(n log n + pairs) time, whatever the lengths.
    """
    if (reference.frame_count, reference.fps) != (candidate.frame_count, candidate.fps):
        raise ValueError(
            "Timelines of different videos cannot be compared: "
            f"{reference.frame_count} frames at {reference.fps} fps against "
            f"{candidate.frame_count} at {candidate.fps}."
        )
    rows, columns = _touching(reference, candidate)
    start_a, end_a = reference.starts[rows], reference.ends[rows]
    start_b, end_b = candidate.starts[columns], candidate.ends[columns]
    shared = np.minimum(end_a, end_b) - np.maximum(start_a, start_b)
    keep = shared > 0
    rows, columns, shared = rows[keep], columns[keep], shared[keep]
    start_a, end_a, start_b, end_b = start_a[keep], end_a[keep], start_b[keep], end_b[keep]
    together = (end_a - start_a) + (end_b - start_b) - shared
    codes: dict[str, int] = {}
    types_a = _codes(reference.action_types, codes)
    types_b = _codes(candidate.action_types, codes)
    return Pairs(
        reference=rows,
        candidate=columns,
        shared=shared,
        iou=shared / together,
        same_type=(types_a[rows] == types_b[columns]).astype(np.float64),
        hands=_HANDS_JACCARD[reference.hands[rows], candidate.hands[columns]],
        start_off=start_b - start_a,
        end_off=end_b - end_a,
    )


def _touching(reference: Timeline, candidate: Timeline) -> tuple[IntArray, IntArray]:
    """Index pairs that may overlap: a superset, in lexicographic order.

    Segments are sorted by start. A candidate cannot overlap row i if it starts at or after the
    row's end, nor if it and all before it end at or before the row's start.
    """
    if not len(reference) or not len(candidate):
        none = np.zeros(0, dtype=np.int64)
        return none, none
    latest_end = np.maximum.accumulate(candidate.ends)
    first = np.searchsorted(latest_end, reference.starts, side="right")
    beyond = np.searchsorted(candidate.starts, reference.ends, side="left")
    counts = np.maximum(beyond - first, 0)
    rows = np.repeat(np.arange(len(reference), dtype=np.int64), counts)
    offset = np.arange(counts.sum(), dtype=np.int64) - np.repeat(np.cumsum(counts) - counts, counts)
    return rows, np.repeat(first, counts) + offset


def _codes(names: tuple[str, ...], codes: dict[str, int]) -> IntArray:
    return np.array([codes.setdefault(name, len(codes)) for name in names], dtype=np.int64)


def best_assignment(pairs: Pairs, weight: FloatArray) -> IntArray:
    """The one-to-one assignment of greatest total weight (Kuhn 1955; Crouse 2016 in scipy).

    Arguments:
        pairs: the pairs that may be chosen.
        weight: shape (p,); pairs of weight ≤ 0 are never chosen.

    Returns indices into `pairs`, ascending.
    """
    allowed = np.flatnonzero(weight > 0)
    if not len(allowed):
        return allowed
    row_names, rows = np.unique(pairs.reference[allowed], return_inverse=True)
    column_names, columns = np.unique(pairs.candidate[allowed], return_inverse=True)
    gain = np.zeros((len(row_names), len(column_names)))
    place = np.full(gain.shape, -1, dtype=np.int64)
    gain[rows, columns] = weight[allowed]
    place[rows, columns] = allowed
    chosen = place[linear_sum_assignment(gain, maximize=True)]
    return np.sort(chosen[chosen >= 0])
