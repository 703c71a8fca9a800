"""JSON of scores, reviews and decisions. No contractor has a name here."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from reviews.models import (
    Assessment,
    Decision,
    DecisionRule,
    Review,
    Run,
    Score,
    Scoring,
    TaskConsensus,
)
from reviews.rules import OUTCOMES_OF_DECISION, REJECTION_REASONS
from reviews.words import rule_in_words, score_in_words
from tasks.models import Project, Submission
from tasks.serializers import GuidelineSerializer, SegmentSerializer, TaskVideoSerializer
from videos.serializers import WholeMediaSerializer


class MatchSerializer(serializers.Serializer[dict[str, Any]]):
    """Two segments taken for the same action, by their positions in the two timelines."""

    reference = serializers.IntegerField()
    candidate = serializers.IntegerField()
    iou = serializers.FloatField()
    start_off = serializers.IntegerField(help_text="Frames, candidate minus reference")
    end_off = serializers.IntegerField(help_text="Frames, candidate minus reference")
    same_type = serializers.BooleanField()
    hands = serializers.FloatField(help_text="Jaccard index of the two sets of hands")
    quality = serializers.FloatField(allow_null=True, help_text="Empty below an IoU of 0.5")


class ScoreSerializer(serializers.ModelSerializer[Score]):
    reference = serializers.IntegerField(source="reference_id", help_text="Submission")
    candidate = serializers.IntegerField(source="candidate_id", help_text="Submission")
    scoring_version = serializers.IntegerField(source="scoring.number")
    alignment = MatchSerializer(many=True)
    diagnosis = serializers.JSONField()
    f1 = serializers.DictField(child=serializers.FloatField())
    flags = serializers.ListField(child=serializers.CharField())
    in_words = serializers.SerializerMethodField()

    class Meta:
        model = Score
        fields = [
            "id", "reference", "candidate", "s", "rq", "sq", "tp", "fp", "fn",
            "mean_boundary_error_frames", "mean_boundary_error_ms", "f1", "edit_score", "flags",
            "in_words", "alignment", "diagnosis", "scoring_version", "parameters", "scored_at",
        ]  # fmt: skip
        read_only_fields = fields

    def get_in_words(self, score: Score) -> list[str]:
        return score_in_words(score)


class ReviewSerializer(serializers.ModelSerializer[Review]):
    task = serializers.IntegerField(source="submission.assignment.task_id")
    round = serializers.IntegerField(source="submission.round")

    class Meta:
        model = Review
        fields = [
            "id", "kind", "state", "reason", "project", "task", "submission", "round",
            "queued_at", "claimed_at", "lease_expires_at", "decided_at", "findings",
        ]  # fmt: skip
        read_only_fields = fields


class ReviewedTimelineSerializer(serializers.ModelSerializer[Submission]):
    letter = serializers.SerializerMethodField(help_text="A, B, …: nobody's name")
    is_subject = serializers.SerializerMethodField(help_text="The one that is decided about")
    segments = SegmentSerializer(many=True)

    class Meta:
        model = Submission
        fields = [
            "id", "letter", "is_subject", "round", "state", "screening_verdict", "screening",
            "frame_count", "segments",
        ]  # fmt: skip
        read_only_fields = fields

    def get_letter(self, submission: Submission) -> str:
        return str(self.context["letters"][submission.pk])

    def get_is_subject(self, submission: Submission) -> bool:
        return bool(submission.pk == self.context["review"].submission_id)


class ReviewDetailSerializer(ReviewSerializer):
    """Everything a reviewer's page draws: the timelines on one frame axis, and their scores."""

    video = TaskVideoSerializer(source="submission.assignment.task.video")
    guideline = GuidelineSerializer(source="submission.assignment.guideline")
    action_types = serializers.JSONField(source="project.action_types")
    media = serializers.SerializerMethodField(
        help_text="Links to proxy, filmstrip and sound; null once the review is over"
    )
    timelines = serializers.SerializerMethodField()
    scores = serializers.SerializerMethodField()
    first_findings = serializers.SerializerMethodField(
        help_text="Of a concurrence: the rejection that the first reviewer wants"
    )
    outcomes = serializers.SerializerMethodField(help_text="How this review may end")
    rejection_reasons = serializers.SerializerMethodField()
    server_time = serializers.SerializerMethodField()

    class Meta(ReviewSerializer.Meta):
        fields = [
            *ReviewSerializer.Meta.fields, "video", "guideline", "action_types", "media",
            "timelines", "scores", "first_findings", "outcomes", "rejection_reasons",
            "server_time",
        ]  # fmt: skip

    @extend_schema_field(WholeMediaSerializer(allow_null=True))
    def get_media(self, review: Review) -> dict[str, Any] | None:
        media: dict[str, Any] | None = self.context["media"]
        return media

    @extend_schema_field(ReviewedTimelineSerializer(many=True))
    def get_timelines(self, review: Review) -> Any:
        context = {"letters": self.context["letters"], "review": review}
        return ReviewedTimelineSerializer(
            self.context["submissions"], many=True, context=context
        ).data

    @extend_schema_field(ScoreSerializer(many=True))
    def get_scores(self, review: Review) -> Any:
        return ScoreSerializer(self.context["scores"], many=True).data

    def get_first_findings(self, review: Review) -> dict[str, Any]:
        return dict(review.of.findings) if review.of is not None else {}

    def get_outcomes(self, review: Review) -> list[str]:
        return list(self.context["outcomes"])

    def get_rejection_reasons(self, review: Review) -> dict[str, str]:
        return dict(REJECTION_REASONS)

    @extend_schema_field(serializers.DateTimeField())
    def get_server_time(self, review: Review) -> str:
        return str(self.context["server_time"].isoformat())


