"""The admin: to look things up and to mend people's accounts. History is read-only here too."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.contrib.auth.admin import UserAdmin
from django.contrib.auth.forms import AdminUserCreationForm
from django.forms import BaseInlineFormSet, Field, ModelForm
from django.http import HttpRequest

from annotation_platform.api.read_only import ReadOnly, ReadOnlyAdmin
from contractors import rules, services
from contractors.models import (
    Contractor,
    EligibilityPolicy,
    EligibilityPolicyVersion,
    EligibilityRow,
    Residence,
    Restriction,
    User,
)


class UserCreationForm(AdminUserCreationForm[User]):
    class Meta:
        model = User
        fields = ("email",)
        field_classes: dict[str, type[Field]] = {}


@admin.register(User)
class PeopleAdmin(UserAdmin[User]):
    add_form = UserCreationForm
    list_display = ["email", "name", "roles", "is_active", "date_joined"]
    list_filter = ["is_active", "is_staff"]
    search_fields = ["email", "name"]
    ordering = ["-pk"]
    readonly_fields = ["date_joined", "last_login"]
    fieldsets = [
        (None, {"fields": ["email", "password", "name", "roles"]}),
        ("Access", {"fields": ["is_active", "is_staff", "is_superuser"]}),
        ("Instants", {"fields": ["date_joined", "last_login"]}),
    ]
    add_fieldsets = [
        (None, {"fields": ["email", "name", "roles", "usable_password", "password1", "password2"]})
    ]

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False  # close the account instead: its work, pay and events refer to it


class ResidenceInline(ReadOnly, admin.TabularInline[Residence, Contractor]):
    model = Residence
    fields = ["area", "valid", "evidence", "declared_at"]
    readonly_fields = ["area", "valid", "evidence", "declared_at"]
    ordering = ["-valid"]


class RestrictionInline(ReadOnly, admin.TabularInline[Restriction, Contractor]):
    model = Restriction
    fk_name = "contractor"
    fields = ["scope", "cause", "starts_at", "ends_at", "lifted_at", "appeal_state"]
    readonly_fields = ["scope", "cause", "starts_at", "ends_at", "lifted_at", "appeal_state"]
    ordering = ["-pk"]


@admin.register(Contractor)
class ContractorAdmin(ReadOnlyAdmin[Contractor]):
    list_display = ["user", "state", "applied_at", "activated_at"]
    list_filter = ["state"]
    list_select_related = ["user"]
    search_fields = ["user__email", "user__name"]
    inlines = [ResidenceInline, RestrictionInline]


@admin.register(Residence)
class ResidenceAdmin(ReadOnlyAdmin[Residence]):
    list_display = ["contractor", "area", "valid", "declared_at"]
    list_filter = ["area"]
    list_select_related = ["contractor"]
    search_fields = ["contractor__user__email"]


@admin.register(Restriction)
class RestrictionAdmin(ReadOnlyAdmin[Restriction]):
    list_display = ["contractor", "scope", "cause", "starts_at", "ends_at", "lifted_at"]
    list_filter = ["appeal_state"]
    list_select_related = ["contractor"]
    search_fields = ["contractor__user__email"]


class VersionInline(ReadOnly, admin.TabularInline[EligibilityPolicyVersion, EligibilityPolicy]):
    model = EligibilityPolicyVersion
    fields = ["number", "effective_at", "reason", "created_by"]
    readonly_fields = ["number", "effective_at", "reason", "created_by"]
    ordering = ["-number"]
    show_change_link = True


@admin.register(EligibilityPolicy)
class PolicyAdmin(admin.ModelAdmin[EligibilityPolicy]):
    list_display = ["name"]
    inlines = [VersionInline]

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class RowFormSet(BaseInlineFormSet[EligibilityRow, EligibilityPolicyVersion, ModelForm[Any]]):
    def clean(self) -> None:
        super().clean()
        for form in self.forms:
            area = form.cleaned_data.get("area")
            if area and not rules.is_area(area):
                form.add_error("area", "Not a full ISO 3166 code such as US-TX or CA-QC.")

    def rows(self) -> list[tuple[str, str]]:
        filled = [form.cleaned_data for form in self.forms if form.cleaned_data]
        return [(data["area"], data["effect"]) for data in filled]


class RowInline(admin.TabularInline[EligibilityRow, EligibilityPolicyVersion]):
    model = EligibilityRow
    formset = RowFormSet
    extra = 8
    can_delete = False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return obj is None  # a published version is sealed


@admin.register(EligibilityPolicyVersion)
class PolicyVersionAdmin(admin.ModelAdmin[EligibilityPolicyVersion]):
    """Publish the next version of a policy; what is published is only shown."""

    list_display = ["policy", "number", "effective_at", "created_by", "reason"]
    list_filter = ["policy"]
    list_select_related = ["policy", "created_by"]
    fields = ["policy", "reason"]
    inlines = [RowInline]

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        """Nothing yet: the service writes the version together with its rows."""

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        actor = request.user
        assert isinstance(actor, User)
        version = services.publish_policy_version(
            policy=form.instance.policy,
            rows=[row for formset in formsets for row in formset.rows()],
            reason=form.instance.reason,
            actor=actor,
        )
        form.instance.pk, form.instance.number = version.pk, version.number
        for formset in formsets:  # what the admin's log asks of a saved formset
            formset.new_objects, formset.changed_objects, formset.deleted_objects = [], [], []
