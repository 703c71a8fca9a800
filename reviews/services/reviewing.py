"""Taking a review, keeping it, ending it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Any

from django.db import transaction

from annotation_platform.clock import database_now
from contractors.models import User
from events.services import record
from payouts.services import credit_assignment
from reviews import queries
from reviews.models import Decision, Review
from reviews.problems import (
    IncompleteDecision,
    NothingToReview,
    RejectionsWaiting,
    ReviewNotYours,
    WrongOutcome,
)
from reviews.rules import (
    MAX_WAITING_REJECTIONS,
    OUTCOMES_OF_CONCURRENCE,
    OUTCOMES_OF_DECISION,
    OUTCOMES_OF_SAMPLE,
    evidence_problems,
    rejection_problems,
)
from reviews.services.consensus import mark_stale
from reviews.services.decisions import Grounds, decide_work, queue_review, supersede_open_reviews
from reviews.services.settings import current_rule
from tasks.models import Project, Submission, Task
from tasks.services import mark_unusable

OUTCOMES = {
    Review.Kind.DECISION: OUTCOMES_OF_DECISION,
    Review.Kind.SAMPLE: OUTCOMES_OF_SAMPLE,
    Review.Kind.CONCURRENCE: OUTCOMES_OF_CONCURRENCE,
}


@dataclass(frozen=True, kw_only=True)
class Findings:
    """What a reviewer writes. Evidence entries are `{"start_frame", "end_frame", "text"}`."""

    outcome: str
    text: str = ""
    evidence: Sequence[dict[str, Any]] = ()
    reason_code: str = ""
    guideline_clause: str = ""

    def as_dict(self) -> dict[str, Any]:
        """Plain data, as it is kept on the review."""
        return {
            "outcome": self.outcome,
            "text": self.text,
            "evidence": list(self.evidence),
            "reason_code": self.reason_code,
            "guideline_clause": self.guideline_clause,
        }


@transaction.atomic
def claim_next_review(*, reviewer: User, project: Project | None = None) -> Review:
    """Lease the oldest review that this person may take; the one they hold, if they hold one.

    Never of a task they annotated, never the second look at their own rejection; a review that
    somebody else is claiming at this moment is skipped. Raises `NothingToReview`, and
    `RejectionsWaiting` to somebody who rejects faster than a second person can look.
    """
    # The person's row serialises their claims: review_one_live_claim_per_reviewer.
    User.objects.select_for_update(no_key=True).get(pk=reviewer.pk)
    held = Review.objects.filter(reviewer=reviewer, state=Review.State.CLAIMED).first()
    if held is not None:
        return held
    rejections = queries.waiting_rejections(reviewer.pk)
    if rejections >= MAX_WAITING_REJECTIONS:
        raise RejectionsWaiting(f"{rejections} of them wait for another reviewer.")
    now = database_now()
    waiting = queries.reviews_open_to(reviewer.pk, now=now)
    if project is not None:
        waiting = waiting.filter(project=project)
    review = waiting.select_for_update(skip_locked=True, no_key=True, of=("self",)).first()
    if review is None:
        raise NothingToReview("Come back later; there may be some that others have to do.")
    review.state = Review.State.CLAIMED
    review.reviewer = reviewer
    review.claimed_at = now
    review.lease_expires_at = now + _lease(review)
    review.save(update_fields=["state", "reviewer", "claimed_at", "lease_expires_at"])
    record("review.claimed", actor=reviewer, subject=review, data={"kind": review.kind})
    return review


@transaction.atomic
def renew_lease(*, reviewer: User, review: Review) -> Review:
    """Extend a held review from now on. Raises `ReviewNotYours`."""
    locked = _lock_held(review, reviewer)
    locked.lease_expires_at = database_now() + _lease(locked)
    locked.save(update_fields=["lease_expires_at"])
    return locked


@transaction.atomic
def release(*, reviewer: User, review: Review) -> Review:
    """claimed → queued, at the end: somebody else may take it. Raises `ReviewNotYours`."""
    locked = _lock_held(review, reviewer)
    locked.queued_at = database_now()
    _requeue(locked)
    record("review.released", actor=reviewer, subject=locked)
    return locked


def expire_leases(*, batch: int = 200) -> int:
    """The sweep: claimed → queued when the lease ran out. Returns how many."""
    over = Review.objects.filter(
        state=Review.State.CLAIMED, lease_expires_at__lte=database_now()
    ).values_list("pk", flat=True)[:batch]
    return sum(_expire(pk) for pk in list(over))


@transaction.atomic
def _expire(pk: int) -> int:
    review = Review.objects.select_for_update(no_key=True).get(pk=pk)
    lease = review.lease_expires_at
    if lease is None or lease > database_now():
        return 0  # decided, given back or renewed since
    _requeue(review)
    record("review.expired", actor=None, subject=review)
    return 1


def _requeue(review: Review) -> None:
    review.state = Review.State.QUEUED
    review.reviewer = review.claimed_at = review.lease_expires_at = None
    review.save(update_fields=["state", "reviewer", "claimed_at", "lease_expires_at", "queued_at"])


@transaction.atomic
def decide(*, reviewer: User, review: Review, findings: Findings) -> Review:
    """End a held review with an outcome, and carry it out in the same transaction.

    A `decision` decides about pay and data. A rejection decides nothing yet: it asks a second
    reviewer (`concurrence`), who either concurs, which makes it final, or accepts, which stands
    instead. A `sample` decides only whether the data is used; the pay stands.

    Raises `ReviewNotYours`, `WrongOutcome`, `IncompleteDecision` (located), and from the queue
    `AlreadyDecided`, `NoRoundsLeft`.
    """
    # Task before review: score_task holds the task while it changes reviews.
    task = Task.objects.select_for_update(no_key=True).get(
        assignments__submissions=review.submission_id
    )
    locked = _lock_held(review, reviewer)
    if findings.outcome not in OUTCOMES[Review.Kind(locked.kind)]:
        allowed = ", ".join(OUTCOMES[Review.Kind(locked.kind)])
        raise WrongOutcome(f"A {locked.kind} review ends with one of {allowed}.")
    _require_complete(locked, findings)

    locked.state = Review.State.DECIDED
    locked.decided_at = database_now()
    locked.lease_expires_at = None
    locked.findings = findings.as_dict()
    locked.save(update_fields=["state", "decided_at", "lease_expires_at", "findings"])
    record(
        "review.decided",
        actor=reviewer,
        subject=locked,
        data={"kind": locked.kind, "outcome": findings.outcome},
    )
    if locked.kind == Review.Kind.SAMPLE:
        _decide_data(locked, reviewer, findings)
    elif locked.kind == Review.Kind.CONCURRENCE:
        _conclude(locked, reviewer, findings)
    elif findings.outcome == "rejected":
        queue_review(
            submission=locked.submission,
            kind=Review.Kind.CONCURRENCE,
            reason="A reviewer wants to reject this work. That needs a second person who agrees.",
            of=locked,
        )
    elif findings.outcome == "unusable_confirmed":
        _end_unusable(task, locked, reviewer, findings)
    else:
        decide_work(
            submission=locked.submission,
            outcome=findings.outcome,
            actor=reviewer,
            grounds=_grounds(locked, findings),
        )
    return locked


def _conclude(review: Review, reviewer: User, findings: Findings) -> None:
    """The second look at a rejection."""
    first = review.of
    assert first is not None, "review_concurrence_has_a_first_review"
    if findings.outcome != "rejected":
        decide_work(
            submission=review.submission,
            outcome=findings.outcome,
            actor=reviewer,
            grounds=_grounds(review, findings),
        )
        return
    proposed = Findings(**first.findings)
    decide_work(
        submission=review.submission,
        outcome="rejected",
        actor=first.reviewer,
        grounds=Grounds(
            explanation=proposed.text,
            evidence=proposed.evidence,
            reason_code=proposed.reason_code,
            guideline_clause=proposed.guideline_clause,
            review=first,
            concurred_by=reviewer,
        ),
    )


def _decide_data(review: Review, reviewer: User, findings: Findings) -> None:
    project = review.project
    scores = queries.scores_of(review.submission)
    assert review.decided_at is not None
    Decision.objects.create(
        submission=review.submission,
        about=Decision.About.DATA,
        outcome=findings.outcome,
        actor=reviewer,
        rule=current_rule(project),
        score_ids=[score.pk for score in scores],
        s=scores[0].s if scores else None,
        rq=scores[0].rq if scores else None,
        explanation=_words(findings),
        evidence=list(findings.evidence),
        review=review,
        decided_at=review.decided_at,
    )
    mark_stale(review.submission.assignment.task_id)


def _end_unusable(task: Task, review: Review, reviewer: User, findings: Findings) -> None:
    """The video can't be annotated: everybody who worked on it is paid and the task ends.

    Who said so, and who still held a claim, gets the screening fee. Who handed in a timeline in
    good faith gets the full price: they did the work.
    """
    reason = f"A reviewer confirmed that the video is unusable. {findings.text}".strip()
    released = mark_unusable(task=task, actor=reviewer, reason=reason)
    undecided = Submission.objects.filter(
        assignment__task=task, state__in=Submission.UNDECIDED, assignment__occupies_slot=True
    ).select_related("assignment")
    payments: list[tuple[int, Callable[[], object]]] = [
        (each.assignment.contractor_id, partial(_settle_unusable, each, review, reviewer, reason))
        for each in undecided
    ]
    payments += [
        (
            each.contractor_id,
            partial(
                credit_assignment,
                assignment=each,
                kind="screening_fee",
                actor=reviewer,
                reason=reason,
            ),
        )
        for each in released
    ]
    # Payable accounts are locked in the order of contractors, the same as when scores decide.
    for _, pay in sorted(payments, key=lambda payment: payment[0]):
        pay()


def _settle_unusable(submission: Submission, review: Review, reviewer: User, reason: str) -> None:
    said_so = submission.screening_verdict == Submission.Verdict.UNUSABLE
    supersede_open_reviews(submission)
    decide_work(
        submission=submission,
        outcome="unusable_confirmed" if said_so else "paid_unused",
        actor=reviewer,
        grounds=Grounds(explanation=reason, review=review),
    )


def _require_complete(review: Review, findings: Findings) -> None:
    found: list[dict[str, str]] = []
    concurring = review.kind == Review.Kind.CONCURRENCE
    if findings.outcome == "rejected" and not concurring:
        found += rejection_problems(
            reason_code=findings.reason_code,
            guideline_clause=findings.guideline_clause,
            text=findings.text,
        )
    if findings.evidence or not concurring:
        found += evidence_problems(
            findings.outcome, findings.evidence, review.submission.frame_count
        )
    if found:
        raise IncompleteDecision(found)


def _grounds(review: Review, findings: Findings) -> Grounds:
    return Grounds(
        explanation=_words(findings),
        evidence=findings.evidence,
        reason_code=findings.reason_code,
        guideline_clause=findings.guideline_clause,
        review=review,
    )


def _words(findings: Findings) -> str:
    said = {
        "accepted": "A reviewer accepted the work.",
        "accepted_with_fixes": "A reviewer accepted the work and made small fixes. Full pay.",
        "changes_requested": "A reviewer asks for changes at the places listed.",
        "paid_unused": "Done in good faith and paid in full; the data is not used.",
        "unusable_confirmed": "A reviewer confirmed that the video is unusable.",
    }
    return f"{said[findings.outcome]} {findings.text}".strip()


def _lease(review: Review) -> timedelta:
    return timedelta(seconds=current_rule(review.project).values.review_lease_seconds)


def _lock_held(review: Review, reviewer: User) -> Review:
    """The review, locked; raises `ReviewNotYours` unless this person holds it."""
    locked = (
        Review.objects.select_for_update(no_key=True, of=("self",))
        .select_related("submission__assignment__task", "project", "of__reviewer")
        .get(pk=review.pk)
    )
    if locked.state != Review.State.CLAIMED or locked.reviewer_id != reviewer.pk:
        raise ReviewNotYours(
            f"Review {locked.pk} is {locked.state}; its lease may have run out.", state=locked.state
        )
    return locked
