"""What finance does over HTTP, beside the runs themselves."""

from __future__ import annotations

from django.db.models import QuerySet
from django.shortcuts import get_object_or_404
from django_filters import rest_framework as filters
from drf_spectacular.utils import extend_schema
from rest_framework import mixins, viewsets
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from annotation_platform.api.idempotency import idempotent
from annotation_platform.api.permissions import IsFinance
from payouts import queries, services
from payouts.models import BankReport, Hold, Payable, Payout, ProviderEvent
from payouts.serializers_finance import (
    BankReportSerializer,
    ComparisonSerializer,
    DecideFilePayoutInput,
    DecideFoundInput,
    DecideUnknownInput,
    HoldInput,
    HoldSerializer,
    PayableSerializer,
    ProviderEventSerializer,
    RunPayoutDetailSerializer,
    RunPayoutSerializer,
)
from payouts.views import signed_in


class PayableViewSet(mixins.ListModelMixin, viewsets.GenericViewSet[Payable]):
    """What everybody earned, for finance: to find what to hold."""

    permission_classes = [IsFinance]
    serializer_class = PayableSerializer
    queryset = Payable.objects.select_related("contractor__user", "project")
    filterset_fields = ["contractor", "project", "state", "kind", "currency"]


class HoldFilter(filters.FilterSet):  # type: ignore[misc]  # no types
    live = filters.BooleanFilter("lifted_at", lookup_expr="isnull", help_text="Not ended yet")
    contractor = filters.NumberFilter("payable__contractor")

    class Meta:
        model = Hold
        fields = ["live", "contractor", "payable", "case"]


class HoldViewSet(mixins.ListModelMixin, viewsets.GenericViewSet[Hold]):
    """Earnings held back: a named case, a reason that the contractor reads, seven days at most."""

    permission_classes = [IsFinance]
    serializer_class = HoldSerializer
    queryset = Hold.objects.select_related("payable")
    filterset_class = HoldFilter

    @extend_schema(request=HoldInput, responses={201: HoldSerializer})
    @idempotent
    def create(self, request: Request) -> Response:
        """Hold an earning that is in no payout yet, once.

        Problems: `hold-too-long`, `cannot-hold`.
        """
        body = HoldInput(data=request.data)
        body.is_valid(raise_exception=True)
        hold = services.hold_payable(actor=signed_in(request), **body.validated_data)
        return Response(HoldSerializer(hold).data, status=201)

    @extend_schema(request=None, responses=HoldSerializer)
    @action(detail=True, methods=["post"])
    def end(self, request: Request, pk: str) -> Response:
        """End a hold before its time; ended already: no change."""
        hold = self.get_object()
        services.lift_hold(actor=signed_in(request), hold=hold)
        return Response(HoldSerializer(self.get_object()).data)


class RunPayoutViewSet(
    mixins.ListModelMixin, mixins.RetrieveModelMixin, viewsets.GenericViewSet[Payout]
):
    """Everybody's payouts, for finance; `needs_person=true` are those that wait for you."""

    permission_classes = [IsFinance]
    filterset_fields = ["run", "state", "rail", "needs_person", "contractor"]

    def get_queryset(self) -> QuerySet[Payout]:
        payouts = queries.payouts_to_look_at()
        return payouts.prefetch_related("attempts") if self.action == "retrieve" else payouts

    def get_serializer_class(self) -> type[RunPayoutSerializer]:
        return RunPayoutDetailSerializer if self.action == "retrieve" else RunPayoutSerializer

    @extend_schema(request=DecideUnknownInput, responses=RunPayoutDetailSerializer)
    @action(detail=True, methods=["post"])
    def decide(self, request: Request, pk: str) -> Response:
        """Say what you found out about a payout whose answer was lost and that nobody can look up.

        With the provider's reference it was sent; without, it never was and is owed again. An
        amount other than this payout's is adopted as if it had been looked up.
        Problem: `wrong-payout-state`.
        """
        body = DecideUnknownInput(data=request.data)
        body.is_valid(raise_exception=True)
        payout = self.get_object()
        services.decide_unknown(
            actor=signed_in(request), payout_id=payout.pk, **body.validated_data
        )
        return self._shown(payout.pk)

    @extend_schema(request=DecideFoundInput, responses=RunPayoutDetailSerializer)
    @action(detail=True, methods=["post"], url_path="decide-found")
    def decide_found(self, request: Request, pk: str) -> Response:
        """Say which earnings a payment was for that a rail has and our records lost.

        Nothing is sent. Answers with the payout of those earnings, which takes the place of this
        one. Problems: `wrong-payout-state`, `invalid-amount`.
        """
        body = DecideFoundInput(data=request.data)
        body.is_valid(raise_exception=True)
        payout = services.decide_found(
            actor=signed_in(request), payout_id=self.get_object().pk, **body.validated_data
        )
        return self._shown(payout.pk)

    @extend_schema(request=DecideFilePayoutInput, responses=RunPayoutDetailSerializer)
    @action(detail=True, methods=["post"], url_path="decide-file")
    def decide_file(self, request: Request, pk: str) -> Response:
        """Say what became of a payout in a bank file that no report tells of.

        Problem: `wrong-payout-state`.
        """
        body = DecideFilePayoutInput(data=request.data)
        body.is_valid(raise_exception=True)
        payout = self.get_object()
        services.decide_file_payout(
            actor=signed_in(request), payout_id=payout.pk, **body.validated_data
        )
        return self._shown(payout.pk)

    def _shown(self, pk: int) -> Response:
        payout = queries.payouts_to_look_at().prefetch_related("attempts").get(pk=pk)
        return Response(RunPayoutDetailSerializer(payout).data)


class BankReportViewSet(
    mixins.ListModelMixin, mixins.RetrieveModelMixin, viewsets.GenericViewSet[BankReport]
):
    """Reports of banks about the files that they took; POST them at their run."""

    permission_classes = [IsFinance]
    serializer_class = BankReportSerializer
    queryset = BankReport.objects.defer("content", "differences")
    filterset_fields = ["run"]

    @extend_schema(responses=ComparisonSerializer)
    def retrieve(self, request: Request, pk: str) -> Response:
        """The report beside our books as they are now: matched, missing, unexpected, different.

        `state` says whether it was taken, is being followed (`lines_done` of `row_count`) or was
        followed; `outcome` counts what became of its lines, `differences` has them in words.
        """
        report = get_object_or_404(BankReport, pk=pk if pk.isdecimal() else 0)
        context = {"comparison": services.compare_report(report)}
        return Response(ComparisonSerializer(report, context=context).data)

    @extend_schema(request=None, responses={202: BankReportSerializer})
    @action(detail=True, methods=["post"])
    def follow(self, request: Request, pk: str) -> Response:
        """Have what matches moved by a worker, having seen the comparison; GET tells how far it is.

        Asking again while it is being followed changes nothing. Problem: `report-followed`.
        """
        report = services.ask_to_follow(actor=signed_in(request), report=self.get_object())
        return Response(BankReportSerializer(report).data, status=202)


class ProviderEventFilter(filters.FilterSet):  # type: ignore[misc]  # no types
    unhandled = filters.BooleanFilter("handled_at", lookup_expr="isnull")

    class Meta:
        model = ProviderEvent
        fields = ["provider", "unhandled", "our_reference"]


class ProviderEventViewSet(mixins.ListModelMixin, viewsets.GenericViewSet[ProviderEvent]):
    """What providers told us: each event once, and when it was handled."""

    permission_classes = [IsFinance]
    serializer_class = ProviderEventSerializer
    queryset = ProviderEvent.objects.all()
    filterset_class = ProviderEventFilter