class ClaimReviewInput(serializers.Serializer[dict[str, Any]]):
    project = serializers.PrimaryKeyRelatedField(
        queryset=Project.objects.all(), required=False, help_text="Only this project's"
    )


class EvidenceSerializer(serializers.Serializer[dict[str, Any]]):
    start_frame = serializers.IntegerField(min_value=0)
    end_frame = serializers.IntegerField(min_value=1, help_text="Exclusive")
    text = serializers.CharField(max_length=1000)


class FindingsInput(serializers.Serializer[dict[str, Any]]):
    outcome = serializers.ChoiceField(choices=OUTCOMES_OF_DECISION)
    text = serializers.CharField(max_length=5000, required=False, allow_blank=True, default="")
    evidence = EvidenceSerializer(many=True, required=False)
    reason_code = serializers.CharField(max_length=40, required=False, allow_blank=True, default="")
    guideline_clause = serializers.CharField(
        max_length=200, required=False, allow_blank=True, default=""
    )


class ReviewDecisionSerializer(serializers.ModelSerializer[Decision]):
    rule_number = serializers.IntegerField(source="rule.number")
    by = serializers.SerializerMethodField(help_text="rule or reviewer")

    class Meta:
        model = Decision
        fields = [
            "id", "submission", "about", "outcome", "by", "rule_number", "s", "rq", "explanation",
            "evidence", "reason_code", "guideline_clause", "decided_at",
        ]  # fmt: skip
        read_only_fields = fields

    def get_by(self, decision: Decision) -> str:
        return "rule" if decision.actor_id is None else "reviewer"


class OwnScoreSerializer(serializers.ModelSerializer[Score]):
    """A score as one of its two contractors sees it: nothing of the other's timeline."""

    in_words = serializers.SerializerMethodField()
    scoring_version = serializers.IntegerField(source="scoring.number")

    class Meta:
        model = Score
        fields = [
            "s", "rq", "sq", "mean_boundary_error_frames", "mean_boundary_error_ms",
            "edit_score", "in_words", "scoring_version",
        ]  # fmt: skip
        read_only_fields = fields

    def get_in_words(self, score: Score) -> list[str]:
        return score_in_words(score)


class ResultSerializer(serializers.Serializer[dict[str, Any]]):
    """What became of a contractor's own work, and why."""

    submission = serializers.IntegerField()
    decision = ReviewDecisionSerializer()
    rule_in_words = serializers.ListField(child=serializers.CharField())
    score = OwnScoreSerializer(allow_null=True)
    diagnosis = serializers.ListField(child=serializers.DictField())


class AssessmentSerializer(serializers.ModelSerializer[Assessment]):
    rule_number = serializers.IntegerField(source="rule.number")
    scoring_version = serializers.IntegerField(source="scoring.number")

    class Meta:
        model = Assessment
        fields = ["submission_ids", "outcomes", "rule_number", "scoring_version", "assessed_at"]
        read_only_fields = fields


class AgreementSerializer(serializers.Serializer[dict[str, Any]]):
    """How well the annotators of one task agree, and what that led to."""

    task = serializers.IntegerField()
    assessment = AssessmentSerializer(allow_null=True)
    scores = ScoreSerializer(many=True)
    decisions = ReviewDecisionSerializer(many=True)


class DecisionRuleSerializer(serializers.ModelSerializer[DecisionRule]):
    in_words = serializers.SerializerMethodField()
    parameters = serializers.DictField(help_text="What is left out keeps its default")
    reason = serializers.CharField(max_length=500)

    class Meta:
        model = DecisionRule
        fields = ["number", "parameters", "in_words", "reason", "created_at"]
        read_only_fields = ["number", "created_at"]

    def get_in_words(self, rule: DecisionRule) -> list[str]:
        return rule_in_words(rule)


