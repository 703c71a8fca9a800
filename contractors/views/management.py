"""What managers do: people, policies, restrictions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.db.models import Prefetch, QuerySet
from django.shortcuts import get_object_or_404
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import mixins, status
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView
from rest_framework.viewsets import GenericViewSet

from annotation_platform.api.idempotency import idempotent
from annotation_platform.api.permissions import IsManager
from annotation_platform.clock import database_now
from contractors import services
from contractors.filters import ContractorFilter
from contractors.models import (
    Contractor,
    EligibilityPolicy,
    EligibilityPolicyVersion,
    Residence,
    Restriction,
)
from contractors.queries import decide_for, with_area_today
from contractors.serializers import (
    AppealDecisionSerializer,
    AreaField,
    ContractorDetailSerializer,
    ContractorSerializer,
    EligibilityDecisionSerializer,
    PolicySerializer,
    PolicyVersionSerializer,
    ReasonSerializer,
    RestrictionSerializer,
)
from contractors.views.person import signed_in


class Contractors(mixins.ListModelMixin, mixins.RetrieveModelMixin, GenericViewSet[Contractor]):
    """Everybody who applied. For managers: residence is nobody else's business."""

    permission_classes = [IsManager]
    filterset_class = ContractorFilter
    queryset = Contractor.objects.all()

    def get_queryset(self) -> QuerySet[Contractor]:
        contractors = with_area_today(Contractor.objects.select_related("user"))
        if self.action == "list":
            return contractors
        newest_first = Residence.objects.order_by("-valid")
        return contractors.prefetch_related(Prefetch("residences", newest_first))

    def get_serializer_class(self) -> type[ContractorSerializer]:
        return ContractorSerializer if self.action == "list" else ContractorDetailSerializer

    @extend_schema(request=None)
    @action(detail=True, methods=["post"], url_path="start-interview")
    def start_interview(self, request: Request, pk: str) -> Response:
        """applied → interviewing. Problem: `wrong-contractor-state`."""
        return self._step(request, services.start_interview)

    @extend_schema(request=None)
    @action(detail=True, methods=["post"], url_path="start-quiz")
    def start_quiz(self, request: Request, pk: str) -> Response:
        """interviewing → quizzing. Problem: `wrong-contractor-state`."""
        return self._step(request, services.start_quiz)

    @extend_schema(request=None)
    @action(detail=True, methods=["post"], url_path="make-offer")
    def make_offer(self, request: Request, pk: str) -> Response:
        """quizzing → offered. Problem: `wrong-contractor-state`."""
        return self._step(request, services.make_offer)

    @extend_schema(request=None)
    @action(detail=True, methods=["post"])
    def activate(self, request: Request, pk: str) -> Response:
        """offered → active: the contractor can claim. Problem: `wrong-contractor-state`."""
        return self._step(request, services.activate)

    @extend_schema(request=ReasonSerializer)
    @action(detail=True, methods=["post"])
    def decline(self, request: Request, pk: str) -> Response:
        """Any stage before active → declined, with a reason. Problem: `wrong-contractor-state`."""
        data = ReasonSerializer(data=request.data)
        data.is_valid(raise_exception=True)
        return self._step(request, services.decline, reason=data.validated_data["reason"])

    def _step(self, request: Request, step: Callable[..., Contractor], **extra: Any) -> Response:
        step(contractor=self.get_object(), actor=signed_in(request), **extra)
        return Response(self.get_serializer(self.get_object()).data)


class ContractorRestrictions(mixins.ListModelMixin, GenericViewSet[Restriction]):
    """Restrictions of one contractor. They stop new claims and never touch pay."""

    permission_classes = [IsManager]
    serializer_class = RestrictionSerializer
    queryset = Restriction.objects.none()

    def get_queryset(self) -> QuerySet[Restriction]:
        if getattr(self, "swagger_fake_view", False):
            return Restriction.objects.none()
        return Restriction.objects.filter(contractor_id=self.kwargs["contractor_pk"])

    def get_serializer_context(self) -> dict[str, Any]:
        return {**super().get_serializer_context(), "now": database_now()}

    @extend_schema(responses={201: RestrictionSerializer})
    @idempotent
    def create(self, request: Request, contractor_pk: int) -> Response:
        """Stop new claims from now on, in one project (`scope` is its id) or in all.

        Problems: `wrong-contractor-state`, `restriction-ends-before-it-starts`.
        """
        contractor = get_object_or_404(Contractor, pk=contractor_pk)
        data = self.get_serializer(data=request.data)
        data.is_valid(raise_exception=True)
        fields = data.validated_data
        made = services.restrict(contractor=contractor, actor=signed_in(request), **fields)
        return Response(self.get_serializer(made).data, status=status.HTTP_201_CREATED)


