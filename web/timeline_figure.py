"""Timelines as a drawing: where each segment goes on one frame axis. Pure; templates draw it.

Every timeline has three lanes, from above: left hand, right hand, no hand; what both hands do
fills the first two. Coordinates are in the units of the drawing's view box.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from timelines.segment import Hands, Segment

WIDTH = 1000
MARGIN = 34  # for the letters on the left
RIGHT = 14  # for half of the last number of the axis
LANE = 17
GAP = 26  # between two timelines: room for the lines that join what was matched
AXIS = 22
COLOURS = 8
CHARACTER = 6.5  # the width of a letter, roughly

_LANES = {Hands.LEFT: (0, 1), Hands.RIGHT: (1, 1), Hands.BOTH: (0, 2), Hands.NONE: (2, 1)}
_HANDS = {Hands.LEFT: "left", Hands.RIGHT: "right", Hands.BOTH: "both", Hands.NONE: "none"}
_STEPS = (1, 2, 5, 10, 20, 30, 50, 100, 150, 200, 300, 500, 1000, 2000, 5000, 10000, 50000, 100000)


@dataclass(frozen=True)
class Box:
    """One segment."""

    x: float
    y: float
    width: float
    height: float
    colour: int
    label: str
    title: str
    alone: bool  # nothing in the other timeline was taken for the same action

    @property
    def text_x(self) -> float:
        """Where the label begins."""
        return round(self.x + 4, 2)

    @property
    def text_y(self) -> float:
        """The baseline of the label."""
        return self.y + self.height / 2 + 3.5


@dataclass(frozen=True)
class Row:
    """One timeline."""

    letter: str
    is_subject: bool
    y: float
    boxes: list[Box]

    @property
    def text_y(self) -> float:
        return self.y + 1.5 * LANE + 4

    @property
    def lanes(self) -> list[tuple[float, str]]:
        """The upper edge and the name of each lane."""
        return [(self.y + n * LANE, name) for n, name in enumerate(("L", "R", "0"))]


@dataclass(frozen=True)
class Link:
    """A line between the middles of two segments that were taken for the same action."""

    x1: float
    y1: float
    x2: float
    y2: float


@dataclass(frozen=True)
class Figure:
    """The whole drawing."""

    height: float
    rows: list[Row]
    links: list[Link] = field(default_factory=list)
    ticks: list[tuple[float, int]] = field(default_factory=list)
    width: int = WIDTH
    left: int = MARGIN
    lane_height: int = LANE

    @property
    def lane_width(self) -> int:
        return self.width - self.left - RIGHT

    @property
    def axis_y(self) -> float:
        return self.height - AXIS


@dataclass(frozen=True)
class Drawn:
    """A timeline to draw, and the pairs (position here, position in the next one) that match."""

    letter: str
    is_subject: bool
    segments: Sequence[Segment]
    matched: Collection[int] | None = None  # None: nothing is known, nobody is alone
    links: Sequence[tuple[int, int]] = ()


def figure(timelines: Sequence[Drawn], *, frame_count: int, action_types: Sequence[str]) -> Figure:
    """Lay the timelines out below each other.

    Arguments:
        frame_count: displayed frames of the video: the length of the axis.
        action_types: keys in the project's order: the n-th gets the n-th colour, over and over.
    """
    colours = {key: n % COLOURS for n, key in enumerate(action_types)}
    scale = (WIDTH - MARGIN - RIGHT) / frame_count
    rows = []
    for number, timeline in enumerate(timelines):
        y = number * (3 * LANE + GAP) + 4
        boxes = [
            _box(segment, position, y, scale, colours, timeline)
            for position, segment in enumerate(timeline.segments)
        ]
        rows.append(Row(timeline.letter, timeline.is_subject, y, boxes))
    links = [
        Link(
            _middle(upper.boxes[here]),
            upper.y + 3 * LANE + 2,
            _middle(lower.boxes[there]),
            lower.y - 2,
        )
        for timeline, (upper, lower) in zip(timelines, pairwise(rows), strict=False)
        for here, there in timeline.links
    ]
    height = len(rows) * (3 * LANE + GAP) - GAP + 12 + AXIS
    return Figure(height, rows, links, _ticks(frame_count, scale))


def _box(
    segment: Segment, position: int, y: float, scale: float, colours: dict[str, int], of: Drawn
) -> Box:
    lane, lanes = _LANES[segment.hands]
    width = max((segment.end_frame - segment.start_frame) * scale, 1.0)
    alone = of.matched is not None and position not in of.matched
    return Box(
        x=round(MARGIN + segment.start_frame * scale, 2),
        y=y + lane * LANE + 1,
        width=round(width, 2),
        height=lanes * LANE - 2,
        colour=colours.get(segment.action_type, COLOURS - 1),
        label=_label(position, segment.description, width),
        title=f"{position + 1}. [{segment.start_frame}, {segment.end_frame}) "
        f"{_HANDS[segment.hands]}, {segment.action_type}: "
        f"{segment.description}" + (" (only here)" if alone else ""),
        alone=alone,
    )


def _label(position: int, description: str, width: float) -> str:
    """As much of `3 Pour water` as fits; the number at least, when even that fits."""
    room = int((width - 6) / CHARACTER)
    full = f"{position + 1} {description}"
    if len(full) <= room:
        return full
    if room >= len(str(position + 1)) + 5:
        return full[: room - 1].rstrip() + "…"
    return str(position + 1) if room >= len(str(position + 1)) else ""


def _middle(box: Box) -> float:
    return round(box.x + box.width / 2, 2)


def _ticks(frame_count: int, scale: float) -> list[tuple[float, int]]:
    step = next((s for s in _STEPS if frame_count / s <= 12), _STEPS[-1])
    return [(round(MARGIN + f * scale, 2), f) for f in range(0, frame_count + 1, step)]
