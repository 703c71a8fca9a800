"""Projects, prices and guidelines over HTTP."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.db.models import QuerySet
from django.shortcuts import get_object_or_404
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import mixins, viewsets
from rest_framework.decorators import action
from rest_framework.permissions import IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response

from annotation_platform.api.idempotency import idempotent
from annotation_platform.api.permissions import IsContractor, IsManager
from contractors.models import Contractor, Role
from contractors.views.person import signed_in
from tasks import guards, queries, services
from tasks.guideline_changes import changed_lines
from tasks.models import Guideline, Project
from tasks.permissions import visible_projects
from tasks.problems import GuidelinePublished
from tasks.serializers import (
    GuidelineChangesSerializer,
    GuidelineSerializer,
    NewProject,
    PriceVersionSerializer,
    ProjectSerializer,
    ProjectVideoSerializer,
    SubmissionSerializer,
    WhySerializer,
)
from videos.queries import library, warned_of


class ProjectViewSet(
    mixins.ListModelMixin,
    mixins.RetrieveModelMixin,
    viewsets.GenericViewSet[Project],
):
    """Annotation projects. Contractors see those that give out work; managers set them up."""

    serializer_class = ProjectSerializer
    filterset_fields = ["state"]

    def get_queryset(self) -> QuerySet[Project]:
        if getattr(self, "swagger_fake_view", False):
            return Project.objects.none()
        projects = visible_projects(signed_in(self.request))
        if self.action == "price_versions":
            projects = Project.objects.all()  # public: it explains pay long after a project closed
        return projects.prefetch_related("price_versions", "guidelines")

    def get_permissions(self) -> list[Any]:
        writes = {"create", "partial_update"}
        # Prices and guidelines are read by everybody and written by managers.
        manager_only = self.action in writes or (
            self.action in ("price_versions", "guidelines") and self.request.method == "POST"
        )
        if self.action == "why":
            return [IsContractor()]
        if self.action == "videos":
            return [IsManager()]
        return [IsManager()] if manager_only else [IsAuthenticated()]

    def _page(self, rows: Any, serializer: Callable[..., Any]) -> Response:
        """One page of rows that belong to a project."""
        page = self.paginate_queryset(rows)
        return self.get_paginated_response(serializer(page, many=True).data)

    @extend_schema(request=NewProject, responses={201: ProjectSerializer})
    @idempotent
    def create(self, request: Request) -> Response:
        """Set up a project with its first price ($16.00 unless said otherwise)."""
        serializer = NewProject(data=request.data)
        serializer.is_valid(raise_exception=True)
        project = services.create_project(actor=signed_in(request), **serializer.validated_data)
        return Response(ProjectSerializer(project).data, status=201)

    @extend_schema(request=ProjectSerializer, responses=ProjectSerializer)
    def partial_update(self, request: Request, pk: str) -> Response:
        """Change settings. They apply to new claims only."""
        project = self.get_object()
        serializer = ProjectSerializer(project, data=request.data, partial=True)
        serializer.is_valid(raise_exception=True)
        services.change_project(
            actor=signed_in(request), project=project, changes=serializer.validated_data
        )
        return Response(ProjectSerializer(self.get_object()).data)

    @extend_schema(methods=["GET"], responses=PriceVersionSerializer(many=True), filters=False)
    @extend_schema(
        methods=["POST"], request=PriceVersionSerializer, responses={201: PriceVersionSerializer}
    )
    @action(detail=True, methods=["get", "post"], url_path="price-versions")
    @idempotent
    def price_versions(self, request: Request, pk: str) -> Response:
        """The price history, newest first, public to contractors; POST starts the next version."""
        project = self.get_object()
        if request.method == "POST":
            serializer = PriceVersionSerializer(data=request.data)
            serializer.is_valid(raise_exception=True)
            version = services.set_price(
                actor=signed_in(request), project=project, **serializer.validated_data
            )
            return Response(PriceVersionSerializer(version).data, status=201)
        return self._page(project.price_versions.all(), PriceVersionSerializer)

    @extend_schema(methods=["GET"], responses=GuidelineSerializer(many=True), filters=False)
    @extend_schema(
        methods=["POST"], request=GuidelineSerializer, responses={201: GuidelineSerializer}
    )
    @action(detail=True, methods=["get", "post"])
    @idempotent
    def guidelines(self, request: Request, pk: str) -> Response:
        """Guideline versions, newest first. POST writes the next, or rewrites the unpublished."""
        project = self.get_object()
        if request.method == "POST":
            serializer = GuidelineSerializer(data=request.data)
            serializer.is_valid(raise_exception=True)
            guideline = services.write_guideline(
                actor=signed_in(request), project=project, **serializer.validated_data
            )
            return Response(GuidelineSerializer(guideline).data, status=201)
        guidelines = project.guidelines.all()
        if Role.MANAGER not in signed_in(request).roles:
            guidelines = guidelines.filter(published_at__isnull=False)
        return self._page(guidelines, GuidelineSerializer)

    @extend_schema(responses=WhySerializer, filters=False)
    @action(detail=True, methods=["get"], pagination_class=None)
    def why(self, request: Request, pk: str) -> Response:
        """May I claim from this project now, and if not, everything that would have to change."""
        project = self.get_object()
        person = Contractor.objects.get(pk=request.user.pk)
        refusals = [problem.as_dict() for problem in guards.refusals(person, project)]
        if not refusals and not queries.open_tasks_for(project, person).exists():
            refusals = [services.queue_empty().as_dict()]
        return Response({"may_claim": not refusals, "refusals": refusals})

    @extend_schema(
        responses=ProjectVideoSerializer(many=True),
        filters=False,
        parameters=[OpenApiParameter("warning", str, description="Only videos with this warning.")],
    )
    @action(detail=True, methods=["get"])
    def videos(self, request: Request, pk: str) -> Response:
        """The project's videos with the warnings that its own `screening_thresholds` give.

        Change the thresholds with PATCH: the warnings follow at once, nothing is decoded again.
        """
        project = self.get_object()
        videos: Any = library().filter(pk__in=queries.video_ids_of(project))
        if code := request.query_params.get("warning"):
            videos = warned_of(videos, code, project.screening_thresholds)
        page = self.paginate_queryset(videos)
        context = {"thresholds": project.screening_thresholds}
        return self.get_paginated_response(
            ProjectVideoSerializer(page, many=True, context=context).data
        )


class GuidelineViewSet(mixins.RetrieveModelMixin, viewsets.GenericViewSet[Guideline]):
    """One version of a guideline."""

    serializer_class = GuidelineSerializer

    def get_queryset(self) -> QuerySet[Guideline]:
        if getattr(self, "swagger_fake_view", False):
            return Guideline.objects.none()
        guidelines = Guideline.objects.select_related("project")
        if Role.MANAGER in signed_in(self.request).roles:
            return guidelines
        return guidelines.filter(published_at__isnull=False)

    @extend_schema(request=None, responses=GuidelineSerializer)
    @action(detail=True, methods=["post"], permission_classes=[IsManager])
    def publish(self, request: Request, pk: str) -> Response:
        """Publish: contractors acknowledge it before their next claim. Needs a changelog."""
        guideline = self.get_object()
        published = services.publish_guideline(actor=signed_in(request), guideline=guideline)
        return Response(GuidelineSerializer(published).data)

    @extend_schema(
        parameters=[OpenApiParameter("since", int, description="A version; else the one before")],
        responses=GuidelineChangesSerializer,
    )
    @action(detail=True, methods=["get"])
    def changes(self, request: Request, pk: str) -> Response:
        """What this version changed against an earlier one, line by line."""
        guideline = self.get_object()
        since = request.query_params.get("since")
        if since is None:
            before = queries.version_before(guideline)
        else:
            # As visible as the version itself; anything but a known number is not found.
            known = self.get_queryset().filter(project=guideline.project_id)
            before = get_object_or_404(known, version=since if since.isdecimal() else 0)
        return Response(
            GuidelineChangesSerializer(
                {
                    "before": before.version if before else None,
                    "after": guideline.version,
                    "changelog": guideline.changelog,
                    "title_before": before.title if before else None,
                    "title_after": guideline.title,
                    "hunks": changed_lines(before.body if before else "", guideline.body),
                }
            ).data
        )

    @extend_schema(responses=SubmissionSerializer(many=True), filters=False)
    @action(detail=True, methods=["get"], permission_classes=[IsManager])
    def submissions(self, request: Request, pk: str) -> Response:
        """Everything that was handed in under this version, newest first. For managers."""
        under = queries.submissions_under(self.get_object())
        found: Any = under.prefetch_related("segments")
        page: Any = self.paginate_queryset(found)
        return self.get_paginated_response(SubmissionSerializer(page, many=True).data)

    @extend_schema(request=None, responses={204: None})
    @action(detail=True, methods=["post"], permission_classes=[IsContractor])
    def acknowledge(self, request: Request, pk: str) -> Response:
        """I have read this version. Doing it twice changes nothing."""
        guideline = self.get_object()
        if guideline.published_at is None:
            raise GuidelinePublished("This version is not published yet.")
        services.acknowledge_guideline(
            contractor=Contractor.objects.select_related("user").get(pk=request.user.pk),
            guideline=guideline,
        )
        return Response(status=204)
