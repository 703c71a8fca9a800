"""JSON of the queue: what is read, and what is taken."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from tasks.models import (
    Assignment,
    Draft,
    Guideline,
    PriceVersion,
    Project,
    Qualification,
    Submission,
    Task,
)
from tasks.rules import MAX_SEGMENTS, SCREENING_REASONS
from timelines.segment import Hands, Segment
from videos.links import playable, whole_media
from videos.models import Video
from videos.queries import warnings
from videos.screening import Thresholds
from videos.serializers import MediaSerializer, WarningSerializer, WholeMediaSerializer

HANDS = {"none": Hands.NONE, "left": Hands.LEFT, "right": Hands.RIGHT, "both": Hands.BOTH}
HAND_NAMES = {int(hands): name for name, hands in HANDS.items()}


class HandsField(serializers.ChoiceField):
    """`none`, `left`, `right` or `both`; a bit mask inside."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(choices=list(HANDS), **kwargs)

    def to_internal_value(self, data: Any) -> Hands:  # type: ignore[override]
        return HANDS[super().to_internal_value(data)]

    def to_representation(self, value: int) -> str:  # type: ignore[override]
        return HAND_NAMES[int(value)]


class SegmentSerializer(serializers.Serializer[Segment]):
    """Frames are half-open: the action fills `[start_frame, end_frame)`."""

    start_frame = serializers.IntegerField()
    end_frame = serializers.IntegerField(help_text="Exclusive: the first frame after the action")
    hands = HandsField()
    action_type = serializers.CharField(max_length=100, help_text="A key of the project's types")
    # Empty ones get through to the timeline's own check, which names the segment.
    description = serializers.CharField(max_length=500, allow_blank=True)


class ScreeningSerializer(serializers.Serializer[dict[str, Any]]):
    verdict = serializers.ChoiceField(choices=Submission.Verdict.choices)
    reason = serializers.ChoiceField(choices=SCREENING_REASONS, required=False)
    note = serializers.CharField(max_length=1000, required=False, allow_blank=True)
    start_frame = serializers.IntegerField(min_value=0, required=False)
    end_frame = serializers.IntegerField(min_value=1, required=False)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if attrs["verdict"] != Submission.Verdict.USABLE and "reason" not in attrs:
            raise serializers.ValidationError({"reason": "Say what is wrong with the video."})
        has_start, has_end = "start_frame" in attrs, "end_frame" in attrs
        if has_start != has_end:
            missing = "end_frame" if has_start else "start_frame"
            raise serializers.ValidationError({missing: "A range needs its start and its end."})
        if has_start and attrs["end_frame"] <= attrs["start_frame"]:
            raise serializers.ValidationError({"end_frame": "The range ends before it starts."})
        return attrs


class SubmissionInput(serializers.Serializer[dict[str, Any]]):
    screening = ScreeningSerializer()
    segments = SegmentSerializer(many=True, max_length=MAX_SEGMENTS)  # type: ignore[call-arg]


class SubmissionSerializer(serializers.ModelSerializer[Submission]):
    segments = SegmentSerializer(many=True)
    assignment = serializers.PrimaryKeyRelatedField[Assignment](read_only=True)

    class Meta:
        model = Submission
        fields = [
            "id", "assignment", "round", "state", "screening_verdict", "screening", "frame_count",
            "segment_count", "submitted_at", "decided_at", "segments",
        ]  # fmt: skip
        read_only_fields = fields


class DraftSerializer(serializers.ModelSerializer[Draft]):
    class Meta:
        model = Draft
        fields = ["revision", "saved_at", "body"]
        read_only_fields = ["revision", "saved_at"]


class DraftInput(serializers.Serializer[dict[str, Any]]):
    body = serializers.DictField(help_text="The workbench's own document, as unfinished as it is")


