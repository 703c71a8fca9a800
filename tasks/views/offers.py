"""What contractors see before a claim, and what managers are told about pay."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet
from django.shortcuts import get_object_or_404
from drf_spectacular.utils import extend_schema
from rest_framework.generics import GenericAPIView
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from annotation_platform.api.pagination import NewestFirst
from annotation_platform.api.permissions import IsContractor, IsManager
from contractors.models import Contractor
from tasks import offers, queries, services
from tasks.models import Project
from tasks.serializers_pay import FairnessSerializer, OfferSerializer


class FewProjects(NewestFirst):
    # Every guard is asked about every project.
    page_size = 20
    max_page_size = 20


class OfferList(GenericAPIView[Project]):
    """The projects that give out work, as they are before a claim."""

    permission_classes = [IsContractor]
    serializer_class = OfferSerializer
    pagination_class = FewProjects
    filter_backends = ()

    def get_queryset(self) -> QuerySet[Project]:
        return offers.projects_to_offer()

    @extend_schema(responses=OfferSerializer(many=True))
    def get(self, request: Request) -> Response:
        """Per project: pay, the length of the next video, what the work takes others and what an
        hour of it pays them, and whether you may claim now, with everything in the way.

        Nothing is claimed or locked: the video of the claim can be another one by then.
        """
        person = Contractor.objects.select_related("user").get(pk=request.user.pk)
        projects = self.paginate_queryset(self.get_queryset())
        assert projects is not None, "this list is paged"
        rows: list[Any] = []
        for offer in offers.offers(person, projects):
            refusals = [problem.as_dict() for problem in offer.refusals]
            if not refusals and offer.next_video is None:
                refusals = [services.queue_empty().as_dict()]
            rows.append(
                {
                    "project": offer.project.pk,
                    "name": offer.project.name,
                    "description": offer.project.description,
                    "pay": offer.pay,
                    "next_video": offer.next_video,
                    "may_claim": not refusals,
                    "refusals": refusals,
                }
            )
        return self.get_paginated_response(OfferSerializer(rows, many=True).data)


class FairnessView(APIView):
    """A project's pay per hour of active work."""

    permission_classes = [IsManager]

    @extend_schema(responses=FairnessSerializer)
    def get(self, request: Request, project_id: int) -> Response:
        """The median active time of handed-in work, what an hour of it pays at today's price,
        and a warning when that is below the project's floor."""
        project = get_object_or_404(Project.objects.select_related("pace"), pk=project_id)
        pay = offers.pay(project, queries.current_price(project))
        pace = getattr(project, "pace", None)
        rate = pay.cents_per_hour if pay else None
        return Response(
            FairnessSerializer(
                {
                    "project": project.pk,
                    "pay": pay,
                    "floor_cents_per_hour": project.floor_cents_per_hour,
                    "below_floor": rate is not None and rate < project.floor_cents_per_hour,
                    "below_floor_since": pace.below_floor_since if pace else None,
                    "measured_at": pace.measured_at if pace else None,
                }
            ).data
        )
