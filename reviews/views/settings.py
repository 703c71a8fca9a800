"""How a project scores and decides: versions over HTTP."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet
from django.shortcuts import get_object_or_404
from drf_spectacular.utils import extend_schema
from rest_framework import mixins, viewsets
from rest_framework.permissions import IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response

from annotation_platform.api.idempotency import idempotent
from annotation_platform.api.permissions import IsManager, IsReviewerOrManager
from reviews import services
from reviews.models import DecisionRule, Scoring
from reviews.serializers import DecisionRuleSerializer, ScoringSerializer
from reviews.views.signed_in import caller
from tasks.models import Project
from tasks.permissions import visible_projects


class DecisionRuleViewSet(mixins.ListModelMixin, viewsets.GenericViewSet[DecisionRule]):
    """The rule that accepts or asks a person; contractors may read what decides about them."""

    serializer_class = DecisionRuleSerializer
    filter_backends: list[Any] = []

    def get_permissions(self) -> list[Any]:
        return [IsManager()] if self.action == "create" else [IsAuthenticated()]

    def get_queryset(self) -> QuerySet[DecisionRule]:
        if getattr(self, "swagger_fake_view", False):
            return DecisionRule.objects.none()
        return DecisionRule.objects.filter(project=self._project())

    def _project(self) -> Project:
        return get_object_or_404(
            visible_projects(self.request.user),  # type: ignore[arg-type]
            pk=self.kwargs["project_id"],
        )

    def list(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Versions, newest first; the first one applies."""
        services.current_rule(self._project())
        return super().list(request, *args, **kwargs)

    @extend_schema(request=DecisionRuleSerializer, responses={201: DecisionRuleSerializer})
    @idempotent
    def create(self, request: Request, project_id: int) -> Response:
        """Start the next version; it reaches what is decided from now on."""
        serializer = DecisionRuleSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        made = services.set_rule(
            actor=caller(request), project=self._project(), **serializer.validated_data
        )
        return Response(DecisionRuleSerializer(made).data, status=201)


class ScoringViewSet(mixins.ListModelMixin, viewsets.GenericViewSet[Scoring]):
    """What scores weigh."""

    serializer_class = ScoringSerializer
    filter_backends: list[Any] = []

    def get_permissions(self) -> list[Any]:
        return [IsManager()] if self.action == "create" else [IsReviewerOrManager()]

    def get_queryset(self) -> QuerySet[Scoring]:
        if getattr(self, "swagger_fake_view", False):
            return Scoring.objects.none()
        return Scoring.objects.filter(project=self._project())

    def _project(self) -> Project:
        return get_object_or_404(Project, pk=self.kwargs["project_id"])

    def list(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Versions, newest first; the first one applies."""
        services.current_scoring(self._project())
        return super().list(request, *args, **kwargs)

    @extend_schema(request=ScoringSerializer, responses={201: ScoringSerializer})
    @idempotent
    def create(self, request: Request, project_id: int) -> Response:
        """Start the next version. Earlier work keeps its scores until it is re-scored."""
        serializer = ScoringSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        made = services.set_scoring(
            actor=caller(request), project=self._project(), **serializer.validated_data
        )
        return Response(ScoringSerializer(made).data, status=201)
