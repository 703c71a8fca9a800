"""The task score: how well one piece of work agrees with another, as one number and its parts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Final, Self

import numpy as np
from rapidfuzz.distance import Levenshtein

from timelines.descriptions import similarity
from timelines.matching import FloatArray, IntArray, Pairs, best_assignment, overlapping_pairs
from timelines.segment import Hands, Timeline

F1_THRESHOLDS: Final = (0.10, 0.25, 0.50, 0.75, 0.90)

# Far below any difference between the weights of two alignments, far above rounding.
_TIE_BREAK: Final = 1e-9


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoreParameters:
    """What the task score weighs. A project pins one version on every score it stores.

    The four ``weight_*`` make up the quality of a match and sum to 1; the three ``*_share`` make
    up its boundary term and sum to 1. Seconds are turned into frames with the video's rate.
    """

    version: str = "1"
    weight_boundary: float = 0.50
    weight_action_type: float = 0.25
    weight_hands: float = 0.15
    weight_description: float = 0.10
    iou_share: float = 0.50
    start_share: float = 0.25
    end_share: float = 0.25
    tolerance_seconds: float = 0.1
    decay_seconds: float = 0.5
    match_action_type: float = 0.25
    match_hands: float = 0.25
    match_iou: float = 0.50

    def __post_init__(self) -> None:
        weights = (
            self.weight_boundary,
            self.weight_action_type,
            self.weight_hands,
            self.weight_description,
        )
        shares = (self.iou_share, self.start_share, self.end_share)
        bonuses = (self.match_action_type, self.match_hands, self.tolerance_seconds)
        if min(weights + shares + bonuses) < 0:
            raise ValueError("Weights, shares and tolerances cannot be negative.")
        if abs(sum(weights) - 1) > 1e-9 or abs(sum(shares) - 1) > 1e-9:
            raise ValueError("The four weights and the three shares must each sum to 1.")
        if self.decay_seconds <= 0 or not 0 < self.match_iou <= 1:
            raise ValueError("decay_seconds must be above 0 and match_iou in (0, 1].")

    def as_dict(self) -> dict[str, Any]:
        """Plain data, to be pinned on a stored score."""
        return asdict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """The inverse of `as_dict`; what is left out keeps its default.

        Raises `ValueError` for a name it does not know, so that a typo in a project's settings
        is told instead of being scored with the default.
        """
        unknown = sorted(set(data) - {field.name for field in fields(cls)})
        if unknown:
            raise ValueError(f"Unknown score parameters: {', '.join(unknown)}.")
        return cls(**data)


@dataclass(frozen=True, slots=True)
class Match:
    """Two segments taken for the same action.

    ``reference`` and ``candidate`` are indices into the two timelines; ``*_off`` are signed
    frames, candidate minus reference. ``quality`` is in [0, 1] if the pair counts as a true
    positive (IoU at least `match_iou`), else None.
    """

    reference: int
    candidate: int
    iou: float
    start_off: int
    end_off: int
    same_type: bool
    hands: float
    quality: float | None

    def as_dict(self) -> dict[str, Any]:
        """Plain data."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Score:
    """Agreement of a candidate with a reference.

    ``s`` is the decision; the rest explains it. ``rq`` is recognition (F1 at IoU 0.5 of the
    alignment, whatever the labels) and ``sq`` segmentation quality (mean IoU of the true
    positives, 0 without any), as in Kirillov et al. 2019; ``s / rq`` is the mean quality of what
    was recognised, labels included. Boundary errors are the mean over both
    boundaries of the true positives, None without any. ``f1_*`` and ``edit_score`` are the
    segmental scores of Lea et al. 2017 (see `segmental_f1`, `edit_score`). ``matches`` holds the
    whole alignment, ordered by reference index, also pairs below `match_iou`.
    """

    s: float
    rq: float
    sq: float
    tp: int
    fp: int
    fn: int
    mean_boundary_error_frames: float | None
    mean_boundary_error_ms: float | None
    f1_10: float
    f1_25: float
    f1_50: float
    f1_75: float
    f1_90: float
    edit_score: float
    matches: tuple[Match, ...]
    flags: tuple[str, ...]
    parameters: ScoreParameters

    def as_dict(self) -> dict[str, Any]:
        """Plain data: what is stored and sent."""
        return asdict(self)


