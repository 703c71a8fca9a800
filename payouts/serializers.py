"""Money as JSON: integers in cents beside their currency."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from contractors.models import Contractor
from payouts import queries
from payouts.models import Payable
from payouts.rules import MAX_BONUS_CENTS
from tasks.models import Project


class EarnedSerializer(serializers.Serializer[queries.Earned]):
    """One currency of a contractor's money, by how far it got."""

    currency = serializers.CharField()
    reserved_cents = serializers.IntegerField(help_text="Pinned on claims not decided yet")
    accrued_cents = serializers.IntegerField(help_text="Earned; in the next payout")
    held_cents = serializers.IntegerField(help_text="Earned; held for a named reason")
    batched_cents = serializers.IntegerField(help_text="In a payout on its way")
    paid_cents = serializers.IntegerField()
    earned_cents = serializers.IntegerField(help_text="All of it but what is only reserved")


class EarningSerializer(serializers.ModelSerializer[Payable]):
    """One line of a contractor's earnings, with why it is what it is."""

    project = serializers.CharField(source="project.name")
    task = serializers.IntegerField(source="assignment.task_id", default=None)
    video = serializers.CharField(source="assignment.task.video.title", default=None)
    price_version = serializers.IntegerField(source="price_version.number", default=None)
    price_cents = serializers.IntegerField(source="assignment.price_cents", default=None)
    decided_at = serializers.DateTimeField(source="submission.decided_at", default=None)
    why = serializers.SerializerMethodField()

    class Meta:
        model = Payable
        fields = [
            "id", "kind", "state", "amount_cents", "currency", "accrued_at", "project", "task",
            "video", "assignment", "submission", "price_version", "price_cents", "decided_at",
            "why",
        ]  # fmt: skip
        read_only_fields = fields

    def get_why(self, payable: Payable) -> str:
        return queries.sentence(payable)


class ExplainedEarningSerializer(EarningSerializer):
    """The line, and everything that leads to it."""

    explanation = serializers.SerializerMethodField()

    class Meta(EarningSerializer.Meta):
        fields = [*EarningSerializer.Meta.fields, "explanation"]
        read_only_fields = fields

    @extend_schema_field(serializers.DictField())
    def get_explanation(self, payable: Payable) -> dict[str, Any]:
        return queries.explanation(payable)


class ProjectMoneySerializer(serializers.Serializer[queries.ProjectMoney]):
    """A project's money in one currency."""

    currency = serializers.CharField()
    reserved_cents = serializers.IntegerField(help_text="Pinned on claims not decided yet")
    earned_cents = serializers.IntegerField(help_text="Accrued so far, paid or not")
    paid_cents = serializers.IntegerField(help_text="The part of it that was paid out")
    unpaid_cents = serializers.IntegerField(help_text="earned - paid")


class BonusInput(serializers.Serializer[Any]):
    contractor = serializers.PrimaryKeyRelatedField(queryset=Contractor.objects.all())
    project = serializers.PrimaryKeyRelatedField(queryset=Project.objects.all())
    amount_cents = serializers.IntegerField(min_value=1, max_value=MAX_BONUS_CENTS)
    reason = serializers.CharField(max_length=500, help_text="The contractor reads it")


class BonusSerializer(serializers.ModelSerializer[Payable]):
    class Meta:
        model = Payable
        fields = [
            "id", "contractor", "project", "amount_cents", "currency", "reason", "state",
            "accrued_at",
        ]  # fmt: skip
        read_only_fields = fields
