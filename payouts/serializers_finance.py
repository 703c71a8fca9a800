"""JSON of what finance works with, and of tax forms. Account and tax numbers are masked."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from payouts import queries
from payouts.models import (
    BankReport,
    Hold,
    Payable,
    Payout,
    PayoutAttempt,
    ProviderEvent,
    TaxForm,
)
from payouts.services.reports import ReportLine
from tasks.models import Project

SHOWN_LINES = 200


class PayableSerializer(serializers.ModelSerializer[Payable]):
    """An earning as finance sees it."""

    contractor_email = serializers.CharField(source="contractor.user.email")
    project_name = serializers.CharField(source="project.name")

    class Meta:
        model = Payable
        fields = [
            "id", "contractor", "contractor_email", "project", "project_name", "assignment",
            "submission", "kind", "state", "amount_cents", "currency", "accrued_at", "reason",
        ]  # fmt: skip
        read_only_fields = fields


class HoldSerializer(serializers.ModelSerializer[Hold]):
    amount_cents = serializers.IntegerField(source="payable.amount_cents")
    currency = serializers.CharField(source="payable.currency")
    contractor = serializers.IntegerField(source="payable.contractor_id")

    class Meta:
        model = Hold
        fields = [
            "id", "payable", "contractor", "amount_cents", "currency", "case", "reason",
            "placed_by", "placed_at", "ends_at", "lifted_at", "lifted_by",
        ]  # fmt: skip
        read_only_fields = fields


class HoldInput(serializers.Serializer[Any]):
    payable = serializers.PrimaryKeyRelatedField(queryset=Payable.objects.all())
    case = serializers.CharField(max_length=60, help_text="What you file it under")
    reason = serializers.CharField(max_length=500, help_text="The contractor reads it")
    ends_at = serializers.DateTimeField(help_text="At most seven days away")


class RunPayoutSerializer(serializers.ModelSerializer[Payout]):
    """One payout of a run."""

    contractor_email = serializers.CharField(source="contractor.user.email")
    to = serializers.CharField(source="method.label", help_text="Masked")
    reference = serializers.CharField(source="our_reference")

    class Meta:
        model = Payout
        fields = [
            "id", "run", "contractor", "contractor_email", "state", "amount_cents", "currency",
            "rail", "to", "number", "reference", "provider_reference", "needs_person", "problem",
            "found_cents", "found_rail", "found_reference", "created_at", "submitted_at",
            "settled_at",
        ]  # fmt: skip
        read_only_fields = fields


class AttemptSerializer(serializers.ModelSerializer[PayoutAttempt]):
    class Meta:
        model = PayoutAttempt
        fields = [
            "number", "outcome", "detail", "idempotency_key", "request_sha256", "first_sent_at",
            "answered_at",
        ]  # fmt: skip
        read_only_fields = fields


class RunPayoutDetailSerializer(RunPayoutSerializer):
    """With every attempt to send it."""

    attempts = AttemptSerializer(many=True)

    class Meta(RunPayoutSerializer.Meta):
        fields = [*RunPayoutSerializer.Meta.fields, "attempts"]
        read_only_fields = fields


class DecideUnknownInput(serializers.Serializer[Any]):
    provider_reference = serializers.CharField(
        max_length=100,
        allow_blank=True,
        default="",
        help_text="What the provider calls the payment; empty: it never paid",
    )
    amount_cents = serializers.IntegerField(
        min_value=1,
        required=False,
        help_text="What the provider says that it paid; default: this payout's amount",
    )
    note = serializers.CharField(max_length=400, help_text="How you know")


class DecideFoundInput(serializers.Serializer[Any]):
    earnings = serializers.ListField(
        child=serializers.IntegerField(min_value=1),
        allow_empty=True,
        max_length=1000,
        help_text="Ids of the person's unpaid earnings that the found payment was for",
    )
    project = serializers.PrimaryKeyRelatedField(
        queryset=Project.objects.all(),
        required=False,
        allow_null=True,
        help_text="In which what was paid beyond them was earned, by work whose records are lost",
    )
    note = serializers.CharField(max_length=400, help_text="How you know")


class DecideFilePayoutInput(serializers.Serializer[Any]):
    outcome = serializers.ChoiceField(choices=["settled", "failed", "returned"])
    note = serializers.CharField(max_length=400, help_text="How you know")


class BankReportInput(serializers.Serializer[Any]):
    name = serializers.CharField(max_length=200)
    content = serializers.CharField(help_text="CSV: reference,amount,currency,status")


class OutcomeSerializer(serializers.Serializer[Any]):
    """How many lines of a report came to what; empty before anything was done."""

    settled = serializers.IntegerField(required=False)
    failed = serializers.IntegerField(required=False)
    returned = serializers.IntegerField(required=False)
    unchanged = serializers.IntegerField(required=False)
    different = serializers.IntegerField(required=False, help_text="Nothing happened to these")
    missing = serializers.IntegerField(required=False, help_text="Payouts that it leaves out")


class BankReportSerializer(serializers.ModelSerializer[BankReport]):
    state = serializers.ChoiceField(choices=BankReport.State.choices)
    outcome = OutcomeSerializer()

    class Meta:
        model = BankReport
        fields = [
            "id", "run", "name", "sha256", "row_count", "uploaded_by", "uploaded_at",
            "state", "follow_asked_by", "follow_asked_at", "lines_done", "outcome", "followed_at",
        ]  # fmt: skip
        read_only_fields = fields


class ReportLineSerializer(serializers.Serializer[ReportLine]):
    line = serializers.IntegerField(help_text="In the file; 0: the report leaves it out")
    reference = serializers.CharField()
    amount_cents = serializers.IntegerField()
    currency = serializers.CharField()
    status = serializers.CharField()
    text = serializers.CharField(allow_blank=True)
    payout = serializers.IntegerField(allow_null=True)


class ComparisonSerializer(BankReportSerializer):
    """The report beside our books as they are now: how many lines of each sort, and the first
    200 of each."""

    differences = serializers.ListField(
        child=serializers.CharField(), help_text="When it was followed: the first 1,000"
    )
    counts = serializers.SerializerMethodField()
    matched = serializers.SerializerMethodField(help_text="Following the report moves these")
    unchanged = serializers.SerializerMethodField(help_text="They are where the report says")
    different = serializers.SerializerMethodField(help_text="Another amount or state than ours")
    unexpected = serializers.SerializerMethodField(help_text="Not in this run")
    missing = serializers.SerializerMethodField(help_text="With the bank, not in the report")

    class Meta(BankReportSerializer.Meta):
        fields = [
            *BankReportSerializer.Meta.fields, "differences",
            "counts", "matched", "unchanged", "different", "unexpected", "missing",
        ]  # fmt: skip
        read_only_fields = fields

    def _lines(self, sort: str) -> list[dict[str, Any]]:
        rows = getattr(self.context["comparison"], sort)[:SHOWN_LINES]
        return [dict(ReportLineSerializer(row).data) for row in rows]

    def get_counts(self, report: BankReport) -> dict[str, int]:
        return {name: len(rows) for name, rows in vars(self.context["comparison"]).items()}

    def get_matched(self, report: BankReport) -> list[dict[str, Any]]:
        return self._lines("matched")

    def get_unchanged(self, report: BankReport) -> list[dict[str, Any]]:
        return self._lines("unchanged")

    def get_different(self, report: BankReport) -> list[dict[str, Any]]:
        return self._lines("different")

    def get_unexpected(self, report: BankReport) -> list[dict[str, Any]]:
        return self._lines("unexpected")

    def get_missing(self, report: BankReport) -> list[dict[str, Any]]:
        return self._lines("missing")


class ProviderEventSerializer(serializers.ModelSerializer[ProviderEvent]):
    class Meta:
        model = ProviderEvent
        fields = [
            "id", "provider", "event_id", "kind", "reference", "our_reference", "received_at",
            "handled_at",
        ]  # fmt: skip
        read_only_fields = fields


# --- tax --------------------------------------------------------------------------------------


class TaxFormSerializer(serializers.ModelSerializer[TaxForm]):
    """The form you gave. The number itself is never shown."""

    tin = serializers.CharField(source="masked_tin", help_text="`ending in 6789`")
    status = serializers.SerializerMethodField(help_text="`current` or `expired`")

    class Meta:
        model = TaxForm
        fields = [
            "id", "kind", "name", "address", "country", "tin_kind", "tin", "signature",
            "signed_on", "expires_on", "stated_at", "status",
        ]  # fmt: skip
        read_only_fields = fields

    def get_status(self, form: TaxForm) -> str:
        return queries.status_of(form, self.context["today"])


class TaxFormInput(serializers.Serializer[Any]):
    kind = serializers.ChoiceField(choices=TaxForm.Kind.choices)
    name = serializers.CharField(max_length=200, help_text="As on your tax return")
    address = serializers.CharField(max_length=500)
    country = serializers.RegexField(r"^[A-Z]{2}$", help_text="ISO 3166-1, of tax residence")
    tin_kind = serializers.ChoiceField(
        choices=TaxForm.TinKind.choices, required=False, allow_blank=True, default=""
    )
    tin = serializers.CharField(
        max_length=40, required=False, allow_blank=True, default="", help_text="Encrypted at once"
    )
    signature = serializers.CharField(
        max_length=200,
        help_text="Your name: I state that this is true and that the number is mine",
    )
    password = serializers.CharField(
        help_text="Entered anew", trim_whitespace=False, write_only=True
    )


class TaxLineSerializer(serializers.Serializer[queries.TaxLine]):
    """What one contractor was paid in a year. Figures, no tax advice."""

    contractor = serializers.IntegerField()
    name = serializers.CharField()
    email = serializers.CharField()
    year = serializers.IntegerField()
    currency = serializers.CharField()
    paid_cents = serializers.IntegerField(help_text="Settled in the year (UTC), not returned")
    payout_count = serializers.IntegerField()
    form_kind = serializers.CharField(source="form.kind", default="")
    form_status = serializers.ChoiceField(choices=["missing", "expired", "current"])
    form_expires_on = serializers.DateField(source="form.expires_on", default=None, allow_null=True)
    tin = serializers.CharField(source="form.masked_tin", default="", help_text="Masked")
    reported = serializers.BooleanField(
        help_text="Reaches the year's threshold, and no W-8BEN says that it does not count"
    )


class FullExportInput(serializers.Serializer[Any]):
    password = serializers.CharField(
        help_text="Entered anew", trim_whitespace=False, write_only=True
    )
    reason = serializers.CharField(max_length=400, help_text="Kept in the log")
    currency = serializers.RegexField(r"^[A-Z]{3}$", default="USD")
