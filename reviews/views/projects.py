"""A project's agreement as a whole: runs, reliability, annotators."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet
from django.shortcuts import get_object_or_404
from drf_spectacular.utils import extend_schema
from rest_framework import mixins, viewsets
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from annotation_platform.api.idempotency import idempotent
from annotation_platform.api.permissions import IsManager, IsReviewerOrManager
from reviews import gold_queries, queries, services
from reviews.models import Run
from reviews.serializers import AnnotatorSerializer, ReliabilitySerializer, RunSerializer
from reviews.skill import Seen, estimate_skills
from reviews.views.signed_in import caller
from tasks.models import Project


class ProjectRunViewSet(mixins.ListModelMixin, viewsets.GenericViewSet[Run]):
    """Runs over a whole project: `rescore` under the newest scoring, `reliability`."""

    serializer_class = RunSerializer
    permission_classes = [IsManager]
    filter_backends: list[Any] = []

    def get_queryset(self) -> QuerySet[Run]:
        if getattr(self, "swagger_fake_view", False):
            return Run.objects.none()
        return Run.objects.filter(project=self.kwargs["project_id"]).select_related("scoring")

    @extend_schema(request=RunSerializer, responses={201: RunSerializer})
    @idempotent
    def create(self, request: Request, project_id: int) -> Response:
        """Start a run; 409 `run-goes-on` while one of its kind is under way. It survives
        restarts: follow `done` of `total`."""
        project = get_object_or_404(Project, pk=project_id)
        serializer = RunSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        run = services.start_run(
            actor=caller(request), project=project, kind=serializer.validated_data["kind"]
        )
        return Response(RunSerializer(run).data, status=201)


class RunViewSet(mixins.RetrieveModelMixin, viewsets.GenericViewSet[Run]):
    """One run: its progress, and what came of it."""

    serializer_class = RunSerializer
    permission_classes = [IsManager]
    queryset = Run.objects.select_related("scoring")

    @extend_schema(request=None, responses=RunSerializer)
    @action(detail=True, methods=["post"])
    def cancel(self, request: Request, pk: str) -> Response:
        """Stop the run; what it has stored stays."""
        run = services.cancel_run(actor=caller(request), run=self.get_object())
        return Response(RunSerializer(run).data)


class ReliabilityView(APIView):
    permission_classes = [IsReviewerOrManager]

    @extend_schema(operation_id="projects_reliability", responses=ReliabilitySerializer)
    def get(self, request: Request, project_id: int) -> Response:
        """How far annotators agree beyond chance, by guideline version: the newest finished
        `reliability` run. 404 before the first one."""
        run = get_object_or_404(queries.newest_reliability_runs(project_id)[:1])
        answer = {"run": run.pk, "computed_at": run.finished_at, **(run.result or {})}
        return Response(ReliabilitySerializer(answer).data)


class AnnotatorsView(APIView):
    permission_classes = [IsManager]

    @extend_schema(operation_id="projects_annotators", responses=AnnotatorSerializer(many=True))
    def get(self, request: Request, project_id: int) -> Response:
        """Each annotator's skill with its uncertainty, best first: from agreement with others,
        and from scores against hidden references where there are any."""
        project = get_object_or_404(Project, pk=project_id)
        rows = queries.annotators_of(services.current_scoring(project))
        skills = estimate_skills(
            [Seen(r["contractor_id"], r["count"], r["mean"], r["variance"]) for r in rows]
        )
        hidden = gold_queries.works_in(project.pk, caller(request).pk)
        seen = [] if hidden else gold_queries.gold_seen(project)
        gold = {skill.contractor_id: skill.as_dict() for skill in estimate_skills(seen)}
        answer: Any = [
            row | skill.as_dict() | {"gold": gold.pop(skill.contractor_id, None)}
            for row, skill in zip(rows, skills, strict=True)
        ]
        answer.sort(key=lambda row: (-row["skill"], row["contractor_id"]))
        nothing = dict.fromkeys(
            ("seen_mean", "mean_rq", "mean_boundary_error_ms", "skill", "low", "high")
        )
        answer += [
            {"contractor_id": person, "count": 0, **nothing, "gold": gold[person]}
            for person in sorted(gold, key=lambda person: -gold[person]["skill"])
        ]
        return Response(AnnotatorSerializer(answer, many=True).data)
