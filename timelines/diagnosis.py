"""What is wrong with each segment, beside a reference, in words a contractor can act on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from typing import Any, Final, Self, TypeVar

import numpy as np
import numpy.typing as npt

from timelines.descriptions import similarity
from timelines.matching import (
    Pairs,
    best_assignment,
    overlapping_pairs,
)
from timelines.score import ScoreParameters, match_weight
from timelines.segment import Hands, Segment, Timeline

CODES: Final = (
    "split",
    "merged",
    "start_off",
    "end_off",
    "wrong_action_type",
    "wrong_hands",
    "poor_description",
    "missed",
    "extra",
)
T = TypeVar("T")
BoolArray = npt.NDArray[np.bool_]

_HANDS: Final = {
    Hands.NONE: "no hand",
    Hands.LEFT: "the left hand",
    Hands.RIGHT: "the right hand",
    Hands.BOTH: "both hands",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class DiagnosisParameters:
    """When a difference is told. A project pins one version on what it stores.

    ``tolerance_seconds``: a boundary may be off by so much. A segment is taken for a part of
    another if at least ``part_inside`` of its frames lie in it; parts make up a split or a merge
    if they cover ``group_coverage`` of it, overlap each other on at most ``group_overlap`` of
    its frames, and none has an IoU of ``whole_iou`` or more with it. Other segments are
    compared from ``match_iou`` on; below ``sure_iou`` they must also agree in action type or in
    words to be taken for the same action. Descriptions below ``description_similarity`` (0 to
    100) are called poor.
    """

    version: str = "1"
    tolerance_seconds: float = 0.1
    part_inside: float = 0.5
    group_coverage: float = 0.7
    group_overlap: float = 0.1
    whole_iou: float = 0.8
    match_iou: float = 0.1
    sure_iou: float = 0.5
    description_similarity: float = 45.0

    def as_dict(self) -> dict[str, Any]:
        """Plain data."""
        return asdict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """The inverse of `as_dict`; raises `ValueError` for a name it does not know."""
        unknown = sorted(set(data) - {field.name for field in fields(cls)})
        if unknown:
            raise ValueError(f"Unknown diagnosis parameters: {', '.join(unknown)}.")
        return cls(**data)


@dataclass(frozen=True, slots=True)
class Finding:
    """One difference between a candidate and the reference.

    ``references`` and ``candidates`` are indices into the two timelines (several for a split or
    a merge, empty where there is no counterpart); the words in ``detail`` count candidates from
    1. ``frame`` is where to look. ``frames_off`` is signed, candidate minus reference, and only
    set for boundaries. ``expected`` and ``found`` are what the two say, for labels.
    """

    code: str
    references: tuple[int, ...]
    candidates: tuple[int, ...]
    frame: int
    detail: str
    frames_off: int | None = None
    expected: str | None = None
    found: str | None = None

    def as_dict(self) -> dict[str, Any]:
        """Plain data: what is stored and sent."""
        return asdict(self)


def diagnose(
    reference: Timeline,
    candidate: Timeline,
    *,
    parameters: DiagnosisParameters | None = None,
    score_parameters: ScoreParameters | None = None,
) -> tuple[Finding, ...]:
    """Every difference worth telling, ordered by frame, then as in `CODES`; empty if none.

    First *splits* are looked for: two or more candidates mostly inside one reference segment,
    sharing a hand with it (or all of the wrong hand, see `_related`), nearly disjoint, together
    covering at least 70 % of it, none of them nearly the whole. Then *merges*, the mirror image.
    What remains is matched as in `timelines.score.score_timelines` among pairs of IoU ≥ 0.1 that
    may be one action (below 0.5 type or words must agree), and each match is compared:
    boundaries beyond the tolerance, action type, hands, description. What is left over was
    *missed* or is *extra*. The parts of a split or merge are compared too: their common start
    and end, and their labels with those they stand for.

    Raises `ValueError` if frame count or rate differ.
    """
    parameters = parameters or DiagnosisParameters()
    pairs = overlapping_pairs(reference, candidate)
    mirror = _mirror(pairs)
    findings: list[Finding] = []

    splits = _groups(reference, candidate, pairs, parameters, set(), set())
    used_references = set(splits)
    used_candidates = {part for parts in splits.values() for part in parts}
    merges = _groups(candidate, reference, mirror, parameters, used_candidates, used_references)
    for whole, parts in splits.items():
        findings.extend(_compare(reference, candidate, (whole,), parts, parameters))
    for whole, parts in merges.items():
        findings.extend(_compare(reference, candidate, parts, (whole,), parameters))
        used_candidates.add(whole)
        used_references.update(parts)

    weight = match_weight(pairs, score_parameters or ScoreParameters())
    weight[pairs.iou < parameters.match_iou] = 0
    weight[_unlike(reference, candidate, pairs, parameters)] = 0
    weight[_marked(used_references, len(reference))[pairs.reference]] = 0
    weight[_marked(used_candidates, len(candidate))[pairs.candidate]] = 0
    chosen = best_assignment(pairs, weight)
    for row, column in zip(
        pairs.reference[chosen].tolist(), pairs.candidate[chosen].tolist(), strict=True
    ):
        findings.extend(_compare(reference, candidate, (row,), (column,), parameters))
        used_references.add(row)
        used_candidates.add(column)

    findings.extend(
        _missed(index, segment)
        for index, segment in enumerate(reference)
        if index not in used_references
    )
    findings.extend(
        _extra(index, segment)
        for index, segment in enumerate(candidate)
        if index not in used_candidates
    )
    return tuple(sorted(findings, key=_place))


def _marked(indices: set[int], size: int) -> BoolArray:
    mask = np.zeros(size, dtype=np.bool_)
    mask[list(indices)] = True
    return mask


def _place(finding: Finding) -> tuple[int, int, tuple[int, ...], tuple[int, ...]]:
    return finding.frame, CODES.index(finding.code), finding.references, finding.candidates


def _mirror(pairs: Pairs) -> Pairs:
    """The same pairs seen from the other side (order and signs do not matter to `_groups`)."""
    return replace(pairs, reference=pairs.candidate, candidate=pairs.reference)


def _groups(
    wholes: Timeline,
    parts: Timeline,
    pairs: Pairs,
    parameters: DiagnosisParameters,
    used_wholes: set[int],
    used_parts: set[int],
) -> dict[int, tuple[int, ...]]:
    """Segments of one timeline that the other cut in pieces: whole → its parts by start."""
    lengths = parts.ends - parts.starts
    inside = _related(wholes, parts, pairs, parameters) & (
        pairs.shared >= parameters.part_inside * lengths[pairs.candidate]
    )
    nearly = set(pairs.reference[inside & (pairs.iou >= parameters.whole_iou)].tolist())
    members: dict[int, list[int]] = {}
    shared: dict[int, int] = {}
    for whole, part, frames in zip(
        pairs.reference[inside].tolist(),
        pairs.candidate[inside].tolist(),
        pairs.shared[inside].tolist(),
        strict=True,
    ):
        if whole not in nearly and whole not in used_wholes and part not in used_parts:
            members.setdefault(whole, []).append(part)
            shared[whole] = shared.get(whole, 0) + frames
    groups: dict[int, tuple[int, ...]] = {}
    for whole, found in members.items():
        free = sorted(part for part in found if part not in used_parts)
        if len(free) < 2 or len(free) < len(found):
            continue
        segment = wholes[whole]
        covered = _covered(segment, [parts[part] for part in free])
        doubled = shared[whole] - covered
        if (
            covered >= parameters.group_coverage * segment.length
            and doubled <= parameters.group_overlap * segment.length
        ):
            groups[whole] = tuple(free)
            used_parts = used_parts.union(free)
    return groups


def _related(
    wholes: Timeline, parts: Timeline, pairs: Pairs, parameters: DiagnosisParameters
) -> BoolArray:
    """Pairs that share a hand, or of which neither has anybody of its hand to pair with.

    The second lets an action that was cut in two *and* given the wrong hand be told as just that.
    """
    share = pairs.hands > 0
    near = share & (pairs.iou >= parameters.match_iou)
    lone_whole = np.ones(len(wholes), dtype=np.bool_)
    lone_part = np.ones(len(parts), dtype=np.bool_)
    lone_whole[pairs.reference[near]] = False
    lone_part[pairs.candidate[near]] = False
    related: BoolArray = share | (lone_whole[pairs.reference] & lone_part[pairs.candidate])
    return related


def _unlike(
    reference: Timeline, candidate: Timeline, pairs: Pairs, parameters: DiagnosisParameters
) -> list[int]:
    """Pairs that agree neither in place nor in type nor in words: two actions, not one."""
    doubtful = (
        (pairs.iou >= parameters.match_iou)
        & (pairs.iou < parameters.sure_iou)
        & (pairs.same_type == 0)
    )
    return [
        index
        for index in np.flatnonzero(doubtful).tolist()
        if similarity(
            reference[pairs.reference[index]].description,
            candidate[pairs.candidate[index]].description,
        )
        < parameters.description_similarity
    ]


def _covered(whole: Segment, parts: Sequence[Segment]) -> int:
    """Frames of the whole that lie in at least one part; parts are sorted by start."""
    covered, reached = 0, whole.start_frame
    for part in parts:
        start, end = max(part.start_frame, reached), min(part.end_frame, whole.end_frame)
        covered += max(0, end - start)
        reached = max(reached, end)
    return covered


def _compare(
    reference: Timeline,
    candidate: Timeline,
    rows: tuple[int, ...],
    columns: tuple[int, ...],
    parameters: DiagnosisParameters,
) -> Iterator[Finding]:
    """Findings about segments that stand for each other: one to one, a split or a merge."""
    ours, theirs = [reference[row] for row in rows], [candidate[column] for column in columns]
    if len(columns) > 1:
        detail = (
            f"{_name(columns)} are one action, from frame {ours[0].start_frame} to {_end(ours)}."
        )
        yield Finding("split", rows, columns, theirs[1].start_frame, detail)
    if len(rows) > 1:
        detail = f"{_name(columns)} joins {len(rows)} actions; the next one starts at " + _and(
            [f"frame {segment.start_frame}" for segment in ours[1:]]
        )
        yield Finding("merged", rows, columns, ours[1].start_frame, detail + ".")

    tolerance = parameters.tolerance_seconds * reference.fps
    start, right_start = theirs[0].start_frame, ours[0].start_frame
    if abs(start - right_start) > tolerance:
        detail = _off(columns[:1], "starts", start, right_start, reference.fps)
        yield Finding(
            "start_off", rows, columns, right_start, detail, frames_off=start - right_start
        )
    end, right_end = _end(theirs), _end(ours)
    if abs(end - right_end) > tolerance:
        detail = _off(columns[-1:], "ends", end, right_end, reference.fps)
        yield Finding("end_off", rows, columns, right_end, detail, frames_off=end - right_end)

    # A merge says one of several labels, a split several times the same one: any of those the
    # segment stands for is right.
    right_types = _distinct([segment.action_type for segment in ours])
    for found in _distinct([segment.action_type for segment in theirs]):
        if found not in right_types:
            wrong = tuple(i for i in columns if candidate[i].action_type == found)
            expected = " or ".join(right_types)
            detail = f"{_name(wrong)}: action type “{found}” instead of “{expected}”."
            frame = candidate[wrong[0]].start_frame
            yield Finding(
                "wrong_action_type", rows, wrong, frame, detail, expected=expected, found=found
            )
    right_hands = _distinct([segment.hands for segment in ours])
    for hands in _distinct([segment.hands for segment in theirs]):
        if hands not in right_hands:
            wrong = tuple(i for i in columns if candidate[i].hands == hands)
            expected = " or ".join(_HANDS[right] for right in right_hands)
            detail = f"{_name(wrong)}: {_HANDS[hands]} instead of {expected}."
            frame = candidate[wrong[0]].start_frame
            yield Finding(
                "wrong_hands", rows, wrong, frame, detail, expected=expected, found=_HANDS[hands]
            )
    for text in _distinct([segment.description for segment in theirs]):
        likeness = max(similarity(segment.description, text) for segment in ours)
        if likeness < parameters.description_similarity:
            wrong = tuple(i for i in columns if candidate[i].description == text)
            expected = " / ".join(_distinct([segment.description for segment in ours]))
            said = f"“{text}” has little in common with" if text else "no description instead of"
            detail = f"{_name(wrong)}: {said} “{expected}”."
            frame = candidate[wrong[0]].start_frame
            yield Finding(
                "poor_description", rows, wrong, frame, detail, expected=expected, found=text
            )


def _missed(index: int, segment: Segment) -> Finding:
    said = f" ({segment.description})" if segment.description else ""
    detail = (
        f"Missing from frame {segment.start_frame} to {segment.end_frame}: "
        f"“{segment.action_type}” with {_HANDS[segment.hands]}{said}."
    )
    return Finding("missed", (index,), (), segment.start_frame, detail)


def _extra(index: int, segment: Segment) -> Finding:
    detail = (
        f"{_name((index,))}, from frame {segment.start_frame} to {segment.end_frame}: "
        "no such action there."
    )
    return Finding("extra", (), (index,), segment.start_frame, detail)


def _off(columns: tuple[int, ...], verb: str, found: int, right: int, fps: float) -> str:
    frames = abs(found - right)
    number = "1 frame" if frames == 1 else f"{frames} frames"
    way = "late" if found > right else "early"
    return (
        f"{_name(columns)} {verb} {number} ({frames / fps:.2f} s) too {way}: "
        f"frame {found} instead of {right}."
    )


def _end(segments: Sequence[Segment]) -> int:
    return max(segment.end_frame for segment in segments)


def _name(columns: tuple[int, ...]) -> str:
    numbers = [str(column + 1) for column in columns]
    return f"Segment {numbers[0]}" if len(numbers) == 1 else f"Segments {_and(numbers)}"


def _and(words: Sequence[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"


def _distinct(values: Sequence[T]) -> list[T]:
    return list(dict.fromkeys(values))
