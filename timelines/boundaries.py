"""Boundary similarity: do two annotators cut at the same moments, whatever the labels?"""

from __future__ import annotations

from collections.abc import Iterable

from timelines.segment import Timeline


def boundary_similarity(reference: Timeline, candidate: Timeline, *, span_frames: int) -> float:
    """B of Fournier 2013 over the distinct start and end frames of two timelines, in [0, 1].

    Arguments:
        reference, candidate: of one video; labels and hands do not count.
        span_frames: n_t, at least 1; boundaries fewer than so many frames apart are near misses.

    Boundaries at the same frame match. Of the others, left to right, two within the span are one
    edit of cost ``distance / n_t`` and all that remain are edits of cost 1:
    ``B = 1 - cost / (edits + matches)``. 1 if neither has a boundary.
    """
    if span_frames < 1:
        raise ValueError("span_frames must be at least 1.")
    return similarity_of_boundaries(_frames(reference), _frames(candidate), span_frames)


def similarity_of_boundaries(ours: Iterable[int], theirs: Iterable[int], span_frames: int) -> float:
    """`boundary_similarity` of two plain sets of frames."""
    one, other = set(ours), set(theirs)
    matches = len(one & other)
    left, right = sorted(one - other), sorted(other - one)
    near, distance, i, j = 0, 0, 0, 0
    # Both sorted: pairing the first two that are close enough pairs as many as possible.
    while i < len(left) and j < len(right):
        off = left[i] - right[j]
        if abs(off) < span_frames:
            near, distance, i, j = near + 1, distance + abs(off), i + 1, j + 1
        elif off < 0:
            i += 1
        else:
            j += 1
    alone = len(left) + len(right) - 2 * near
    total = alone + near + matches
    return 1 - (alone + distance / span_frames) / total if total else 1.0


def _frames(timeline: Timeline) -> set[int]:
    return {frame for s in timeline for frame in (s.start_frame, s.end_frame)}
