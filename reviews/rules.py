"""Pure rules of scoring, deciding and reviewing: no database, no clock."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from enum import StrEnum
from typing import Any, Final, Self

DAY_SECONDS: Final = 24 * 3600
MIN_REJECTION_TEXT: Final = 100
# Rejections of one reviewer that may wait for a second person before they take more reviews.
MAX_WAITING_REJECTIONS: Final = 3
# Segments of a consensus below this confidence are pointed out to a reviewer.
LOW_CONFIDENCE: Final = 0.5

# Outcomes a reviewer may choose, by what the review is for.
OUTCOMES_OF_DECISION: Final = (
    "accepted",
    "accepted_with_fixes",
    "changes_requested",
    "paid_unused",
    "unusable_confirmed",
    "rejected",
)
# The pay stands: only the use of the data is decided.
OUTCOMES_OF_SAMPLE: Final = ("accepted", "accepted_with_fixes", "paid_unused")
# "rejected" concurs and makes the rejection final; anything else stands instead of it.
OUTCOMES_OF_CONCURRENCE: Final = ("rejected", "accepted", "accepted_with_fixes", "paid_unused")

REJECTION_REASONS: Final = {
    "empty_or_random": "The segments do not describe the video.",
    "copied": "The work was copied from somebody else or from the segment before.",
    "automated": "The work was made by a program and not checked.",
    "wrong_video_part": "Most of the video was left out without a word.",
    "ignored_guideline": "The guideline was ignored throughout.",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleParameters:
    """What a project's decision rule says; one version is pinned on every decision.

    ``accept_s``, ``accept_rq`` and ``review_s`` are thresholds on the task score S and its
    recognition part RQ, in [0, 1]. ``sample_share`` of what was accepted without a person is
    looked at anyway. With ``raise_overlap`` low agreement asks for one more annotator before a
    person is asked. ``single`` says what happens to work that is wanted only once.
    """

    accept_s: float = 0.85
    accept_rq: float = 0.90
    review_s: float = 0.70
    sample_share: float = 0.10
    raise_overlap: bool = False
    single: str = "review"
    review_lease_seconds: int = 30 * 60
    review_deadline_seconds: int = 7 * DAY_SECONDS

    def __post_init__(self) -> None:
        shares = (self.accept_s, self.accept_rq, self.review_s, self.sample_share)
        if not all(0 <= share <= 1 for share in shares):
            raise ValueError("Thresholds and the sample's share lie between 0 and 1.")
        if self.review_s > self.accept_s:
            raise ValueError("review_s cannot be above accept_s.")
        if self.single not in ("review", "accept"):
            raise ValueError("single is “review” or “accept”.")
        if self.review_lease_seconds < 60 or self.review_deadline_seconds < DAY_SECONDS:
            raise ValueError("A review lease lasts a minute at least, the deadline a day.")

    def as_dict(self) -> dict[str, Any]:
        """Plain data, as it is stored."""
        return asdict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """The inverse; what is left out keeps its default. `ValueError` for an unknown name."""
        unknown = sorted(set(data) - {field.name for field in fields(cls)})
        if unknown:
            raise ValueError(f"Unknown decision rule settings: {', '.join(unknown)}.")
        return cls(**data)


class Action(StrEnum):
    """What the rule does with one submission."""

    ACCEPT = "accept"
    REVIEW = "review"
    ADJUDICATE = "adjudicate"
    RAISE_OVERLAP = "raise_overlap"
    WAIT = "wait"


@dataclass(frozen=True, slots=True)
class Judgement:
    """An action and the sentence that explains it to everybody concerned."""

    action: Action
    explanation: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """What the rule looks at for one submission.

    ``s`` and ``rq`` come from its best score with another submission of the task, None while
    there is none. ``complete``: every wanted annotator has handed in. ``may_raise``: the task
    has room for one more. ``settled``: two others of the task are accepted already, so that one
    more annotator would decide nothing.
    """

    s: float | None
    rq: float | None
    wanted: int
    complete: bool
    may_raise: bool
    settled: bool
    screened_unusable: bool


def judge(rule: RuleParameters, standing: Standing) -> Judgement:
    """What happens to a submission under a rule, explained in words."""
    if standing.screened_unusable:
        return Judgement(
            Action.REVIEW, "Somebody found the video unusable; a reviewer looks at it first."
        )
    if standing.wanted == 1:
        if rule.single == "accept":
            return Judgement(
                Action.ACCEPT, "One annotation was wanted and the project takes it as it is."
            )
        return Judgement(
            Action.REVIEW, "One annotation was wanted, so there is none to compare it with."
        )
    s, rq = standing.s, standing.rq
    if s is None or rq is None:
        return Judgement(Action.WAIT, "Waiting for the other annotators of this task.")
    told = f"Agreement with another annotator is {in_words(s)} and recognition {in_words(rq)}"
    if s >= rule.accept_s and rq >= rule.accept_rq:
        return Judgement(
            Action.ACCEPT,
            f"{told}: at least {in_words(rule.accept_s)} and {in_words(rule.accept_rq)} are "
            "accepted without a reviewer.",
        )
    if not standing.complete:
        return Judgement(Action.WAIT, f"{told}. Waiting for the other annotators of this task.")
    if s >= rule.review_s:
        return Judgement(
            Action.REVIEW,
            f"{told}: below {in_words(rule.accept_s)} and {in_words(rule.accept_rq)} a reviewer "
            "decides.",
        )
    if standing.settled:
        return Judgement(
            Action.REVIEW,
            f"{told}. Two others agree with each other; a reviewer looks at this one.",
        )
    if rule.raise_overlap and standing.may_raise:
        return Judgement(
            Action.RAISE_OVERLAP,
            f"{told}: below {in_words(rule.review_s)} one more annotator is asked.",
        )
    return Judgement(
        Action.ADJUDICATE,
        f"{told}: below {in_words(rule.review_s)} a person decides, and nobody's pay is refused "
        "without one.",
    )


def in_words(share: float) -> str:
    """A share as people read it, cut and never rounded up over a threshold: .8499 is 84.9 %."""
    return f"{int(share * 1000 + 1e-9) / 10:.1f} %"


def is_sampled(submission_id: int, share: float) -> bool:
    """Whether accepted work is looked at anyway.

    By hash of its id: the same answer on every run and machine, and unforeseeable enough for
    who hands in the work.
    """
    digest = hashlib.sha256(f"review sample {submission_id}".encode()).digest()
    return int.from_bytes(digest[:8], "big") < share * 2**64


def evidence_problems(
    outcome: str, evidence: Sequence[Mapping[str, Any]], frame_count: int
) -> list[dict[str, str]]:
    """What is missing in the evidence of a request for changes or a rejection, located.

    Arguments:
        evidence: `{"start_frame", "end_frame", "text", …}`; frames are half-open.
        frame_count: displayed frames of the video.
    """
    found: list[dict[str, str]] = []
    if outcome in ("changes_requested", "rejected") and not evidence:
        found.append(
            {
                "pointer": "/evidence",
                "code": "no_evidence",
                "detail": "Say where: at least one frame range with a sentence about it.",
            }
        )
    for index, entry in enumerate(evidence):
        start, end = entry.get("start_frame"), entry.get("end_frame")
        if not (isinstance(start, int) and isinstance(end, int) and 0 <= start < end):
            detail = "A frame range starts before it ends."
        elif end > frame_count:
            detail = f"The video has {frame_count} frames."
        elif not str(entry.get("text", "")).strip():
            detail = "Say what should be different."
        else:
            continue
        found.append({"pointer": f"/evidence/{index}", "code": "bad_evidence", "detail": detail})
    return found


def rejection_problems(
    *, reason_code: str, guideline_clause: str, text: str
) -> list[dict[str, str]]:
    """What a rejection lacks; the frame range is looked at by `evidence_problems`."""
    found: list[dict[str, str]] = []
    if reason_code not in REJECTION_REASONS:
        known = ", ".join(REJECTION_REASONS)
        found.append(
            {
                "pointer": "/reason_code",
                "code": "unknown_reason",
                "detail": f"A rejection needs one of these reasons: {known}.",
            }
        )
    if not guideline_clause.strip():
        found.append(
            {
                "pointer": "/guideline_clause",
                "code": "no_clause",
                "detail": "Name the clause of the guideline that was not kept.",
            }
        )
    if len(text.strip()) < MIN_REJECTION_TEXT:
        found.append(
            {
                "pointer": "/text",
                "code": "too_short",
                "detail": f"Explain the rejection in at least {MIN_REJECTION_TEXT} characters; "
                f"these are {len(text.strip())}.",
            }
        )
    return found
