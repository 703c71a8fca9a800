"""Known errors planted in a timeline, with what a right diagnosis says about them.

It holds the diagnosis to account: `plant` works on the true segments and writes down what it did;
`timelines.diagnosis.diagnose` only sees the result.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from random import Random
from typing import Final, TypeAlias

from timelines.diagnosis import Finding
from timelines.segment import Hands, Segment, Timeline

# Code, reference indices, candidate indices, frames off: a finding without its words.
Key: TypeAlias = tuple[str, tuple[int, ...], tuple[int, ...], int | None]

# Those that change how many segments there are come first: the others then apply to the result.
KINDS: Final = (
    "split",
    "merged",
    "missed",
    "extra",
    "start_off",
    "end_off",
    "wrong_action_type",
    "wrong_hands",
    "poor_description",
)
_JUNK: Final = ("", "x", "stuff", "asdf qwer", "see video", "same as before", "n/a", "...")
_ATTEMPTS: Final = 40


@dataclass
class _Unit:
    """What one annotator made of one action (several, if merged), and the errors in it."""

    references: tuple[int, ...]
    pieces: list[Segment]
    errors: list[tuple[str, int | None]] = field(default_factory=list)

    def has(self, *codes: str) -> bool:
        return any(code in codes for code, _ in self.errors)


def key(finding: Finding) -> Key:
    """A finding as it is compared with what was planted."""
    return finding.code, finding.references, finding.candidates, finding.frames_off


def plant(
    truth: Timeline,
    kinds: Sequence[str],
    *,
    seed: int,
    tolerance_seconds: float = 0.1,
    jitter_frames: int = 2,
    together: bool | None = None,
) -> tuple[Timeline, frozenset[Key]] | None:
    """A copy of the timeline with exactly these errors, and the findings expected for them.

    Arguments:
        truth: legal, and the reference of the diagnosis.
        kinds: one error of each, from `KINDS`; a kind may come twice.
        seed: the same seed plants the same errors.
        tolerance_seconds: boundaries are planted off by more than this.
        jitter_frames: every boundary is also moved inwards by 0 to so many frames, which must
            not be told: keep it below the tolerance.
        together: True puts later errors on the action of the first one where that makes sense,
            False on an action next to it, None anywhere.

    Returns None if there is no room for one of them. What is planted is what its name means: a
    split leaves no piece of more than 70 %, a merge joins neighbours of one hand less than a
    second apart of which neither makes up 78 %; boundaries move by at most 2 s and 40 % of the
    segment (a quarter for a split or merge, which has to stay recognisable).
    """
    random = Random(f"plant {seed} {' '.join(kinds)}")
    units = [
        _Unit((index,), [_jittered(random, segment, jitter_frames)])
        for index, segment in enumerate(truth)
    ]
    focus: _Unit | None = None
    for kind in sorted(kinds, key=KINDS.index):
        for _attempt in range(_ATTEMPTS):
            if kind == "extra":
                unit = _extra(random, truth, units)
            else:
                unit = _pick(random, units, focus, together)
                if unit is not None and not _apply(
                    random, kind, unit, units, truth, tolerance_seconds
                ):
                    unit = None
            if unit is not None:
                break
        else:
            return None
        focus = focus or unit
    return _result(truth, units)


def _jittered(random: Random, segment: Segment, frames: int) -> Segment:
    frames = min(frames, (segment.length - 1) // 4)
    return replace(
        segment,
        start_frame=segment.start_frame + random.randint(0, frames),
        end_frame=segment.end_frame - random.randint(0, frames),
    )


def _pick(
    random: Random, units: Sequence[_Unit], focus: _Unit | None, together: bool | None
) -> _Unit | None:
    possible = [unit for unit in units if unit.references and not unit.has("missed")]
    if focus is None or together is None or (together and focus.has("missed", "extra")):
        possible = [unit for unit in possible if unit is not focus]
    elif together:
        possible = [focus]
    else:
        place = (focus.references or (_nearest(focus, units),))[0]
        possible = [
            unit
            for unit in possible
            if unit is not focus and any(abs(row - place) <= 2 for row in unit.references)
        ]
    return random.choice(possible) if possible else None


def _nearest(focus: _Unit, units: Sequence[_Unit]) -> int:
    start = focus.pieces[0].start_frame
    known = [unit for unit in units if unit.references and unit.pieces]
    return min(known, key=lambda u: abs(u.pieces[0].start_frame - start)).references[0]


def _apply(
    random: Random,
    kind: str,
    unit: _Unit,
    units: list[_Unit],
    truth: Timeline,
    tolerance_seconds: float,
) -> bool:
    """Plant one error in the unit; False, and nothing changed, if it does not fit there."""
    if unit.has(kind):
        return False
    off: int | None = None
    first = unit.pieces[0]
    if kind == "split":
        if unit.errors or first.length < 10:
            return False
        cut = first.start_frame + round(first.length * random.uniform(0.3, 0.7))
        pieces = [replace(first, end_frame=cut), replace(first, start_frame=cut)]
    elif kind == "merged":
        other = _mergeable(unit, units, truth)
        if other is None:
            return False
        units.remove(other)
        unit.references += other.references
        pieces = [replace(first, end_frame=other.pieces[0].end_frame)]
    elif kind == "missed":
        if unit.errors:
            return False
        pieces = []
    elif kind in {"start_off", "end_off"}:
        moved = _move(random, kind, unit, truth, tolerance_seconds)
        if moved is None:
            return False
        pieces, off = moved
    elif kind == "wrong_action_type":
        right = {truth[row].action_type for row in unit.references}
        action_type = random.choice(sorted(set(truth.action_types) - right) or ["another"])
        pieces = [replace(piece, action_type=action_type) for piece in unit.pieces]
    elif kind == "wrong_hands":
        hands = random.choice((Hands.NONE, Hands.LEFT, Hands.RIGHT, Hands.BOTH))
        if any(hands == truth[row].hands for row in unit.references):
            return False
        pieces = [replace(piece, hands=hands) for piece in unit.pieces]
    else:
        text = random.choice(_JUNK)
        pieces = [replace(piece, description=text) for piece in unit.pieces]
    if not _fits(pieces, unit, units, truth):
        return False
    unit.pieces = pieces
    unit.errors.append((kind, off))
    return True


def _move(
    random: Random, kind: str, unit: _Unit, truth: Timeline, tolerance_seconds: float
) -> tuple[list[Segment], int] | None:
    start = truth[unit.references[0]].start_frame
    end = max(truth[row].end_frame for row in unit.references)
    structural = unit.has("split", "merged")
    least = int(tolerance_seconds * truth.fps) + 1
    most = int(min(2 * truth.fps, (0.25 if structural else 0.4) * (end - start)))
    if most < least:
        return None
    off = random.choice((-1, 1)) * random.randint(least, most)
    pieces = list(unit.pieces)
    if kind == "start_off":
        pieces[0] = replace(pieces[0], start_frame=start + off)
    else:
        pieces[-1] = replace(pieces[-1], end_frame=end + off)
    return pieces, off


def _mergeable(unit: _Unit, units: Sequence[_Unit], truth: Timeline) -> _Unit | None:
    if unit.errors or len(unit.references) > 1:
        return None
    first = truth[unit.references[0]]
    for other in units:
        if not other.references or other.errors or other.references[0] <= unit.references[0]:
            continue
        second = truth[other.references[0]]
        if not _share_lane(first.hands, second.hands):
            continue
        whole = second.end_frame - first.start_frame
        if (
            second.hands == first.hands
            and second.start_frame - first.end_frame <= min(truth.fps, 0.25 * whole)
            and max(first.length, second.length) < 0.78 * whole
        ):
            return other
        return None
    return None


def _extra(random: Random, truth: Timeline, units: list[_Unit]) -> _Unit | None:
    length = round(random.uniform(0.4, 3.0) * truth.fps)
    if not len(truth) or length >= truth.frame_count:
        return None
    start = random.randrange(truth.frame_count - length)
    label, text = random.choice(truth.segments), random.choice(truth.segments)
    segment = Segment(start, start + length, label.action_type, label.hands, text.description)
    unit = _Unit((), [segment], [("extra", None)])
    if not _fits(unit.pieces, unit, units, truth):
        return None
    units.append(unit)
    return unit


def _fits(pieces: Sequence[Segment], unit: _Unit, units: Sequence[_Unit], truth: Timeline) -> bool:
    """Inside the video, not empty, and no hand is needed twice."""
    return all(
        0 <= piece.start_frame < piece.end_frame <= truth.frame_count for piece in pieces
    ) and not any(
        piece.start_frame < other.end_frame
        and other.start_frame < piece.end_frame
        and _share_lane(piece.hands, other.hands)
        for piece in pieces
        for another in units
        if another is not unit
        for other in another.pieces
    )


def _share_lane(one: Hands, other: Hands) -> bool:
    return bool(one & other) or one == other


def _result(truth: Timeline, units: Sequence[_Unit]) -> tuple[Timeline, frozenset[Key]]:
    work = Timeline(
        truth.frame_count, truth.fps, [piece for unit in units for piece in unit.pieces]
    )
    places = {id(segment): index for index, segment in enumerate(work)}
    expected = {
        (code, unit.references, tuple(sorted(places[id(piece)] for piece in unit.pieces)), off)
        for unit in units
        for code, off in unit.errors
    }
    return work, frozenset(expected)
