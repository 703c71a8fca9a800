"""What can be measured on pictures, with numpy alone. Pure.

Pictures are (height, width) uint8, 0 black … 255 white, unless said otherwise.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

from videos.sampling import Grey

Floats = NDArray[np.float32]

BLACK, WHITE = 20, 250
TILES = (9, 16)  # rows, columns
TEXTURE = 4.0  # standard deviation of a tile that shows something
LEAST_PEAK = 0.02  # of a phase correlation that found anything


def sharpness(picture: Grey) -> float:
    """Variance of the Laplacian (Pech-Pacheco et al. 2000). Compare at one width only: 640."""
    p = picture.astype(np.int16)  # half the memory traffic of floats, and exact
    laplacian = p[:-2, 1:-1] + p[2:, 1:-1]
    laplacian += p[1:-1, :-2]
    laplacian += p[1:-1, 2:]
    laplacian -= 4 * p[1:-1, 1:-1]
    values = laplacian.ravel().astype(np.float32)
    mean = float(values.mean())
    return float(values @ values) / values.size - mean * mean


def brightness(picture: Grey) -> tuple[float, float, float]:
    """(mean, share of black pixels, share of clipped white ones)."""
    counts = np.bincount(picture.ravel(), minlength=256)
    total = picture.size
    mean = float((counts * np.arange(256)).sum() / total)
    return mean, float(counts[:BLACK].sum() / total), float(counts[WHITE:].sum() / total)


def quarter(picture: Grey) -> Grey:
    """A quarter as wide and high, each pixel the mean of sixteen."""
    height, width = picture.shape[0] // 4 * 4, picture.shape[1] // 4 * 4
    blocks = picture[:height, :width].reshape(height // 4, 4, width // 4, 4)
    means: Grey = (blocks.sum(axis=(1, 3), dtype=np.uint16) // 16).astype(np.uint8)
    return means


def plain_share(picture: Grey) -> float:
    """Share of the 16 by 9 tiles that show no texture: near 1 when something covers the lens."""
    rows, columns = TILES
    height, width = picture.shape[0] // rows * rows, picture.shape[1] // columns * columns
    tiles = picture[:height, :width].reshape(rows, height // rows, columns, width // columns)
    return float((tiles.astype(np.float32).std(axis=(1, 3)) < TEXTURE).mean())


def difference(one: Grey, other: Grey) -> float:
    """Mean absolute difference, 0 … 255."""
    return float(np.abs(one.astype(np.int16) - other).mean())


def shift(one: Grey, other: Grey) -> tuple[float, float] | None:
    """(right, down) in pixels by which `other` is `one` moved: phase correlation, sub-pixel.

    None when the pictures have nothing in common.
    """
    window = _window(one.shape)
    a = np.fft.rfft2((one - one.mean()) * window)
    b = np.fft.rfft2((other - other.mean()) * window)
    cross = b * np.conj(a)
    cross /= np.maximum(np.abs(cross), 1e-6)
    surface = np.fft.irfft2(cross, s=one.shape)
    y, x = np.unravel_index(int(surface.argmax()), surface.shape)
    if surface[y, x] < LEAST_PEAK:
        return None
    down = _refined(surface[:, x], int(y))
    right = _refined(surface[y, :], int(x))
    return right, down


def shake(pictures: list[Grey]) -> float | None:
    """Change of motion over three consecutive frames, in per cent of the picture's width.

    A steady pan has none; trembling reverses from frame to frame. Frames 200 ms apart would say
    nothing. None when the motion cannot be measured.
    """
    if len(pictures) < 3:
        return None
    first, second = shift(pictures[0], pictures[1]), shift(pictures[1], pictures[2])
    if first is None or second is None:
        return None
    jolt = np.hypot(second[0] - first[0], second[1] - first[1])
    return float(jolt / pictures[0].shape[1] * 100)


def _refined(line: NDArray[np.float64], at: int) -> float:
    """Peak of the parabola through three samples, as a signed shift."""
    size = len(line)
    left, middle, right = line[at - 1], line[at], line[(at + 1) % size]
    bend = left - 2 * middle + right
    offset = float((left - right) / (2 * bend)) if bend else 0.0
    position = at + max(-0.5, min(0.5, offset))
    return position - size if position > size / 2 else position


@cache
def _window(shape: tuple[int, ...]) -> Floats:
    return np.outer(np.hanning(shape[0]), np.hanning(shape[1])).astype(np.float32)