class ScoringSerializer(serializers.ModelSerializer[Scoring]):
    parameters = serializers.DictField(help_text="What is left out keeps its default")
    reason = serializers.CharField(max_length=500)

    class Meta:
        model = Scoring
        fields = ["number", "parameters", "reason", "created_at"]
        read_only_fields = ["number", "created_at"]


class ConsensusSourceSerializer(serializers.Serializer[dict[str, Any]]):
    annotator = serializers.IntegerField(help_text="Index into submission_ids")
    index = serializers.IntegerField(help_text="Position in that submission's timeline")
    segment = SegmentSerializer()


class ConsensusSegmentSerializer(serializers.Serializer[dict[str, Any]]):
    """A segment that most annotators drew."""

    segment = SegmentSerializer()
    support = serializers.FloatField(help_text="Share of the annotators who drew it")
    label_share = serializers.FloatField(help_text="Share of those with this type and hand")
    spread_frames = serializers.FloatField(help_text="Mean distance of their boundaries")
    confidence = serializers.FloatField(help_text="0 to 1; low ones are for a reviewer")
    sources = ConsensusSourceSerializer(many=True)


class DisputedSerializer(serializers.Serializer[dict[str, Any]]):
    """Segments that found too little support: a person decides."""

    support = serializers.FloatField()
    reason = serializers.CharField()
    sources = ConsensusSourceSerializer(many=True)


class ConsensusSerializer(serializers.ModelSerializer[TaskConsensus]):
    segments = ConsensusSegmentSerializer(many=True)
    disputed = DisputedSerializer(many=True)

    class Meta:
        model = TaskConsensus
        fields = [
            "task", "stale", "submission_ids", "mean_confidence", "low_confidence_count",
            "built_at", "segments", "disputed",
        ]  # fmt: skip
        read_only_fields = fields


class RunSerializer(serializers.ModelSerializer[Run]):
    scoring_version = serializers.IntegerField(source="scoring.number", read_only=True)

    class Meta:
        model = Run
        fields = [
            "id", "project", "kind", "scoring_version", "state", "done", "total", "skipped",
            "error", "result", "created_at", "moved_at", "finished_at",
        ]  # fmt: skip
        read_only_fields = [name for name in fields if name != "kind"]


class GoldSkillSerializer(serializers.Serializer[dict[str, Any]]):
    """The same from scores against hidden references."""

    count = serializers.IntegerField(help_text="Scores against a reference")
    seen_mean = serializers.FloatField()
    skill = serializers.FloatField()
    low = serializers.FloatField()
    high = serializers.FloatField()


class AnnotatorSerializer(serializers.Serializer[dict[str, Any]]):
    """What is known about an annotator; see docs/agreement.md. Agreement with others and scores
    against references are two scales and are not mixed."""

    contractor = serializers.IntegerField(source="contractor_id")
    count = serializers.IntegerField(help_text="Scores with another annotator")
    seen_mean = serializers.FloatField(allow_null=True, help_text="Plain mean of S")
    mean_rq = serializers.FloatField(allow_null=True)
    mean_boundary_error_ms = serializers.FloatField(allow_null=True)
    skill = serializers.FloatField(allow_null=True, help_text="S to expect of their next work")
    low = serializers.FloatField(allow_null=True, help_text="90 % interval of the skill")
    high = serializers.FloatField(allow_null=True)
    gold = GoldSkillSerializer(allow_null=True)


class FigureSerializer(serializers.Serializer[dict[str, Any]]):
    value = serializers.FloatField(allow_null=True)
    low = serializers.FloatField(allow_null=True, help_text="95 % interval over tasks")
    high = serializers.FloatField(allow_null=True)
    tasks = serializers.IntegerField(help_text="Tasks that it could be computed for")


class GuidelineReliabilitySerializer(serializers.Serializer[dict[str, Any]]):
    guideline = serializers.IntegerField(help_text="Version")
    tasks = serializers.IntegerField()
    segments = serializers.IntegerField()
    gamma = FigureSerializer()
    alpha = serializers.DictField(child=FigureSerializer(), help_text="By hand: left, right")
    action_types = serializers.JSONField()
    boundaries = serializers.JSONField()


class ReliabilitySerializer(serializers.Serializer[dict[str, Any]]):
    run = serializers.IntegerField()
    computed_at = serializers.DateTimeField()
    guidelines = GuidelineReliabilitySerializer(many=True)
