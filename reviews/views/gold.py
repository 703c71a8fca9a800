"""Gold over HTTP, for managers who did not annotate in the project themselves."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet
from django.shortcuts import get_object_or_404
from drf_spectacular.utils import extend_schema
from rest_framework import mixins, viewsets
from rest_framework.decorators import action
from rest_framework.exceptions import NotFound
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from annotation_platform.api.idempotency import idempotent
from annotation_platform.api.permissions import IsManager
from contractors.serializers import ReasonSerializer
from reviews import gold_queries, services
from reviews.gold_serializers import (
    GoldReferenceSerializer,
    GoldScoreSerializer,
    GoldSettingsSerializer,
    NewGoldReference,
    PickedSerializer,
)
from reviews.models import GoldReference, GoldScore
from reviews.views.signed_in import caller
from tasks.models import Project
from timelines.segment import Segment


def _project(request: Request, project_id: int | str) -> Project:
    """The project; 404 to a manager who works in it: gold is hidden from those who annotate."""
    if gold_queries.works_in(int(project_id), caller(request).pk):
        raise NotFound()
    return get_object_or_404(Project, pk=project_id)


class GoldSettingsView(APIView):
    permission_classes = [IsManager]

    @extend_schema(operation_id="projects_gold_settings", responses=GoldSettingsSerializer)
    def get(self, request: Request, project_id: int) -> Response:
        """How much gold the project has and what its scores lead to."""
        row = gold_queries.gold_settings(_project(request, project_id))
        return Response(GoldSettingsSerializer(row).data)

    @extend_schema(
        operation_id="projects_gold_settings_change",
        request=GoldSettingsSerializer,
        responses=GoldSettingsSerializer,
    )
    def patch(self, request: Request, project_id: int) -> Response:
        """Change it; from now on."""
        project = _project(request, project_id)
        serializer = GoldSettingsSerializer(
            gold_queries.gold_settings(project), data=request.data, partial=True
        )
        serializer.is_valid(raise_exception=True)
        row = services.change_gold_settings(
            actor=caller(request), project=project, changes=serializer.validated_data
        )
        return Response(GoldSettingsSerializer(row).data)


class GoldReferenceViewSet(mixins.ListModelMixin, viewsets.GenericViewSet[GoldReference]):
    """Hidden reference timelines of a project, newest first."""

    permission_classes = [IsManager]
    serializer_class = GoldReferenceSerializer
    filterset_fields = {"task": ["exact"], "retired_at": ["isnull"]}
    queryset = GoldReference.objects.none()

    def get_queryset(self) -> QuerySet[GoldReference]:
        if getattr(self, "swagger_fake_view", False):
            return GoldReference.objects.none()
        project = _project(self.request, self.kwargs["project_id"])
        return GoldReference.objects.filter(task__project=project)

    @extend_schema(request=NewGoldReference, responses={201: GoldReferenceSerializer})
    @idempotent
    def create(self, request: Request, project_id: str, **kwargs: Any) -> Response:
        """Give a task a reference: an accepted submission of it, its consensus, or one's own.

        Problems: `gold-already-set`, `not-a-gold-source`, `invalid-timeline`, `wrong-task-state`.
        """
        project = _project(request, project_id)
        serializer = NewGoldReference(data=request.data)
        serializer.is_valid(raise_exception=True)
        wanted = serializer.validated_data
        if wanted["task"].project_id != project.pk:
            raise NotFound()
        made = services.set_reference(
            actor=caller(request),
            task=wanted["task"],
            source=wanted["source"],
            submission=wanted.get("submission"),
            segments=[Segment(**row) for row in wanted.get("segments", [])],
        )
        return Response(GoldReferenceSerializer(made).data, status=201)

    @extend_schema(request=None, responses=PickedSerializer)
    @action(detail=False, methods=["post"])
    def pick(self, request: Request, project_id: str) -> Response:
        """Choose the project's share of open tasks: sets what accepted work gives, and says
        which tasks wait for an own timeline. The same choice every time."""
        project = _project(request, project_id)
        picked = services.pick_gold(actor=caller(request), project=project)
        return Response(PickedSerializer(picked).data)

    @extend_schema(request=ReasonSerializer, responses=GoldReferenceSerializer)
    @action(detail=True, methods=["post"])
    def retire(self, request: Request, project_id: str, pk: str) -> Response:
        """Take a reference out of use; what was scored stays. Problem: `gold-retired`."""
        serializer = ReasonSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        retired = services.retire_reference(
            actor=caller(request),
            reference=self.get_object(),
            reason=serializer.validated_data["reason"],
        )
        return Response(GoldReferenceSerializer(retired).data)


class GoldScoreViewSet(mixins.ListModelMixin, viewsets.GenericViewSet[GoldScore]):
    """First hand-ins against the references, newest first; filter by contractor."""

    permission_classes = [IsManager]
    serializer_class = GoldScoreSerializer
    filterset_fields = ["contractor", "reference", "submission"]
    queryset = GoldScore.objects.none()

    def get_queryset(self) -> QuerySet[GoldScore]:
        if getattr(self, "swagger_fake_view", False):
            return GoldScore.objects.none()
        project = _project(self.request, self.kwargs["project_id"])
        return GoldScore.objects.filter(project=project).select_related("reference")
