"""One timeline out of several people's, with a confidence for every segment.

1. **Group** the annotators' segments by block coordinate descent over the n-way alignment (see
   ``reliability/alignment.py``): one annotator's segments are taken out of all groups and put
   back in the best way, by exact sparse assignment, then sets of annotators, until nothing
   improves. Here a pair costs ``3x² + ½[type ≠] + ½(1 - Jaccard(hands))`` and belongs together
   below 1; no group has to be opened at a price, so that unrelated segments stay apart.
2. **Keep** groups whose support is above half of the annotators' weight. The others go to
   adjudication.
3. **Merge** each kept group: boundaries by weighted median, action type by vote, each hand by
   vote, the description of the member closest to the others - never an invented one.
4. **Repair**: where two kept segments of one hand overlap, both end at the weighted median of
   all the ends and starts that meet there.

Confidence is ``support · label share · mean of k(spread)`` with ``k`` the boundary kernel of the
task score, ``k(Δ) = exp(-max(0, |Δ| - 0.1 fps) / (0.5 fps))``.

The result does not depend on the order in which annotators are given: they are put into an order
that depends on their content, and every tie is broken by content.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import exp, fsum
from typing import Any

import numpy as np
from rapidfuzz.fuzz import token_sort_ratio

from timelines.reliability.alignment import PairCost, align, pair_costs, units_of
from timelines.segment import Hands, Segment, Timeline

GROUPING_COST = PairCost(position=3.0, category=0.5, hands=0.5)
GROUPING_OPENING = 0.0
_EPSILON = 1e-9


@dataclass(frozen=True, slots=True)
class Source:
    """A segment that somebody drew: which annotator, which of their segments, and itself."""

    annotator: int
    index: int
    segment: Segment

    def as_dict(self) -> dict[str, Any]:
        """Plain data."""
        return {
            "annotator": self.annotator,
            "index": self.index,
            "segment": self.segment.as_dict(),
        }


@dataclass(frozen=True, slots=True)
class ConsensusSegment:
    """A segment of the consensus and where it comes from.

    Attributes:
        segment: what the annotators agree on.
        support: share of the annotators' weight that drew it, above half.
        label_share: share of its members' weight with this action type and these hands.
        spread_frames: mean distance of the members' boundaries from the chosen ones.
        confidence: 0 to 1; low ones are for a reviewer.
        sources: its members, by annotator.
    """

    segment: Segment
    support: float
    label_share: float
    spread_frames: float
    confidence: float
    sources: tuple[Source, ...]

    def as_dict(self) -> dict[str, Any]:
        """Plain data."""
        return {
            "segment": self.segment.as_dict(),
            "support": self.support,
            "label_share": self.label_share,
            "spread_frames": self.spread_frames,
            "confidence": self.confidence,
            "sources": [s.as_dict() for s in self.sources],
        }


@dataclass(frozen=True, slots=True)
class Disputed:
    """Segments that belong together but found too little support: a person decides."""

    support: float
    reason: str
    sources: tuple[Source, ...]

    def as_dict(self) -> dict[str, Any]:
        """Plain data."""
        return {
            "support": self.support,
            "reason": self.reason,
            "sources": [s.as_dict() for s in self.sources],
        }


@dataclass(frozen=True, slots=True)
class Consensus:
    """The agreed timeline, its segments with their confidence, and what is left to decide."""

    timeline: Timeline
    segments: tuple[ConsensusSegment, ...]
    disputed: tuple[Disputed, ...]

    def as_dict(self) -> dict[str, Any]:
        """Plain data."""
        return {
            "frame_count": self.timeline.frame_count,
            "fps": self.timeline.fps,
            "segments": [s.as_dict() for s in self.segments],
            "disputed": [d.as_dict() for d in self.disputed],
        }


@dataclass(frozen=True, slots=True)
class _Member:
    source: Source
    weight: float


def build_consensus(
    timelines: Sequence[Timeline], *, weights: Sequence[float] | None = None
) -> Consensus:
    """Agree on one timeline of a video.

    Arguments:
        timelines: one per annotator, all of the same video.
        weights: one per annotator, greater than 0; equal when not given (reliability weights
            only help with five or more annotators and a detected bad one).

    Returns:
        segments and disputed groups, each sorted by start; ``Source.annotator`` counts in the
        order given here, ``Source.index`` in the annotator's timeline.

    Raises:
        ValueError: no timeline, timelines of different videos, or weights that do not fit.
    """
    if not timelines:
        raise ValueError("a consensus needs at least one timeline")
    frame_count, fps = timelines[0].frame_count, timelines[0].fps
    if any((t.frame_count, t.fps) != (frame_count, fps) for t in timelines):
        raise ValueError("timelines of different videos have no consensus")
    shares = _shares(len(timelines), weights)
    kept: list[ConsensusSegment] = []
    disputed: list[Disputed] = []
    for members in _groups(timelines, shares):
        support = sum(m.weight for m in members)
        if support > 0.5 + _EPSILON:
            kept.append(_merge(members, support, fps))
        else:
            disputed.append(Disputed(support, "too little support", _sources(members)))
    kept.sort(key=lambda c: _content(c.segment))
    repaired, dropped = _without_overlaps(kept, shares, fps)
    disputed.extend(dropped)
    disputed.sort(key=lambda d: [_content(s.segment) for s in d.sources])
    return Consensus(
        Timeline(frame_count, fps, (c.segment for c in repaired)),
        tuple(repaired),
        tuple(disputed),
    )


def weighted_median(values: Sequence[int], weights: Sequence[float]) -> int:
    """Smallest value with at least half of the weight at or below it.

    Where exactly half lies at or below it, the middle between it and the next (rounded down).
    """
    pairs = sorted(zip(values, weights, strict=True))
    half = sum(weights) / 2
    running = 0.0
    for at, (value, weight) in enumerate(pairs):
        running += weight
        if abs(running - half) <= _EPSILON and at + 1 < len(pairs):
            return (value + pairs[at + 1][0]) // 2
        if running > half:
            return value
    return pairs[-1][0]


def _shares(annotators: int, weights: Sequence[float] | None) -> list[float]:
    if weights is None:
        return [1.0 / annotators] * annotators
    if len(weights) != annotators or any(w <= 0 for w in weights):
        raise ValueError("one weight above 0 per annotator")
    total = fsum(weights)  # the same in every order
    return [w / total for w in weights]


def _content(segment: Segment) -> tuple[int, int, int, str, str]:
    return (
        segment.start_frame,
        segment.end_frame,
        int(segment.hands),
        segment.action_type,
        segment.description,
    )


def _sources(members: Sequence[_Member]) -> tuple[Source, ...]:
    return tuple(sorted((m.source for m in members), key=lambda s: (s.annotator, s.index)))


def _groups(timelines: Sequence[Timeline], shares: Sequence[float]) -> list[list[_Member]]:
    """Members of each group, in an order that depends on content only."""
    order = sorted(
        range(len(timelines)),
        key=lambda a: ([_content(s) for s in timelines[a].segments], shares[a]),
    )
    units = units_of([timelines[a] for a in order])
    table = align(units, cost=GROUPING_COST, opening=GROUPING_OPENING)
    flat = [
        _Member(Source(a, index, segment), shares[a])
        for a in order
        for index, segment in enumerate(timelines[a].segments)
    ]
    return [[flat[u] for u in row if u >= 0] for row in table]


def _merge(members: Sequence[_Member], support: float, fps: float) -> ConsensusSegment:
    segments = [m.source.segment for m in members]
    weights = [m.weight for m in members]
    start = weighted_median([s.start_frame for s in segments], weights)
    end = weighted_median([s.end_frame for s in segments], weights)
    central = _by_closeness(members)
    action_type = _vote_type(central)
    hands = _vote_hands(central)
    agreeing = sum(
        m.weight
        for m in members
        if m.source.segment.action_type == action_type and m.source.segment.hands == hands
    )
    merged = Segment(
        start, max(end, start + 1), action_type, hands, _description(central, action_type, hands)
    )
    return _rated(merged, support, agreeing / support, members, fps)


def _rated(
    segment: Segment, support: float, label_share: float, members: Sequence[_Member], fps: float
) -> ConsensusSegment:
    spread = 0.0
    closeness = 0.0
    for m in members:
        for off in (
            m.source.segment.start_frame - segment.start_frame,
            m.source.segment.end_frame - segment.end_frame,
        ):
            spread += m.weight * abs(off) / (2 * support)
            kernel = exp(-max(0.0, abs(off) - 0.1 * fps) / (0.5 * fps))
            closeness += m.weight * kernel / (2 * support)
    return ConsensusSegment(
        segment, support, label_share, spread, support * label_share * closeness, _sources(members)
    )


def _by_closeness(members: Sequence[_Member]) -> list[_Member]:
    """Members from the one most like the others to the one least like them."""
    ordered = sorted(members, key=lambda m: (_content(m.source.segment), m.weight))
    units = units_of([Timeline(0, 1.0, [m.source.segment]) for m in ordered])
    k = len(ordered)
    left, right = np.divmod(np.arange(k * k), k)
    cost = pair_costs(units, left, right, GROUPING_COST).reshape(k, k)
    far = cost @ np.array([m.weight for m in ordered])
    return [ordered[i] for i in np.argsort(np.round(far, 9), kind="stable")]


def _vote_type(central: Sequence[_Member]) -> str:
    """The action type with the most weight; between equals, that of the more central member."""
    votes: dict[str, float] = {}
    for m in central:
        name = m.source.segment.action_type
        votes[name] = votes.get(name, 0.0) + m.weight
    most = max(votes.values())
    return next(name for name, weight in votes.items() if weight >= most - _EPSILON)


def _vote_hands(central: Sequence[_Member]) -> Hands:
    """Each hand that more than half say; where a vote is tied, as the most central member has it.

    If no hand wins although some were named, the most central member's hands stand.
    """
    total = sum(m.weight for m in central)
    hands = Hands.NONE
    for hand in (Hands.LEFT, Hands.RIGHT):
        yes = sum(m.weight for m in central if m.source.segment.hands & hand)
        if abs(yes - total / 2) <= _EPSILON:
            hands |= central[0].source.segment.hands & hand
        elif yes > total / 2:
            hands |= hand
    unmarked = sum(m.weight for m in central if not m.source.segment.hands)
    if not hands and unmarked <= total / 2 + _EPSILON:
        return central[0].source.segment.hands
    return hands


def _description(central: Sequence[_Member], action_type: str, hands: Hands) -> str:
    """The description closest to the others, of a member that agrees with the label if any."""

    def agreement(m: _Member) -> tuple[bool, bool]:
        return (m.source.segment.action_type == action_type, m.source.segment.hands == hands)

    best = max(agreement(m) for m in central)
    texts = [m.source.segment.description for m in central]
    scores = []
    for m, text in zip(central, texts, strict=True):
        if agreement(m) == best:
            likeness = (
                token_sort_ratio(text, other) * o.weight
                for other, o in zip(texts, central, strict=True)
            )
            scores.append((sum(likeness), text))
    return min(scores, key=lambda s: (-round(s[0], 9), s[1]))[1]


def _without_overlaps(
    kept: Sequence[ConsensusSegment], shares: Sequence[float], fps: float
) -> tuple[list[ConsensusSegment], list[Disputed]]:
    """Cut overlaps of one hand; segments only ever shrink, so one pass is enough."""
    result: list[ConsensusSegment] = []
    dropped: list[Disputed] = []
    for later in kept:
        fits = True
        for at in range(len(result) - 1, -1, -1):
            earlier = result[at]
            if not _collide(earlier.segment, later.segment):
                continue
            cut = _touching_boundary(earlier, later, shares)
            if cut is None:
                loser = min(
                    (earlier, later), key=lambda c: (round(c.confidence, 9), _content(c.segment))
                )
                dropped.append(Disputed(loser.support, "overlaps another", loser.sources))
                if loser is later:
                    fits = False
                    break
                del result[at]
                continue
            result[at] = _recut(earlier, fps, shares, end=cut)
            later = _recut(later, fps, shares, start=cut)
        if fits:
            result.append(later)
    result.sort(key=lambda c: _content(c.segment))
    return result, dropped


def _collide(one: Segment, other: Segment) -> bool:
    """Whether they overlap and share a hand (no hand counts as a lane of its own)."""
    overlap = one.start_frame < other.end_frame and other.start_frame < one.end_frame
    return overlap and (bool(one.hands & other.hands) or one.hands == other.hands)


def _touching_boundary(
    earlier: ConsensusSegment, later: ConsensusSegment, shares: Sequence[float]
) -> int | None:
    """Where the earlier one ends and the later one starts; None if one would have to vanish.

    That is so when the later one lies within the earlier one: no boundary meets there.
    """
    if later.segment.end_frame <= earlier.segment.end_frame:
        return None
    values = [s.segment.end_frame for s in earlier.sources]
    values += [s.segment.start_frame for s in later.sources]
    weights = [shares[s.annotator] for s in (*earlier.sources, *later.sources)]
    low, high = earlier.segment.start_frame + 1, later.segment.end_frame - 1
    if low > high:
        return None
    return min(max(weighted_median(values, weights), low), high)


def _recut(
    old: ConsensusSegment,
    fps: float,
    shares: Sequence[float],
    *,
    start: int | None = None,
    end: int | None = None,
) -> ConsensusSegment:
    segment = replace(
        old.segment,
        start_frame=old.segment.start_frame if start is None else start,
        end_frame=old.segment.end_frame if end is None else end,
    )
    members = [_Member(s, shares[s.annotator]) for s in old.sources]
    return _rated(segment, old.support, old.label_share, members, fps)