def score_timelines(
    reference: Timeline, candidate: Timeline, *, parameters: ScoreParameters | None = None
) -> Score:
    """The task score S and everything stored with it.

    Segments are aligned one to one, maximising the sum of
    ``IoU · (1 + ¼[same type] + ¼·Jaccard(hands)) / 1.5``; a pair with IoU ≥ 0.5 is a true
    positive of quality ``q = .50 b + .25 [same type] + .15 Jaccard(hands) + .10 description``
    with ``b = ½ IoU + ¼ k(Δstart) + ¼ k(Δend)`` and
    ``k(Δ) = exp(-max(0, |Δ| - 0.1 s) / 0.5 s)``; description is `similarity` / 100.
    ``S = Σ q / (TP + ½ FP + ½ FN)`` (panoptic quality of Kirillov et al. 2019, with graded
    quality in place of IoU).

    Among alignments of equal weight the one of greatest ``Σ q`` is taken. As
    ``TP + ½ FP + ½ FN = ½ (n + m)``, that makes S a function of the two sets of segments alone,
    and symmetric: every term is. RQ, SQ, F1 and the edit score are symmetric too, RQ and SQ and
    boundary errors up to alignments tied in both weight and ``Σ q``.

    Both empty: S = 1 and the flag ``both_empty``. One empty: S = 0.
    Raises `ValueError` if frame count or rate differ: that is not the same video.
    """
    parameters = parameters or ScoreParameters()
    pairs = overlapping_pairs(reference, candidate)
    recognised = pairs.iou >= parameters.match_iou
    quality = _quality(reference, candidate, pairs, recognised, parameters)
    weight = match_weight(pairs, parameters)
    chosen = best_assignment(pairs, weight + _TIE_BREAK * quality)

    hits = chosen[recognised[chosen]]
    tp, n, m = len(hits), len(reference), len(candidate)
    both_empty = n == m == 0
    rq = 1.0 if both_empty else 2 * tp / (n + m)
    sq = float(pairs.iou[hits].mean()) if tp else float(both_empty)
    s = 1.0 if both_empty else 2 * float(quality[hits].sum()) / (n + m)
    error: float | None = None
    if tp:
        error = float(np.abs(pairs.start_off[hits]).sum() + np.abs(pairs.end_off[hits]).sum())
        error /= 2 * tp
    f1 = segmental_f1(reference, candidate, pairs)
    return Score(
        s=s,
        rq=rq,
        sq=sq,
        tp=tp,
        fp=m - tp,
        fn=n - tp,
        mean_boundary_error_frames=error,
        mean_boundary_error_ms=None if error is None else 1000 * error / reference.fps,
        f1_10=f1[0],
        f1_25=f1[1],
        f1_50=f1[2],
        f1_75=f1[3],
        f1_90=f1[4],
        edit_score=edit_score(reference, candidate),
        matches=_matches(pairs, chosen, recognised, quality),
        flags=("both_empty",) if both_empty else (),
        parameters=parameters,
    )


def match_weight(pairs: Pairs, parameters: ScoreParameters) -> FloatArray:
    """What the alignment maximises, in [0, 1], shape (p,)."""
    by_type, by_hands = parameters.match_action_type, parameters.match_hands
    bonus = 1 + by_type * pairs.same_type + by_hands * pairs.hands
    weight: FloatArray = pairs.iou * bonus / (1 + by_type + by_hands)
    return weight


