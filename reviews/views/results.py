"""What became of work: for who did it, and for who runs the project."""

from __future__ import annotations

from django.shortcuts import get_object_or_404
from drf_spectacular.utils import extend_schema
from rest_framework.permissions import IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from annotation_platform.api.permissions import IsReviewerOrManager
from reviews import queries
from reviews.models import TaskConsensus
from reviews.problems import NotDecidedYet
from reviews.serializers import AgreementSerializer, ConsensusSerializer, ResultSerializer
from reviews.views.signed_in import caller
from reviews.words import diagnosis_of, rule_in_words
from tasks.models import Submission


class ResultView(APIView):
    permission_classes = [IsAuthenticated]

    @extend_schema(operation_id="submissions_result", responses=ResultSerializer)
    def get(self, request: Request, submission_id: int) -> Response:
        """Decision, score and diagnosis of one's own work, in words.

        404 for anybody else's; 404 `not-decided-yet` until it is decided, so that nobody learns
        their score while another annotator still works on the task.
        """
        submission = get_object_or_404(
            Submission.objects.filter(assignment__contractor_id=request.user.pk), pk=submission_id
        )
        decision = queries.decision_about_work(submission)
        if decision is None:
            raise NotDecidedYet("You will see the result here when it is.")
        score = queries.score_behind(decision)
        answer = {
            "submission": submission.pk,
            "decision": decision,
            "rule_in_words": rule_in_words(decision.rule),
            "score": score,
            "diagnosis": diagnosis_of(score, submission.pk) if score is not None else [],
        }
        return Response(ResultSerializer(answer).data)


class AgreementView(APIView):
    permission_classes = [IsReviewerOrManager]

    @extend_schema(operation_id="tasks_agreement", responses=AgreementSerializer)
    def get(self, request: Request, task_id: int) -> Response:
        """Scores, what the rule made of them, and the decisions of one task.

        For managers and reviewers; 404 to who annotated the task themselves.
        """
        task = get_object_or_404(
            queries.tasks_not_annotated_by(caller(request).pk).select_related(
                "assessment__rule", "assessment__scoring"
            ),
            pk=task_id,
        )
        answer = {
            "task": task.pk,
            "assessment": getattr(task, "assessment", None),
            "scores": queries.scores_of_task(task),
            "decisions": queries.decisions_of_task(task),
        }
        return Response(AgreementSerializer(answer).data)


class ConsensusView(APIView):
    permission_classes = [IsReviewerOrManager]

    @extend_schema(operation_id="tasks_consensus", responses=ConsensusSerializer)
    def get(self, request: Request, task_id: int) -> Response:
        """One timeline out of the task's accepted work, with a confidence per segment.

        404 before two people's work was accepted, and to who annotated the task themselves.
        """
        consensus = get_object_or_404(
            TaskConsensus.objects.filter(
                task__in=queries.tasks_not_annotated_by(caller(request).pk),
                built_at__isnull=False,
                submission_ids__len__gte=2,
            ),
            pk=task_id,
        )
        return Response(ConsensusSerializer(consensus).data)
