"""A reviewer's desk: take the next review, see both timelines, decide."""

from __future__ import annotations

from string import ascii_uppercase
from typing import Any

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework import mixins, viewsets
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from annotation_platform.api.idempotency import idempotent
from annotation_platform.api.permissions import IsReviewer
from annotation_platform.clock import database_now
from reviews import queries, services
from reviews.models import Review
from reviews.serializers import (
    ClaimReviewInput,
    FindingsInput,
    ReviewDetailSerializer,
    ReviewSerializer,
)
from reviews.services.reviewing import OUTCOMES, Findings
from reviews.views.signed_in import caller
from videos.links import playable


class ReviewViewSet(
    mixins.ListModelMixin, mixins.RetrieveModelMixin, viewsets.GenericViewSet[Review]
):
    """Reviews that the reviewer holds or has decided; what others hold is not there for them."""

    serializer_class = ReviewSerializer
    permission_classes = [IsReviewer]
    filterset_fields = ["state", "kind", "project"]

    def get_queryset(self) -> QuerySet[Review]:
        if getattr(self, "swagger_fake_view", False):
            return Review.objects.none()
        own = Review.objects.filter(reviewer_id=self.request.user.pk)
        if self.action == "list":
            return own.select_related("submission__assignment")
        return own.select_related(
            "of",
            "project",
            "submission__assignment__guideline",
            "submission__assignment__task__video",
        )

    def list(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Own reviews, newest first; `queue` counts by kind what this person could take now."""
        response = super().list(request, *args, **kwargs)
        response.data["queue"] = queries.queue_counts(caller(request).pk)
        return response

    @extend_schema(request=ClaimReviewInput, responses={201: ReviewDetailSerializer})
    @idempotent
    def create(self, request: Request) -> Response:
        """Take the next review: 201; 200 with the one already held. 404 `nothing-to-review`.

        Never a task that the reviewer annotated, never the second look at their own rejection.
        """
        serializer = ClaimReviewInput(data=request.data)
        serializer.is_valid(raise_exception=True)
        held = Review.objects.filter(
            reviewer_id=request.user.pk, state=Review.State.CLAIMED
        ).exists()
        review = services.claim_next_review(
            reviewer=caller(request), project=serializer.validated_data.get("project")
        )
        return self._answer(self.get_queryset().get(pk=review.pk), status=200 if held else 201)

    @extend_schema(responses=ReviewDetailSerializer)
    def retrieve(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """The timelines side by side on one frame axis, their alignment, scores and diagnosis,
        and the guideline that was pinned when the work was claimed."""
        return self._answer(self.get_object())

    @extend_schema(request=None, responses=ReviewSerializer)
    @action(detail=True, methods=["post"])
    def renew(self, request: Request, pk: str) -> Response:
        """Keep the review for another lease."""
        review = services.renew_lease(reviewer=caller(request), review=self.get_object())
        return Response(ReviewSerializer(review).data)

    @extend_schema(request=None, responses={204: None})
    @action(detail=True, methods=["post"])
    def release(self, request: Request, pk: str) -> Response:
        """Give the review back to the queue."""
        services.release(reviewer=caller(request), review=self.get_object())
        return Response(status=204)

    @extend_schema(request=FindingsInput, responses=ReviewSerializer)
    @action(detail=True, methods=["post"])
    @idempotent
    def decision(self, request: Request, pk: str) -> Response:
        """Decide. A rejection needs a reason code, the guideline's clause, a frame range and at
        least 100 characters, and is final only when a second reviewer agrees."""
        serializer = FindingsInput(data=request.data)
        serializer.is_valid(raise_exception=True)
        review = services.decide(
            reviewer=caller(request),
            review=self.get_object(),
            findings=Findings(**serializer.validated_data),
        )
        return Response(ReviewSerializer(review).data)

    def _answer(self, review: Review, status: int = 200) -> Response:
        task = review.submission.assignment.task
        submissions = queries.timelines_beside(review)
        letters = dict(zip((s.pk for s in submissions), ascii_uppercase, strict=False))
        held = review.state == Review.State.CLAIMED
        context = {
            "media": playable(task.video, user=caller(self.request)) if held else {},
            "submissions": submissions,
            "scores": queries.scores_of(review.submission),
            "letters": letters,
            "outcomes": OUTCOMES[Review.Kind(review.kind)] if held else (),
            "server_time": database_now(),
        }
        return Response(ReviewDetailSerializer(review, context=context).data, status=status)
