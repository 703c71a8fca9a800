"""Money over HTTP."""

from __future__ import annotations

import hashlib
from typing import Any
from uuid import uuid4

from django.db.models import QuerySet
from django.shortcuts import get_object_or_404
from django.utils.functional import cached_property
from drf_spectacular.utils import extend_schema, inline_serializer
from rest_framework import mixins, serializers, viewsets
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from annotation_platform.api.idempotency import HEADER, idempotent
from annotation_platform.api.pagination import NewestFirst
from annotation_platform.api.permissions import IsContractor, IsManager, IsManagerOrFinance
from contractors.models import User
from payouts import queries, services
from payouts.models import Payable
from payouts.serializers import (
    BonusInput,
    BonusSerializer,
    BudgetOutlookSerializer,
    EarnedSerializer,
    EarningSerializer,
    ExplainedEarningSerializer,
    ProjectMoneySerializer,
    PurseSerializer,
    ReleasedSerializer,
    ReleaseInput,
)
from tasks.models import Assignment, Project


def signed_in(request: Request) -> User:
    """The person behind a request that a permission class has let through."""
    assert isinstance(request.user, User)
    return request.user


class WithSummary(NewestFirst):
    """Cursor pages that carry the sums of the whole list at their head."""

    def paginate_queryset(self, queryset: Any, request: Request, view: Any = None) -> Any:
        assert isinstance(view, EarningViewSet)
        self.of = view
        return super().paginate_queryset(queryset, request, view)

    def get_paginated_response(self, data: Any) -> Response:
        response = super().get_paginated_response(data)
        response.data = {
            "summary": [EarnedSerializer(line).data for line in self.of.earned],
            "payout": PurseSerializer(self.of.purse).data,
        } | response.data
        return response

    def get_paginated_response_schema(self, schema: dict[str, Any]) -> dict[str, Any]:
        answer = super().get_paginated_response_schema(schema)
        # Spelled out: a paginator cannot register a component to refer to.
        whole_number = {"type": "integer"}
        sums = {str(name): whole_number for name in EarnedSerializer().fields}
        answer["properties"]["summary"] = {
            "type": "array",
            "items": {"type": "object", "properties": sums | {"currency": {"type": "string"}}},
        }
        text = {"type": "string"}
        answer["properties"]["payout"] = {
            "type": "object",
            "properties": {
                "rail": text,
                "to": text,
                "usable_from": text | {"format": "date-time", "nullable": True},
                "next_run_on": text | {"format": "date"},
            },
        }
        return answer


class EarningViewSet(
    mixins.ListModelMixin, mixins.RetrieveModelMixin, viewsets.GenericViewSet[Payable]
):
    """What you earned, line by line: why, where it is and when it should be there. Nobody sees
    anybody else's."""

    permission_classes = [IsContractor]
    pagination_class = WithSummary
    filterset_fields = ["state", "kind", "project"]

    def get_queryset(self) -> QuerySet[Payable]:
        if getattr(self, "swagger_fake_view", False):
            return Payable.objects.none()
        return queries.payables_of(signed_in(self.request).pk)

    def get_serializer_class(self) -> type[EarningSerializer]:
        return ExplainedEarningSerializer if self.action == "retrieve" else EarningSerializer

    def get_serializer_context(self) -> dict[str, Any]:
        return {**super().get_serializer_context(), "purse": lambda: self.purse}

    @cached_property
    def earned(self) -> list[queries.Earned]:
        """The sums, read once per request."""
        return queries.earned(signed_in(self.request).pk)

    @cached_property
    def purse(self) -> queries.Purse:
        """Where the next payout goes, read once per request."""
        return queries.purse(signed_in(self.request).pk, self.earned)


class ProjectMoneyView(APIView):
    """What a project has reserved, owes and has paid."""

    permission_classes = [IsManagerOrFinance]

    @extend_schema(
        responses=inline_serializer(
            "ProjectMoneyByCurrency",
            {"project": serializers.IntegerField(), "money": ProjectMoneySerializer(many=True)},
        )
    )
    def get(self, request: Request, project_id: int) -> Response:
        project = get_object_or_404(Project, pk=project_id)
        money = [ProjectMoneySerializer(line).data for line in queries.project_money(project)]
        return Response({"project": project.pk, "money": money})


class BudgetView(APIView):
    """Where a project's budget is."""

    permission_classes = [IsManagerOrFinance]

    @extend_schema(responses=BudgetOutlookSerializer)
    def get(self, request: Request, project_id: int) -> Response:
        """Funded, free, reserved by claims, earned, paid, and the day on which it runs out."""
        project = get_object_or_404(Project, pk=project_id)
        return Response(BudgetOutlookSerializer(queries.budget_outlook(project)).data)


class BonusView(APIView):
    """Pay somebody a bonus."""

    permission_classes = [IsManager]

    @extend_schema(request=BonusInput, responses={201: BonusSerializer})
    @idempotent
    def post(self, request: Request) -> Response:
        """Post a bonus to a contractor's earnings, charged to a project, with a reason.

        Repeating it under the same `Idempotency-Key` pays once, however much later.
        """
        body = BonusInput(data=request.data)
        body.is_valid(raise_exception=True)
        header = request.headers.get(HEADER)
        given = f"{request.user.pk}:{header}" if header else str(uuid4())
        payable = services.pay_bonus(
            **body.validated_data,
            actor=signed_in(request),
            key=hashlib.sha256(given.encode()).hexdigest(),
        )
        return Response(BonusSerializer(payable).data, status=201)


class ReleaseView(APIView):
    """End somebody's live claim."""

    permission_classes = [IsManager]

    @extend_schema(request=ReleaseInput, responses=ReleasedSerializer)
    @idempotent
    def post(self, request: Request, assignment_id: int) -> Response:
        """A manager ends a live claim, with a reason that its holder sees, and pays saved work.

        Paid is the pinned price times the share of the video's frames that the saved work covers,
        to the cent; `share_basis_points` can raise it up to the whole price. Problems:
        `already-submitted`, `lease-over`.
        """
        assignment = get_object_or_404(
            Assignment.objects.select_related("task__video", "guideline"), pk=assignment_id
        )
        body = ReleaseInput(data=request.data)
        body.is_valid(raise_exception=True)
        released, earning = services.release_claim(
            actor=signed_in(request), assignment=assignment, **body.validated_data
        )
        return Response(ReleasedSerializer(released, context={"earning": earning}).data)
