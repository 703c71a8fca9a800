"""Made-up timelines and made-up people who annotate them, deterministic by seed.

For tests, calibration, the demo and load. The errors are those that the diagnosis names:
boundaries off, segments missed, added, split, merged, wrong action type, wrong hand, another
description. Everything that comes out is legal: inside the video, one hand does one thing at a
time. Errors of different annotators are independent; real people also share errors, so numbers
from here are an upper bound on what a consensus wins.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from math import exp
from random import Random
from typing import Any, Final

from timelines.segment import Hands, Segment, Timeline

ACTION_TYPES: Final = (
    "reach",
    "grasp",
    "lift",
    "move",
    "place",
    "open",
    "close",
    "pour",
    "stir",
    "cut",
    "wipe",
    "hold",
)
_SYNONYMS: Final = {
    "reach": ("reach for", "reach towards", "stretch out to"),
    "grasp": ("grasp", "grab", "take hold of"),
    "lift": ("lift", "lift up", "raise"),
    "move": ("move", "carry", "shift"),
    "place": ("place", "put down", "set down"),
    "open": ("open", "open up"),
    "close": ("close", "shut"),
    "pour": ("pour from", "pour out of", "empty"),
    "stir": ("stir in", "mix in"),
    "cut": ("cut", "slice", "chop"),
    "wipe": ("wipe", "wipe off", "clean"),
    "hold": ("hold", "keep hold of"),
}
_OBJECTS: Final = (
    "red cup",
    "blue mug",
    "frying pan",
    "kitchen knife",
    "cutting board",
    "wet sponge",
    "drawer",
    "fridge door",
    "milk bottle",
    "wooden spoon",
    "plate",
    "towel",
    "tomato",
    "jar lid",
    "kettle",
)
_PLACES: Final = ("", "", " on the counter", " in the sink", " near the stove", " on the shelf")
_HAND_WORDS: Final = {
    Hands.LEFT: " with the left hand",
    Hands.RIGHT: " with the right hand",
    Hands.BOTH: " with both hands",
    Hands.NONE: "",
}


@dataclass(frozen=True, slots=True)
class Skill:
    """How an annotator errs.

    ``boundary_seconds`` is the standard deviation of each boundary; everything else is a
    probability for each true segment. Where an error is impossible (no neighbour to merge with,
    the other hand is busy) it does not happen, so rates come out a little lower.
    """

    name: str
    boundary_seconds: float
    miss: float
    extra: float
    split: float
    merge: float
    action_type: float
    hands: float
    description: float

    def as_dict(self) -> dict[str, Any]:
        """Plain data."""
        return asdict(self)


PERFECT: Final = Skill("perfect", 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0)
EXPERT: Final = Skill("expert", 0.06, 0.005, 0.005, 0.005, 0.005, 0.01, 0.005, 0.2)
GOOD: Final = Skill("good", 0.14, 0.02, 0.02, 0.01, 0.01, 0.03, 0.015, 0.4)
# Calibrated: alone at 60 fps, 100 segments, F1@75 is about .66 and boundaries are 12.2 frames off.
FAIR: Final = Skill("fair", 0.245, 0.066, 0.055, 0.033, 0.033, 0.088, 0.044, 0.6)
POOR: Final = Skill("poor", 0.55, 0.18, 0.15, 0.08, 0.08, 0.22, 0.12, 0.8)
SKILLS: Final = {skill.name: skill for skill in (PERFECT, EXPERT, GOOD, FAIR, POOR)}


def make_truth(
    seed: int,
    *,
    segments: int = 100,
    fps: float = 60.0,
    median_seconds: float = 2.15,
    action_types: Sequence[str] = ACTION_TYPES,
) -> Timeline:
    """What really happened in a video that does not exist.

    Arguments:
        seed: the same seed and arguments give the same timeline, on every machine.
        segments: exactly so many.
        fps: frames per second, constant.
        median_seconds: of the log-normal segment lengths; the video grows with it.
        action_types: to draw from.

    Half of the segments touch the one before them; left and right hand overlap now and then.
    """
    random = Random(f"truth {seed}")
    free = {Hands.LEFT: 0.5, Hands.RIGHT: 0.5, Hands.NONE: 0.5}  # seconds, by lane
    made: list[Segment] = []
    start = end = 0.0
    while len(made) < segments:
        hands = random.choices(list(_HAND_WORDS), weights=[33, 40, 20, 7])[0]
        overlap = random.random() < 0.25
        begin = start + random.uniform(0.3, 0.8) * (end - start) if overlap else end
        begin = max([begin, *(free[lane] for lane in _lanes(hands))])
        if random.random() < 0.5:
            begin += 0.1 + random.expovariate(2.0)
        length = max(0.4, median_seconds * exp(random.gauss(0.0, 0.3)))
        start_frame, end_frame = round(begin * fps), round((begin + length) * fps)
        if end_frame <= start_frame:
            end_frame = start_frame + 1
        action_type = random.choice(list(action_types))
        made.append(
            Segment(
                start_frame, end_frame, action_type, hands, _describe(random, action_type, hands)
            )
        )
        start, end = begin, max(end_frame / fps, begin + length)
        for lane in _lanes(hands):
            free[lane] = end
    frame_count = max((s.end_frame for s in made), default=0) + round(fps)
    return Timeline(frame_count, fps, made)


def annotate(truth: Timeline, *, skill: Skill, seed: int) -> Timeline:
    """What an annotator of this skill makes of the video.

    Arguments:
        truth: what happened; no two segments of one hand overlap.
        skill: how they err, one of `SKILLS` or your own.
        seed: who they are; another seed errs independently.

    A boundary that two segments share in the truth moves as one, as it does for somebody who
    splits while watching. Boundary noise is normal, in seconds; where it makes two segments of a
    hand overlap they are cut in the middle.
    """
    random = Random(f"annotator {seed} {skill.name}")
    segments = _merge(random, skill, list(truth.segments))
    drawn: list[Segment] = []
    for segment in segments:
        if random.random() < skill.miss:
            continue
        neighbours = [*segments, *drawn]  # as they were, and as this annotator drew them
        segment = _relabel(random, skill, segment, neighbours, truth)
        drawn.extend(_split(random, skill, segment))
    drawn = _jitter(random, skill, drawn, truth)
    drawn = _separate(drawn)
    drawn.extend(_extras(random, skill, drawn, truth))
    return Timeline(truth.frame_count, truth.fps, drawn)


def annotate_many(truth: Timeline, *, skills: Sequence[Skill], seed: int) -> list[Timeline]:
    """One timeline per skill, with independent errors; the same seed gives the same people."""
    return [
        annotate(truth, skill=skill, seed=1_000_003 * seed + number)
        for number, skill in enumerate(skills)
    ]


def _lanes(hands: Hands) -> tuple[Hands, ...]:
    if hands == Hands.NONE:
        return (Hands.NONE,)
    return tuple(hand for hand in (Hands.LEFT, Hands.RIGHT) if hand & hands)


def _share_lane(one: Hands, other: Hands) -> bool:
    return bool(one & other) or one == other


def _describe(random: Random, action_type: str, hands: Hands) -> str:
    verb = _SYNONYMS.get(action_type, (action_type,))[0]
    said = _HAND_WORDS[hands] if random.random() < 0.5 else ""
    return f"{verb} the {random.choice(_OBJECTS)}{random.choice(_PLACES)}{said}"


def _vary(random: Random, segment: Segment) -> str:
    """The same action in somebody else's words."""
    text = segment.description
    synonyms = _SYNONYMS.get(segment.action_type, ())
    if synonyms and text.startswith(synonyms[0]):
        text = random.choice(synonyms) + text[len(synonyms[0]) :]
    if random.random() < 0.4:
        text = text.replace(" the ", " ")
    for words in (*filter(None, _PLACES), _HAND_WORDS[segment.hands]):
        if words and random.random() < 0.2:
            text = text.replace(words, "")
    return text.capitalize() if random.random() < 0.3 else text


