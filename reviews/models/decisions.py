"""Rules, the reviews they ask for, and the decisions that come of both."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now

from reviews.rules import RuleParameters
from tasks.models import Project, Submission


class DecisionRule(models.Model):
    """One version of how a project decides. Append-only (trigger); the newest one applies."""

    project = models.ForeignKey(Project, on_delete=models.PROTECT, related_name="decision_rules")
    number = models.PositiveIntegerField()
    parameters = models.JSONField(help_text="reviews.rules.RuleParameters")
    reason = models.CharField(max_length=500, blank=True)
    created_at = models.DateTimeField(db_default=Now())
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+"
    )

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["project", "number"], name="decision_rule_one_per_number"
            ),
        ]

    def __str__(self) -> str:
        return f"decision rule v{self.number} of project {self.project_id}"

    @property
    def values(self) -> RuleParameters:
        """The settings, checked."""
        return RuleParameters.from_dict(self.parameters)


class Review(models.Model):
    """One look of a person at one submission, leased like an assignment.

    `decision` decides about pay and data. `sample` decides about the data of work whose pay
    stands. `concurrence` is the second look that a rejection needs; `of` is the first one.
    """

    class Kind(models.TextChoices):
        DECISION = "decision"
        SAMPLE = "sample"
        CONCURRENCE = "concurrence"

    class State(models.TextChoices):
        QUEUED = "queued"
        CLAIMED = "claimed"
        DECIDED = "decided"
        SUPERSEDED = "superseded"

    OPEN = (State.QUEUED, State.CLAIMED)

    submission = models.ForeignKey(Submission, on_delete=models.PROTECT, related_name="reviews")
    project = models.ForeignKey(
        Project,
        on_delete=models.PROTECT,
        related_name="+",
        db_index=False,
        help_text="The submission's, to take reviews of one project in order",
    )
    kind = models.CharField(max_length=12, choices=Kind.choices, default=Kind.DECISION)
    state = models.CharField(max_length=12, choices=State.choices, default=State.QUEUED)
    reason = models.CharField(max_length=500, help_text="Why a person is asked")
    of = models.ForeignKey(
        "self", null=True, blank=True, on_delete=models.PROTECT, related_name="concurrences"
    )
    reviewer = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="reviews",
    )
    preferred_reviewer = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="+",
        help_text="Who asked for the changes; others get it after a day",
    )
    queued_at = models.DateTimeField()
    claimed_at = models.DateTimeField(null=True, blank=True)
    lease_expires_at = models.DateTimeField(null=True, blank=True)
    decided_at = models.DateTimeField(null=True, blank=True)
    findings: Any = models.JSONField(
        default=dict, help_text="What the reviewer wrote: outcome, text, evidence, reason"
    )

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(kind__in=["decision", "sample", "concurrence"]),
                name="review_kind_is_known",
            ),
            models.CheckConstraint(
                condition=Q(
                    state="queued",
                    reviewer__isnull=True,
                    claimed_at__isnull=True,
                    lease_expires_at__isnull=True,
                    decided_at__isnull=True,
                )
                | Q(
                    state="claimed",
                    reviewer__isnull=False,
                    claimed_at__isnull=False,
                    lease_expires_at__isnull=False,
                    decided_at__isnull=True,
                )
                | Q(
                    state="decided",
                    reviewer__isnull=False,
                    claimed_at__isnull=False,
                    lease_expires_at__isnull=True,
                    decided_at__isnull=False,
                )
                | Q(state="superseded", lease_expires_at__isnull=True, decided_at__isnull=True),
                name="review_state_agrees_with_instants",
            ),
            models.CheckConstraint(
                condition=Q(kind="concurrence", of__isnull=False)
                | (~Q(kind="concurrence") & Q(of__isnull=True)),
                name="review_concurrence_has_a_first_review",
            ),
            models.UniqueConstraint(
                fields=["submission", "kind"],
                condition=Q(state__in=["queued", "claimed"]),
                name="review_one_open_per_submission_and_kind",
            ),
            models.UniqueConstraint(
                fields=["reviewer"],
                condition=Q(state="claimed"),
                name="review_one_live_claim_per_reviewer",
            ),
        ]
        indexes = [
            models.Index(
                fields=["kind", "queued_at", "id"],
                condition=Q(state="queued"),
                name="review_queue",
            ),
            models.Index(
                fields=["lease_expires_at"], condition=Q(state="claimed"), name="review_leased"
            ),
        ]

    def __str__(self) -> str:
        return f"review {self.pk} ({self.kind}, {self.state})"


class Decision(models.Model):
    """What was decided about a submission, by whom, by which rule and why. Append-only (trigger).

    About `work`: pay and data at once, one per submission. About `data`: whether the data of
    work that is paid anyway may be used.
    """

    class About(models.TextChoices):
        WORK = "work"
        DATA = "data"

    submission = models.ForeignKey(Submission, on_delete=models.PROTECT, related_name="decisions")
    about = models.CharField(max_length=4, choices=About.choices, default=About.WORK)
    outcome = models.CharField(max_length=20, choices=Submission.State.choices)
    actor = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="+",
        help_text="Empty: the system, by the rule",
    )
    rule = models.ForeignKey(DecisionRule, on_delete=models.PROTECT, related_name="+")
    score_ids = ArrayField(
        models.BigIntegerField(), default=list, help_text="Scores it stood on, best first"
    )
    s = models.FloatField(null=True, help_text="The best of them")
    rq = models.FloatField(null=True)
    explanation = models.TextField()
    evidence = models.JSONField(default=list)
    reason_code = models.CharField(max_length=40, blank=True)
    guideline_clause = models.CharField(max_length=200, blank=True)
    review = models.ForeignKey(
        Review, null=True, blank=True, on_delete=models.PROTECT, related_name="decisions"
    )
    concurred_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="+",
        help_text="The second reviewer of a rejection",
    )
    decided_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(about__in=["work", "data"]), name="decision_about_is_known"
            ),
            models.CheckConstraint(
                condition=Q(
                    outcome__in=[
                        "accepted",
                        "accepted_with_fixes",
                        "changes_requested",
                        "paid_unused",
                        "unusable_confirmed",
                        "rejected",
                        "auto_accepted",
                    ]
                ),
                name="decision_outcome_is_known",
            ),
            models.UniqueConstraint(
                fields=["submission"],
                condition=Q(about="work"),
                name="decision_one_about_the_work",
            ),
            models.CheckConstraint(condition=~Q(explanation=""), name="decision_is_explained"),
            models.CheckConstraint(
                condition=~Q(outcome="rejected")
                | (
                    Q(actor__isnull=False, concurred_by__isnull=False)
                    & ~Q(actor=F("concurred_by"))
                    & ~Q(reason_code="")
                    & ~Q(guideline_clause="")
                ),
                name="decision_rejection_has_two_people_and_a_reason",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.outcome} ({self.about}) of submission {self.submission_id}"
