"""Paying out over HTTP: a contractor's payouts, method and statements; finance's runs."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, cast

from django.db.models import QuerySet
from django.http import HttpResponse
from django.shortcuts import get_object_or_404
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema, inline_serializer
from rest_framework import mixins, serializers, viewsets
from rest_framework.decorators import action
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from annotation_platform.api.idempotency import idempotent
from annotation_platform.api.permissions import IsContractor, IsFinance
from annotation_platform.api.problems import NotFound
from annotation_platform.api.throttles import ScopedThrottle
from annotation_platform.clock import database_now
from contractors.models import Contractor
from payouts import documents, queries, services
from payouts.models import Payout, PayoutFile, PayoutMethod, PayoutRun, Statement
from payouts.serializers import (
    PayoutMethodInput,
    PayoutMethodSerializer,
    PayoutRunSerializer,
    PayoutSerializer,
    ReasonInput,
    RunInput,
    StatementSerializer,
    TotalsInput,
)
from payouts.serializers_finance import (
    BankReportInput,
    BankReportSerializer,
    ComparisonSerializer,
)
from payouts.views import signed_in

TIME_TO_PAY_DAYS = 30

PAYOUT_FILES = inline_serializer(
    "PayoutFiles",
    {
        "rail": serializers.CharField(),
        "name": serializers.CharField(),
        "sha256": serializers.CharField(),
        "payout_count": serializers.IntegerField(),
        "total_cents": serializers.IntegerField(),
    },
    many=True,
)


def _files(made: list[PayoutFile]) -> list[dict[str, Any]]:
    columns = ("rail", "name", "sha256", "payout_count", "total_cents")
    return [{name: getattr(file, name) for name in columns} for file in made]


def attachment(content: bytes, name: str, content_type: str) -> HttpResponse:
    """A file to download; never sniffed, never cached by anybody in between."""
    return HttpResponse(
        content,
        content_type=content_type,
        headers={
            "Content-Disposition": f'attachment; filename="{name}"',
            "Cache-Control": "private, no-store",
        },
    )


class PayoutViewSet(
    mixins.ListModelMixin, mixins.RetrieveModelMixin, viewsets.GenericViewSet[Payout]
):
    """Your payouts: each one's state, where it went and under which reference."""

    permission_classes = [IsContractor]
    serializer_class = PayoutSerializer
    filterset_fields = ["state"]

    def get_queryset(self) -> QuerySet[Payout]:
        if getattr(self, "swagger_fake_view", False):
            return Payout.objects.none()
        return queries.payouts_of(signed_in(self.request).pk)


class PayoutMethodView(APIView):
    """Where you are paid."""

    permission_classes = [IsContractor]
    throttle_scope = "password"

    def get_throttles(self) -> list[Any]:
        return [] if self.request.method == "GET" else [ScopedThrottle()]

    @extend_schema(responses=PayoutMethodSerializer)
    def get(self, request: Request) -> Response:
        method = get_object_or_404(
            PayoutMethod, contractor_id=signed_in(request).pk, retired_at=None
        )
        return Response(PayoutMethodSerializer(method).data)

    @extend_schema(request=PayoutMethodInput, responses=PayoutMethodSerializer)
    def put(self, request: Request) -> Response:
        """Set it, with your password. A change holds your payouts for a day."""
        body = PayoutMethodInput(data=request.data)
        body.is_valid(raise_exception=True)
        contractor = get_object_or_404(Contractor, pk=signed_in(request).pk)
        method = services.set_payout_method(contractor=contractor, **body.validated_data)
        return Response(PayoutMethodSerializer(method).data)


class StatementViewSet(
    mixins.ListModelMixin, mixins.RetrieveModelMixin, viewsets.GenericViewSet[Statement]
):
    """Your weekly statements; `verify_statement.py` checks the JSON."""

    permission_classes = [IsContractor]
    serializer_class = StatementSerializer

    def get_queryset(self) -> QuerySet[Statement]:
        if getattr(self, "swagger_fake_view", False):
            return Statement.objects.none()
        mine = Statement.objects.filter(contractor_id=signed_in(self.request).pk)
        return mine if self.action == "download" else mine.defer("document")

    @extend_schema(responses={(200, "application/octet-stream"): OpenApiTypes.BINARY})
    @action(detail=True, url_path=r"download/(?P<kind>json|csv|pdf)")
    def download(self, request: Request, pk: str, kind: str) -> HttpResponse:
        """The statement as JSON (to verify), CSV or PDF."""
        statement = self.get_object()
        render, content_type = {
            "json": (documents.as_json, "application/json"),
            "csv": (documents.as_csv, "text/csv; charset=utf-8"),
            "pdf": (documents.as_pdf, "application/pdf"),
        }[kind]
        name = f"statement-{statement.currency}-{statement.sequence}.{kind}"
        return attachment(render(statement), name, content_type)


