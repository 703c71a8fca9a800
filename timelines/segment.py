"""The value types that everything else in this library speaks about."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import IntFlag
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

FrameArray = npt.NDArray[np.int64]


class Hands(IntFlag):
    """The hand(s) that do an action, as a bit mask (left = 1, right = 2)."""

    NONE = 0
    LEFT = 1
    RIGHT = 2
    BOTH = 3


@dataclass(frozen=True, slots=True)
class Segment:
    """One action: frames ``[start_frame, end_frame)`` done by ``hands``."""

    start_frame: int
    end_frame: int
    action_type: str
    hands: Hands = Hands.NONE
    description: str = ""

    @property
    def length(self) -> int:
        """Number of frames."""
        return self.end_frame - self.start_frame

    def as_dict(self) -> dict[str, Any]:
        """Plain data, as the API and the database carry it."""
        return {
            "start_frame": self.start_frame,
            "end_frame": self.end_frame,
            "action_type": self.action_type,
            "hands": int(self.hands),
            "description": self.description,
        }


@dataclass(frozen=True, eq=False)
class Timeline:
    """The segments that one annotator made of one video.

    Arguments:
        frame_count: displayed frames of the video; every segment lies in ``[0, frame_count)``.
        fps: average frames per second, only for turning frame tolerances into time.
        segments: any order; kept sorted by (start, end, hands, action type, description), so
            that two timelines with the same content are equal and score the same.
    """

    frame_count: int
    fps: float
    segments: tuple[Segment, ...]

    def __init__(self, frame_count: int, fps: float, segments: Iterable[Segment] = ()) -> None:
        ordered = sorted(
            segments,
            key=lambda s: (s.start_frame, s.end_frame, s.hands, s.action_type, s.description),
        )
        object.__setattr__(self, "frame_count", frame_count)
        object.__setattr__(self, "fps", fps)
        object.__setattr__(self, "segments", tuple(ordered))

    def __len__(self) -> int:
        return len(self.segments)

    def __iter__(self) -> Iterator[Segment]:
        return iter(self.segments)

    def __getitem__(self, index: int) -> Segment:
        return self.segments[index]

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Timeline):
            return NotImplemented
        return (self.frame_count, self.fps, self.segments) == (
            other.frame_count,
            other.fps,
            other.segments,
        )

    def __hash__(self) -> int:
        return hash((self.frame_count, self.fps, self.segments))

    @cached_property
    def starts(self) -> FrameArray:
        """Start frames, shape (n,)."""
        return np.array([s.start_frame for s in self.segments], dtype=np.int64)

    @cached_property
    def ends(self) -> FrameArray:
        """End frames (exclusive), shape (n,)."""
        return np.array([s.end_frame for s in self.segments], dtype=np.int64)

    @cached_property
    def hands(self) -> FrameArray:
        """Hand bit masks, shape (n,)."""
        return np.array([int(s.hands) for s in self.segments], dtype=np.int64)

    @cached_property
    def action_types(self) -> tuple[str, ...]:
        """Action types in segment order, length n."""
        return tuple(s.action_type for s in self.segments)
