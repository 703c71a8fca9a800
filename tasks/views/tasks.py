"""The manager's view of the queue."""

from __future__ import annotations

from django.db import transaction
from drf_spectacular.utils import extend_schema
from rest_framework import mixins, viewsets
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from annotation_platform.api.idempotency import idempotent
from annotation_platform.api.permissions import IsManager
from contractors.serializers import ReasonSerializer
from contractors.views.person import signed_in
from tasks import services
from tasks.models import Task
from tasks.serializers import NewTasks, TaskSerializer


class TaskViewSet(mixins.ListModelMixin, mixins.RetrieveModelMixin, viewsets.GenericViewSet[Task]):
    """Tasks: one video in one project. For managers."""

    queryset = Task.objects.select_related("video")
    serializer_class = TaskSerializer
    permission_classes = [IsManager]
    filterset_fields = ["project", "state", "video"]

    @extend_schema(request=NewTasks, responses={201: TaskSerializer(many=True)})
    @idempotent
    def create(self, request: Request) -> Response:
        """One task per video that the project does not have yet; with `open`, opens them.

        All or none: a video that is not ready refuses the whole request when `open` is set.
        """
        serializer = NewTasks(data=request.data)
        serializer.is_valid(raise_exception=True)
        wanted = serializer.validated_data
        with transaction.atomic():
            tasks = services.create_tasks(
                actor=signed_in(request),
                project=wanted["project"],
                videos=wanted["videos"],
                priority=wanted["priority"],
            )
            if wanted["open"]:
                tasks = services.open_tasks(actor=signed_in(request), tasks=tasks)
        return Response(TaskSerializer(tasks, many=True).data, status=201)

    @extend_schema(request=None, responses=TaskSerializer)
    @action(detail=True, methods=["post"])
    def open(self, request: Request, pk: str) -> Response:
        """draft → open. Needs a published guideline and a ready video."""
        tasks = services.open_tasks(actor=signed_in(request), tasks=[self.get_object()])
        return Response(TaskSerializer(tasks[0]).data)

    @extend_schema(request=ReasonSerializer, responses=TaskSerializer)
    @action(detail=True, methods=["post"])
    def pause(self, request: Request, pk: str) -> Response:
        """No new claims; live claims stay valid and payable."""
        task = services.pause_task(
            actor=signed_in(request), task=self.get_object(), reason=_reason(request)
        )
        return Response(TaskSerializer(task).data)

    @extend_schema(request=None, responses=TaskSerializer)
    @action(detail=True, methods=["post"])
    def resume(self, request: Request, pk: str) -> Response:
        """Give the task out again."""
        task = services.resume_task(actor=signed_in(request), task=self.get_object())
        return Response(TaskSerializer(task).data)

    @extend_schema(request=ReasonSerializer, responses=TaskSerializer)
    @action(detail=True, methods=["post"])
    def cancel(self, request: Request, pk: str) -> Response:
        """End a task that nobody works on."""
        task = services.cancel_task(
            actor=signed_in(request), task=self.get_object(), reason=_reason(request)
        )
        return Response(TaskSerializer(task).data)


def _reason(request: Request) -> str:
    serializer = ReasonSerializer(data=request.data)
    serializer.is_valid(raise_exception=True)
    return str(serializer.validated_data["reason"])
