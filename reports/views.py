"""Reports over HTTP, for those who run projects and pay for them."""

from __future__ import annotations

from datetime import date, timedelta
from functools import cache
from zoneinfo import ZoneInfo, available_timezones

from django.shortcuts import get_object_or_404
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from annotation_platform.api.permissions import IsManagerOrFinance
from annotation_platform.clock import database_now
from reports import queries
from reports.problems import invalid
from reports.rules import DEFAULT_DAYS, MAX_DAYS, Days
from reports.serializers import ThroughputSerializer
from tasks.models import Project

PARAMETERS = [
    OpenApiParameter("from", date, description=f"First day; {DEFAULT_DAYS} days when left out."),
    OpenApiParameter("to", date, description="Last day, included; today when left out."),
    OpenApiParameter("tz", str, description="IANA time zone of the days; UTC when left out."),
]


class ProjectThroughput(APIView):
    permission_classes = [IsManagerOrFinance]

    @extend_schema(
        operation_id="projects_throughput", parameters=PARAMETERS, responses=ThroughputSerializer
    )
    def get(self, request: Request, project_id: int) -> Response:
        """Claimed, submitted, accepted, earned and paid per day of one project, with the money.

        Every day of the range is there, also those on which nothing happened; at most 366.
        """
        return _answer(request, get_object_or_404(Project, pk=project_id))


class Throughput(APIView):
    permission_classes = [IsManagerOrFinance]

    @extend_schema(operation_id="throughput", parameters=PARAMETERS, responses=ThroughputSerializer)
    def get(self, request: Request) -> Response:
        """The same over all projects together."""
        return _answer(request, None)


def _answer(request: Request, project: Project | None) -> Response:
    days = _days(request)
    report = queries.throughput(days, project=project)
    return Response(
        ThroughputSerializer(
            {
                "project": None if project is None else project.pk,
                "tz": days.zone.key,
                "totals": report.totals,
                "reserved_now": report.reserved_now,
                "days": report.days,
            }
        ).data
    )


def _days(request: Request) -> Days:
    name = request.query_params.get("tz") or "UTC"
    # Looked up in the list first: ZoneInfo reads files by name.
    if name not in _zone_names():
        raise invalid("tz", f"“{name}” is not an IANA time zone such as America/Toronto.")
    zone = ZoneInfo(name)
    last = _date(request, "to") or database_now().astimezone(zone).date()
    first = _date(request, "from") or last - timedelta(days=DEFAULT_DAYS - 1)
    if first > last:
        raise invalid("from", f"{first} is after {last}.")
    if (last - first).days >= MAX_DAYS:
        raise invalid("from", f"At most {MAX_DAYS} days at once.")
    return Days(first, last, zone)


@cache
def _zone_names() -> set[str]:
    return available_timezones()


def _date(request: Request, name: str) -> date | None:
    text = request.query_params.get(name)
    if not text:
        return None
    try:
        found = date.fromisoformat(text)
    except ValueError:
        raise invalid(name, f"“{text}” is not a date such as 2026-03-29.") from None
    if not 2000 <= found.year < 2200:
        raise invalid(name, f"{found} is before or after everything that happens here.")
    return found
