"""Tax forms and a year's figures over HTTP. It prepares figures; it gives no tax advice."""

from __future__ import annotations

from datetime import UTC, date
from typing import Any

from django.http import HttpResponse
from django.shortcuts import get_object_or_404
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.generics import GenericAPIView
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from annotation_platform.api.pagination import OldestFirst
from annotation_platform.api.permissions import IsContractor, IsFinance
from annotation_platform.api.problems import InvalidInput, NotFound
from annotation_platform.api.throttles import ScopedThrottle
from annotation_platform.clock import database_now
from contractors.models import Contractor
from payouts import documents, queries, services
from payouts.payout_views import attachment
from payouts.serializers_finance import (
    FullExportInput,
    TaxFormInput,
    TaxFormSerializer,
    TaxLineSerializer,
)
from payouts.tax_rules import FIRST_YEAR, LAST_YEAR, REPORTED_CURRENCY
from payouts.views import signed_in


def _today() -> date:
    return database_now().astimezone(UTC).date()


class _AsksForPassword(APIView):
    """Whoever guesses passwords through what asks for one again is slowed down."""

    throttle_scope = "password"

    def get_throttles(self) -> list[Any]:
        return [] if self.request.method == "GET" else [ScopedThrottle()]


class TaxFormView(_AsksForPassword):
    """Your tax form."""

    permission_classes = [IsContractor]

    @extend_schema(responses=TaxFormSerializer)
    def get(self, request: Request) -> Response:
        """The W-9 or W-8BEN that you gave, its number masked; 404 before you gave one."""
        form = queries.current_tax_form(signed_in(request).pk)
        if form is None:
            raise NotFound("You have not given a tax form yet.")
        return Response(TaxFormSerializer(form, context={"today": _today()}).data)

    @extend_schema(request=TaxFormInput, responses=TaxFormSerializer)
    def put(self, request: Request) -> Response:
        """Give a W-9 or W-8BEN, with your password; it follows the one before.

        A W-8BEN counts until the end of the third calendar year after today. No form never stops
        your pay. Problems: `fresh-sign-in-needed`, `invalid-tax-form`.
        """
        body = TaxFormInput(data=request.data)
        body.is_valid(raise_exception=True)
        contractor = get_object_or_404(
            Contractor.objects.select_related("user"), pk=signed_in(request).pk
        )
        form = services.state_tax_form(contractor=contractor, **body.validated_data)
        return Response(TaxFormSerializer(form, context={"today": _today()}).data)


CURRENCY = OpenApiParameter("currency", str, description="USD when left out")


class TaxYearView(GenericAPIView[Contractor]):
    """What contractors were paid in a calendar year."""

    permission_classes = [IsFinance]
    pagination_class = OldestFirst
    serializer_class: Any = TaxLineSerializer
    queryset = Contractor.objects.none()
    filter_backends = ()

    @extend_schema(
        operation_id="tax_years_list",
        parameters=[
            CURRENCY,
            OpenApiParameter("over_threshold", bool, description="Only those who are reported"),
            OpenApiParameter("lacks_form", bool, description="Only those with none that counts"),
        ],
        responses=TaxLineSerializer(many=True),
    )
    def get(self, request: Request, year: int) -> Response:
        """Payments by the day (UTC) on which they were settled, with the form behind each person.

        The threshold is $600 a year through 2025 and $2,000 from 2026.
        """
        today = _today()
        people = queries.tax_year(
            _year(year),
            currency=_currency(request),
            over_threshold=request.query_params.get("over_threshold") == "true",
            lacks_form_on=today if request.query_params.get("lacks_form") == "true" else None,
        )
        lines: Any = queries.tax_lines(
            self.paginate_queryset(people) or [],
            year=year,
            currency=_currency(request),
            today=today,
        )
        return self.get_paginated_response(TaxLineSerializer(lines, many=True).data)


class TaxExportView(_AsksForPassword):
    """A year's figures as CSV."""

    permission_classes = [IsFinance]

    @extend_schema(parameters=[CURRENCY], responses={(200, "text/csv"): OpenApiTypes.BINARY})
    def get(self, request: Request, year: int) -> HttpResponse:
        """The year as CSV, numbers masked."""
        return tax_export(year=_year(year), currency=_currency(request), full=False)

    @extend_schema(request=FullExportInput, responses={(200, "text/csv"): OpenApiTypes.BINARY})
    def post(self, request: Request, year: int) -> HttpResponse:
        """The year as CSV with full identification numbers: with your password, and a reason that
        the log keeps. Problem: `fresh-sign-in-needed`."""
        body = FullExportInput(data=request.data)
        body.is_valid(raise_exception=True)
        currency = body.validated_data.pop("currency")
        services.permit_full_export(
            actor=signed_in(request), year=_year(year), **body.validated_data
        )
        return tax_export(year=year, currency=currency, full=True)


def tax_export(*, year: int, currency: str, full: bool) -> HttpResponse:
    """The CSV of a year. `full` only after `services.permit_full_export`."""
    lines = queries.all_tax_lines(
        queries.tax_year(year, currency=currency), year=year, currency=currency, today=_today()
    )
    content = documents.tax_csv(lines, number_of=services.full_tin if full else None)
    return attachment(content, f"tax-{year}-{currency}.csv", "text/csv; charset=utf-8")


def _year(year: int) -> int:
    if not FIRST_YEAR <= year <= LAST_YEAR:
        raise NotFound(f"There are figures for the years {FIRST_YEAR} to {LAST_YEAR}.")
    return year


def _currency(request: Request) -> str:
    currency = request.query_params.get("currency") or REPORTED_CURRENCY
    if not (len(currency) == 3 and currency.isascii() and currency.isupper()):
        detail = f"“{currency}” is not a currency such as USD."
        raise InvalidInput(
            detail, errors=[{"pointer": "/currency", "detail": detail, "code": "invalid"}]
        )
    return currency