def _relabel(
    random: Random, skill: Skill, segment: Segment, neighbours: Sequence[Segment], truth: Timeline
) -> Segment:
    original = segment
    others = sorted({*truth.action_types} - {segment.action_type})
    if random.random() < skill.action_type and others:
        action_type = random.choice(others)
        verb = _SYNONYMS.get(segment.action_type, (segment.action_type,))[0]
        said = _SYNONYMS.get(action_type, (action_type,))[0]
        text = segment.description
        text = said + text.removeprefix(verb) if text.startswith(verb) else text
        segment = replace(segment, action_type=action_type, description=text)
    if random.random() < skill.hands:
        margin = round(4 * skill.boundary_seconds * truth.fps)
        near = [
            s.hands
            for s in neighbours
            if s is not original
            and s.start_frame < segment.end_frame + margin
            and segment.start_frame < s.end_frame + margin
        ]
        possible = [
            hands
            for hands in _HAND_WORDS
            if hands != segment.hands
            and not any(_share_lane(hands, n) and not _share_lane(segment.hands, n) for n in near)
        ]
        if possible:
            hands = random.choice(possible)
            text = segment.description
            if _HAND_WORDS[segment.hands]:
                text = text.replace(_HAND_WORDS[segment.hands], _HAND_WORDS[hands])
            segment = replace(segment, hands=hands, description=text)
    if random.random() < skill.description:
        segment = replace(segment, description=_vary(random, segment))
    return segment


