"""64-bit DCT hashes of frames, to find the same footage again. No Django.

The hash is of the picture's coarse structure, so a smaller or worse copy keeps it; a crop does not,
so each frame is also hashed as a crop of it would be. Pictures are taken at fixed fractions of a
video's length: a copy that was cut in time is not found.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import numpy as np
from numpy.typing import NDArray

from videos.sampling import Grey

Hashes = Sequence[tuple[int, int, int, int]]

SIDE = 32  # pixels of the picture that is transformed
KEPT = 8  # coarsest frequencies kept per direction
SLOTS = (0.08, 0.22, 0.36, 0.5, 0.64, 0.78, 0.92)  # fractions of the frames
CROPS = (100, 95, 90, 85, 80)  # per cent of width and height kept around the middle
CUT = 10  # bits that may differ
LEAST_SLOTS = 0.6  # share of slots that must match
LEAST_COMPARED = 3  # slots in which both have a hash
FLAT = 4.0  # standard deviation below which a picture has no structure to compare


def frame_hash(picture: Grey) -> int | None:
    """The hash of a grey picture as a signed 64-bit integer; None when it is almost flat."""
    small = _shrink(picture)
    if small.std() < FLAT:
        return None
    basis = _dct_basis()
    coarse = (basis @ small @ basis.T)[:KEPT, :KEPT].ravel()
    bits = coarse > np.median(coarse[1:])
    return int(np.packbits(bits).view(">i8")[0])


def hashes(picture: Grey) -> dict[int, int]:
    """Per cent kept → hash, for each of CROPS. Empty for an almost flat picture."""
    height, width = picture.shape
    found = {}
    for kept in CROPS:
        dy, dx = height * (100 - kept) // 200, width * (100 - kept) // 200
        value = frame_hash(picture[dy : height - dy, dx : width - dx])
        if value is not None:
            found[kept] = value
    return found


def distance(one: int, other: int) -> int:
    """Bits in which two hashes differ, 0 … 64."""
    return ((one ^ other) & (2**64 - 1)).bit_count()


def alike(one: Hashes, other: Hashes) -> bool:
    """Whether two videos' hashes (slot, frame, kept, hash) show the same footage.

    What `queries.near_duplicates` asks of the whole library, for one pair.
    """
    compared, matched = set[int](), set[int]()
    for slot, _, kept, value in one:
        for slot2, _, kept2, value2 in other:
            if slot != slot2 or 100 not in (kept, kept2):
                continue
            if kept == kept2:
                compared.add(slot)
            if distance(value, value2) <= CUT:
                matched.add(slot)
    return len(compared) >= LEAST_COMPARED and len(matched) >= LEAST_SLOTS * len(compared)


def _shrink(picture: Grey) -> NDArray[np.float64]:
    """Area average to SIDE by SIDE, also when the sides do not divide evenly."""
    rows = _averaging(picture.shape[0])
    columns = _averaging(picture.shape[1])
    return np.asarray(rows @ picture.astype(np.float64) @ columns.T)


@cache
def _averaging(size: int) -> NDArray[np.float64]:
    edges = np.linspace(0, size, SIDE + 1)
    pixels = np.arange(size)
    low = np.maximum(edges[:-1, None], pixels)
    high = np.minimum(edges[1:, None], pixels + 1)
    weights = np.clip(high - low, 0, None)
    return np.asarray(weights / weights.sum(axis=1, keepdims=True))


@cache
def _dct_basis() -> NDArray[np.float64]:
    k, n = np.arange(SIDE)[:, None], np.arange(SIDE)[None, :]
    return np.asarray(np.cos(np.pi * (2 * n + 1) * k / (2 * SIDE)))
