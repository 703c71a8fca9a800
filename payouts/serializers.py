"""Money as JSON: integers in cents beside their currency."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from contractors.models import Contractor
from payouts import queries
from payouts.models import Payable, Payout, PayoutMethod, PayoutRun, Rail, Statement
from payouts.rules import MAX_BONUS_CENTS, WHOLE
from tasks.models import Assignment, Project
from tasks.serializers import AssignmentSerializer


class EarnedSerializer(serializers.Serializer[queries.Earned]):
    """One currency of a contractor's money, by how far it got."""

    currency = serializers.CharField()
    reserved_cents = serializers.IntegerField(help_text="Pinned on claims not decided yet")
    accrued_cents = serializers.IntegerField(help_text="Earned; in the next payout")
    held_cents = serializers.IntegerField(help_text="Earned; held for a named reason")
    batched_cents = serializers.IntegerField(help_text="In a payout on its way")
    paid_cents = serializers.IntegerField()
    earned_cents = serializers.IntegerField(help_text="All of it but what is only reserved")


class WhereaboutsSerializer(serializers.Serializer[queries.Whereabouts]):
    """Where an earning is: beside its state, the way it goes and when it should be there."""

    text = serializers.CharField()
    expected_on = serializers.DateField(
        allow_null=True,
        help_text="The day (UTC) it should be there: the weekly run that pays it, moved by a hold "
        "or a new payout method, and the rail's working days. Null: paid, or it can't be said",
    )
    held_until = serializers.DateTimeField(allow_null=True)
    rail = serializers.CharField(allow_blank=True)
    to = serializers.CharField(allow_blank=True, help_text="Masked")
    reference = serializers.CharField(allow_blank=True, help_text="On the bank's statement")
    provider_reference = serializers.CharField(allow_blank=True)
    paid_at = serializers.DateTimeField(allow_null=True)


class PurseSerializer(serializers.Serializer[queries.Purse]):
    """Where the next payout goes."""

    rail = serializers.CharField(allow_blank=True, help_text="Empty: say where to pay you")
    to = serializers.CharField(allow_blank=True, help_text="Masked")
    usable_from = serializers.DateTimeField(
        allow_null=True, help_text="A changed payout method waits until then"
    )
    next_run_on = serializers.DateField(help_text="The day (UTC) of the next weekly run")


class EarningSerializer(serializers.ModelSerializer[Payable]):
    """One line of a contractor's earnings, with why it is what it is."""

    project = serializers.CharField(source="project.name")
    task = serializers.IntegerField(source="assignment.task_id", default=None)
    video = serializers.CharField(source="assignment.task.video.title", default=None)
    price_version = serializers.IntegerField(source="price_version.number", default=None)
    price_cents = serializers.IntegerField(source="assignment.price_cents", default=None)
    decided_at = serializers.DateTimeField(source="submission.decided_at", default=None)
    why = serializers.SerializerMethodField()
    where = serializers.SerializerMethodField()

    class Meta:
        model = Payable
        fields = [
            "id", "kind", "state", "amount_cents", "currency", "accrued_at", "project", "task",
            "video", "assignment", "submission", "price_version", "price_cents", "decided_at",
            "why", "where",
        ]  # fmt: skip
        read_only_fields = fields

    def get_why(self, payable: Payable) -> str:
        return queries.sentence(payable)

    @extend_schema_field(WhereaboutsSerializer)
    def get_where(self, payable: Payable) -> dict[str, Any]:
        where = queries.whereabouts(payable, self.context["purse"]())
        return dict(WhereaboutsSerializer(where).data)


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


class BudgetOutlookSerializer(serializers.Serializer[queries.BudgetOutlook]):
    """`funded = free + reserved + earned`; paid is a part of earned."""

    limited = serializers.BooleanField(help_text="False: never funded, claims reserve nothing")
    funded_cents = serializers.IntegerField()
    free_cents = serializers.IntegerField(help_text="What claims may still reserve")
    reserved_cents = serializers.IntegerField(help_text="The price of held and undecided work")
    earned_cents = serializers.IntegerField(help_text="Spent: earned since the first funding")
    paid_cents = serializers.IntegerField(help_text="Paid out so far, whenever it was earned")
    daily_earned_cents = serializers.IntegerField(
        help_text="Earned per day, over the last 14 days or since the first earning in them"
    )
    runs_out_on = serializers.DateField(
        allow_null=True,
        help_text="The day (UTC) on which nothing is free any more at that pace; null: not "
        "limited, nothing earned lately, or more than ten years away",
    )


