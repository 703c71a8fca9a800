"""A contractor's claims: take one, keep it, save, submit."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any

from django.db.models import QuerySet
from django.http import HttpResponse
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import mixins, viewsets
from rest_framework.decorators import action
from rest_framework.permissions import IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response

from annotation_platform.api.idempotency import idempotent
from annotation_platform.api.permissions import IsContractor
from annotation_platform.clock import database_now
from contractors.models import Contractor
from contractors.views.person import signed_in
from tasks import answers, queries, services
from tasks.filters import AssignmentFilter
from tasks.models import Assignment, Submission
from tasks.permissions import visible_assignments, visible_submissions
from tasks.problems import LeaseOver, RevisionRequired
from tasks.serializers import (
    AssignmentSerializer,
    ClaimInput,
    DraftInput,
    DraftSerializer,
    LiveAssignmentSerializer,
    OpenedAssignmentSerializer,
    OptionalReason,
    ScreeningSerializer,
    SubmissionInput,
    SubmissionSerializer,
)
from tasks.serializers_pay import BriefSerializer, HeartbeatInput, HeartbeatSerializer
from tasks.services import fast_claim, fast_submit
from tasks.services.fast_claim import Claimed
from tasks.services.work import etag
from tasks.timeline_json import in_order, read_segments
from timelines.segment import Segment
from videos.links import filmstrip_vtt, whole_media
from videos.models import Video
from videos.queries import frame_times_document
from videos.serializers import FrameTimesSerializer, WholeMediaSerializer
from videos.services import want_large

IF_MATCH = OpenApiParameter(
    "If-Match",
    str,
    OpenApiParameter.HEADER,
    required=True,
    description='The revision you changed, `"3"`; `"0"` before the first save.',
)


class AssignmentViewSet(
    mixins.ListModelMixin, mixins.RetrieveModelMixin, viewsets.GenericViewSet[Assignment]
):
    """Leased claims: a contractor's own; a manager sees all."""

    serializer_class = AssignmentSerializer
    filterset_class = AssignmentFilter

    # What only the holder may do; a manager looking at it gets 404 like anybody else.
    holder_actions = {
        "renew", "draft", "submissions", "give_back", "heartbeat", "reclaim", "brief",
    }  # fmt: skip

    # Whose service reads the claim again, under its lock.
    locking_actions = {"renew", "draft", "submissions", "heartbeat"}

    def filter_queryset(self, queryset: QuerySet[Any]) -> QuerySet[Any]:
        # Filters are for the list; building their form for every autosave costs more than it.
        return super().filter_queryset(queryset) if self.action == "list" else queryset

    def get_permissions(self) -> list[Any]:
        if self.action in self.holder_actions or self.action == "create":
            return [IsContractor()]
        return [IsAuthenticated()]

    def get_queryset(self) -> QuerySet[Assignment]:
        if getattr(self, "swagger_fake_view", False):
            return Assignment.objects.none()
        assignments = visible_assignments(signed_in(self.request))
        if self.action in self.holder_actions:
            assignments = assignments.filter(contractor_id=self.request.user.pk)
        if self.action in self.locking_actions:
            return assignments.only("task", "contractor", "claimed_at")
        if self.action == "brief":
            return assignments.select_related("task__project__pace", "guideline", "active_time")
        return assignments.select_related("task__video", "task__project", "guideline")

    def _answer(
        self, assignment: Assignment, status: int = 200, server_time: datetime | None = None
    ) -> Response:
        context = {
            "user": signed_in(self.request),
            "server_time": server_time or database_now(),
        }
        return Response(LiveAssignmentSerializer(assignment, context=context).data, status=status)

    @extend_schema(request=ClaimInput, responses={201: LiveAssignmentSerializer})
    @idempotent
    def create(self, request: Request) -> Response:
        """Claim the project's next task.

        Refusals, in the order in which they are checked: `project-not-open`,
        `account-not-active`, `residence-unknown`, `not-eligible`, `guideline-not-acknowledged`,
        `restricted`, `live-claim-cap-reached`, `queue-empty` (with `Retry-After`, and
        in `out_of_reach` how many open tasks you can't take, by the guard that stands before them).
        """
        claimed = self._claimed_at_once(request)
        if claimed is not None:
            return Response(answers.of_claim(claimed), status=201)
        serializer = ClaimInput(data=request.data)
        serializer.is_valid(raise_exception=True)
        person = Contractor.objects.select_related("user").get(pk=request.user.pk)
        assignment = services.claim_next_task(
            contractor=person, project=serializer.validated_data["project"]
        )
        return self._answer(assignment, status=201, server_time=assignment.claimed_at)

    def _claimed_at_once(self, request: Request) -> Claimed | None:
        # No look-up of its own before the statement that checks everything.
        project = request.data.get("project") if isinstance(request.data, dict) else None
        if type(project) is not int or not 0 < project < 2**63:
            return None
        return fast_claim.claim(person_id=signed_in(request).pk, project_id=project)

    @extend_schema(responses=OpenedAssignmentSerializer)
    def retrieve(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """One claim; while it is live with fresh links to proxy, filmstrip and sound.

        `media.expires_at` says until when they work: ask again (here or at `media/`) before.
        """
        context = {"user": signed_in(request), "server_time": database_now()}
        return Response(OpenedAssignmentSerializer(self.get_object(), context=context).data)

    @extend_schema(responses=WholeMediaSerializer)
    @action(detail=True, methods=["get"])
    def media(self, request: Request, pk: str) -> Response:
        """Fresh links to proxy, filmstrip and sound; `lease-over` when the claim has ended."""
        return Response(whole_media(self._live_video(), user=signed_in(request)))

    @extend_schema(request=None, responses={202: WholeMediaSerializer})
    @media.mapping.post
    def want_large(self, request: Request, pk: str) -> Response:
        """Ask for the proxy of 720 lines; it is made once, and `large.url` is there when it is.

        `nothing-larger` when the ordinary proxy has all the lines of the source.
        """
        video, user = self._live_video(), signed_in(request)
        want_large(actor=user, video=video)
        return Response(whole_media(video, user=user), status=202)

    @extend_schema(responses={(200, "text/vtt"): str})
    @action(detail=True, methods=["get"], url_path="filmstrip.vtt")
    def filmstrip_vtt(self, request: Request, pk: str) -> HttpResponse:
        """The filmstrip as WebVTT thumbnails, for players that want it so."""
        text = filmstrip_vtt(self._live_video(), user=signed_in(request))
        return HttpResponse(text, content_type="text/vtt; charset=utf-8")

    def _live_video(self) -> Video:
        assignment = self.get_object()
        if not assignment.is_live:
            raise LeaseOver()
        return assignment.task.video

    @extend_schema(request=None, responses=LiveAssignmentSerializer)
    @action(detail=True, methods=["post"])
    def renew(self, request: Request, pk: str) -> Response:
        """Extend the lease from now on, up to its ceiling; send it once a minute while active."""
        return self._answer(services.renew_lease(assignment=self.get_object()))

    @extend_schema(responses=FrameTimesSerializer)
    @action(detail=True, methods=["get"], url_path="frame-times")
    def frame_times(self, request: Request, pk: str) -> Response:
        """When each frame of the task's video appears: what frame numbers count. Never changes."""
        video = self.get_object().task.video
        return Response(
            frame_times_document(video), headers={"Cache-Control": "private, max-age=86400"}
        )

    @extend_schema(responses=BriefSerializer)
    @action(detail=True, methods=["get"])
    def brief(self, request: Request, pk: str) -> Response:
        """What to keep beside the work: the pinned guideline, how long it takes others, and you."""
        return Response(BriefSerializer(self.get_object()).data)

    @extend_schema(request=HeartbeatInput, responses=HeartbeatSerializer)
    @action(detail=True, methods=["post"])
    def heartbeat(self, request: Request, pk: str) -> Response:
        """Tell that you are working; the page sends it every half minute or so.

        Only the time between heartbeats with activity counts, by the server's clock and at most
        90 seconds at a time. It tells everybody what the work really takes; it changes no pay.
        """
        serializer = HeartbeatInput(data=request.data)
        serializer.is_valid(raise_exception=True)
        active_ms = services.heartbeat(
            assignment=self.get_object(), events=serializer.validated_data["events"]
        )
        return Response({"active_seconds": active_ms / 1000})

    @extend_schema(request=None, responses={201: LiveAssignmentSerializer})
    @action(detail=True, methods=["post"])
    @idempotent
    def reclaim(self, request: Request, pk: str) -> Response:
        """Claim a task again that you gave back or that expired; its draft is still there.

        A new claim at today's price, with every refusal of a claim; `task-not-free` when somebody
        else has its place.
        """
        return self._answer(services.reclaim(assignment=self.get_object()), status=201)

    @extend_schema(methods=["GET"], responses=DraftSerializer)
    @extend_schema(
        methods=["PUT"], request=DraftInput, responses=DraftSerializer, parameters=[IF_MATCH]
    )
    @action(detail=True, methods=["get", "put"])
    def draft(self, request: Request, pk: str) -> Response:
        """The work in progress; PUT saves the next revision (`If-Match` names the one changed).

        412 `stale-draft` carries the newer revision; 428 when `If-Match` is missing.
        """
        assignment = self.get_object()
        if request.method == "PUT":
            serializer = DraftInput(data=request.data)
            serializer.is_valid(raise_exception=True)
            draft = services.save_draft(
                assignment=assignment,
                body=serializer.validated_data["body"],
                expected_revision=_expected_revision(request),
            )
        else:
            draft = queries.draft_of(assignment) or queries.empty_draft(assignment)
        return Response(DraftSerializer(draft).data, headers={"ETag": etag(draft)})

    @extend_schema(request=SubmissionInput, responses={201: SubmissionSerializer})
    @action(detail=True, methods=["post"])
    @idempotent
    def submissions(self, request: Request, pk: str) -> Response:
        """Hand the timeline in. A problem in it is located (`segment`, `frame`); nothing is saved
        then and the claim goes on."""
        assignment = self.get_object()
        segments, screening = _read_work(request.data)
        if screening == {"verdict": Submission.Verdict.USABLE}:
            ordered = in_order(segments)
            made = fast_submit.submit(
                person_id=signed_in(request).pk, assignment_id=assignment.pk, segments=ordered
            )
            if made is not None:
                return Response(answers.of_submission(assignment.pk, made, ordered), status=201)
        submission = services.submit(
            assignment=assignment,
            segments=segments,
            screening_verdict=screening.pop("verdict"),
            screening=screening,
        )
        return Response(SubmissionSerializer(submission).data, status=201)

    @extend_schema(request=OptionalReason, responses=AssignmentSerializer)
    @action(detail=True, methods=["post"], url_path="return")
    def give_back(self, request: Request, pk: str) -> Response:
        """Give the task back: no penalty, the draft is kept."""
        serializer = OptionalReason(data=request.data)
        serializer.is_valid(raise_exception=True)
        assignment = services.return_task(
            assignment=self.get_object(), reason=serializer.validated_data["reason"]
        )
        return Response(AssignmentSerializer(assignment).data)


class SubmissionViewSet(
    mixins.ListModelMixin, mixins.RetrieveModelMixin, viewsets.GenericViewSet[Submission]
):
    """Handed-in timelines: a contractor's own; a manager sees all."""

    serializer_class = SubmissionSerializer
    filterset_fields = [
        "state",
        "assignment",
        "assignment__task",
        "assignment__task__project",
        "assignment__guideline",
        "assignment__guideline__version",
    ]

    def get_queryset(self) -> QuerySet[Submission]:
        if getattr(self, "swagger_fake_view", False):
            return Submission.objects.none()
        return visible_submissions(signed_in(self.request)).prefetch_related("segments")


def _read_work(data: Any) -> tuple[list[Segment], dict[str, Any]]:
    if isinstance(data, dict):
        segments = read_segments(data.get("segments"))
        screening = ScreeningSerializer(data=data.get("screening"))
        if segments is not None and screening.is_valid():
            return segments, dict(screening.validated_data)
    serializer = SubmissionInput(data=data)
    serializer.is_valid(raise_exception=True)
    rows = serializer.validated_data["segments"]
    return [Segment(**row) for row in rows], dict(serializer.validated_data["screening"])


def _expected_revision(request: Request) -> int:
    match = re.fullmatch(r'(?:W/)?"(\d{1,9})"', request.headers.get("If-Match", "").strip())
    if match is None:
        raise RevisionRequired('Send If-Match: "<revision>", "0" for the first save.')
    return int(match[1])
