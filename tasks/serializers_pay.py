"""JSON of pay: offers, pace, budget."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from tasks.models import Assignment, Funding
from tasks.rules import cents_per_hour
from tasks.serializers import GuidelineSerializer, RefusalSerializer


class PaySerializer(serializers.Serializer[Any]):
    price_cents = serializers.IntegerField(help_text="Per accepted task, for a claim made now")
    screening_fee_cents = serializers.IntegerField()
    currency = serializers.CharField()
    samples = serializers.IntegerField(help_text="How many claims the median is taken from")
    median_active_seconds = serializers.FloatField(
        allow_null=True, help_text="Measured by us; null while too few handed in"
    )
    cents_per_hour = serializers.IntegerField(
        allow_null=True, help_text="The price over the median active time"
    )


class NextVideoSerializer(serializers.Serializer[Any]):
    frame_count = serializers.IntegerField()
    seconds = serializers.FloatField()


class OfferSerializer(serializers.Serializer[Any]):
    project = serializers.IntegerField()
    name = serializers.CharField()
    description = serializers.CharField()
    pay = PaySerializer(allow_null=True)
    next_video = NextVideoSerializer(allow_null=True, help_text="Null: no task is free for you")
    may_claim = serializers.BooleanField()
    refusals = RefusalSerializer(many=True, help_text="In the order in which they are checked")


class FairnessSerializer(serializers.Serializer[dict[str, Any]]):
    project = serializers.IntegerField()
    pay = PaySerializer(allow_null=True)
    floor_cents_per_hour = serializers.IntegerField()
    below_floor = serializers.BooleanField()
    below_floor_since = serializers.DateTimeField(allow_null=True)
    measured_at = serializers.DateTimeField(allow_null=True, help_text="Null: not yet")


class HeartbeatInput(serializers.Serializer[dict[str, Any]]):
    events = serializers.IntegerField(
        min_value=0, max_value=100_000, help_text="Signs of activity since the last heartbeat"
    )


class HeartbeatSerializer(serializers.Serializer[dict[str, Any]]):
    active_seconds = serializers.FloatField(help_text="Of this claim so far, as we measured it")


class BriefSerializer(serializers.Serializer[Assignment]):
    """A claim's own guideline and pace; select `task__project__pace` and `active_time`."""

    project_name = serializers.CharField(source="task.project.name")
    guideline = GuidelineSerializer(help_text="The version pinned at the claim")
    active_seconds = serializers.SerializerMethodField(
        help_text="Your active time on this claim so far, as we measured it"
    )
    median_active_seconds = serializers.SerializerMethodField(
        help_text="Of others on this project; null while too few handed in"
    )
    cents_per_hour = serializers.SerializerMethodField(
        help_text="This claim's price over the median active time"
    )

    def get_active_seconds(self, claim: Assignment) -> float:
        measured = getattr(claim, "active_time", None)
        return measured.active_ms / 1000 if measured else 0.0

    def get_median_active_seconds(self, claim: Assignment) -> float | None:
        median = _median_ms(claim)
        return None if median is None else median / 1000

    def get_cents_per_hour(self, claim: Assignment) -> int | None:
        median = _median_ms(claim)
        return None if median is None else cents_per_hour(claim.price_cents, median)


def _median_ms(claim: Assignment) -> int | None:
    pace = getattr(claim.task.project, "pace", None)
    return pace.median_active_ms if pace else None


class FundingSerializer(serializers.ModelSerializer[Funding]):
    class Meta:
        model = Funding
        fields = ["id", "amount_cents", "reason", "created_at", "created_by"]
        read_only_fields = ["created_at", "created_by"]
        extra_kwargs = {
            "amount_cents": {
                "min_value": -(10**12),
                "max_value": 10**12,
                "help_text": "Negative takes free money out",
            },
            "reason": {"allow_blank": False},
        }

    def validate_amount_cents(self, value: int) -> int:
        if value == 0:
            raise serializers.ValidationError("Put something in or take something out.")
        return value
