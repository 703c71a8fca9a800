"""The queue: tasks, and the leased claims on their slots."""

from __future__ import annotations

from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now

from contractors.models import Contractor, EligibilityPolicyVersion, Residence
from tasks.models.projects import Guideline, PriceVersion, Project
from videos.models import Video


def facts_agree(table: str, *columns: str) -> models.Func:
    """`<table>_facts_agree(…)` of the database: does what a row says agree with its state?

    A function of the migrations, which a CHECK calls, and not an expression here: decision 0010.
    """
    return models.Func(
        *columns, function=f"{table}_facts_agree", output_field=models.BooleanField()
    )


class Task(models.Model):
    """One video in one project, to be annotated by `overlap` people independently."""

    class State(models.TextChoices):
        DRAFT = "draft"
        OPEN = "open"
        FILLED = "filled"
        ADJUDICATING = "adjudicating"
        COMPLETED = "completed"
        UNUSABLE = "unusable"
        PAUSED = "paused"
        CANCELLED = "cancelled"

    project = models.ForeignKey(
        Project,
        on_delete=models.PROTECT,
        related_name="tasks",
        db_index=False,  # `task_one_per_video` begins with it
    )
    video = models.ForeignKey(Video, on_delete=models.PROTECT, related_name="+")
    state = models.CharField(max_length=12, choices=State.choices, default=State.DRAFT)
    overlap = models.PositiveSmallIntegerField()
    max_overlap = models.PositiveSmallIntegerField()
    held_slots = models.PositiveSmallIntegerField(
        default=0, help_text="Assignments that occupy a slot: live, submitted or accepted"
    )
    priority = models.SmallIntegerField(default=0, help_text="Higher goes first")
    queue_order = models.CharField(
        max_length=13, default="age", db_default="age", help_text="The project's, for the rank"
    )
    uncertainty = models.PositiveSmallIntegerField(
        null=True, blank=True, help_text="Per mille: 1000 less the mean agreement of its work"
    )
    rank = models.GeneratedField(
        # Ascending like the id, so that one index scan can start anywhere in the queue. A priority
        # outweighs whatever the project orders by; no agreement yet: behind what has one.
        expression=models.Func(
            "priority", "queue_order", "held_slots", "uncertainty", function="tasks_rank"
        ),
        output_field=models.IntegerField(),
        db_persist=True,
    )
    state_reason = models.CharField(max_length=500, blank=True)
    created_at = models.DateTimeField(db_default=Now())
    opened_at = models.DateTimeField(null=True, blank=True)
    ended_at = models.DateTimeField(
        null=True, blank=True, help_text="completed, unusable or cancelled"
    )

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["project", "video"], name="task_one_per_video"),
            models.CheckConstraint(
                condition=facts_agree(
                    "tasks_task", "state", "overlap", "held_slots", "opened_at", "ended_at"
                ),
                name="task_state_agrees_with_facts",
            ),
            models.CheckConstraint(
                condition=Q(queue_order__in=["age", "breadth_first", "depth_first", "uncertainty"])
                & (Q(uncertainty__isnull=True) | Q(uncertainty__lte=1000)),
                name="task_queue_order_is_known",
            ),
            models.CheckConstraint(
                condition=Q(overlap__gte=1, max_overlap__gte=F("overlap"))
                & Q(held_slots__lte=F("overlap")),
                name="task_slots_within_overlap",
            ),
        ]
        indexes = [
            models.Index(
                fields=["project", "rank", "id"],
                condition=Q(state="open"),
                name="task_queue",
            ),
        ]

    def __str__(self) -> str:
        return f"task {self.pk} ({self.state})"


class Assignment(models.Model):
    """A leased claim of one contractor on one slot of one task.

    Everything that decides about it later is pinned here when it is claimed: price, guideline,
    eligibility policy and residence.
    """

    class State(models.TextChoices):
        ACTIVE = "active"
        GRACE = "grace"
        SUBMITTED = "submitted"
        REWORK = "rework"
        CLOSED = "closed"
        RETURNED = "returned"
        EXPIRED = "expired"
        RELEASED = "released"

    LEASED = (State.ACTIVE, State.GRACE, State.REWORK)
    GIVEN_UP = (State.RETURNED, State.EXPIRED, State.RELEASED)

    task = models.ForeignKey(Task, on_delete=models.PROTECT, related_name="assignments")
    contractor = models.ForeignKey(Contractor, on_delete=models.PROTECT, related_name="assignments")
    slot = models.PositiveSmallIntegerField(help_text="0 … overlap - 1")
    occupies_slot = models.BooleanField(default=True)
    state = models.CharField(max_length=10, choices=State.choices, default=State.ACTIVE)

    # No index on what can't be deleted and is not searched by: each would be written twice a claim.
    price_version = models.ForeignKey(
        PriceVersion, on_delete=models.PROTECT, related_name="+", db_index=False
    )
    price_cents = models.PositiveIntegerField()
    screening_fee_cents = models.PositiveIntegerField()
    currency = models.CharField(max_length=3)
    guideline = models.ForeignKey(Guideline, on_delete=models.PROTECT, related_name="+")
    policy_version = models.ForeignKey(
        EligibilityPolicyVersion, on_delete=models.PROTECT, related_name="+", db_index=False
    )
    residence = models.ForeignKey(
        Residence, on_delete=models.PROTECT, related_name="+", db_index=False
    )
    eligibility = models.JSONField(help_text="The decision and its inputs, as they were")

    claimed_at = models.DateTimeField()
    lease_expires_at = models.DateTimeField(null=True)
    lease_ceiling_at = models.DateTimeField()
    submitted_at = models.DateTimeField(null=True, blank=True)
    ended_at = models.DateTimeField(
        null=True, blank=True, help_text="closed, returned, expired or released"
    )
    end_reason = models.CharField(max_length=500, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["task", "slot"],
                condition=Q(occupies_slot=True),
                name="assignment_one_live_per_slot",
            ),
            models.UniqueConstraint(
                fields=["task", "contractor"],
                condition=~Q(state__in=["returned", "expired", "released"]),
                name="assignment_one_live_per_task_and_contractor",
            ),
            models.CheckConstraint(
                condition=facts_agree(
                    "tasks_assignment",
                    "state",
                    "occupies_slot",
                    "lease_expires_at",
                    "submitted_at",
                    "ended_at",
                ),
                name="assignment_state_agrees_with_facts",
            ),
            models.CheckConstraint(
                condition=Q(price_cents__gt=0)
                & Q(screening_fee_cents__lte=F("price_cents"))
                & Q(lease_ceiling_at__gte=F("claimed_at")),
                name="assignment_pins_are_usable",
            ),
        ]
        indexes = [
            models.Index(
                fields=["contractor"],
                condition=Q(state__in=["active", "grace", "rework"]),
                name="assignment_live_by_contractor",
            ),
            models.Index(
                fields=["state"],
                condition=Q(state__in=["active", "grace", "rework"]),
                name="assignment_leased",
            ),
        ]

    def __str__(self) -> str:
        return f"assignment {self.pk} ({self.state})"

    @property
    def is_live(self) -> bool:
        """Leased: the contractor may write to it."""
        return self.state in self.LEASED
