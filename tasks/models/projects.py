"""What is wanted, under which rules, at which price."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now

from contractors.models import Contractor, EligibilityPolicy
from tasks.rules import default_action_types


class QueueOrder(models.TextChoices):
    """Which of the open tasks of one priority goes first."""

    AGE = "age"  # the oldest
    BREADTH_FIRST = "breadth_first"  # the one with the fewest held slots
    DEPTH_FIRST = "depth_first"  # the one with the most
    UNCERTAINTY = "uncertainty"  # the one whose annotators agreed least


class Project(models.Model):
    """An annotation project: many videos, one guideline, one price at a time.

    Settings apply to new claims only; what a claim needs later is pinned on the assignment.
    """

    class State(models.TextChoices):
        ACTIVE = "active"
        PAUSED = "paused"
        CLOSED = "closed"

    name = models.CharField(max_length=200, unique=True)
    description = models.TextField(blank=True)
    state = models.CharField(max_length=10, choices=State.choices, default=State.ACTIVE)
    queue_order = models.CharField(
        max_length=13,
        choices=QueueOrder.choices,
        default=QueueOrder.AGE,
        db_default=QueueOrder.AGE,
        help_text="Among tasks of one priority",
    )
    queue_order_applied = models.CharField(
        max_length=13,
        choices=QueueOrder.choices,
        default=QueueOrder.AGE,
        db_default=QueueOrder.AGE,
        help_text="What its tasks are ordered by; a job brings it up to date",
    )
    policy = models.ForeignKey(EligibilityPolicy, on_delete=models.PROTECT, related_name="+")
    action_types = models.JSONField(
        default=default_action_types, help_text='[{"key": "pick_up", "label": "Pick up"}, …]'
    )
    screening_thresholds = models.JSONField(
        default=dict,
        blank=True,
        help_text="When to warn of a video, where it differs from `videos.screening.Thresholds`",
    )
    overlap = models.PositiveSmallIntegerField(
        default=2, help_text="Independent assignments wanted per task"
    )
    max_overlap = models.PositiveSmallIntegerField(
        default=3, help_text="How far low agreement may raise the overlap"
    )
    live_claim_cap = models.PositiveSmallIntegerField(
        default=2, help_text="Live claims that one contractor may hold at once"
    )
    lease_seconds = models.PositiveIntegerField(default=30 * 60)
    grace_seconds = models.PositiveIntegerField(default=15 * 60)
    lease_ceiling_seconds = models.PositiveIntegerField(default=24 * 3600)
    rework_seconds = models.PositiveIntegerField(default=3 * 24 * 3600)
    cool_down_seconds = models.PositiveIntegerField(
        default=0, help_text="Between giving a task up and the next claim"
    )
    needs_qualification = models.BooleanField(default=False)
    floor_cents_per_hour = models.PositiveIntegerField(
        default=1500,
        db_default=1500,
        help_text="The manager is warned when the median effective rate falls below this",
    )
    budget_limited = models.BooleanField(default=False, help_text="Set by the first funding")
    created_at = models.DateTimeField(db_default=Now())
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+"
    )

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(state__in=["active", "paused", "closed"]), name="project_state_is_known"
            ),
            models.CheckConstraint(
                condition=Q(queue_order__in=["age", "breadth_first", "depth_first", "uncertainty"]),
                name="project_queue_order_is_known",
            ),
            models.CheckConstraint(
                condition=Q(overlap__gte=1, max_overlap__gte=F("overlap")),
                name="project_overlap_within_maximum",
            ),
            models.CheckConstraint(
                condition=Q(live_claim_cap__gte=1, lease_seconds__gte=60)
                & Q(lease_ceiling_seconds__gte=F("lease_seconds")),
                name="project_lease_settings_are_usable",
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def action_type_keys(self) -> list[str]:
        return [entry["key"] for entry in self.action_types]


class PriceVersion(models.Model):
    """What one accepted task pays from an instant on. Never edited, only followed by the next."""

    project = models.ForeignKey(Project, on_delete=models.PROTECT, related_name="price_versions")
    number = models.PositiveIntegerField()
    price_cents = models.PositiveIntegerField(help_text="Per accepted task")
    screening_fee_cents = models.PositiveIntegerField(
        help_text="For a task that turns out to be unusable"
    )
    currency = models.CharField(max_length=3, default="USD")
    reason = models.CharField(max_length=500, blank=True)
    effective_at = models.DateTimeField(db_default=Now())
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+"
    )

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["project", "number"], name="price_version_one_per_number"
            ),
            models.CheckConstraint(condition=Q(price_cents__gt=0), name="price_version_pays"),
            models.CheckConstraint(
                condition=Q(screening_fee_cents__lte=F("price_cents")),
                name="price_version_fee_within_price",
            ),
            models.CheckConstraint(
                condition=Q(currency__regex=r"^[A-Z]{3}$"),
                name="price_version_currency_is_iso_4217",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.project} price v{self.number}: {self.price_cents} {self.currency}"


class Guideline(models.Model):
    """One version of the instructions (Markdown). Immutable once published."""

    project = models.ForeignKey(Project, on_delete=models.PROTECT, related_name="guidelines")
    version = models.PositiveIntegerField()
    title = models.CharField(max_length=200)
    body = models.TextField(help_text="Markdown")
    changelog = models.TextField(help_text="What changed against the version before")
    published_at = models.DateTimeField(null=True, blank=True)
    published_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+"
    )

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["project", "version"], name="guideline_one_per_version"
            ),
            models.CheckConstraint(
                condition=Q(published_at__isnull=True) | ~Q(changelog=""),
                name="guideline_published_has_changelog",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.project} guideline v{self.version}"


class GuidelineAcknowledgement(models.Model):
    """A contractor has read this version."""

    contractor = models.ForeignKey(Contractor, on_delete=models.PROTECT, related_name="+")
    guideline = models.ForeignKey(Guideline, on_delete=models.PROTECT, related_name="+")
    acknowledged_at = models.DateTimeField(db_default=Now())

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["contractor", "guideline"], name="acknowledgement_one_per_guideline"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.contractor_id} read {self.guideline_id}"


class Qualification(models.Model):
    """A contractor may work on a project that asks for qualified people."""

    contractor = models.ForeignKey(Contractor, on_delete=models.PROTECT, related_name="+")
    project = models.ForeignKey(Project, on_delete=models.PROTECT, related_name="qualifications")
    reason = models.CharField(max_length=500, help_text="What it rests on")
    granted_at = models.DateTimeField(db_default=Now())
    granted_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+"
    )
    ended_at = models.DateTimeField(null=True, blank=True)
    end_reason = models.CharField(max_length=500, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["contractor", "project"],
                condition=Q(ended_at__isnull=True),
                name="qualification_one_in_force",
            ),
            models.CheckConstraint(
                condition=Q(ended_at__isnull=True) | ~Q(end_reason=""),
                name="qualification_ended_has_a_reason",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.contractor_id} for {self.project_id}"