class LiftRestriction(APIView):
    permission_classes = [IsManager]

    @extend_schema(request=ReasonSerializer, responses=RestrictionSerializer)
    def post(self, request: Request, pk: int) -> Response:
        """End a restriction now. Problem: `restriction-over`."""
        data = ReasonSerializer(data=request.data)
        data.is_valid(raise_exception=True)
        restriction = get_object_or_404(Restriction, pk=pk)
        lifted = services.lift(
            restriction=restriction, reason=data.validated_data["reason"], actor=signed_in(request)
        )
        return Response(RestrictionSerializer(lifted, context={"now": database_now()}).data)


class DecideAppeal(APIView):
    permission_classes = [IsManager]

    @extend_schema(request=AppealDecisionSerializer, responses=RestrictionSerializer)
    def post(self, request: Request, pk: int) -> Response:
        """Answer an appeal in writing; not for whoever restricted.

        Problems: `no-open-appeal`, `appeal-needs-somebody-else`.
        """
        data = AppealDecisionSerializer(data=request.data)
        data.is_valid(raise_exception=True)
        restriction = get_object_or_404(Restriction, pk=pk)
        decided = services.decide_appeal(
            restriction=restriction, actor=signed_in(request), **data.validated_data
        )
        return Response(RestrictionSerializer(decided, context={"now": database_now()}).data)


class Policies(mixins.ListModelMixin, mixins.RetrieveModelMixin, GenericViewSet[EligibilityPolicy]):
    """Where people may live to work on a project. Rows: the longest matching area wins."""

    permission_classes = [IsManager]
    serializer_class = PolicySerializer
    queryset = EligibilityPolicy.objects.all()

    def get_queryset(self) -> QuerySet[EligibilityPolicy]:
        latest = (
            EligibilityPolicyVersion.objects.order_by("policy_id", "-number")
            .distinct("policy_id")
            .prefetch_related("rows")
        )
        return EligibilityPolicy.objects.prefetch_related(Prefetch("versions", latest))

    @extend_schema(responses={201: PolicySerializer})
    @idempotent
    def create(self, request: Request) -> Response:
        """Make a policy; its version 1 is in effect at once.

        Problems: `policy-name-taken`, `policy-rows-invalid`.
        """
        data = self.get_serializer(data=request.data)
        data.is_valid(raise_exception=True)
        fields = data.validated_data
        made = services.create_policy(
            name=fields["name"],
            rows=_pairs(fields["rows"]),
            reason=fields["reason"],
            actor=signed_in(request),
        )
        shown = self.get_serializer(self.get_queryset().get(pk=made.pk))
        return Response(shown.data, status=status.HTTP_201_CREATED)

    @extend_schema(
        parameters=[OpenApiParameter("area", str, description="US-TX. Nothing: undeclared.")],
        responses=EligibilityDecisionSerializer,
    )
    @action(detail=True, pagination_class=None, filter_backends=[])
    def check(self, request: Request, pk: str) -> Response:
        """What the policy would answer now to somebody who lives in `area`, and why."""
        area = request.query_params.get("area") or None
        if area is not None:
            area = AreaField().run_validation(area)
        decision = decide_for(self.get_object(), area)
        return Response(EligibilityDecisionSerializer(decision).data)


class PolicyVersions(mixins.ListModelMixin, GenericViewSet[EligibilityPolicyVersion]):
    """What a policy said and says, newest first. Versions are followed, never edited."""

    permission_classes = [IsManager]
    serializer_class = PolicyVersionSerializer
    queryset = EligibilityPolicyVersion.objects.none()

    def get_queryset(self) -> QuerySet[EligibilityPolicyVersion]:
        if getattr(self, "swagger_fake_view", False):
            return EligibilityPolicyVersion.objects.none()
        versions = EligibilityPolicyVersion.objects.filter(policy_id=self.kwargs["policy_pk"])
        return versions.prefetch_related("rows")

    @extend_schema(responses={201: PolicyVersionSerializer})
    @idempotent
    def create(self, request: Request, policy_pk: int) -> Response:
        """Publish the next version: new claims only, from `effective_at` on.

        Claims already made keep the version that they pinned.
        Problems: `policy-rows-invalid`, `policy-in-the-past`.
        """
        policy = get_object_or_404(EligibilityPolicy, pk=policy_pk)
        data = self.get_serializer(data=request.data)
        data.is_valid(raise_exception=True)
        fields = data.validated_data
        version = services.publish_policy_version(
            policy=policy,
            rows=_pairs(fields["rows"]),
            reason=fields["reason"],
            effective_at=fields.get("effective_at"),
            actor=signed_in(request),
        )
        return Response(self.get_serializer(version).data, status=status.HTTP_201_CREATED)


def _pairs(rows: list[dict[str, str]]) -> list[tuple[str, str]]:
    return [(row["area"], row["effect"]) for row in rows]
