"""A decision about a submission: row, queue and pay in one transaction."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from django.db import transaction

from annotation_platform.clock import database_now
from contractors.models import User
from payouts.services import credit
from reviews import queries
from reviews.models import Decision, Review, Score
from reviews.rules import is_sampled
from reviews.services.consensus import mark_stale
from reviews.services.settings import current_rule
from tasks.models import Submission
from tasks.services import record_decision

# What each outcome pays as; the others pay nothing.
PAYS_AS = {
    "accepted": "accepted",
    "accepted_with_fixes": "accepted_with_fixes",
    "auto_accepted": "auto_accepted",
    "paid_unused": "paid_unused",
    "unusable_confirmed": "screening_fee",
}


@dataclass(frozen=True, kw_only=True)
class Grounds:
    """Why something is decided: in words for the contractor, and what supports it."""

    explanation: str
    evidence: Sequence[dict[str, Any]] = ()
    reason_code: str = ""
    guideline_clause: str = ""
    review: Review | None = None
    concurred_by: User | None = None
    scores: Sequence[Score] | None = field(default=None)


@transaction.atomic
def decide_work(
    *, submission: Submission, outcome: str, actor: User | None, grounds: Grounds
) -> Decision:
    """Decide about pay and data at once: decision, queue, ledger and open reviews together.

    Arguments:
        outcome: one of `tasks.rules.OUTCOMES`; what it pays is in `PAYS_AS`.
        actor: the reviewer; None when the rule decides.

    Raises `AlreadyDecided`, `NoRoundsLeft` (tasks).
    """
    decided = record_decision(
        submission=submission, outcome=outcome, actor=actor, reason=grounds.explanation
    )
    assignment = decided.assignment
    rule = current_rule(assignment.task.project)
    scores = grounds.scores if grounds.scores is not None else queries.scores_of(submission)
    best = scores[0] if scores else None
    assert decided.decided_at is not None, "submission_decided_agrees_with_decided_at"
    decision = Decision.objects.create(
        submission=decided,
        outcome=outcome,
        actor=actor,
        rule=rule,
        score_ids=[score.pk for score in scores],
        s=best.s if best else None,
        rq=best.rq if best else None,
        explanation=grounds.explanation,
        evidence=list(grounds.evidence),
        reason_code=grounds.reason_code,
        guideline_clause=grounds.guideline_clause,
        review=grounds.review,
        concurred_by=grounds.concurred_by,
        decided_at=decided.decided_at,
    )
    mark_stale(assignment.task_id)
    kind = PAYS_AS.get(outcome)
    if outcome == "auto_accepted" and decided.screening_verdict == Submission.Verdict.UNUSABLE:
        kind = "screening_fee"  # silence confirms what they said: the video is unusable
    if kind is not None:
        credit(submission=decided, kind=kind, actor=actor, reason=grounds.explanation)
    return decision


@transaction.atomic
def accept(
    *, submission: Submission, explanation: str, scores: Sequence[Score] | None = None
) -> Decision:
    """The rule accepts: pays at once, and queues a sample of such work for a look at the data."""
    decision = decide_work(
        submission=submission,
        outcome="accepted",
        actor=None,
        grounds=Grounds(explanation=explanation, scores=scores),
    )
    supersede_open_reviews(submission)
    if is_sampled(submission.pk, decision.rule.values.sample_share):
        queue_review(
            submission=submission,
            kind=Review.Kind.SAMPLE,
            reason="A random part of what is accepted without a reviewer is looked at anyway. "
            "The pay stands.",
        )
    return decision


def queue_review(
    *,
    submission: Submission,
    kind: str,
    reason: str,
    of: Review | None = None,
) -> Review:
    """Ask for a person's look; an open review of the kind is returned as it is.

    The caller holds the task's lock.
    """
    asked_before = (
        Review.objects.filter(
            submission__assignment=submission.assignment_id,
            kind=Review.Kind.DECISION,
            state=Review.State.DECIDED,
        )
        .order_by("-pk")
        .first()
    )
    review, _ = Review.objects.get_or_create(
        submission=submission,
        kind=kind,
        state__in=Review.OPEN,
        defaults={
            "project_id": submission.assignment.task.project_id,
            "state": Review.State.QUEUED,
            "reason": reason,
            "of": of,
            "preferred_reviewer": asked_before.reviewer
            if asked_before is not None and kind == Review.Kind.DECISION
            else None,
            "queued_at": database_now(),
        },
    )
    return review


def supersede_open_reviews(submission: Submission) -> None:
    """End the reviews that a decision made pointless. The caller holds the task's lock."""
    Review.objects.filter(submission=submission, state__in=Review.OPEN).update(
        state=Review.State.SUPERSEDED, lease_expires_at=None
    )
