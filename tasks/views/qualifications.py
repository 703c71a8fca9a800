"""Qualifications over HTTP."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet
from django.shortcuts import get_object_or_404
from drf_spectacular.utils import extend_schema
from rest_framework import mixins, viewsets
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from annotation_platform.api.idempotency import idempotent
from annotation_platform.api.permissions import IsManager
from contractors.serializers import ReasonSerializer
from contractors.views.person import signed_in
from tasks import services
from tasks.models import Project, Qualification
from tasks.serializers import QualificationSerializer


class QualificationViewSet(mixins.ListModelMixin, viewsets.GenericViewSet[Qualification]):
    """Who may work on a project that needs a qualification, newest first. For managers."""

    permission_classes = [IsManager]
    serializer_class = QualificationSerializer
    filterset_fields = {"contractor": ["exact"], "ended_at": ["isnull"]}
    queryset = Qualification.objects.none()

    def get_queryset(self) -> QuerySet[Qualification]:
        if getattr(self, "swagger_fake_view", False):
            return Qualification.objects.none()
        return Qualification.objects.filter(project=self.kwargs["project_id"])

    @extend_schema(responses={201: QualificationSerializer})
    @idempotent
    def create(self, request: Request, project_id: str, **kwargs: Any) -> Response:
        """Qualify a contractor, with the reason. Somebody qualified stays as they are."""
        project = get_object_or_404(Project, pk=project_id)
        serializer = QualificationSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        made = services.grant_qualification(
            actor=signed_in(request), project=project, **serializer.validated_data
        )
        return Response(QualificationSerializer(made).data, status=201)

    @extend_schema(request=ReasonSerializer, responses=QualificationSerializer)
    @action(detail=True, methods=["post"])
    def end(self, request: Request, project_id: str, pk: str) -> Response:
        """No new claims; live ones go on and are paid. Problem: `qualification-over`."""
        serializer = ReasonSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        ended = services.end_qualification(
            actor=signed_in(request),
            qualification=self.get_object(),
            reason=serializer.validated_data["reason"],
        )
        return Response(QualificationSerializer(ended).data)
