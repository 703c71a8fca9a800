"""How long work takes people, measured here and never told by a client."""

from __future__ import annotations

from django.db import models
from django.db.models import ExpressionWrapper, F, Q
from django.db.models.functions import Extract

from tasks.models.projects import Project
from tasks.models.queue import Assignment


def _wall_milliseconds() -> Extract:
    lasted = ExpressionWrapper(
        F("last_active_at") - F("started_at"), output_field=models.DurationField()
    )
    return Extract(lasted, "epoch", output_field=models.FloatField())


class ActiveTime(models.Model):
    """The active time of one claim: a sum of gaps between heartbeats that carried activity.

    The gaps are measured by the database's clock when a heartbeat arrives, so repeated, late,
    reordered or parallel heartbeats can never add up to more than the time that passed.
    """

    assignment = models.OneToOneField(
        Assignment, primary_key=True, on_delete=models.PROTECT, related_name="active_time"
    )
    project = models.ForeignKey(
        Project,
        on_delete=models.PROTECT,
        related_name="+",
        db_index=False,
        help_text="The assignment's, to read one project's pace from an index",
    )
    started_at = models.DateTimeField(help_text="The claim")
    last_active_at = models.DateTimeField(help_text="The last heartbeat with activity")
    active_ms = models.BigIntegerField(default=0)
    beats = models.PositiveIntegerField(default=0, help_text="Heartbeats with activity")

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(active_ms__gte=0)
                & Q(active_ms__lte=_wall_milliseconds() * 1000)
                & Q(last_active_at__gte=F("started_at")),
                name="active_time_within_wall_time",
            ),
        ]
        indexes = [
            models.Index(fields=["project", "last_active_at"], name="active_time_of_project"),
        ]

    def __str__(self) -> str:
        return f"{self.active_ms} ms of assignment {self.assignment_id}"


class ProjectPace(models.Model):
    """How long a project's tasks take and what an hour of them pays; measured periodically."""

    project = models.OneToOneField(
        Project, primary_key=True, on_delete=models.PROTECT, related_name="pace"
    )
    samples = models.PositiveIntegerField(default=0, help_text="Handed-in claims measured")
    median_active_ms = models.BigIntegerField(
        null=True, help_text="Null while there are too few to tell"
    )
    cents_per_hour = models.PositiveBigIntegerField(
        null=True, help_text="The price of then over the median"
    )
    below_floor = models.BooleanField(default=False)
    below_floor_since = models.DateTimeField(null=True, blank=True)
    measured_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(below_floor=False, below_floor_since__isnull=True)
                | Q(
                    below_floor=True, below_floor_since__isnull=False, cents_per_hour__isnull=False
                ),
                name="pace_below_floor_has_an_instant",
            ),
            models.CheckConstraint(
                condition=Q(median_active_ms__isnull=True, cents_per_hour__isnull=True)
                | Q(
                    median_active_ms__isnull=False,
                    median_active_ms__gt=0,
                    cents_per_hour__isnull=False,
                ),
                name="pace_rate_comes_from_a_median",
            ),
        ]

    def __str__(self) -> str:
        return f"project {self.project_id}: {self.cents_per_hour} cents per hour"