class ProjectSerializer(serializers.ModelSerializer[Project]):
    price_cents = serializers.SerializerMethodField(help_text="Per accepted task, for new claims")
    currency = serializers.SerializerMethodField()
    guideline_version = serializers.SerializerMethodField()

    class Meta:
        model = Project
        fields = [
            "id", "name", "description", "state", "policy", "overlap", "max_overlap",
            "live_claim_cap", "lease_seconds", "grace_seconds", "lease_ceiling_seconds",
            "rework_seconds", "floor_cents_per_hour", "needs_qualification", "queue_order",
            "cool_down_seconds", "action_types", "screening_thresholds", "price_cents",
            "currency", "guideline_version", "created_at",
        ]  # fmt: skip
        read_only_fields = ["created_at"]

    def get_price_cents(self, project: Project) -> int | None:
        price = _last(project.price_versions.all(), "number")
        return price.price_cents if price else None

    def get_currency(self, project: Project) -> str | None:
        price = _last(project.price_versions.all(), "number")
        return price.currency if price else None

    def get_guideline_version(self, project: Project) -> int | None:
        published = [g for g in project.guidelines.all() if g.published_at is not None]
        guideline = _last(published, "version")
        return guideline.version if guideline else None

    def validate_screening_thresholds(self, value: Any) -> dict[str, float]:
        try:
            Thresholds.of(value)
        except (ValueError, TypeError, AttributeError) as error:
            raise serializers.ValidationError(str(error)) from error
        return dict(value)

    def validate_action_types(self, value: Any) -> Any:
        entries = value if isinstance(value, list) else []
        keys = [entry.get("key") for entry in entries if isinstance(entry, dict)]
        if (
            not keys
            or len(set(keys)) != len(entries)
            or not all(
                isinstance(entry.get("key"), str) and isinstance(entry.get("label"), str)
                for entry in entries
            )
        ):
            raise serializers.ValidationError(
                'A list of {"key": "pick_up", "label": "Pick up"} with different keys.'
            )
        return value

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        def setting(name: str) -> Any:
            # A new project has the model's defaults.
            return attrs.get(name, getattr(self.instance or Project(), name))

        if setting("max_overlap") < setting("overlap") or setting("overlap") < 1:
            raise serializers.ValidationError(
                {"max_overlap": "Overlap is at least 1 and at most the maximum overlap."}
            )
        if not 60 <= setting("lease_seconds") <= setting("lease_ceiling_seconds"):
            raise serializers.ValidationError(
                {"lease_seconds": "A lease lasts at least 60 seconds and at most its ceiling."}
            )
        if setting("live_claim_cap") < 1:
            raise serializers.ValidationError({"live_claim_cap": "At least 1."})
        return attrs


def _last(rows: Any, by: str) -> Any:
    return max(rows, key=lambda row: getattr(row, by), default=None)


class NewProject(ProjectSerializer):
    price_cents = serializers.IntegerField(min_value=1, required=False)  # type: ignore[assignment]
    screening_fee_cents = serializers.IntegerField(min_value=0, required=False)

    class Meta(ProjectSerializer.Meta):
        fields = [
            f
            for f in [*ProjectSerializer.Meta.fields, "screening_fee_cents"]
            if f not in ("id", "currency", "guideline_version", "created_at")
        ]


class PriceVersionSerializer(serializers.ModelSerializer[PriceVersion]):
    class Meta:
        model = PriceVersion
        fields = [
            "id", "number", "price_cents", "screening_fee_cents", "currency", "reason",
            "effective_at",
        ]  # fmt: skip
        read_only_fields = ["number", "currency", "effective_at"]
        extra_kwargs = {
            "price_cents": {"min_value": 1},
            "reason": {"required": True, "allow_blank": False},
        }

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if attrs["screening_fee_cents"] > attrs["price_cents"]:
            raise serializers.ValidationError(
                {"screening_fee_cents": "The fee can't be more than the price."}
            )
        return attrs


class GuidelineSerializer(serializers.ModelSerializer[Guideline]):
    class Meta:
        model = Guideline
        fields = ["id", "version", "title", "body", "changelog", "published_at"]
        read_only_fields = ["version", "published_at"]


class ChangedLineSerializer(serializers.Serializer[Any]):
    kind = serializers.ChoiceField(choices=["kept", "removed", "added"])
    text = serializers.CharField()
    before = serializers.IntegerField(allow_null=True, help_text="Line number, from 1")
    after = serializers.IntegerField(allow_null=True, help_text="Line number, from 1")


class GuidelineChangesSerializer(serializers.Serializer[Any]):
    """What a version changed. Nothing before it: everything is added."""

    before = serializers.IntegerField(allow_null=True, help_text="Version")
    after = serializers.IntegerField(help_text="Version")
    changelog = serializers.CharField()
    title_before = serializers.CharField(allow_null=True)
    title_after = serializers.CharField()
    hunks = serializers.ListField(child=ChangedLineSerializer(many=True))


class QualificationSerializer(serializers.ModelSerializer[Qualification]):
    class Meta:
        model = Qualification
        fields = [
            "id", "contractor", "reason", "granted_at", "granted_by", "ended_at", "end_reason",
        ]  # fmt: skip
        read_only_fields = ["granted_at", "granted_by", "ended_at", "end_reason"]


