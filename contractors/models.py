"""People, where they live, and who may work where."""

from __future__ import annotations

from typing import Any, ClassVar

from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.contrib.auth.models import PermissionsMixin
from django.contrib.postgres.constraints import ExclusionConstraint
from django.contrib.postgres.fields import ArrayField, DateRangeField, RangeOperators
from django.contrib.postgres.functions import RandomUUID
from django.db import models
from django.db.models.functions import Lower, Now

AREA_REGEX = r"^[A-Z]{2}(-[A-Z0-9]{1,3})?$"


class Role(models.TextChoices):
    CONTRACTOR = "contractor"
    REVIEWER = "reviewer"
    MANAGER = "manager"
    FINANCE = "finance"


class UserAccounts(BaseUserManager["User"]):
    def create_user(self, email: str, password: str | None = None, **fields: Any) -> User:
        user = self.model(email=self.normalize_email(email), **fields)
        user.set_password(password)
        user.save(using=self._db)
        return user

    def create_superuser(self, email: str, password: str | None = None, **fields: Any) -> User:
        return self.create_user(email, password, is_staff=True, is_superuser=True, **fields)


class User(AbstractBaseUser, PermissionsMixin):
    """Somebody who signs in. One person may have several roles."""

    email = models.EmailField(unique=True)
    name = models.CharField(max_length=200, blank=True)
    roles = ArrayField(
        models.CharField(max_length=20, choices=Role.choices), default=list, blank=True
    )
    is_active = models.BooleanField(default=True)
    is_staff = models.BooleanField(default=False)
    date_joined = models.DateTimeField(db_default=Now())

    objects: ClassVar[UserAccounts] = UserAccounts()

    USERNAME_FIELD = "email"
    REQUIRED_FIELDS: ClassVar[list[str]] = []

    class Meta:
        constraints = [
            models.UniqueConstraint(Lower("email"), name="user_one_per_email_in_any_case"),
            models.CheckConstraint(
                condition=models.Q(roles__contained_by=list(Role.values)),
                name="user_roles_are_known",
            ),
        ]

    def __str__(self) -> str:
        return self.email


class Contractor(models.Model):
    """A person who may be paid for work; the row that the claim locks."""

    class State(models.TextChoices):
        APPLIED = "applied"
        INTERVIEWING = "interviewing"
        QUIZZING = "quizzing"
        OFFERED = "offered"
        ACTIVE = "active"
        RESTRICTED = "restricted"
        DECLINED = "declined"

    user = models.OneToOneField(
        User, primary_key=True, on_delete=models.PROTECT, related_name="contractor"
    )
    public_id = models.UUIDField(
        unique=True,
        editable=False,
        db_default=RandomUUID(),
        help_text="Names this person outside of the database; never changes (trigger), and unlike "
        "a row number it is never given to somebody else after a backup was restored.",
    )
    state = models.CharField(max_length=20, choices=State.choices, default=State.APPLIED)
    applied_at = models.DateTimeField(db_default=Now())
    activated_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=models.Q(
                    state__in=[
                        "applied",
                        "interviewing",
                        "quizzing",
                        "offered",
                        "active",
                        "restricted",
                        "declined",
                    ]
                ),
                name="contractor_state_is_known",
            ),
            models.CheckConstraint(
                condition=~models.Q(state__in=["active", "restricted"])
                | models.Q(activated_at__isnull=False),
                name="contractor_active_has_activated_at",
            ),
        ]

    def __str__(self) -> str:
        return f"contractor {self.pk}"


class Residence(models.Model):
    """Where a contractor lived on which days, as a full ISO 3166 code (`US-TX`, `CA-QC`)."""

    contractor = models.ForeignKey(Contractor, on_delete=models.PROTECT, related_name="residences")
    area = models.CharField(max_length=6, help_text="ISO 3166-2 (US-TX), or a country alone (CA)")
    valid = DateRangeField(help_text="[from, to) days; no end while it is current")
    evidence = models.CharField(max_length=200, blank=True)
    declared_at = models.DateTimeField(db_default=Now())

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=models.Q(area__regex=AREA_REGEX), name="residence_area_is_iso_3166"
            ),
            models.CheckConstraint(
                condition=models.Q(valid__isempty=False, valid__startswith__isnull=False),
                name="residence_valid_has_a_first_day",
            ),
            ExclusionConstraint(
                name="residence_one_per_contractor_and_day",
                expressions=[
                    ("contractor", RangeOperators.EQUAL),
                    ("valid", RangeOperators.OVERLAPS),
                ],
            ),
        ]

    def __str__(self) -> str:
        return f"{self.area} {self.valid}"


class EligibilityPolicy(models.Model):
    """A named rule about where people may live to work on a project."""

    name = models.CharField(max_length=100, unique=True)

    class Meta:
        verbose_name_plural = "eligibility policies"

    def __str__(self) -> str:
        return self.name


