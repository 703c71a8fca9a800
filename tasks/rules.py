"""Pure rules of the queue: no database, no clock."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

DEFAULT_PRICE_CENTS = 1600
DEFAULT_SCREENING_FEE_CENTS = 200
MAX_ROUNDS = 3  # the first submission and at most two requests for changes
MAX_SEGMENTS = 2000
RETRY_AFTER_SECONDS = 30

_ACTION_TYPES = (
    ("pick_up", "Pick up"),
    ("put_down", "Put down"),
    ("move", "Move or carry"),
    ("open", "Open"),
    ("close", "Close"),
    ("pour", "Pour"),
    ("cut", "Cut"),
    ("wash", "Wash or wipe"),
    ("mix", "Mix or stir"),
    ("fold", "Fold or arrange"),
    ("insert", "Insert or attach"),
    ("remove", "Remove or detach"),
    ("turn", "Turn or press a control"),
    ("hold", "Hold or inspect"),
    ("walk", "Walk or turn around"),
    ("other", "Something else"),
)


def default_action_types() -> list[dict[str, str]]:
    """The action types of a project that brings none of its own."""
    return [{"key": key, "label": label} for key, label in _ACTION_TYPES]


def renewed_lease(*, now: datetime, lease_seconds: int, ceiling_at: datetime) -> datetime:
    """When a lease ends that is renewed now: never past the ceiling set at the claim."""
    return min(now + timedelta(seconds=lease_seconds), ceiling_at)


def lowest_free_slot(occupied: set[int], overlap: int) -> int | None:
    """The first slot of `0 … overlap - 1` that nobody occupies; None when all are taken."""
    return next((slot for slot in range(overlap) if slot not in occupied), None)


# Outcomes of a decision about a submission (docs/states.md), by what they mean for the slot.
KEEPS_SLOT = frozenset({"accepted", "accepted_with_fixes", "auto_accepted"})
FREES_SLOT = frozenset({"rejected", "paid_unused", "unusable_confirmed"})
ASKS_FOR_CHANGES = "changes_requested"
OUTCOMES = KEEPS_SLOT | FREES_SLOT | {ASKS_FOR_CHANGES}

# Why a contractor screens a video as less than usable.
SCREENING_REASONS = (
    "blurred",
    "too_dark",
    "over_exposed",
    "covered_lens",
    "frozen",
    "too_shaky",
    "no_hands_in_view",
    "nothing_happens",
    "private_content",
    "does_not_play",
    "other",
)


MAX_GAP_SECONDS = 90  # a longer pause between two signs of activity counts as this much
PACE_DAYS = 90
MIN_PACE_SAMPLES = 5


def cents_per_hour(price_cents: int, active_ms: int) -> int:
    """What an hour of active work pays, in whole cents and never rounded up."""
    return price_cents * 3_600_000 // active_ms


def draft_spans(body: dict[str, Any]) -> list[tuple[int, int]]:
    """The (start, end) frames of a draft's segments. A draft may hold anything: what is no
    segment yet is left out."""
    rows = body.get("segments")
    found = []
    for row in rows if isinstance(rows, list) else []:
        if isinstance(row, dict):
            start, end = row.get("start_frame"), row.get("end_frame")
            if type(start) is int and type(end) is int:
                found.append((start, end))
    return found


def covered_frames(spans: Iterable[tuple[int, int]], frame_count: int) -> int:
    """How many frames of `0 … frame_count - 1` lie in one of the half-open spans, each once."""
    covered, reached = 0, 0
    for start, end in sorted(spans):
        start, end = max(start, reached), min(end, frame_count)
        if end > start:
            covered += end - start
            reached = end
    return covered
