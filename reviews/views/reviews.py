"""A reviewer's desk: take the next review, see both timelines, decide."""

from __future__ import annotations

from string import ascii_uppercase
from typing import Any

from django.db.models import QuerySet
from django.http import HttpResponse
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
from reviews.problems import ReviewNotYours
from reviews.serializers import (
    ClaimReviewInput,
    FindingsInput,
    ReviewDetailSerializer,
    ReviewSerializer,
)
from reviews.services.reviewing import OUTCOMES, Findings
from reviews.views.signed_in import caller
from videos.links import filmstrip_vtt, whole_media
from videos.models import Video
from videos.queries import frame_times_document
from videos.serializers import FrameTimesSerializer, WholeMediaSerializer
from videos.services import want_large


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

    @extend_schema(responses=WholeMediaSerializer)
    @action(detail=True, methods=["get"])
    def media(self, request: Request, pk: str) -> Response:
        """Fresh links to proxy, filmstrip and sound while you hold the review."""
        return Response(whole_media(self._held_video(), user=caller(request)))

    @extend_schema(request=None, responses={202: WholeMediaSerializer})
    @media.mapping.post
    def want_large(self, request: Request, pk: str) -> Response:
        """Ask for the proxy of 720 lines; it is made once, and `large.url` is there when it is."""
        video, user = self._held_video(), caller(request)
        want_large(actor=user, video=video)
        return Response(whole_media(video, user=user), status=202)

    @extend_schema(responses={(200, "text/vtt"): str})
    @action(detail=True, methods=["get"], url_path="filmstrip.vtt")
    def filmstrip_vtt(self, request: Request, pk: str) -> HttpResponse:
        """The filmstrip as WebVTT thumbnails, for players that want it so."""
        text = filmstrip_vtt(self._held_video(), user=caller(request))
        return HttpResponse(text, content_type="text/vtt; charset=utf-8")

    @extend_schema(responses=FrameTimesSerializer)
    @action(detail=True, methods=["get"], url_path="frame-times")
    def frame_times(self, request: Request, pk: str) -> Response:
        """When each frame of the reviewed video appears. Never changes."""
        video = self.get_object().submission.assignment.task.video
        headers = {"Cache-Control": "private, max-age=86400"}
        return Response(frame_times_document(video), headers=headers)

    def _held_video(self) -> Video:
        review = self.get_object()
        if review.state != Review.State.CLAIMED:
            raise ReviewNotYours()
        return review.submission.assignment.task.video

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
            "media": whole_media(task.video, user=caller(self.request)) if held else None,
            "submissions": submissions,
            "scores": queries.scores_of(review.submission),
            "letters": letters,
            "outcomes": OUTCOMES[Review.Kind(review.kind)] if held else (),
            "server_time": database_now(),
        }
        return Response(ReviewDetailSerializer(review, context=context).data, status=status)
