"""Rules about descriptions that a person can read. They rank and flag; they decide nothing.

English only, and on purpose without a language model: sentence embeddings cannot tell the left
hand from the right one, nor open from close. Spelling is left to the browser's spell checker.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

from rapidfuzz import fuzz, utils

from timelines.segment import Hands, Segment

CODES: Final = (
    "empty",
    "too_short",
    "no_verb",
    "contradicts_hands",
    "contradicts_action_type",
    "copied",
)
SIMILARITY_FLAG: Final = 45.0

# "Copied" needs a habit, not a coincidence: so many segments, and so large a share of them.
_COPIED_SEGMENTS: Final = 5
_COPIED_SHARE: Final = 0.8

# What people do with their hands, in the base form; `_bases` takes the endings off.
_VERBS: Final = frozenset(
    """
    activate add adjust align apply approach arrange assemble attach bake baste batch bathe bead
    beat begin bend bet bind blanch blend boil bolt bounce bow braid brake break bring browse
    brush buckle buff bundle burn bury button buzz calibrate cap carry carve catch caulk chain
    change charge check chill chisel choose chop clap clasp clean clear clench click climb clip
    close cluster clutter coat coil collapse collect comb combine compress connect continue cook
    cool core count cover crack cradle cram crank crease crimp crochet crumble crumple crush cut
    dab dance deactivate deal deburr decorate defrost deliver dial dice dig dilute dip disable
    disassemble discard disconnect dish dispose divide do dock dose drag drain drape draw dress
    drill drink drive drizzle drop dry dump dust eat empty enable end engrave enter erase etch
    evaluate examine exchange exercise explore extend extinguish extract fasten feed feel fetch
    file fill find finish fish fit fix flatten flick flip floss fluff flush fold follow fork
    freeze fry gargle garnish gather get give glue go grab grasp grate grease grill grind grip
    groom hammer hand handle hang haul heat heave help hem highlight hit hitch hoe hoist hold
    hook hug ignite immerse insert inspect install iron jerk jiggle join juice jump keep kindle
    knead kneel knit knock knot label lace ladle lash latch lather lay lean leash leave let
    level lever lick lift light load lock log look loosen lower lug mail make manipulate
    marinate mark mash massage measure melt mend mince mix moisturize mold mop mould mount move
    nail navigate nudge observe open operate organise organize pace pack paint park paste pat
    pedal peel pet pick pile pin pinch pitch place plane plant plaster play pleat pluck plug
    point poke polish position pour prepare press prise program prune pry pull pump punch push
    put raise rake ram reach read rearrange receive record refrigerate regulate reinsert release
    relocate remove reorder repair replace reposition reset rest retrieve return reverse ride
    rinse rip rise rivet roast roll rotate rub rummage salt sample sand saute save saw scan
    scatter scoop scour scrape scratch screw scroll scrub seal sear search season select
    separate serve set sew shade shake shampoo shape sharpen shave shelve shift ship shove
    shovel shred shuffle shut sieve sift sign simmer sit sketch skin slap slice slide smell
    smoke smooth snap soak soap solder sort sow spackle spice spill spin spit split sponge spool
    spoon spray spread sprinkle squash squat squeeze squirt stab stack stamp stand staple stare
    start steam steer step stick stir stitch stop store stow straighten strain strap stretch
    strike stroke stuff submerge suck support swap sweep sweeten swim swing swipe switch tag
    take tally tap tape taste tear test tether thaw thread throw tidy tie tighten tilt tip toast
    toss touch tow trace transfer trash trim trowel trundle try tug turn twist type unbind uncap
    uncoil uncover undress unfold unhook unload unlock unpack unpin unplug unroll unscrew untie
    unwind unwrap use vacuum varnish view wait walk warm wash watch water wave wax wear wedge
    weed weigh weld wet wheel whip whisk wiggle wind wipe withdraw wrap wrestle wring write yank
    zip
    """.split()  # noqa: SIM905 - five hundred quoted words are no easier to read
)
_IRREGULAR: Final = {
    "took": "take", "taken": "take", "held": "hold", "brought": "bring", "broke": "break",
    "broken": "break", "drew": "draw", "drawn": "draw", "ate": "eat", "eaten": "eat",
    "gave": "give", "given": "give", "hung": "hang", "laid": "lay", "left": "leave",
    "lit": "light", "made": "make", "swept": "sweep", "shook": "shake", "shaken": "shake",
    "slid": "slide", "stuck": "stick", "stood": "stand", "threw": "throw", "thrown": "throw",
    "tore": "tear", "torn": "tear", "tied": "tie", "tying": "tie", "wrote": "write",
    "written": "write", "got": "get", "gotten": "get", "kept": "keep", "caught": "catch",
    "bent": "bend", "wound": "wind", "sewn": "sew", "found": "find", "felt": "feel",
    "lying": "lie", "went": "go", "did": "do", "done": "do", "fed": "feed", "spun": "spin",
    "struck": "strike", "ground": "grind", "let": "let", "put": "put", "set": "set",
}  # fmt: skip

# Words for one deed, and the deed that undoes it.
_DEEDS: Final = {
    "open": "open", "uncover": "open", "unlock": "open",
    "close": "close", "shut": "close", "cover": "close", "lock": "close",
    "take": "take", "grab": "take", "grasp": "take", "pick": "take", "fetch": "take",
    "retrieve": "take",
    "put": "place", "place": "place", "drop": "place", "release": "place",
    "lift": "lift", "raise": "lift", "lower": "lower",
    "push": "push", "pull": "pull",
    "insert": "insert", "remove": "remove", "extract": "remove",
    "fill": "fill", "empty": "empty",
    "attach": "attach", "fasten": "attach", "connect": "attach", "tie": "attach",
    "detach": "detach", "unfasten": "detach", "disconnect": "detach", "untie": "detach",
    "fold": "fold", "unfold": "unfold", "wrap": "wrap", "unwrap": "unwrap",
    "plug": "plug", "unplug": "unplug", "load": "load", "unload": "unload",
    "screw": "screw", "tighten": "screw", "unscrew": "unscrew", "loosen": "unscrew",
    "assemble": "assemble", "disassemble": "disassemble", "pack": "pack", "unpack": "unpack",
}  # fmt: skip
_OPPOSITES: Final = {
    one: other
    for pair in (
        ("open", "close"), ("take", "place"), ("lift", "lower"), ("push", "pull"),
        ("insert", "remove"), ("fill", "empty"), ("attach", "detach"), ("fold", "unfold"),
        ("wrap", "unwrap"), ("plug", "unplug"), ("load", "unload"), ("screw", "unscrew"),
        ("assemble", "disassemble"), ("pack", "unpack"),
    )
    for one, other in (pair, pair[::-1])
}  # fmt: skip
_PREFIX: Final = re.compile(r"^(re|un|de|dis|pre|over)(?=[a-z]{3})")
_BOTH: Final = re.compile(r"\b(both|two) hands\b|\bleft and right hands?\b", re.IGNORECASE)
_ONE: Final = re.compile(r"\b(left|right)[ -]hand(?!\s+side\b)s?\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class DescriptionFlag:
    """A doubt about the description of the segment at ``index`` (from 0, in the given order)."""

    index: int
    code: str
    detail: str

    def as_dict(self) -> dict[str, Any]:
        """Plain data."""
        return asdict(self)


def similarity(one: str, other: str) -> float:
    """Token-sort ratio, 0 to 100: how much of the letters agree once the words are sorted.

    Case, punctuation and the order of words do not count; two empty texts are equal. It compares
    spelling, not meaning (`rapidfuzz.fuzz.token_sort_ratio`).
    """
    return fuzz.token_sort_ratio(one, other, processor=utils.default_process)


def is_unlike(one: str, other: str) -> bool:
    """Whether two descriptions of one action differ enough for a person to look at them."""
    return similarity(one, other) < SIMILARITY_FLAG


def flag_descriptions(segments: Sequence[Segment]) -> list[DescriptionFlag]:
    """Every doubt about the descriptions of one timeline, by segment, then as in `CODES`.

    - ``empty``: no letter or digit.
    - ``too_short``: a single word.
    - ``no_verb``: no word of it says what a hand does, and none is in the action type.
    - ``contradicts_hands``: it names a hand that is not selected.
    - ``contradicts_action_type``: its first verb undoes the action type ("close" for open).
    - ``copied``: the same text on at least five segments and 80 % of all.

    Words are looked up in English; a description in another script is not checked for verbs.
    """
    texts = Counter(" ".join(_words(segment.description)) for segment in segments)
    copied = {
        text
        for text, count in texts.items()
        if text and count >= max(_COPIED_SEGMENTS, _COPIED_SHARE * len(segments))
    }
    return [
        flag
        for index, segment in enumerate(segments)
        for flag in _flag(index, segment, copied, texts)
    ]


def _flag(
    index: int, segment: Segment, copied: set[str], texts: Counter[str]
) -> Iterator[DescriptionFlag]:
    name, text = f"Segment {index + 1}", segment.description
    words = _words(text)
    if not words:
        yield DescriptionFlag(index, "empty", f"{name} has no description.")
        return
    type_words = _words(segment.action_type)
    if len(words) == 1 and text.isascii():
        yield DescriptionFlag(index, "too_short", f"{name} is described by one word: “{text}”.")
    if text.isascii() and not any(_is_verb(word) or word in type_words for word in words):
        yield DescriptionFlag(index, "no_verb", f"{name}: “{text}” does not say what is done.")
    named = _named_hands(text)
    if named & ~segment.hands:
        said = {Hands.LEFT: "left", Hands.RIGHT: "right"}.get(named, "both")
        selected = (segment.hands.name or "").lower() or "none"
        detail = f"{name}: “{text}” speaks of {said}, but the hand selected is {selected}."
        yield DescriptionFlag(index, "contradicts_hands", detail)
    if _undoes(words, type_words):
        detail = f"{name}: “{text}” is the opposite of the action type “{segment.action_type}”."
        yield DescriptionFlag(index, "contradicts_action_type", detail)
    key = " ".join(words)
    if key in copied:
        detail = f"{name}: “{text}” is written on {texts[key]} segments."
        yield DescriptionFlag(index, "copied", detail)


def _words(text: str) -> list[str]:
    return re.findall(r"[^\W_]+", text.casefold())


def _is_verb(word: str) -> bool:
    return any(base in _VERBS or _PREFIX.sub("", base, count=1) in _VERBS for base in _bases(word))


def _bases(word: str) -> Iterator[str]:
    """The word and what it may be a form of: stirring, stirred, stirs → stir."""
    yield word
    if word in _IRREGULAR:
        yield _IRREGULAR[word]
    for ending in ("ing", "ed", "es", "s", "d"):
        stem = word.removesuffix(ending)
        if stem != word and len(stem) > 1:
            yield stem
            yield stem + "e"
            if stem.endswith("i"):
                yield stem[:-1] + "y"
            if len(stem) > 2 and stem[-1] == stem[-2]:
                yield stem[:-1]


def _deed(word: str) -> str | None:
    return next((_DEEDS[base] for base in _bases(word) if base in _DEEDS), None)


def _named_hands(text: str) -> Hands:
    if _BOTH.search(text):
        return Hands.BOTH
    named = Hands.NONE
    for side in _ONE.findall(text):
        named |= Hands.LEFT if side.lower() == "left" else Hands.RIGHT
    return named


def _undoes(words: Sequence[str], type_words: Sequence[str]) -> bool:
    """Whether the first verb of the text is the opposite of the action type, which it lacks."""
    if {"turn", "switch"} & set(type_words) and {"on", "off"} & set(type_words):
        wanted, opposite = ("on", "off") if "on" in type_words else ("off", "on")
        return opposite in words and wanted not in words
    right = next((deed for word in type_words if (deed := _deed(word))), None)
    said = [deed for word in words if (deed := _deed(word))]
    return bool(said) and right is not None and said[0] == _OPPOSITES[right] and right not in said
