"""A reviewer's pages: the queue, and one review with the timelines beside each other."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from annotation_platform.api.problems import Problem
from annotation_platform.clock import database_now
from reviews import queries
from reviews.models import Review
from reviews.rules import MIN_REJECTION_TEXT
from reviews.services import claim_next_review, decide, release, renew_lease
from reviews.services.reviewing import OUTCOMES, Findings
from reviews.words import diagnosis_of, score_in_words
from videos.links import playable
from web.access import caller, for_roles, show
from web.drawing import drawn_beside, letters_of
from web.forms import EvidenceFormSet, FindingsForm
from web.frame import with_media_from
from web.markdown import as_html
from web.pages import chosen, page_of
from web.timeline_figure import figure
from web.views.contractor import tell_refusal

# What each outcome does, in the words of its choice.
CHOICES: dict[str, Any] = {
    "accepted": gettext_lazy("Accept: full pay, the data is used"),
    "accepted_with_fixes": gettext_lazy("Accept with small fixes: full pay, the data is used"),
    "changes_requested": gettext_lazy("Ask for changes: say where and what"),
    "paid_unused": gettext_lazy("Pay in full, don't use the data: done in good faith"),
    "unusable_confirmed": gettext_lazy(
        "The video can't be used: ends the task, pays everybody on it"
    ),
    "rejected": gettext_lazy("Reject: nothing is paid once a second reviewer agrees"),
}
CONCUR = gettext_lazy("Agree with the rejection: it becomes final, nothing is paid")
NO_USE = gettext_lazy("Don't use the data: the pay stands")


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
    held = own.filter(state=Review.State.CLAIMED).first()
    filters = chosen(request, state=Review.State.values, kind=Review.Kind.values)
    context = {
        "queue": queries.queue_counts(reviewer.pk),
        "held": held,
        "page": page_of(request, own.filter(**filters)),
        "chosen": filters,
        "states": [str(s) for s in Review.State.values if s != Review.State.QUEUED],
        "kinds": Review.Kind.values,
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
@require_http_methods(["GET", "POST"])
def review(request: HttpRequest, pk: int) -> HttpResponse:
    """One's own review: the video, the timelines on one axis, score and diagnosis in words.

    POST decides it; what is incomplete is said beside the field and nothing is written.
    """
    found = _own(request, pk)
    held = found.state == Review.State.CLAIMED
    outcomes = _outcomes(found)
    form, evidence = FindingsForm(outcomes=outcomes), EvidenceFormSet(prefix="evidence")
    status = 200
    if request.method == "POST":
        form = FindingsForm(request.POST, outcomes=outcomes)
        evidence = EvidenceFormSet(request.POST, prefix="evidence")
        if form.is_valid() and evidence.is_valid() and _decided(request, found, form, evidence):
            return redirect("reviews")
        status = 422
    submissions = queries.timelines_beside(found)
    scores = queries.scores_of(found.submission)
    best = scores[0] if scores else None
    letters = letters_of(submissions)
    video = found.submission.assignment.task.video
    media = playable(video, user=caller(request)) if held else None
    guideline = found.submission.assignment.guideline
    context = {
        "review": found,
        "held": held,
        "video": video,
        "media": media,
        "guideline": guideline,
        "guideline_html": as_html(guideline.body),
        "figure": figure(
            drawn_beside(submissions, letters, found.submission_id, best),
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
        "form": form,
        "evidence": evidence,
        "may_reject": "rejected" in dict(outcomes) and found.kind != Review.Kind.CONCURRENCE,
        "least": MIN_REJECTION_TEXT,
        "now": database_now(),
    }
    return with_media_from(
        show(request, "review.html", context, status=status), media["url"] if media else ""
    )


@for_roles("reviewer")
@require_POST
def keep(request: HttpRequest, pk: int) -> HttpResponse:
    """Keep a review for another lease."""
    try:
        renewed = renew_lease(reviewer=caller(request), review=_own(request, pk))
    except Problem as problem:
        tell_refusal(request, problem)
        return redirect("reviews")
    until = f"{renewed.lease_expires_at:%H:%M}"
    messages.success(request, _("Yours until %(until)s UTC.") % {"until": until})
    return redirect("review", pk=pk)


@for_roles("reviewer")
@require_POST
def give_back(request: HttpRequest, pk: int) -> HttpResponse:
    """Give a review back to the queue."""
    try:
        release(reviewer=caller(request), review=_own(request, pk))
    except Problem as problem:
        tell_refusal(request, problem)
    else:
        messages.success(request, _("Review %(pk)s is back in the queue.") % {"pk": pk})
    return redirect("reviews")


def _own(request: HttpRequest, pk: int) -> Review:
    return get_object_or_404(
        Review.objects.filter(reviewer=caller(request))
        .select_related(
            "of",
            "project",
            "submission__assignment__guideline",
            "submission__assignment__task__video",
        )
        .prefetch_related("submission__assignment__task__video__jobs"),
        pk=pk,
    )


def _outcomes(found: Review) -> list[tuple[str, Any]]:
    """What this kind of review may end with, and what each means here."""
    words = dict(CHOICES)
    if found.kind == Review.Kind.CONCURRENCE:
        words["rejected"] = CONCUR
    elif found.kind == Review.Kind.SAMPLE:
        words["paid_unused"] = NO_USE
    return [(outcome, words[outcome]) for outcome in OUTCOMES[Review.Kind(found.kind)]]


def _decided(
    request: HttpRequest, found: Review, form: FindingsForm, evidence: EvidenceFormSet
) -> bool:
    """Whether the decision was taken; otherwise the reasons are on the form."""
    places = [place.cleaned_data for place in evidence if place.cleaned_data]
    try:
        decide(
            reviewer=caller(request),
            review=found,
            findings=Findings(evidence=places, **form.cleaned_data),
        )
    except Problem as problem:
        located = problem.extra.get("errors") or []
        for error in located:
            field = str(error["pointer"]).split("/")[1]
            form.add_error(field if field in form.fields else None, str(error["detail"]))
        if not located:
            form.add_error(None, f"{problem.title} {problem.detail}".strip())
        return False
    messages.success(request, _("Review %(pk)s is decided.") % {"pk": found.pk})
    return True
