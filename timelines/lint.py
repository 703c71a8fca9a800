"""What is wrong with a list of segments, said so that the person who drew them can mend it.

The same rules run in the server (on submit) and in the workbench (while drawing). Both test
suites read ``lint_cases.json`` beside this module, so a rule changed on one side only fails there.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final, Literal

from timelines.segment import Hands, Segment

Severity = Literal["error", "warning"]

RULES: Final = (
    "end_before_start",
    "starts_before_video",
    "past_the_end",
    "overlap_same_hand",
    "empty_description",
    "unknown_action_type",
)
WARNINGS: Final = ("gap", "too_short")

# "Both" occupies the lane of each hand; an action of no hand only competes with its like.
_LANES: Final = (
    ("left hand", (Hands.LEFT, Hands.BOTH)),
    ("right hand", (Hands.RIGHT, Hands.BOTH)),
    ("no hand", (Hands.NONE,)),
)

_LANES_OF: Final = ((0,), (1,), (2,), (1, 2))  # by the bit mask of the hands


@dataclass(frozen=True, slots=True)
class SegmentProblem:
    """One finding about one segment.

    ``index`` and ``other_index`` count from 0 in the order the segments were given; the words in
    ``detail`` count from 1, as people do. ``frame`` is where to look, if it is about a frame.
    """

    index: int
    code: str
    field: str
    detail: str
    frame: int | None = None
    other_index: int | None = None
    severity: Severity = "error"

    def as_dict(self) -> dict[str, Any]:
        """Plain data, as the API carries it."""
        return asdict(self)


def check_segments(
    segments: Sequence[Segment], *, frame_count: int, action_types: Collection[str]
) -> list[SegmentProblem]:
    """Everything that must be mended before the segments can be submitted.

    Arguments:
        segments: in any order; the findings point into this order.
        frame_count: displayed frames of the video; legal frames are ``0 … frame_count - 1``
            and a legal ``end_frame`` is at most ``frame_count`` (it is exclusive).
        action_types: the keys that the project knows.

    Returns findings ordered by segment, then by rule as in `RULES`; empty means legal. A segment
    that overlaps several earlier ones of its hand is reported once a hand, against the one that
    ends last. O(n log n).
    """
    known = frozenset(action_types)
    problems = [
        problem
        for index, segment in enumerate(segments)
        for problem in _check_alone(index, segment, frame_count, known)
    ]
    problems.extend(_overlaps(segments))
    return sorted(problems, key=lambda p: (p.index, RULES.index(p.code)))


def is_sound(segments: Sequence[Segment]) -> bool:
    """Whether `check_segments` finds nothing that needs neither the video nor the project.

    Its other two findings are left: an end past the video's last frame, and an action type that
    the project does not know. Quick when all is well, which is nearly always.

    Arguments:
        segments: sorted by start frame.
    """
    free_from = [0, 0, 0]  # the frame from which no hand, the left and the right one are free
    for segment in segments:
        start, end, hands = segment.start_frame, segment.end_frame, segment.hands
        if end <= start or start < 0 or not segment.action_type:
            return False
        if not any(map(str.isalnum, segment.description)):
            return False
        for lane in _LANES_OF[hands]:
            if start < free_from[lane]:
                return False
            free_from[lane] = end
    return True


def warn_segments(
    segments: Sequence[Segment], *, frame_count: int, gap_frames: int, short_frames: int
) -> list[SegmentProblem]:
    """What looks forgotten or slipped, but may be right: it never blocks a submission.

    Arguments:
        segments: in any order; the findings point into this order.
        frame_count: displayed frames of the video.
        gap_frames: a stretch of at least so many frames without any segment, of whatever hand,
            is a ``gap``. It is told at the segment after it, or at the last one if it runs to
            the end of the video; `frame` is its first frame.
        short_frames: a segment of fewer frames is ``too_short``.

    Returns findings with severity "warning", ordered by segment, then as in `WARNINGS`.
    An empty timeline has no segment to point at and gives none.
    """
    warnings = list(_gaps(segments, frame_count, gap_frames))
    for index, segment in enumerate(segments):
        if 0 < segment.length < short_frames:
            frames = "1 frame" if segment.length == 1 else f"{segment.length} frames"
            detail = f"Segment {index + 1} is only {frames} long."
            warnings.append(
                SegmentProblem(
                    index,
                    "too_short",
                    "end_frame",
                    detail,
                    segment.start_frame,
                    severity="warning",
                )
            )
    return sorted(warnings, key=lambda p: (p.index, WARNINGS.index(p.code)))


def _check_alone(
    index: int, segment: Segment, frame_count: int, known: frozenset[str]
) -> Iterator[SegmentProblem]:
    name = f"Segment {index + 1}"
    start, end = segment.start_frame, segment.end_frame
    if end <= start:
        detail = f"{name} ends at frame {end}, but it starts at frame {start}."
        yield SegmentProblem(index, "end_before_start", "end_frame", detail, end)
    if start < 0:
        detail = f"{name} starts at frame {start}, before the first frame 0."
        yield SegmentProblem(index, "starts_before_video", "start_frame", detail, start)
    if end > frame_count:
        detail = f"{name} ends at frame {end}, past the last frame {frame_count - 1}."
        yield SegmentProblem(index, "past_the_end", "end_frame", detail, end)
    # Without a letter or digit ("…", "-", a zero-width space) nothing is described.
    if not any(character.isalnum() for character in segment.description):
        detail = f"{name} has no description."
        yield SegmentProblem(index, "empty_description", "description", detail)
    if not segment.action_type:
        detail = f"{name} has no action type."
        yield SegmentProblem(index, "unknown_action_type", "action_type", detail)
    elif segment.action_type not in known:
        detail = f"{name} has the action type “{segment.action_type}”, unknown to this project."
        yield SegmentProblem(index, "unknown_action_type", "action_type", detail)


def _overlaps(segments: Sequence[Segment]) -> Iterator[SegmentProblem]:
    told: set[tuple[int, int]] = set()
    # A segment that ends before it starts occupies no frame; it has its own finding.
    by_start = sorted(
        (index for index, segment in enumerate(segments) if segment.length > 0),
        key=lambda index: (segments[index].start_frame, index),
    )
    for lane, occupants in _LANES:
        latest: int | None = None  # the earlier segment of this lane that ends last
        for index in by_start:
            segment = segments[index]
            if segment.hands not in occupants:
                continue
            if latest is not None and segment.start_frame < segments[latest].end_frame:
                # Two of "both" collide in both lanes; once is enough to say so.
                if (index, latest) not in told:
                    told.add((index, latest))
                    detail = (
                        f"Segment {index + 1} starts at frame {segment.start_frame}, before "
                        f"segment {latest + 1} of the same hand ({lane}) ends at frame "
                        f"{segments[latest].end_frame}."
                    )
                    yield SegmentProblem(
                        index,
                        "overlap_same_hand",
                        "start_frame",
                        detail,
                        segment.start_frame,
                        latest,
                    )
                if segment.end_frame <= segments[latest].end_frame:
                    continue
            latest = index


def _gaps(
    segments: Sequence[Segment], frame_count: int, gap_frames: int
) -> Iterator[SegmentProblem]:
    covered, before = 0, None  # every frame below `covered` has been looked at
    for index in sorted(range(len(segments)), key=lambda index: segments[index].start_frame):
        segment = segments[index]
        if segment.length <= 0:
            continue
        if segment.start_frame - covered >= gap_frames:
            yield _gap(index, "start_frame", covered, segment.start_frame, before)
        if before is None or segment.end_frame > covered:
            covered, before = max(covered, segment.end_frame), index
    if before is not None and frame_count - covered >= gap_frames:
        yield _gap(before, "end_frame", covered, frame_count, None)


def _gap(index: int, field: str, start: int, end: int, other: int | None) -> SegmentProblem:
    detail = f"Nothing is marked from frame {start} to frame {end - 1}."
    return SegmentProblem(index, "gap", field, detail, start, other, severity="warning")