def segmental_f1(reference: Timeline, candidate: Timeline, pairs: Pairs) -> tuple[float, ...]:
    """Segmental F1 at each of `F1_THRESHOLDS` (Lea et al. 2017).

    A true positive is a pair of equal action type with IoU at or above the threshold. Lea et al.
    let each prediction take the reference segment it overlaps most, first come, first served;
    here the pairs are the one-to-one assignment of greatest total IoU among equal types, so the
    score is symmetric and does not depend on order. From IoU above 0.5, on timelines without
    overlaps, the two are identical.
    """
    if not len(reference) and not len(candidate):
        return (1.0,) * len(F1_THRESHOLDS)
    iou = pairs.iou[best_assignment(pairs, pairs.iou * pairs.same_type)]
    total = len(reference) + len(candidate)
    return tuple(2 * int((iou >= threshold).sum()) / total for threshold in F1_THRESHOLDS)


def edit_score(reference: Timeline, candidate: Timeline) -> float:
    """Normalised Levenshtein similarity of the orders of action types, 0 to 100.

    ``100 · (1 - Σ d / Σ max(n, m))`` over the lanes left, right and no hand; an action of both
    hands stands in both lanes. With one lane in use this is the edit score of Lea et al. 2017.
    Comparing lane by lane keeps two hands that start almost together from changing places.
    """
    distance = longest = 0
    for lane in (int(Hands.LEFT), int(Hands.RIGHT), int(Hands.NONE)):
        ours, theirs = _order(reference, lane), _order(candidate, lane)
        distance += Levenshtein.distance(ours, theirs)
        longest += max(len(ours), len(theirs))
    return 100 * (1 - distance / longest) if longest else 100.0


def _order(timeline: Timeline, lane: int) -> list[str]:
    hands = timeline.hands.tolist()  # plain numbers: bit tests on enum members are slow
    if lane == Hands.NONE:
        return [name for name, hand in zip(timeline.action_types, hands, strict=True) if not hand]
    return [name for name, hand in zip(timeline.action_types, hands, strict=True) if hand & lane]


def _quality(
    reference: Timeline,
    candidate: Timeline,
    pairs: Pairs,
    recognised: np.typing.NDArray[np.bool_],
    parameters: ScoreParameters,
) -> FloatArray:
    """q of every recognised pair, 0 for the others, shape (p,)."""
    descriptions = np.zeros(len(pairs))
    for index in np.flatnonzero(recognised).tolist():
        one = reference.segments[int(pairs.reference[index])].description
        other = candidate.segments[int(pairs.candidate[index])].description
        descriptions[index] = similarity(one, other) / 100
    boundary = (
        parameters.iou_share * pairs.iou
        + parameters.start_share * _kernel(pairs.start_off, reference.fps, parameters)
        + parameters.end_share * _kernel(pairs.end_off, reference.fps, parameters)
    )
    quality: FloatArray = recognised * (
        parameters.weight_boundary * boundary
        + parameters.weight_action_type * pairs.same_type
        + parameters.weight_hands * pairs.hands
        + parameters.weight_description * descriptions
    )
    return quality


def _kernel(frames_off: IntArray, fps: float, parameters: ScoreParameters) -> FloatArray:
    beyond = np.maximum(0.0, np.abs(frames_off) - parameters.tolerance_seconds * fps)
    kernel: FloatArray = np.exp(-beyond / (parameters.decay_seconds * fps))
    return kernel


def _matches(
    pairs: Pairs,
    chosen: IntArray,
    recognised: np.typing.NDArray[np.bool_],
    quality: FloatArray,
) -> tuple[Match, ...]:
    columns = zip(
        pairs.reference[chosen].tolist(),
        pairs.candidate[chosen].tolist(),
        pairs.iou[chosen].tolist(),
        pairs.start_off[chosen].tolist(),
        pairs.end_off[chosen].tolist(),
        pairs.same_type[chosen].tolist(),
        pairs.hands[chosen].tolist(),
        recognised[chosen].tolist(),
        quality[chosen].tolist(),
        strict=True,
    )
    return tuple(
        Match(a, b, iou, start, end, bool(same), hands, q if counts else None)
        for a, b, iou, start, end, same, hands, counts, q in columns
    )
