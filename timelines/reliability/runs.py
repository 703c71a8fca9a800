"""Timelines of one hand as runs: stretches of frames in which nobody's label changes.

Everything that is counted over frames is counted over runs and weighted with their lengths, so
that a video of an hour costs no more than one of a minute.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from timelines.segment import Hands, Timeline

Ints = npt.NDArray[np.int64]

GAP = 0  # code of "nothing marked"


@dataclass(frozen=True, slots=True)
class HandUnits:
    """What one annotator marked for one hand: disjoint units, sorted, shape (k,) each.

    Segments of one hand may not overlap. Where a draft breaks that rule, the overlap counts as a
    unit of its own, labelled with all types in it.
    """

    starts: Ints
    ends: Ints
    codes: Ints


@dataclass(frozen=True, slots=True)
class Runs:
    """All annotators of one hand, side by side.

    Attributes:
        lengths: frames of each run, shape (runs,); they sum to ``total``.
        codes: label of each annotator in each run, GAP = 0, shape (runs, annotators).
        units: each annotator's own units.
        total: frames of the video.
        categories: number of codes, GAP included.
    """

    lengths: Ints
    codes: Ints
    units: tuple[HandUnits, ...]
    total: int
    categories: int

    @property
    def empty(self) -> bool:
        """Nobody marked anything."""
        return not any(u.starts.size for u in self.units)


def hand_runs(timelines: Sequence[Timeline], hand: Hands | None) -> Runs:
    """Lay the annotators' timelines of one hand (None: of any hand) over each other."""
    total = max((t.frame_count for t in timelines), default=0)
    names: dict[tuple[str, ...], int] = {(): GAP}
    units = tuple(_hand_units(t, hand, total, names) for t in timelines)
    borders = np.unique(
        np.concatenate([[0, total], *(u.starts for u in units), *(u.ends for u in units)])
    )
    starts = borders[:-1]
    codes = np.zeros((starts.size, len(units)), dtype=np.int64)
    for column, u in enumerate(units):
        if u.starts.size:
            at = np.searchsorted(u.starts, starts, side="right") - 1
            inside = (at >= 0) & (starts < u.ends[at])
            codes[inside, column] = u.codes[at[inside]]
    return Runs(np.diff(borders), codes, units, total, len(names))


def _hand_units(
    timeline: Timeline, hand: Hands | None, total: int, names: dict[tuple[str, ...], int]
) -> HandUnits:
    chosen = [
        (max(0, s.start_frame), min(total, s.end_frame), s.action_type)
        for s in timeline.segments
        if hand is None or s.hands & hand
    ]
    chosen = [s for s in chosen if s[0] < s[1]]
    if any(a[1] > b[0] for a, b in pairwise(chosen)):
        pieces = _flattened(chosen)
    else:
        pieces = [(start, end, (name,)) for start, end, name in chosen]
    return HandUnits(
        np.array([p[0] for p in pieces], dtype=np.int64),
        np.array([p[1] for p in pieces], dtype=np.int64),
        np.array([names.setdefault(p[2], len(names)) for p in pieces], dtype=np.int64),
    )


def _flattened(segments: list[tuple[int, int, str]]) -> list[tuple[int, int, tuple[str, ...]]]:
    borders = sorted({frame for start, end, _ in segments for frame in (start, end)})
    pieces = []
    for start, end in pairwise(borders):
        here = tuple(sorted({name for s, e, name in segments if s <= start and end <= e}))
        if here:
            pieces.append((start, end, here))
    return pieces


def agreeing_pairs(runs: Runs) -> float:
    """Frames that pairs of annotators label alike, as ``sum w·n_c(n_c - 1)/(n - 1)``.

    ``n_c`` annotators give label c in a run of ``w`` frames; the sum is the diagonal of
    Krippendorff's observed coincidence matrix, and ``annotators · total`` if all agree.
    """
    n = runs.codes.shape[1]
    alike = np.zeros(runs.lengths.size, dtype=np.int64)
    for a in range(n):
        for b in range(a):
            alike += runs.codes[:, a] == runs.codes[:, b]
    return float(2 * (alike @ runs.lengths) / (n - 1))


def frames_per_code(runs: Runs) -> Ints:
    """Frames of each label by each annotator, shape (annotators, categories)."""
    n = runs.codes.shape[1]
    key = runs.codes + np.arange(n) * runs.categories
    weights = np.repeat(runs.lengths, n)
    sums = np.bincount(key.ravel(), weights=weights, minlength=n * runs.categories)
    return sums.reshape(n, runs.categories).astype(np.int64)
