"""Signing in, and what people read and write about themselves."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet
from django.shortcuts import get_object_or_404
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import status
from rest_framework.generics import ListAPIView, ListCreateAPIView
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from annotation_platform.api.idempotency import idempotent
from annotation_platform.api.permissions import IsContractor
from annotation_platform.api.throttles import ScopedThrottle
from annotation_platform.clock import database_now
from contractors import rules, services
from contractors.models import Contractor, Residence, Restriction, Role
from contractors.queries import residence_on
from contractors.serializers import (
    AppealSerializer,
    MeSerializer,
    PlaceSerializer,
    ResidenceSerializer,
    RestrictionSerializer,
    SignInSerializer,
    TokenSerializer,
)
from contractors.views.person import own_contractor, signed_in


class Tokens(APIView):
    authentication_classes = []
    permission_classes = [AllowAny]
    throttle_classes = [ScopedThrottle]
    throttle_scope = "sign-in"

    @extend_schema(request=SignInSerializer, responses={201: TokenSerializer}, auth=[])
    def post(self, request: Request) -> Response:
        """Sign in a program: a new token for an email and its password.

        Shown this once; only its hash is stored. The newest 20 tokens of a person stay valid.
        At most 20 attempts a minute from one address (429 `too-many-requests`). A wrong password,
        an unknown email and a closed account are the same 401 `wrong-credentials`.
        """
        data = SignInSerializer(data=request.data)
        data.is_valid(raise_exception=True)
        _, token = services.sign_in(**data.validated_data)
        return Response({"token": token}, status=status.HTTP_201_CREATED)


class CurrentToken(APIView):
    @extend_schema(request=None, responses={204: None})
    def delete(self, request: Request) -> Response:
        """Sign this program out: the token of this very request stops working."""
        if request.auth is not None:  # a page's session has no token; it logs out by itself
            request.auth.delete()
        return Response(status=status.HTTP_204_NO_CONTENT)


class Me(APIView):
    @extend_schema(responses=MeSerializer)
    def get(self, request: Request) -> Response:
        """Who is signed in: name, roles, and for a contractor the stage and today's residence."""
        return Response(self._shown(request).data)

    @extend_schema(request=MeSerializer, responses=MeSerializer)
    def patch(self, request: Request) -> Response:
        """Change your own name. Everything else here is changed elsewhere or by others."""
        shown = self._shown(request, data=request.data, partial=True)
        shown.is_valid(raise_exception=True)
        if "name" in shown.validated_data:
            services.rename(user=signed_in(request), name=shown.validated_data["name"])
        return Response(self._shown(request).data)

    def _shown(self, request: Request, **arguments: Any) -> MeSerializer:
        person, contractor = signed_in(request), None
        if Role.CONTRACTOR in person.roles:
            contractor = Contractor.objects.filter(pk=person.pk).first()
        residence = None if contractor is None else residence_on(contractor)
        context = {"contractor": contractor, "residence": residence}
        return MeSerializer(person, context=context, **arguments)


class OwnResidences(ListCreateAPIView[Residence]):
    permission_classes = [IsContractor]
    serializer_class = ResidenceSerializer
    queryset = Residence.objects.none()

    def get_queryset(self) -> QuerySet[Residence]:
        return Residence.objects.filter(contractor_id=self.request.user.pk)

    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Where you said you live and lived, newest first. Only you and managers see this."""
        return self.list(request, *args, **kwargs)

    @idempotent
    def post(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Declare where you live, from which day on (UTC).

        The residence before it ends on that day. The day may lie in the past, but after the first
        day of your current residence; what was declared for earlier days stays as it is. Claims
        from now on are decided by it; work in hand and money earned are not touched.
        Problems: `residence-in-the-future`, `residence-unchanged`,
        `residence-declared-for-that-day`, `residence-before-history`.
        """
        data = self.get_serializer(data=request.data)
        data.is_valid(raise_exception=True)
        residence = services.declare_residence(
            contractor=own_contractor(request),
            area=data.validated_data["area"],
            from_date=data.validated_data["valid"]["lower"],
            evidence=data.validated_data.get("evidence", ""),
            actor=signed_in(request),
        )
        return Response(self.get_serializer(residence).data, status=status.HTTP_201_CREATED)


class Places(APIView):
    @extend_schema(
        parameters=[OpenApiParameter("q", str, required=True, description="Name or code.")],
        responses=PlaceSerializer(many=True),
    )
    def get(self, request: Request) -> Response:
        """Find the code of a place by its name: at most 20, best first.

        Never guesses: "Washington" answers with the state and the capital, "CA" with California
        and Canada.
        """
        found = rules.find_places(request.query_params.get("q", "")[:100])
        return Response(PlaceSerializer(found, many=True).data)


class OwnRestrictions(ListAPIView[Restriction]):
    permission_classes = [IsContractor]
    serializer_class = RestrictionSerializer
    queryset = Restriction.objects.none()

    def get_queryset(self) -> QuerySet[Restriction]:
        return Restriction.objects.filter(contractor_id=self.request.user.pk)

    def get_serializer_context(self) -> dict[str, Any]:
        return {**super().get_serializer_context(), "now": database_now()}

    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """What stops or stopped you from claiming: cause, evidence, end, and your appeal."""
        return self.list(request, *args, **kwargs)


class OwnAppeal(APIView):
    permission_classes = [IsContractor]

    @extend_schema(request=AppealSerializer, responses={201: RestrictionSerializer})
    @idempotent
    def post(self, request: Request, pk: int) -> Response:
        """Appeal against a restriction of yours, once, within 14 days.

        Somebody uninvolved answers in writing; unanswered for 5 working days it is decided for
        you. Problems: `restriction-over`, `appealed-already`, `appeal-too-late`.
        """
        data = AppealSerializer(data=request.data)
        data.is_valid(raise_exception=True)
        own = Restriction.objects.filter(contractor_id=request.user.pk)
        restriction = services.appeal(
            restriction=get_object_or_404(own, pk=pk),
            text=data.validated_data["text"],
            actor=signed_in(request),
        )
        shown = RestrictionSerializer(restriction, context={"now": database_now()})
        return Response(shown.data, status=status.HTTP_201_CREATED)
