"""A project's budget over HTTP."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet
from django.shortcuts import get_object_or_404
from drf_spectacular.utils import extend_schema
from rest_framework import mixins, viewsets
from rest_framework.request import Request
from rest_framework.response import Response

from annotation_platform.api.idempotency import idempotent
from annotation_platform.api.permissions import IsManagerOrFinance
from contractors.views.person import signed_in
from tasks import services
from tasks.models import Funding, Project
from tasks.serializers_pay import FundingSerializer


class FundingViewSet(mixins.ListModelMixin, viewsets.GenericViewSet[Funding]):
    """Money put into a project's budget and taken out of it, newest first."""

    permission_classes = [IsManagerOrFinance]
    serializer_class = FundingSerializer
    queryset = Funding.objects.none()

    def get_queryset(self) -> QuerySet[Funding]:
        if getattr(self, "swagger_fake_view", False):
            return Funding.objects.none()
        return Funding.objects.filter(project=self.kwargs["project_id"])

    @extend_schema(responses={201: FundingSerializer})
    @idempotent
    def create(self, request: Request, project_id: str, **kwargs: Any) -> Response:
        """Put money in, or take free money out with a negative amount.

        The first funding limits the project: claims reserve their price from then on. Send an
        `Idempotency-Key`. Problem: `budget-exhausted` when more would go than is free.
        """
        project = get_object_or_404(Project, pk=project_id)
        serializer = FundingSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        funding = services.fund(
            actor=signed_in(request), project=project, **serializer.validated_data
        )
        return Response(FundingSerializer(funding).data, status=201)