class BonusInput(serializers.Serializer[Any]):
    contractor = serializers.PrimaryKeyRelatedField(queryset=Contractor.objects.all())
    project = serializers.PrimaryKeyRelatedField(queryset=Project.objects.all())
    amount_cents = serializers.IntegerField(min_value=1, max_value=MAX_BONUS_CENTS)
    reason = serializers.CharField(max_length=500, help_text="The contractor reads it")


class ReleaseInput(serializers.Serializer[Any]):
    reason = serializers.CharField(max_length=400, help_text="The contractor reads it")
    share_basis_points = serializers.IntegerField(
        min_value=0,
        max_value=WHOLE,
        required=False,
        help_text="Of the price; it counts where it pays more than the saved work's share",
    )


class ReleasedSerializer(AssignmentSerializer):
    """The released claim, and what its saved work was paid."""

    paid_cents = serializers.SerializerMethodField()
    earning = serializers.SerializerMethodField(help_text="Null: nothing was saved")

    class Meta(AssignmentSerializer.Meta):
        fields = [*AssignmentSerializer.Meta.fields, "paid_cents", "earning"]
        read_only_fields = fields

    def get_paid_cents(self, assignment: Assignment) -> int:
        earning: Payable | None = self.context["earning"]
        return earning.amount_cents if earning else 0

    @extend_schema_field(serializers.IntegerField(allow_null=True))
    def get_earning(self, assignment: Assignment) -> int | None:
        earning: Payable | None = self.context["earning"]
        return earning.pk if earning else None


class BonusSerializer(serializers.ModelSerializer[Payable]):
    class Meta:
        model = Payable
        fields = [
            "id", "contractor", "project", "amount_cents", "currency", "reason", "state",
            "accrued_at",
        ]  # fmt: skip
        read_only_fields = fields


class PayoutSerializer(serializers.ModelSerializer[Payout]):
    """One payment to you, and where it stands."""

    to = serializers.CharField(source="method.label")
    reference = serializers.CharField(source="our_reference")

    class Meta:
        model = Payout
        fields = [
            "id", "state", "amount_cents", "currency", "rail", "to", "reference",
            "provider_reference", "created_at", "submitted_at", "settled_at", "problem",
        ]  # fmt: skip
        read_only_fields = fields


class PayoutMethodSerializer(serializers.ModelSerializer[PayoutMethod]):
    """Where you are paid; the details themselves are never shown."""

    class Meta:
        model = PayoutMethod
        fields = ["id", "rail", "label", "created_at", "usable_from"]
        read_only_fields = fields


class PayoutMethodInput(serializers.Serializer[Any]):
    rail = serializers.ChoiceField(choices=Rail.choices)
    details = serializers.DictField(
        child=serializers.CharField(), help_text="account, and routing where there is one"
    )
    password = serializers.CharField(help_text="Entered anew", trim_whitespace=False)


class StatementSerializer(serializers.ModelSerializer[Statement]):
    class Meta:
        model = Statement
        fields = [
            "id", "sequence", "currency", "period_end", "opening_cents", "closing_cents",
            "line_count", "hash", "created_at",
        ]  # fmt: skip
        read_only_fields = fields


class PayoutRunSerializer(serializers.ModelSerializer[PayoutRun]):
    class Meta:
        model = PayoutRun
        fields = [
            "id", "state", "currency", "cut_off_at", "payout_count", "total_cents", "prepared_by",
            "prepared_at", "locked_at", "approved_by", "approved_at",
        ]  # fmt: skip
        read_only_fields = fields


class RunInput(serializers.Serializer[Any]):
    currency = serializers.RegexField(r"^[A-Z]{3}$", default="USD")
    cut_off_at = serializers.DateTimeField(required=False)


class TotalsInput(serializers.Serializer[Any]):
    payout_count = serializers.IntegerField(min_value=1)
    total_cents = serializers.IntegerField(min_value=1)


class ReasonInput(serializers.Serializer[Any]):
    reason = serializers.CharField(max_length=500)
