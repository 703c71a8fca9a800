"""The library of videos, for managers."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any, cast

import django_filters
from django.contrib.auth.base_user import AbstractBaseUser
from django.db.models import QuerySet
from django.http import HttpResponse
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import mixins, viewsets
from rest_framework.decorators import action
from rest_framework.parsers import JSONParser, MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.reverse import reverse

from annotation_platform.api.idempotency import idempotent
from annotation_platform.api.pagination import OldestFirst
from annotation_platform.api.permissions import IsManager
from annotation_platform.api.problems import InvalidInput, NotFound, Problem
from videos import links, queries, registrations, serializers, services, uploads
from videos.models import Registration, RegistrationRow, Upload, Video
from videos.problems import NotAvailable
from videos.receiving import HashingMultiPartParser


class VideoFilter(django_filters.FilterSet):  # type: ignore[misc]
    title = django_filters.CharFilter(lookup_expr="icontains")
    warning = django_filters.CharFilter(
        method="with_warning", help_text="Only videos whose screening gave this warning."
    )
    job_failed = django_filters.BooleanFilter(method="with_failed_job")

    class Meta:
        model = Video
        fields = ["state", "title", "has_audio", "variable_frame_rate"]

    def with_warning(self, videos: QuerySet[Video], name: str, value: str) -> QuerySet[Video]:
        return queries.warned_of(videos, value)

    def with_failed_job(self, videos: QuerySet[Video], name: str, value: bool) -> QuerySet[Video]:
        failed = Video.objects.filter(jobs__state="failed").values("pk")
        return videos.filter(pk__in=failed) if value else videos.exclude(pk__in=failed)


class VideoViewSet(
    mixins.ListModelMixin, mixins.RetrieveModelMixin, viewsets.GenericViewSet[Video]
):
    """The library: register, look, run a stage again, retire."""

    permission_classes = [IsManager]
    serializer_class = serializers.VideoSerializer
    filterset_class = VideoFilter
    lookup_value_regex = r"\d{1,18}"

    def get_queryset(self) -> QuerySet[Video]:
        return queries.library()

    @extend_schema(
        request={"multipart/form-data": serializers.UploadSerializer},
        responses={201: serializers.VideoSerializer},
    )
    @idempotent
    def create(self, request: Request) -> Response:
        """Upload and register one video (multipart). It is probed in the background.

        Its checksum is made of the chunks as they arrive, so a duplicate is told without reading
        the file again, and before it is stored. Large files go straight to storage instead
        (`/videos/uploads/`), where there is such storage.
        """
        form = serializers.UploadSerializer(data=request.data)
        form.is_valid(raise_exception=True)
        video = services.register_video(
            actor=_person(request),
            file=form.validated_data["file"],
            title=form.validated_data["title"],
        )
        return Response(
            self.get_serializer(video).data,
            status=201,
            headers={"Location": request.build_absolute_uri(f"{request.path}{video.pk}/")},
        )

    def get_parsers(self) -> list[Any]:
        # `action` is not known yet when the request is being made.
        creating = getattr(self, "action_map", {}).get("post") == "create"
        return [HashingMultiPartParser()] if creating else [JSONParser()]

    @extend_schema(responses=serializers.FrameTimesSerializer)
    @action(detail=True, url_path="frame-times")
    def frame_times(self, request: Request, pk: str) -> Response:
        """When each frame appears. Never changes once it is known."""
        video = Video.objects.filter(pk=pk).first()
        if video is None:
            raise NotFound()
        document = queries.frame_times_document(video)
        return Response(
            document,
            headers={"ETag": f'"{video.sha256[:32]}"', "Cache-Control": "private, max-age=86400"},
        )

    @extend_schema(responses=serializers.LinksSerializer)
    @action(detail=True)
    def links(self, request: Request, pk: str) -> Response:
        """Signed links to the source and to what has been made from it."""
        video, user = self.get_object(), _person(request)
        seconds = links.DEFAULT_SECONDS
        found: dict[str, Any] = {
            "expires_at": datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=seconds),
            "expires_in_seconds": seconds,
        }
        for kind in links.KINDS:
            found[kind] = _or_none(lambda kind=kind: links.media_url(video, user=user, kind=kind))
        found["filmstrip"] = _or_none(lambda: links.filmstrip(video, user=user))
        found["sample_frames"] = _or_none(lambda: links.sample_frames(video, user=user))
        return Response(found)

    @extend_schema(responses={(200, "text/vtt"): str})
    @action(detail=True, url_path="filmstrip.vtt")
    def filmstrip_vtt(self, request: Request, pk: str) -> HttpResponse:
        """The filmstrip as WebVTT, for players that show thumbnails."""
        text = links.filmstrip_vtt(self.get_object(), user=_person(request))
        return HttpResponse(text, content_type="text/vtt; charset=utf-8")

    @extend_schema(request=serializers.RerunSerializer, responses=serializers.VideoJobSerializer)
    @action(detail=True, methods=["post"])
    def rerun(self, request: Request, pk: str) -> Response:
        """Have a stage done again, perhaps with other parameters (thresholds)."""
        form = serializers.RerunSerializer(data=request.data)
        form.is_valid(raise_exception=True)
        job = services.rerun(
            actor=_person(request),
            video=self.get_object(),
            stage=form.validated_data["stage"],
            parameters=form.validated_data.get("parameters"),
        )
        return Response(serializers.VideoJobSerializer(job).data)

    @extend_schema(request=serializers.RetireSerializer, responses=serializers.VideoSerializer)
    @action(detail=True, methods=["post"])
    def retire(self, request: Request, pk: str) -> Response:
        """Take a video out of use; what was paid for stays."""
        form = serializers.RetireSerializer(data=request.data)
        form.is_valid(raise_exception=True)
        video = services.retire(
            actor=_person(request), video=self.get_object(), reason=form.validated_data["reason"]
        )
        return Response(self.get_serializer(video).data)

    @extend_schema(request=None, responses=serializers.VideoSerializer)
    @action(detail=True, methods=["post"])
    def restore(self, request: Request, pk: str) -> Response:
        """Bring a retired video back."""
        video = services.restore(actor=_person(request), video=self.get_object())
        return Response(self.get_serializer(video).data)

    @extend_schema(request=serializers.BulkSerializer, responses=serializers.BulkOutcomeSerializer)
    @action(detail=False, methods=["post"], pagination_class=None, filterset_class=None)
    def bulk(self, request: Request) -> Response:
        """One action on many videos; refusals are reported, the others are done."""
        form = serializers.BulkSerializer(data=request.data)
        form.is_valid(raise_exception=True)
        wanted = form.validated_data
        found = Video.objects.defer("frame_times").in_bulk(wanted["videos"])
        outcome: dict[str, list[Any]] = {"done": [], "refused": []}
        for pk in dict.fromkeys(wanted["videos"]):
            try:
                if pk not in found:
                    raise NotFound(f"There is no video {pk}.")
                _act(wanted, found[pk], _person(request))
                outcome["done"].append(pk)
            except Problem as problem:
                detail = problem.detail or problem.title
                outcome["refused"].append({"video": pk, "problem": problem.slug, "detail": detail})
        return Response(outcome)


class UploadViewSet(viewsets.GenericViewSet[Upload]):
    """Uploads straight to S3: announce, send, complete."""

    permission_classes = [IsManager]
    serializer_class = serializers.DirectUploadSerializer
    queryset = Upload.objects.select_related("row__registration")
    lookup_value_regex = r"\d{1,18}"

    @extend_schema(
        request=serializers.BeginUploadSerializer,
        responses={201: serializers.DirectUploadSerializer},
    )
    @idempotent
    def create(self, request: Request) -> Response:
        """Announce an upload; the answer says what to send where."""
        form = serializers.BeginUploadSerializer(data=request.data)
        form.is_valid(raise_exception=True)
        upload = uploads.begin(actor=_person(request), **form.validated_data)
        return Response(_upload_document(upload), status=201)

    def retrieve(self, request: Request, pk: str) -> Response:
        """What is still to be sent, with fresh links, for resuming; later what became of it."""
        return Response(_upload_document(self.get_object()))

    @extend_schema(
        request=None,
        responses={
            200: serializers.DirectUploadSerializer,
            202: serializers.DirectUploadSerializer,
        },
    )
    @action(detail=True, methods=["post"])
    def complete(self, request: Request, pk: str) -> Response:
        """Everything was sent: check its size, and have it read and registered.

        202 while a worker has to read it: ask the upload, in `Location`, until it is `completed`
        (with its `video`) or `refused` (with the `problem`). 200 once it is completed.
        """
        upload = uploads.complete(actor=_person(request), upload=self.get_object())
        where = reverse("video-upload-detail", args=[upload.pk], request=request)
        return Response(
            _upload_document(upload),
            status=202 if upload.state == Upload.State.REGISTERING else 200,
            headers={"Location": where},
        )

    @extend_schema(request=None, responses={204: None})
    def destroy(self, request: Request, pk: str) -> Response:
        """Give the upload up."""
        uploads.abandon(actor=_person(request), upload=self.get_object())
        return Response(status=204)


class RegistrationFilter(django_filters.FilterSet):  # type: ignore[misc]
    class Meta:
        model = Registration
        fields = ["state", "kind"]


class RegistrationViewSet(
    mixins.ListModelMixin, mixins.RetrieveModelMixin, viewsets.GenericViewSet[Registration]
):
    """Registrations of many videos: begin one, watch it, read what was refused."""

    permission_classes = [IsManager]
    serializer_class = serializers.RegistrationSerializer
    filterset_class = RegistrationFilter
    queryset = Registration.objects.all()
    lookup_value_regex = r"\d{1,18}"
    parser_classes = [JSONParser, MultiPartParser]

    @extend_schema(
        request=serializers.BeginRegistrationSerializer,
        responses={202: serializers.RegistrationSerializer},
    )
    @idempotent
    def create(self, request: Request) -> Response:
        """Register many videos in the background: rows, a prefix of the storage, or a manifest.

        The answer comes before anything is read: ask the address in `Location` how far it is.
        """
        form = serializers.BeginRegistrationSerializer(data=request.data)
        form.is_valid(raise_exception=True)
        begun = _begin(_person(request), form.validated_data)
        return Response(
            self.get_serializer(begun).data,
            status=202,
            headers={"Location": request.build_absolute_uri(f"{request.path}{begun.pk}/")},
        )

    @extend_schema(
        responses=serializers.RegistrationRowSerializer(many=True),
        parameters=[OpenApiParameter("state", enum=RegistrationRow.State.values)],
        filters=False,
    )
    @action(detail=True, pagination_class=OldestFirst, filterset_class=None)
    def rows(self, request: Request, pk: str) -> Response:
        """What became of each row, in their order; `?state=refused` is the report."""
        rows = self.get_object().rows.all()
        if state := request.query_params.get("state"):
            if state not in RegistrationRow.State.values:
                raise InvalidInput("There is no such state of a row.")
            rows = rows.filter(state=state)
        page: Any = self.paginate_queryset(rows)  # type: ignore[arg-type]
        return self.get_paginated_response(
            serializers.RegistrationRowSerializer(page, many=True).data
        )

    @extend_schema(request=None, responses=serializers.RegistrationSerializer)
    @action(detail=True, methods=["post"])
    def cancel(self, request: Request, pk: str) -> Response:
        """Stop after the row that is at work now; what is registered stays."""
        found = registrations.cancel(actor=_person(request), registration=self.get_object())
        return Response(self.get_serializer(found).data)

    @extend_schema(request=None, responses=serializers.RegistrationSerializer)
    @action(detail=True, methods=["post"])
    def resume(self, request: Request, pk: str) -> Response:
        """Go on with one that failed or was cancelled; the rows that are done stay done."""
        found = registrations.resume(actor=_person(request), registration=self.get_object())
        return Response(self.get_serializer(found).data)


def _begin(person: AbstractBaseUser, wanted: dict[str, Any]) -> Registration:
    if "prefix" in wanted:
        return registrations.begin(
            actor=person, kind=Registration.Kind.PREFIX, name=wanted["prefix"]
        )
    if "manifest" in wanted:
        return registrations.begin_manifest(actor=person, file=wanted["manifest"])
    rows = wanted["rows"]
    return registrations.begin(
        actor=person, kind=Registration.Kind.MANIFEST, name=f"{len(rows)} rows", rows=rows
    )


def _upload_document(upload: Upload) -> dict[str, Any]:
    wanted: dict[str, Any] = {"post": None, "parts": []}
    if upload.state == Upload.State.OPEN:
        wanted = uploads.requests_for(upload)
    row = upload.row
    return {
        "id": upload.pk,
        "state": upload.state,
        "video": upload.video_id,
        "registration": row.registration_id if row is not None else None,
        "problem": row.problem if row is not None else "",
        "detail": row.detail or row.registration.error if row is not None else "",
        **wanted,
    }


def _person(request: Request) -> AbstractBaseUser:
    return cast(AbstractBaseUser, request.user)  # IsManager has let nobody else in


def _act(wanted: dict[str, Any], video: Video, actor: Any) -> None:
    match wanted["action"]:
        case "retire":
            services.retire(actor=actor, video=video, reason=wanted["reason"])
        case "restore":
            services.restore(actor=actor, video=video)
        case "rerun":
            services.rerun(actor=actor, video=video, stage=wanted["stage"])


def _or_none(make: Any) -> Any:
    try:
        return make()
    except NotAvailable:
        return None