class TaskVideoSerializer(serializers.ModelSerializer[Video]):
    average_fps = serializers.SerializerMethodField()

    class Meta:
        model = Video
        fields = ["id", "title", "frame_count", "width", "height", "rotation", "average_fps"]
        read_only_fields = fields

    def get_average_fps(self, video: Video) -> float | None:
        fps = video.fps
        return round(fps, 6) if fps else None


class TaskSerializer(serializers.ModelSerializer[Task]):
    video = TaskVideoSerializer()

    class Meta:
        model = Task
        fields = [
            "id", "project", "video", "state", "state_reason", "overlap", "max_overlap",
            "held_slots", "priority", "created_at", "opened_at", "ended_at",
        ]  # fmt: skip
        read_only_fields = fields


class NewTasks(serializers.Serializer[dict[str, Any]]):
    project = serializers.PrimaryKeyRelatedField(queryset=Project.objects.all())
    videos = serializers.PrimaryKeyRelatedField(
        queryset=Video.objects.all(), many=True, allow_empty=False
    )
    priority = serializers.IntegerField(default=0, min_value=-1000, max_value=1000)
    open = serializers.BooleanField(default=False, help_text="Open them at once")


class OptionalReason(serializers.Serializer[dict[str, Any]]):
    reason = serializers.CharField(max_length=500, required=False, allow_blank=True, default="")


class ClaimInput(serializers.Serializer[dict[str, Any]]):
    project = serializers.PrimaryKeyRelatedField(queryset=Project.objects.all())


class AssignmentSerializer(serializers.ModelSerializer[Assignment]):
    """A claim as its holder sees it. Nothing here tells a gold task from another."""

    project = serializers.IntegerField(source="task.project_id")
    video = TaskVideoSerializer(source="task.video")
    guideline_version = serializers.IntegerField(source="guideline.version")
    is_live = serializers.BooleanField(help_text="You may still write to it")

    class Meta:
        model = Assignment
        fields = [
            "id", "task", "project", "video", "state", "is_live", "price_cents", "currency",
            "screening_fee_cents", "guideline", "guideline_version", "claimed_at",
            "lease_expires_at", "lease_ceiling_at", "submitted_at", "ended_at", "end_reason",
        ]  # fmt: skip
        read_only_fields = fields


class LiveAssignmentSerializer(AssignmentSerializer):
    """The same with what the workbench needs to start."""

    media = serializers.SerializerMethodField(help_text="Signed, short-lived; null once over")
    action_types = serializers.JSONField(source="task.project.action_types")
    server_time = serializers.SerializerMethodField(help_text="Count leases down from this")

    class Meta(AssignmentSerializer.Meta):
        fields = [*AssignmentSerializer.Meta.fields, "media", "action_types", "server_time"]

    @extend_schema_field(MediaSerializer(allow_null=True))
    def get_media(self, assignment: Assignment) -> dict[str, Any] | None:
        if not assignment.is_live:
            return None
        return playable(assignment.task.video, user=self.context["user"])

    @extend_schema_field(serializers.DateTimeField())
    def get_server_time(self, assignment: Assignment) -> str:
        return str(self.context["server_time"].isoformat())


class OpenedAssignmentSerializer(LiveAssignmentSerializer):
    """The same with the pictures and sound that the workbench draws."""

    @extend_schema_field(WholeMediaSerializer(allow_null=True))
    def get_media(self, assignment: Assignment) -> dict[str, Any] | None:
        if not assignment.is_live:
            return None
        return whole_media(assignment.task.video, user=self.context["user"])


class ProjectVideoSerializer(serializers.Serializer[Any]):
    """A video that the project has a task on, with the warnings that its thresholds give."""

    id = serializers.IntegerField()
    title = serializers.CharField()
    state = serializers.CharField()
    warnings = serializers.SerializerMethodField()

    @extend_schema_field(WarningSerializer(many=True))
    def get_warnings(self, video: Video) -> list[dict[str, Any]]:
        return warnings(video, self.context["thresholds"])


class RefusalSerializer(serializers.Serializer[dict[str, Any]]):
    type = serializers.CharField()
    title = serializers.CharField()
    status = serializers.IntegerField()
    detail = serializers.CharField(required=False)


class WhySerializer(serializers.Serializer[dict[str, Any]]):
    may_claim = serializers.BooleanField()
    refusals = RefusalSerializer(many=True, help_text="In the order in which they are checked")