def _merge(random: Random, skill: Skill, segments: list[Segment]) -> list[Segment]:
    """Join some segments with the next one of the same hands, if no other lies between."""
    merged: list[Segment] = []
    gone: set[int] = set()
    for index, segment in enumerate(segments):
        if index in gone:
            continue
        if random.random() < skill.merge:
            after = (
                (later, other)
                for later, other in enumerate(segments[index + 1 :], index + 1)
                if later not in gone and _share_lane(segment.hands, other.hands)
            )
            later, other = next(after, (index, segment))
            if later != index and other.hands == segment.hands:
                gone.add(later)
                segment = replace(segment, end_frame=other.end_frame)
        merged.append(segment)
    return merged


def _split(random: Random, skill: Skill, segment: Segment) -> list[Segment]:
    if segment.length < 4 or random.random() >= skill.split:
        return [segment]
    cut = segment.start_frame + round(segment.length * random.uniform(0.3, 0.7))
    return [replace(segment, end_frame=cut), replace(segment, start_frame=cut)]


def _jitter(
    random: Random, skill: Skill, segments: Sequence[Segment], truth: Timeline
) -> list[Segment]:
    """Move each distinct boundary by its own normal error, inside the video."""
    frames = sorted({f for s in segments for f in (s.start_frame, s.end_frame)})
    moved = {
        frame: min(
            max(0, frame + round(random.gauss(0.0, skill.boundary_seconds * truth.fps))),
            truth.frame_count,
        )
        for frame in frames
    }
    jittered = []
    for segment in segments:
        start, end = sorted((moved[segment.start_frame], moved[segment.end_frame]))
        if end == start:
            start, end = (start - 1, end) if end == truth.frame_count else (start, end + 1)
        jittered.append(replace(segment, start_frame=start, end_frame=end))
    return jittered


def _separate(segments: Sequence[Segment]) -> list[Segment]:
    """Cut same-hand overlaps in their middle; a segment left without a frame disappears."""
    kept: list[Segment] = []
    last: dict[Hands, int] = {}  # lane -> index in `kept` of its latest segment
    for segment in sorted(segments, key=lambda s: (s.start_frame, s.end_frame, s.hands)):
        for lane in _lanes(segment.hands):
            if lane in last and kept[last[lane]].end_frame > segment.start_frame:
                before = kept[last[lane]]
                cut = (segment.start_frame + min(before.end_frame, segment.end_frame)) // 2
                cut = max(cut, before.start_frame + 1)
                kept[last[lane]] = replace(before, end_frame=cut)
                segment = replace(segment, start_frame=cut)
        if segment.length > 0:
            for lane in _lanes(segment.hands):
                last[lane] = len(kept)
            kept.append(segment)
    return kept


def _extras(
    random: Random, skill: Skill, drawn: Sequence[Segment], truth: Timeline
) -> list[Segment]:
    """Actions that did not happen, where the hand is free."""
    extras: list[Segment] = []
    for _ in truth.segments:
        if random.random() >= skill.extra:
            continue
        for _attempt in range(10):
            length = max(1, round(random.uniform(0.4, 2.0) * truth.fps))
            start = random.randrange(max(1, truth.frame_count - length))
            hands = random.choice(list(_HAND_WORDS))
            end = min(start + length, truth.frame_count)
            if end > start and not any(
                _share_lane(hands, s.hands) and s.start_frame < end and start < s.end_frame
                for s in (*drawn, *extras)
            ):
                action_type = random.choice(truth.action_types)
                text = _describe(random, action_type, hands)
                extras.append(Segment(start, end, action_type, hands, text))
                break
    return extras
