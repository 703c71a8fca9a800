"""The ordered table of presentation times: one per displayed frame. Pure.

Frames are the truth: frame `i` is entry `i` of this table. Seconds are looked up here and never
computed from a frame rate, because headers lie, rates vary and files start late.
"""

from __future__ import annotations

import struct
import zlib
from bisect import bisect_left
from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

Ticks = NDArray[np.int64]

TOLERANCE = Fraction(1, 2000)  # half a millisecond: what a browser's clock loses
MAX_FRAMES = 10_000_000  # 46 hours at 60 fps; an unpacked table may not be a bomb

_HEAD = struct.Struct("<qB")  # first time in ticks, bytes per delta
_WIDTHS = (1, 2, 4, 8)


@dataclass(frozen=True, eq=False)
class FrameTimes:
    """Presentation times of displayed frames.

    Arguments:
        pts: int64 ticks, strictly increasing, at least one. Entry `i` is when frame `i` appears.
        time_base: seconds per tick, positive.

    Raises `ValueError` when `pts` is empty or does not increase strictly.
    """

    pts: Ticks
    time_base: Fraction

    def __post_init__(self) -> None:
        pts = np.array(self.pts, dtype=np.int64)
        if pts.ndim != 1 or len(pts) == 0:
            raise ValueError("A frame-time table holds at least one frame.")
        if self.time_base <= 0:
            raise ValueError("The time base must be positive.")
        if bool((pts[1:] <= pts[:-1]).any()):
            raise ValueError("Presentation times must increase strictly.")
        pts.setflags(write=False)
        object.__setattr__(self, "pts", pts)

    @classmethod
    def of(cls, pts: Iterable[int], time_base: Fraction) -> FrameTimes:
        """From any integers, in ticks."""
        return cls(np.fromiter(pts, dtype=np.int64), time_base)

    def __len__(self) -> int:
        return len(self.pts)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, FrameTimes):
            return NotImplemented
        return self.time_base == other.time_base and np.array_equal(self.pts, other.pts)

    __hash__ = None  # type: ignore[assignment]

    # --- packing -------------------------------------------------------------------------------

    def pack(self) -> bytes:
        """First time, then deltas in the narrowest width that holds them, zlib.

        A regular 5 minutes is under 100 bytes.
        """
        widest = int(self.deltas.max()) if len(self.deltas) else 0
        width = next(w for w in _WIDTHS if widest < 256**w)
        head = _HEAD.pack(int(self.pts[0]), width)
        return zlib.compress(head + self.deltas.astype(f"<u{width}").tobytes(), 9)

    @classmethod
    def unpack(cls, packed: bytes, time_base: Fraction) -> FrameTimes:
        """The inverse of :meth:`pack`. Raises `ValueError` on bytes it did not write."""
        inflate = zlib.decompressobj()
        try:
            raw = inflate.decompress(packed, MAX_FRAMES * 8)
        except zlib.error as error:
            raise ValueError("This is not a packed frame-time table.") from error
        if not inflate.eof or len(raw) < _HEAD.size:
            raise ValueError("This is not a packed frame-time table.")
        first, width = _HEAD.unpack_from(raw)
        if width not in _WIDTHS or (len(raw) - _HEAD.size) % width:
            raise ValueError("This is not a packed frame-time table.")
        deltas = np.frombuffer(raw, dtype=f"<u{width}", offset=_HEAD.size)
        pts = np.empty(len(deltas) + 1, dtype=np.int64)
        pts[0] = 0
        np.cumsum(deltas, dtype=np.int64, out=pts[1:])
        pts += first
        return cls(pts, time_base)

    @staticmethod
    def first_tick(packed: bytes) -> int:
        """When the first frame of a packed table appears, without unpacking the rest.

        Raises `ValueError` on bytes that `pack` did not write.
        """
        try:
            head = zlib.decompressobj().decompress(packed, _HEAD.size)
            first, _ = _HEAD.unpack(head)
        except (zlib.error, struct.error) as error:
            raise ValueError("This is not a packed frame-time table.") from error
        return int(first)

    # --- frame ↔ seconds -----------------------------------------------------------------------

    def seconds(self, frame: int) -> Fraction:
        """When `frame` (0-based) appears, exactly, on the file's own clock.

        Raises `IndexError` outside `0 … len - 1`; negative frames do not count from the end.
        """
        if not 0 <= frame < len(self.pts):
            raise IndexError(f"Frame {frame} is outside 0 … {len(self.pts) - 1}.")
        return int(self.pts[frame]) * self.time_base

    def seconds_from_start(self, frame: int) -> Fraction:
        """When `frame` appears after frame 0: the proxy's clock, which starts at zero."""
        return self.seconds(frame) - self.seconds(0)

    def frame_at(self, seconds: Fraction | float, tolerance: Fraction = TOLERANCE) -> int:
        """The frame on screen at `seconds` on the file's own clock: a floor search.

        `tolerance` (seconds) is added first, so that a time rounded down still finds its frame.
        Before the first frame the answer is 0, after the last one the last.
        """
        ticks = (Fraction(seconds) + tolerance) / self.time_base
        found = int(np.searchsorted(self.pts, ticks.numerator // ticks.denominator, side="right"))
        return max(found - 1, 0)

    def frame_of(self, ticks: int | None) -> int | None:
        """The frame that appears exactly at `ticks`; None when there is none."""
        if ticks is None:
            return None
        found = bisect_left(self._ticks, ticks)
        return found if found < len(self.pts) and self._ticks[found] == ticks else None

    def nearest_frame(self, seconds: Fraction | float) -> int:
        """The frame whose time is nearest: for times that people or files rounded.

        Milliseconds are lossless up to 240 fps; hundredths fail at 120.
        """
        wanted = Fraction(seconds) / self.time_base
        floor = wanted.numerator // wanted.denominator
        after = int(np.searchsorted(self.pts, floor, side="right"))
        near = [i for i in (after - 1, after) if 0 <= i < len(self.pts)]
        return min(near, key=lambda i: abs(int(self.pts[i]) - wanted))

    @cached_property
    def _ticks(self) -> memoryview[int]:
        # Searched once per packet: a dict of an hour's frames takes twenty times the memory, and
        # NumPy's search several times the time.
        return memoryview(self.pts)  # type: ignore[arg-type]  # an array is a buffer

    # --- what it looks like --------------------------------------------------------------------

    @cached_property
    def deltas(self) -> Ticks:
        """Ticks from each frame to the next (one fewer than frames)."""
        return np.diff(self.pts)

    @property
    def is_variable(self) -> bool:
        """Whether the frame rate varies, judged by the deltas (the header lies).

        One tick of rounding per frame is regular: 30000/1001 in milliseconds is 33, 33, 34 … .
        So is a time table that stays within one tick of the straight line through its ends.
        """
        if len(self.pts) < 3:
            return False
        spread = int(self.deltas.max() - self.deltas.min())
        if spread == 0:
            return False
        if spread > 2:
            return True
        line = np.linspace(0.0, float(self.pts[-1] - self.pts[0]), len(self.pts))
        return bool((np.abs((self.pts - self.pts[0]) - line) > 1.5).any())

    @property
    def average_fps(self) -> Fraction | None:
        """Frames per second between the first and the last frame; None for a single frame."""
        span = int(self.pts[-1] - self.pts[0])
        return (len(self.pts) - 1) / (span * self.time_base) if span else None

    def runs(self) -> list[tuple[int, int]]:
        """The deltas run-length encoded, `[(ticks, how many times), …]`: compact for a browser."""
        if len(self.deltas) == 0:
            return []
        starts = np.flatnonzero(np.diff(self.deltas, prepend=self.deltas[0] - 1))
        lengths = np.diff(starts, append=len(self.deltas))
        return [(int(d), int(n)) for d, n in zip(self.deltas[starts], lengths, strict=True)]
