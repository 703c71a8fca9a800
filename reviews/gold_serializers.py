"""JSON of gold. For managers only."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from reviews.models import GoldReference, GoldScore, GoldSettings
from tasks.models import Project, Submission, Task
from tasks.rules import MAX_SEGMENTS
from tasks.serializers import SegmentSerializer


class GoldSettingsSerializer(serializers.ModelSerializer[GoldSettings]):
    qualifies_for = serializers.PrimaryKeyRelatedField(
        queryset=Project.objects.all(), allow_null=True, required=False
    )

    class Meta:
        model = GoldSettings
        fields = [
            "share", "last_scores", "qualify_at", "suspend_below", "suspend_days", "qualifies_for",
        ]  # fmt: skip
        extra_kwargs = {
            "share": {"min_value": 0, "max_value": 1},
            "last_scores": {"min_value": 1, "max_value": 100},
            "qualify_at": {"min_value": 0, "max_value": 1},
            "suspend_below": {"min_value": 0, "max_value": 1},
            "suspend_days": {"min_value": 1, "max_value": 365},
        }

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        def setting(name: str) -> Any:
            return attrs.get(name, getattr(self.instance or GoldSettings(), name))

        if setting("suspend_below") >= setting("qualify_at"):
            raise serializers.ValidationError(
                {"suspend_below": "What stops somebody lies below what qualifies them."}
            )
        return attrs


class GoldReferenceSerializer(serializers.ModelSerializer[GoldReference]):
    segments = SegmentSerializer(many=True)

    class Meta:
        model = GoldReference
        fields = [
            "id", "task", "source", "submission_ids", "frame_count", "segments", "created_at",
            "created_by", "retired_at", "retire_reason",
        ]  # fmt: skip
        read_only_fields = fields


class NewGoldReference(serializers.Serializer[dict[str, Any]]):
    task = serializers.PrimaryKeyRelatedField(queryset=Task.objects.all())
    source = serializers.ChoiceField(  # type: ignore[assignment]
        choices=GoldReference.Source.choices
    )
    submission = serializers.PrimaryKeyRelatedField(
        queryset=Submission.objects.select_related("assignment"),
        required=False,
        help_text="An accepted one of the task, for the source `submission`",
    )
    segments = SegmentSerializer(  # type: ignore[call-arg]
        many=True, required=False, max_length=MAX_SEGMENTS, help_text="For the source `own`"
    )


class PickedSerializer(serializers.Serializer[Any]):
    made = GoldReferenceSerializer(many=True, help_text="References taken from accepted work")
    wanted = serializers.ListField(
        child=serializers.IntegerField(), help_text="Tasks that wait for a manager's own timeline"
    )


class GoldScoreSerializer(serializers.ModelSerializer[GoldScore]):
    task = serializers.IntegerField(source="reference.task_id")

    class Meta:
        model = GoldScore
        fields = [
            "id", "reference", "task", "submission", "contractor", "s", "rq", "sq", "tp", "fp",
            "fn", "mean_boundary_error_frames", "findings", "scored_at",
        ]  # fmt: skip
        read_only_fields = fields
