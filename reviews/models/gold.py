"""Hidden reference timelines, and how work on such tasks compares with them.

Nothing of it stands on a task, a claim or a submission: what contractors read can't tell.
"""

from __future__ import annotations

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now

from contractors.models import Contractor, Restriction
from tasks.models import Project, Submission, Task


class GoldSettings(models.Model):
    """How much gold a project has and what its scores lead to. No row: the defaults."""

    project = models.OneToOneField(
        Project, primary_key=True, on_delete=models.PROTECT, related_name="gold_settings"
    )
    share = models.FloatField(default=0.05, help_text="Of the open tasks")
    last_scores = models.PositiveSmallIntegerField(
        default=5, help_text="How many of the newest scores a rule looks at"
    )
    qualify_at = models.FloatField(default=0.80, help_text="Their mean that qualifies")
    suspend_below = models.FloatField(
        default=0.50, help_text="Their mean that stops new claims; 0: never"
    )
    qualifies_for = models.ForeignKey(
        Project,
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="+",
        help_text="The project that good scores open; empty: this one",
    )
    suspend_days = models.PositiveSmallIntegerField(default=14)

    class Meta:
        verbose_name_plural = "gold settings"
        constraints = [
            models.CheckConstraint(
                condition=Q(share__gte=0, share__lte=1)
                & Q(suspend_below__gte=0, qualify_at__lte=1, qualify_at__gt=F("suspend_below"))
                & Q(last_scores__gte=1, suspend_days__gte=1),
                name="gold_settings_are_usable",
            ),
        ]

    def __str__(self) -> str:
        return f"gold of project {self.project_id}"


class GoldReference(models.Model):
    """A timeline known to be right. Only its end may still be written (trigger)."""

    class Source(models.TextChoices):
        OWN = "own"
        SUBMISSION = "submission"
        CONSENSUS = "consensus"

    task = models.ForeignKey(Task, on_delete=models.PROTECT, related_name="gold_references")
    source = models.CharField(max_length=10, choices=Source.choices)
    submission_ids = ArrayField(
        models.BigIntegerField(), default=list, help_text="What it was taken from"
    )
    frame_count = models.PositiveIntegerField(help_text="Displayed frames of the video")
    segments = models.JSONField(help_text="timelines.segment.Segment, frame-exact")
    created_at = models.DateTimeField(db_default=Now())
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+"
    )
    retired_at = models.DateTimeField(null=True, blank=True)
    retire_reason = models.CharField(max_length=500, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["task"],
                condition=Q(retired_at__isnull=True),
                name="gold_reference_one_per_task",
            ),
            models.CheckConstraint(
                condition=Q(source__in=["own", "submission", "consensus"]),
                name="gold_reference_source_is_known",
            ),
            models.CheckConstraint(
                condition=Q(retired_at__isnull=True) | ~Q(retire_reason=""),
                name="gold_reference_retired_has_a_reason",
            ),
            models.CheckConstraint(condition=~Q(segments=[]), name="gold_reference_has_segments"),
        ]

    def __str__(self) -> str:
        return f"gold of task {self.task_id}"


class GoldScore(models.Model):
    """A first hand-in against the reference of its task. Append-only (trigger)."""

    reference = models.ForeignKey(GoldReference, on_delete=models.PROTECT, related_name="scores")
    submission = models.OneToOneField(
        Submission, on_delete=models.PROTECT, related_name="gold_score"
    )
    contractor = models.ForeignKey(Contractor, on_delete=models.PROTECT, related_name="+")
    project = models.ForeignKey(Project, on_delete=models.PROTECT, related_name="+", db_index=False)
    s = models.FloatField()
    rq = models.FloatField()
    sq = models.FloatField()
    tp = models.PositiveIntegerField()
    fp = models.PositiveIntegerField()
    fn = models.PositiveIntegerField()
    mean_boundary_error_frames = models.FloatField(null=True)
    findings = models.JSONField(help_text="The diagnosis of the work, in words")
    parameters = models.JSONField(help_text="reviews.measure.Measures, as they were")
    scored_at = models.DateTimeField(db_default=Now())

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(s__gte=0, s__lte=1, rq__gte=0, rq__lte=1, sq__gte=0, sq__lte=1),
                name="gold_score_within_bounds",
            ),
        ]
        indexes = [
            models.Index(fields=["project", "contractor", "-id"], name="gold_score_newest"),
        ]

    def __str__(self) -> str:
        return f"S {self.s:.3f} of submission {self.submission_id} against gold"


class GoldSuspension(models.Model):
    """Which scores stopped somebody's new claims. They are never held against them again."""

    restriction = models.OneToOneField(
        Restriction, primary_key=True, on_delete=models.PROTECT, related_name="+"
    )
    project = models.ForeignKey(Project, on_delete=models.PROTECT, related_name="+")
    contractor = models.ForeignKey(Contractor, on_delete=models.PROTECT, related_name="+")
    score_ids = ArrayField(models.BigIntegerField(), help_text="reviews.GoldScore, newest first")

    def __str__(self) -> str:
        return f"suspension {self.restriction_id} by gold"
