"""Numbers as sentences, for people who never saw the formula."""

from __future__ import annotations

from typing import Any

from reviews.models import DecisionRule, Score
from reviews.rules import in_words


def score_in_words(score: Score) -> list[str]:
    """What a score says, one sentence per part; docs/agreement.md explains them at length."""
    if "both_empty" in score.flags:
        return ["Neither timeline has a segment, so there is nothing that could differ."]
    told = [
        f"Agreement is {in_words(score.s)}: boundaries, action types, hands and descriptions "
        "together.",
        f"{score.tp} segments were recognised by both, {score.fp + score.fn} by only one "
        f"({in_words(score.rq)} recognition).",
    ]
    if score.mean_boundary_error_frames is not None and score.mean_boundary_error_ms is not None:
        told.append(
            f"Boundaries of the same segment are {score.mean_boundary_error_frames:.1f} frames "
            f"({score.mean_boundary_error_ms:.0f} ms) apart on average."
        )
    return told


def rule_in_words(rule: DecisionRule) -> list[str]:
    """What a decision rule says, for contractors and reviewers alike."""
    values = rule.values
    days = values.review_deadline_seconds // 86400
    told = [
        f"From {in_words(values.accept_s)} agreement with {in_words(values.accept_rq)} "
        "recognition on, work is accepted and paid without a reviewer.",
        f"From {in_words(values.review_s)} up to that, a reviewer decides.",
        f"Below {in_words(values.review_s)}, one more annotator is asked while the task allows "
        "it; then a person decides."
        if values.raise_overlap
        else f"Below {in_words(values.review_s)}, a person decides too. Pay is never refused "
        "without one.",
        f"{in_words(values.sample_share)} of what is accepted without a reviewer is looked at "
        "anyway, to learn how good the rule is. Its pay stands.",
        f"What nobody decided after {days} days is paid.",
    ]
    if values.single == "accept":
        told.append("Where one annotation is wanted, it is taken as it is.")
    return told


def diagnosis_of(score: Score, submission_id: int) -> list[dict[str, Any]]:
    """The findings about one of the score's two submissions, the other taken as the truth."""
    side = "of_candidate" if submission_id == score.candidate_id else "of_reference"
    found: list[dict[str, Any]] = score.diagnosis[side]
    return found
