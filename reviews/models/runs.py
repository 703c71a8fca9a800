"""Work over a whole project that goes on where it stopped, and what comes of it."""

from __future__ import annotations

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now

from reviews.models.agreement import Scoring
from tasks.models import Project, Task


class Run(models.Model):
    """Something computed for every task of a project, in batches, by whichever worker is free.

    Each batch commits its rows together with `cursor` and `done`: a worker that dies loses the
    batch it was in, and the next one goes on behind the cursor.

    `rescore` stores scores under a scoring version; decisions and pay stay as they are.
    `reliability` measures how far annotators agree beyond chance, by guideline version.
    """

    class Kind(models.TextChoices):
        RESCORE = "rescore"
        RELIABILITY = "reliability"

    class State(models.TextChoices):
        QUEUED = "queued"
        RUNNING = "running"
        DONE = "done"
        FAILED = "failed"
        CANCELLED = "cancelled"

    OPEN = (State.QUEUED, State.RUNNING)

    project = models.ForeignKey(Project, on_delete=models.PROTECT, related_name="runs")
    kind = models.CharField(max_length=12, choices=Kind.choices)
    scoring = models.ForeignKey(Scoring, on_delete=models.PROTECT, related_name="+")
    state = models.CharField(max_length=10, choices=State.choices, default=State.QUEUED)
    cursor = models.BigIntegerField(default=0, help_text="The last task that is done")
    last_task = models.BigIntegerField(help_text="Tasks opened later are not part of it")
    done = models.PositiveIntegerField(default=0, help_text="Tasks")
    total = models.PositiveIntegerField(help_text="Tasks, counted at the start")
    skipped = models.JSONField(default=list, help_text='[{"task", "error"}] that failed')
    failures = models.PositiveSmallIntegerField(default=0, help_text="Batches in a row that broke")
    error = models.CharField(max_length=1000, blank=True)
    partial = models.JSONField(default=dict, help_text="What has been found so far")
    result = models.JSONField(null=True)
    created_at = models.DateTimeField(db_default=Now())
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+"
    )
    moved_at = models.DateTimeField(db_default=Now(), help_text="When the last batch ended")
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(kind__in=["rescore", "reliability"])
                & Q(state__in=["queued", "running", "done", "failed", "cancelled"]),
                name="run_kind_and_state_are_known",
            ),
            models.UniqueConstraint(
                fields=["project", "kind"],
                condition=Q(state__in=["queued", "running"]),
                name="run_one_open_per_project_and_kind",
            ),
            models.CheckConstraint(
                condition=Q(state__in=["queued", "running"], finished_at__isnull=True)
                | (~Q(state__in=["queued", "running"]) & Q(finished_at__isnull=False)),
                name="run_ended_agrees_with_finished_at",
            ),
            models.CheckConstraint(
                condition=Q(cursor__lte=F("last_task")), name="run_cursor_within_its_tasks"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} of project {self.project_id}: {self.done}/{self.total} {self.state}"


class TaskConsensus(models.Model):
    """One timeline out of all usable work of a task, with a confidence per segment.

    Any decision about the task's work makes it stale, in the decision's own transaction.
    """

    task = models.OneToOneField(
        Task, primary_key=True, on_delete=models.PROTECT, related_name="consensus"
    )
    stale = models.BooleanField(default=True, help_text="To be built again")
    submission_ids = ArrayField(
        models.BigIntegerField(), default=list, help_text="What it is made of, in slot order"
    )
    segments = models.JSONField(default=list, help_text="timelines.consensus.ConsensusSegment")
    disputed = models.JSONField(default=list, help_text="What found too little support")
    mean_confidence = models.FloatField(null=True)
    low_confidence_count = models.PositiveIntegerField(default=0)
    built_at = models.DateTimeField(null=True)

    class Meta:
        indexes = [
            models.Index(fields=["task"], condition=Q(stale=True), name="consensus_stale"),
        ]
        constraints = [
            models.CheckConstraint(
                condition=Q(stale=True) | Q(built_at__isnull=False),
                name="consensus_fresh_has_built_at",
            ),
        ]

    def __str__(self) -> str:
        return f"consensus of task {self.task_id}"