class PayoutRunViewSet(
    mixins.ListModelMixin, mixins.RetrieveModelMixin, viewsets.GenericViewSet[PayoutRun]
):
    """Payout runs, for finance: prepare, lock, have somebody else approve, send."""

    permission_classes = [IsFinance]
    serializer_class = PayoutRunSerializer
    queryset = PayoutRun.objects.all()
    filterset_fields = ["state", "currency"]

    def _answer(self, run: PayoutRun, status: int = 200) -> Response:
        return Response(PayoutRunSerializer(run).data, status=status)

    def _body(self, serializer: type[serializers.Serializer[Any]]) -> dict[str, Any]:
        body = serializer(data=self.request.data)
        body.is_valid(raise_exception=True)
        return dict(body.validated_data)

    @extend_schema(request=RunInput, responses={201: PayoutRunSerializer})
    @idempotent
    def create(self, request: Request) -> Response:
        """Put what accrued until the cut-off into one payout per contractor."""
        run = services.prepare_run(actor=signed_in(request), **self._body(RunInput))
        return self._answer(run, 201)

    @extend_schema(request=None)
    @action(detail=True, methods=["post"])
    def lock(self, request: Request, pk: str) -> Response:
        """Freeze the amounts and reserve them."""
        return self._answer(services.lock_run(actor=signed_in(request), run=self.get_object()))

    @extend_schema(request=TotalsInput)
    @action(detail=True, methods=["post"])
    def approve(self, request: Request, pk: str) -> Response:
        """Approve as another person, stating the totals that you expect."""
        run = services.approve_run(
            actor=signed_in(request), run=self.get_object(), **self._body(TotalsInput)
        )
        return self._answer(run)

    @extend_schema(request=ReasonInput)
    @action(detail=True, methods=["post"])
    def cancel(self, request: Request, pk: str) -> Response:
        """Give everything back to the next run."""
        run = services.cancel_run(
            actor=signed_in(request), run=self.get_object(), **self._body(ReasonInput)
        )
        return self._answer(run)

    @extend_schema(
        responses=inline_serializer(
            "RunTotals",
            {name: serializers.DictField() for name in ("payouts", "items", "ledger")},
        )
    )
    @action(detail=True)
    def totals(self, request: Request, pk: str) -> Response:
        """Count and cents as the payouts, their items and the ledger have them."""
        return Response(services.run_totals(self.get_object()))

    @extend_schema(request=None, responses=PAYOUT_FILES)
    @action(detail=True, methods=["post"])
    def files(self, request: Request, pk: str) -> Response:
        """Make the bank files of an approved run, once."""
        return Response(_files(services.write_files(run=self.get_object())))

    @extend_schema(responses={(200, "application/octet-stream"): OpenApiTypes.BINARY})
    @action(detail=True, url_path=r"files/(?P<rail>file|nacha)")
    def file(self, request: Request, pk: str, rail: str) -> HttpResponse:
        """Download a bank file: always the bytes that were made first."""
        stored = PayoutFile.objects.filter(run=self.get_object(), rail=rail).first()
        if stored is None:
            raise NotFound()
        return attachment(services.hand_out_file(stored), stored.name, "application/octet-stream")

    @extend_schema(methods=["GET"], responses=BankReportSerializer(many=True), filters=False)
    @extend_schema(methods=["POST"], request=BankReportInput, responses={201: ComparisonSerializer})
    @action(detail=True, methods=["get", "post"])
    def reports(self, request: Request, pk: str) -> Response:
        """The bank's reports about this run; POST keeps one and compares it, and moves nothing.

        `POST /bank-reports/{id}/follow/` then has what matches moved. Problem: `unreadable-report`.
        """
        run = self.get_object()
        if request.method == "POST":
            body = self._body(BankReportInput)
            report = services.take_report(
                actor=signed_in(request),
                run=run,
                name=body["name"],
                content=body["content"].encode(),
            )
            context = {"comparison": services.compare_report(report)}
            return Response(ComparisonSerializer(report, context=context).data, status=201)
        page: Any = self.paginate_queryset(cast(Any, run.reports.defer("content", "differences")))
        return self.get_paginated_response(BankReportSerializer(page, many=True).data)

    @extend_schema(request=None, responses=PAYOUT_FILES)
    @action(detail=True, methods=["post"])
    def send(self, request: Request, pk: str) -> Response:
        """Send an approved run now: make its bank files, and have the providers called.

        Providers are called within a minute of the approval anyway. Problem: `wrong-run-state`.
        """
        made = services.send_run(actor=signed_in(request), run=self.get_object())
        return Response(_files(made))


class TimeToPayView(APIView):
    """How fast accepted work is paid."""

    authentication_classes: list[Any] = []
    permission_classes = [AllowAny]

    @extend_schema(
        responses=inline_serializer(
            "TimeToPay",
            {
                "days": serializers.IntegerField(),
                "count": serializers.IntegerField(),
                "p50_seconds": serializers.FloatField(allow_null=True),
                "p95_seconds": serializers.FloatField(allow_null=True),
            },
        )
    )
    def get(self, request: Request) -> Response:
        """Median and 95th percentile from acceptance to settlement, of the last 30 days. Public."""
        since = database_now() - timedelta(days=TIME_TO_PAY_DAYS)
        return Response({"days": TIME_TO_PAY_DAYS} | queries.time_to_pay(since))
