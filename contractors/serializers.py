"""People, places and policies as JSON."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from contractors import rules
from contractors.models import (
    Contractor,
    EligibilityPolicy,
    EligibilityPolicyVersion,
    EligibilityRow,
    Residence,
    Restriction,
    Role,
    User,
)


class AreaField(serializers.CharField):
    """A full ISO 3166 code: `US-TX`, `CA-QC`, `PR`. `CA` is Canada."""

    default_error_messages = {
        "unknown_area": "“{input}” is not a full ISO 3166 code such as US-TX or CA-QC."
    }

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(max_length=6, **kwargs)

    def to_internal_value(self, data: Any) -> str:
        code = super().to_internal_value(data)
        if not rules.is_area(code):
            self.fail("unknown_area", input=code)
        return code


class SignInSerializer(serializers.Serializer[Any]):
    email = serializers.EmailField()
    password = serializers.CharField(max_length=1000, trim_whitespace=False, write_only=True)


class TokenSerializer(serializers.Serializer[Any]):
    token = serializers.CharField(help_text="Send it as `Authorization: Token <token>`.")


class ResidenceSerializer(serializers.ModelSerializer[Residence]):
    area = AreaField()
    place = serializers.SerializerMethodField(help_text="The place in words.")
    from_date = serializers.DateField(source="valid.lower", help_text="The first day there (UTC).")
    until_date = serializers.DateField(
        source="valid.upper", read_only=True, allow_null=True, help_text="The first day elsewhere."
    )
    complete = serializers.SerializerMethodField(
        help_text="False when only the country is known although its parts matter."
    )

    class Meta:
        model = Residence
        fields = [
            "id",
            "area",
            "place",
            "complete",
            "from_date",
            "until_date",
            "evidence",
            "declared_at",
        ]
        read_only_fields = ["declared_at"]

    def get_place(self, residence: Residence) -> str:
        return rules.name(residence.area)

    def get_complete(self, residence: Residence) -> bool:
        return rules.is_complete(residence.area)


class MeSerializer(serializers.ModelSerializer[User]):
    """The signed-in person. `contractor` and `residence` are null for everybody else."""

    roles = serializers.ListField(child=serializers.ChoiceField(Role.choices), read_only=True)
    contractor = serializers.SerializerMethodField()
    residence = serializers.SerializerMethodField(help_text="Where you live today.")

    class Meta:
        model = User
        fields = ["id", "email", "name", "roles", "contractor", "residence"]
        read_only_fields = ["email"]

    @extend_schema_field(
        {
            "type": "object",
            "nullable": True,
            "properties": {"state": {"type": "string", "enum": list(Contractor.State.values)}},
        }
    )
    def get_contractor(self, user: User) -> dict[str, str] | None:
        contractor = self.context["contractor"]
        return None if contractor is None else {"state": contractor.state}

    @extend_schema_field(ResidenceSerializer(allow_null=True))
    def get_residence(self, user: User) -> Any:
        residence = self.context["residence"]
        return None if residence is None else ResidenceSerializer(residence).data


class PlaceSerializer(serializers.Serializer[Any]):
    code = serializers.CharField()
    name = serializers.CharField()
    complete = serializers.SerializerMethodField(
        help_text="False for a country alone of which the parts matter: choose one of those."
    )

    def get_complete(self, place: rules.Place) -> bool:
        return rules.is_complete(place.code)


class ContractorSerializer(serializers.ModelSerializer[Contractor]):
    """A contractor as managers see them."""

    id = serializers.IntegerField(source="pk", read_only=True)
    email = serializers.EmailField(source="user.email", read_only=True)
    name = serializers.CharField(source="user.name", read_only=True)
    area = serializers.CharField(
        source="area_today", read_only=True, allow_null=True, help_text="Residence today."
    )

    class Meta:
        model = Contractor
        fields = ["id", "email", "name", "state", "area", "applied_at", "activated_at"]


class ContractorDetailSerializer(ContractorSerializer):
    residences = ResidenceSerializer(many=True, read_only=True)

    class Meta(ContractorSerializer.Meta):
        fields = [*ContractorSerializer.Meta.fields, "residences"]


class ReasonSerializer(serializers.Serializer[Any]):
    reason = serializers.CharField(max_length=500)


class EligibilityRowSerializer(serializers.ModelSerializer[EligibilityRow]):
    area = AreaField()
    effect = serializers.ChoiceField(EligibilityRow.Effect.choices)

    class Meta:
        model = EligibilityRow
        fields = ["area", "effect"]


class PolicyVersionSerializer(serializers.ModelSerializer[EligibilityPolicyVersion]):
    rows = EligibilityRowSerializer(many=True)
    effective_at = serializers.DateTimeField(
        required=False, help_text="At once when left out; never in the past."
    )
    reason = serializers.CharField(max_length=500, allow_blank=True, default="")

    class Meta:
        model = EligibilityPolicyVersion
        fields = ["id", "number", "effective_at", "reason", "created_by", "rows"]
        read_only_fields = ["number", "created_by"]


class PolicySerializer(serializers.ModelSerializer[EligibilityPolicy]):
    """A policy with the version that was published last."""

    # The uniqueness of the name is the database's business: the service names the clash (409).
    name = serializers.CharField(max_length=100)
    rows = EligibilityRowSerializer(many=True, write_only=True)
    reason = serializers.CharField(max_length=500, allow_blank=True, default="", write_only=True)
    latest_version = serializers.SerializerMethodField()

    class Meta:
        model = EligibilityPolicy
        fields = ["id", "name", "rows", "reason", "latest_version"]

    @extend_schema_field(PolicyVersionSerializer(allow_null=True))
    def get_latest_version(self, policy: EligibilityPolicy) -> Any:
        versions = list(policy.versions.all())  # prefetched: the latest only
        return PolicyVersionSerializer(versions[0]).data if versions else None


class EligibilityDecisionSerializer(serializers.Serializer[Any]):
    outcome = serializers.ChoiceField(["allow", "deny", "unknown"])
    area = serializers.CharField(allow_null=True)
    matched_area = serializers.CharField(
        allow_null=True, help_text="The row that decided; null when none did."
    )
    reason = serializers.CharField(help_text="The sentence that the contractor reads.")


class RestrictionSerializer(serializers.ModelSerializer[Restriction]):
    in_force = serializers.SerializerMethodField()

    class Meta:
        model = Restriction
        fields = [
            "id",
            "contractor",
            "scope",
            "cause",
            "evidence",
            "starts_at",
            "ends_at",
            "lifted_at",
            "in_force",
            "appeal_state",
            "appeal_text",
            "appealed_at",
            "appeal_answer",
            "appeal_decided_at",
        ]
        read_only_fields = [
            "contractor",
            "starts_at",
            "lifted_at",
            "appeal_state",
            "appeal_text",
            "appealed_at",
            "appeal_answer",
            "appeal_decided_at",
        ]

    def get_in_force(self, restriction: Restriction) -> bool:
        now = self.context["now"]
        over = restriction.ends_at is not None and restriction.ends_at <= now
        return restriction.lifted_at is None and not over


class AppealSerializer(serializers.Serializer[Any]):
    text = serializers.CharField(max_length=5000)


class AppealDecisionSerializer(serializers.Serializer[Any]):
    overturn = serializers.BooleanField()
    answer = serializers.CharField(max_length=5000)
