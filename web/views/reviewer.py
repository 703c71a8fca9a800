"""A reviewer's pages: the queue, and one review with the timelines beside each other."""

from __future__ import annotations

from string import ascii_uppercase

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.views.decorators.http import require_GET, require_POST

from annotation_platform.api.problems import Problem
from annotation_platform.clock import database_now
from reviews import queries
from reviews.models import Review, Score
from reviews.services import claim_next_review
from reviews.words import diagnosis_of, score_in_words
from tasks.models import Submission
from timelines.segment import Hands, Segment
from web.access import caller, for_roles, show
from web.pages import page_of
from web.timeline_figure import Drawn, figure


@for_roles("reviewer")
@require_GET
def reviews(request: HttpRequest) -> HttpResponse:
    """What waits, by kind, and one's own reviews."""
    reviewer = caller(request)
    own = (
        Review.objects.filter(reviewer=reviewer)
        .select_related("project", "submission__assignment")
        .order_by("-pk")
    )
    context = {
        "queue": queries.queue_counts(reviewer.pk),
        "held": own.filter(state=Review.State.CLAIMED).first(),
        "page": page_of(request, own),
        "now": database_now(),
    }
    return show(request, "reviews.html", context)


@for_roles("reviewer")
@require_POST
def take_next(request: HttpRequest) -> HttpResponse:
    """Take the next review and open it; the one in hand first."""
    try:
        taken = claim_next_review(reviewer=caller(request))
    except Problem as problem:
        messages.info(request, f"{problem.title} {problem.detail}".strip())
        return redirect("reviews")
    return redirect("review", pk=taken.pk)


@for_roles("reviewer")
@require_GET
def review(request: HttpRequest, pk: int) -> HttpResponse:
    """One's own review: the timelines on one axis, the score and the diagnosis in words."""
    found = get_object_or_404(
        Review.objects.filter(reviewer=caller(request))
        .select_related(
            "of",
            "project",
            "submission__assignment__guideline",
            "submission__assignment__task__video",
        )
        .defer("submission__assignment__task__video__frame_times"),
        pk=pk,
    )
    submissions = queries.timelines_beside(found)
    scores = queries.scores_of(found.submission)
    best = scores[0] if scores else None
    letters = dict(zip((s.pk for s in submissions), ascii_uppercase, strict=False))
    context = {
        "review": found,
        "video": found.submission.assignment.task.video,
        "guideline": found.submission.assignment.guideline,
        "figure": figure(
            _drawn(submissions, letters, found.submission_id, best),
            frame_count=found.submission.frame_count,
            action_types=found.project.action_type_keys,
        ),
        "timelines": [
            (letters[submission.pk], submission, list(submission.segments.all()))
            for submission in submissions
        ],
        "subject": letters[found.submission_id],
        "score": best,
        "sentences": score_in_words(best) if best else [],
        "diagnosis": diagnosis_of(best, found.submission_id) if best else [],
        "now": database_now(),
    }
    return show(request, "review.html", context)


def _drawn(
    submissions: list[Submission], letters: dict[int, str], subject: int, best: Score | None
) -> list[Drawn]:
    """Timelines for the figure; what the best score aligned is joined and known as matched."""
    drawn = []
    for number, submission in enumerate(submissions):
        segments = [
            Segment(s.start_frame, s.end_frame, s.action_type, Hands(s.hands), s.description)
            for s in submission.segments.all()
        ]
        following = submissions[number + 1].pk if number + 1 < len(submissions) else None
        pairs = _pairs(best, submission.pk)
        drawn.append(
            Drawn(
                letters[submission.pk],
                submission.pk == subject,
                segments,
                matched=None if pairs is None else {here for here, _ in pairs},
                links=[] if pairs is None or not _compares(best, following) else pairs,
            )
        )
    return drawn


def _pairs(score: Score | None, submission_id: int) -> list[tuple[int, int]] | None:
    """(position in this submission, position in the other one) of what a score counts as the
    same action; pairs that overlap too little to count are left out."""
    if score is None or not _compares(score, submission_id):
        return None
    pairs = [
        (match["reference"], match["candidate"])
        for match in score.alignment
        if match["quality"] is not None
    ]
    if submission_id == score.candidate_id:
        return [(candidate, reference) for reference, candidate in pairs]
    return pairs


def _compares(score: Score | None, submission_id: int | None) -> bool:
    return score is not None and submission_id in (score.reference_id, score.candidate_id)
