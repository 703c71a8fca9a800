"""How well two pieces of work agree, and what that led to."""

from __future__ import annotations

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Greatest, Least, Now

from reviews.measure import Measures
from tasks.models import Project, Submission, Task


class Scoring(models.Model):
    """One version of what a project's scores weigh. Append-only (trigger)."""

    project = models.ForeignKey(Project, on_delete=models.PROTECT, related_name="scorings")
    number = models.PositiveIntegerField()
    parameters = models.JSONField(help_text="reviews.measure.Measures")
    reason = models.CharField(max_length=500, blank=True)
    created_at = models.DateTimeField(db_default=Now())
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+"
    )

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["project", "number"], name="scoring_one_per_number"),
        ]

    def __str__(self) -> str:
        return f"scoring v{self.number} of project {self.project_id}"

    @property
    def measures(self) -> Measures:
        """The settings, checked."""
        return Measures.from_dict(self.parameters)


class Score(models.Model):
    """Agreement of two submissions of one task under one scoring version. Append-only (trigger).

    The one in the lower slot is the reference: an order without meaning, S is symmetric.
    """

    task = models.ForeignKey(Task, on_delete=models.PROTECT, related_name="scores")
    scoring = models.ForeignKey(Scoring, on_delete=models.PROTECT, related_name="+")
    reference = models.ForeignKey(Submission, on_delete=models.PROTECT, related_name="+")
    candidate = models.ForeignKey(Submission, on_delete=models.PROTECT, related_name="+")

    s = models.FloatField(help_text="Task score, 0 to 1: decides")
    rq = models.FloatField(help_text="Recognition: F1 at IoU 0.5 whatever the labels")
    sq = models.FloatField(help_text="Mean IoU of what was recognised")
    tp = models.PositiveIntegerField()
    fp = models.PositiveIntegerField()
    fn = models.PositiveIntegerField()
    mean_boundary_error_frames = models.FloatField(null=True)
    mean_boundary_error_ms = models.FloatField(null=True)
    f1 = models.JSONField(help_text='Segmental F1 by IoU threshold: {"0.50": 0.93, …}')
    edit_score = models.FloatField(help_text="0 to 100")
    flags = models.JSONField(default=list)
    alignment = models.JSONField(help_text="Which segment is which: positions, IoU, frames off")
    diagnosis = models.JSONField(
        help_text="Findings in words: {of_candidate: […], of_reference: […]}"
    )
    parameters = models.JSONField(help_text="The parameters as they were")
    scored_at = models.DateTimeField(db_default=Now())

    class Meta:
        constraints = [
            models.UniqueConstraint(
                Least("reference", "candidate"),
                Greatest("reference", "candidate"),
                "scoring",
                name="score_one_per_pair_and_scoring",
            ),
            models.CheckConstraint(
                condition=~Q(reference=F("candidate")), name="score_of_two_submissions"
            ),
            models.CheckConstraint(
                condition=Q(s__gte=0, s__lte=1, rq__gte=0, rq__lte=1, sq__gte=0, sq__lte=1)
                & Q(edit_score__gte=0, edit_score__lte=100),
                name="score_within_bounds",
            ),
        ]

    def __str__(self) -> str:
        return f"S {self.s:.3f} of submissions {self.reference_id} and {self.candidate_id}"


class Assessment(models.Model):
    """What the decision rule last made of a task, and of which submissions.

    Written in the transaction that carried it out. The sweep looks for tasks whose comparable
    submissions are not the ones named here.
    """

    task = models.OneToOneField(
        Task, primary_key=True, on_delete=models.PROTECT, related_name="assessment"
    )
    submission_ids = ArrayField(models.BigIntegerField(), help_text="Ascending")
    scoring = models.ForeignKey(Scoring, on_delete=models.PROTECT, related_name="+")
    rule = models.ForeignKey("reviews.DecisionRule", on_delete=models.PROTECT, related_name="+")
    outcomes = models.JSONField(
        help_text='What became of each: {"<submission id>": {"action", "explanation"}}'
    )
    assessed_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"assessment of task {self.task_id}"