class EligibilityPolicyVersion(models.Model):
    """What the policy says from an instant on; never edited, only followed by the next."""

    policy = models.ForeignKey(EligibilityPolicy, on_delete=models.PROTECT, related_name="versions")
    number = models.PositiveIntegerField()
    effective_at = models.DateTimeField(db_default=Now())
    reason = models.CharField(max_length=500, blank=True)
    created_by = models.ForeignKey(User, null=True, on_delete=models.PROTECT, related_name="+")

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["policy", "number"], name="policy_version_one_per_number"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.policy} v{self.number}"


class EligibilityRow(models.Model):
    """`allow US`, `deny US-NY`: the longest matching area wins; what no row matches is denied."""

    class Effect(models.TextChoices):
        ALLOW = "allow"
        DENY = "deny"

    version = models.ForeignKey(
        EligibilityPolicyVersion, on_delete=models.CASCADE, related_name="rows"
    )
    area = models.CharField(max_length=6)
    effect = models.CharField(max_length=5, choices=Effect.choices)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["version", "area"], name="eligibility_row_one_per_area"
            ),
            models.CheckConstraint(
                condition=models.Q(area__regex=AREA_REGEX), name="eligibility_row_area_is_iso_3166"
            ),
            models.CheckConstraint(
                condition=models.Q(effect__in=["allow", "deny"]),
                name="eligibility_row_effect_known",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.effect} {self.area}"


class RestrictionQuerySet(models.QuerySet["Restriction"]):
    def in_force(self) -> RestrictionQuerySet:
        """Started, not lifted and not run out, by the database's clock."""
        return self.filter(starts_at__lte=Now(), lifted_at=None).filter(
            models.Q(ends_at=None) | models.Q(ends_at__gt=Now())
        )


class Restriction(models.Model):
    """No new claims, everywhere or in one project; never touches what was earned."""

    class Appeal(models.TextChoices):
        NONE = "none"
        OPEN = "open"
        UPHELD = "upheld"
        OVERTURNED = "overturned"

    ALL = "all"

    contractor = models.ForeignKey(
        Contractor, on_delete=models.PROTECT, related_name="restrictions"
    )
    scope = models.CharField(
        max_length=64, default=ALL, help_text='"all", or the id of the project it is about'
    )
    cause = models.CharField(max_length=200, help_text="In words the contractor understands")
    evidence = models.TextField(blank=True)
    created_by = models.ForeignKey(
        User, null=True, on_delete=models.PROTECT, related_name="+", help_text="Empty: the system"
    )
    starts_at = models.DateTimeField(db_default=Now())
    ends_at = models.DateTimeField(null=True, blank=True, help_text="Empty: until it is lifted")
    lifted_at = models.DateTimeField(null=True, blank=True)
    lifted_by = models.ForeignKey(
        User, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    appeal_state = models.CharField(max_length=10, choices=Appeal.choices, default=Appeal.NONE)
    appeal_text = models.TextField(blank=True)
    appealed_at = models.DateTimeField(null=True, blank=True)
    appeal_answer = models.TextField(blank=True)
    appeal_decided_at = models.DateTimeField(null=True, blank=True)
    appeal_decided_by = models.ForeignKey(
        User, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )

    objects = RestrictionQuerySet.as_manager()

    class Meta:
        indexes = [
            models.Index(
                fields=["contractor"],
                condition=models.Q(lifted_at__isnull=True),
                name="restriction_not_lifted",
            ),
        ]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(ends_at__isnull=True)
                | models.Q(ends_at__gt=models.F("starts_at")),
                name="restriction_ends_after_it_starts",
            ),
            models.CheckConstraint(
                condition=~models.Q(scope="") & ~models.Q(cause=""),
                name="restriction_has_scope_and_cause",
            ),
            models.CheckConstraint(
                condition=(
                    models.Q(
                        appeal_state="none",
                        appealed_at__isnull=True,
                        appeal_decided_at__isnull=True,
                    )
                    | models.Q(
                        appeal_state="open",
                        appealed_at__isnull=False,
                        appeal_decided_at__isnull=True,
                    )
                    | models.Q(
                        appeal_state__in=["upheld", "overturned"],
                        appealed_at__isnull=False,
                        appeal_decided_at__isnull=False,
                    )
                ),
                name="restriction_appeal_state_has_its_instants",
            ),
            models.CheckConstraint(
                condition=~models.Q(appeal_state="overturned") | models.Q(lifted_at__isnull=False),
                name="restriction_overturned_is_lifted",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.scope}: {self.cause}"


class Verdict(models.Model):
    """What a policy version says to a residence, worked out once by `rules.decide`.

    Both sides never change, so neither does the answer: claims look it up instead of asking the
    rules again.
    """

    policy_version = models.ForeignKey(
        EligibilityPolicyVersion, on_delete=models.PROTECT, related_name="+"
    )
    residence = models.ForeignKey(Residence, on_delete=models.PROTECT, related_name="+")
    outcome = models.CharField(max_length=7)
    decision = models.JSONField(help_text="The decision and its inputs, as pinned on claims")

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["residence", "policy_version"], name="verdict_one_each"
            ),
            models.CheckConstraint(
                condition=models.Q(outcome__in=["allow", "deny", "unknown"]),
                name="verdict_outcome_is_known",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.outcome} for {self.residence_id} under {self.policy_version_id}"
