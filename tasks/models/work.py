"""What contractors hand in: drafts, and the immutable submissions made from them."""

from __future__ import annotations

from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now

from contractors.models import Contractor
from tasks.models.queue import Assignment, Task, facts_agree


class Draft(models.Model):
    """The work of one contractor on one task as last saved; outlives its assignment."""

    task = models.ForeignKey(Task, on_delete=models.PROTECT, related_name="+")
    contractor = models.ForeignKey(Contractor, on_delete=models.PROTECT, related_name="+")
    revision = models.PositiveIntegerField(default=0)
    body = models.JSONField(default=dict)
    saved_at = models.DateTimeField(db_default=Now())

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["task", "contractor"], name="draft_one_per_task_and_contractor"
            ),
        ]

    def __str__(self) -> str:
        return f"draft {self.pk} r{self.revision}"


class Submission(models.Model):
    """One handed-in timeline. Its content never changes; only the decision about it does."""

    class State(models.TextChoices):
        SUBMITTED = "submitted"
        IN_REVIEW = "in_review"
        ACCEPTED = "accepted"
        ACCEPTED_WITH_FIXES = "accepted_with_fixes"
        CHANGES_REQUESTED = "changes_requested"
        PAID_UNUSED = "paid_unused"
        UNUSABLE_CONFIRMED = "unusable_confirmed"
        REJECTED = "rejected"
        AUTO_ACCEPTED = "auto_accepted"

    class Verdict(models.TextChoices):
        USABLE = "usable"
        USABLE_WITH_ISSUES = "usable_with_issues"
        UNUSABLE = "unusable"

    UNDECIDED = (State.SUBMITTED, State.IN_REVIEW)

    assignment = models.ForeignKey(
        Assignment,
        on_delete=models.PROTECT,
        related_name="submissions",
        db_index=False,  # `submission_one_per_round` begins with it
    )
    round = models.PositiveSmallIntegerField(default=1, help_text="1, then one more per rework")
    state = models.CharField(max_length=20, choices=State.choices, default=State.SUBMITTED)
    screening_verdict = models.CharField(max_length=20, choices=Verdict.choices)
    screening = models.JSONField(
        default=dict, help_text="reason, start_frame, end_frame of what is wrong with the video"
    )
    frame_count = models.PositiveIntegerField(help_text="Displayed frames of the video")
    segment_count = models.PositiveIntegerField()
    draft_revision = models.PositiveIntegerField(null=True)
    submitted_at = models.DateTimeField()
    decided_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["assignment", "round"], name="submission_one_per_round"
            ),
            models.UniqueConstraint(
                fields=["assignment"],
                condition=Q(state__in=["submitted", "in_review"]),
                name="submission_one_undecided_per_assignment",
            ),
            models.CheckConstraint(
                condition=facts_agree(
                    "tasks_submission", "state", "decided_at", "screening_verdict", "segment_count"
                ),
                name="submission_state_agrees_with_facts",
            ),
        ]

    def __str__(self) -> str:
        return f"submission {self.pk} ({self.state})"


class Segment(models.Model):
    """One action of a submission: frames `[start_frame, end_frame)`. Append-only (trigger).

    Two triggers more (migration 0011): a submission gets segments only in the transaction that made
    it, and none that overlaps another of the same hand.
    """

    submission = models.ForeignKey(
        Submission,
        on_delete=models.PROTECT,
        related_name="segments",
        db_index=False,  # `segment_one_per_position` begins with it
    )
    position = models.PositiveIntegerField(help_text="0-based, in the order of start frames")
    start_frame = models.PositiveIntegerField()
    end_frame = models.PositiveIntegerField(help_text="Exclusive")
    hands = models.PositiveSmallIntegerField(help_text="Bit mask: left 1, right 2")
    action_type = models.CharField(max_length=100)
    description = models.CharField(max_length=500)

    class Meta:
        ordering = ["position"]
        constraints = [
            models.UniqueConstraint(
                fields=["submission", "position"], name="segment_one_per_position"
            ),
            models.CheckConstraint(
                condition=Q(end_frame__gt=F("start_frame")), name="segment_ends_after_its_start"
            ),
            models.CheckConstraint(condition=Q(hands__lte=3), name="segment_hands_is_a_bit_mask"),
            models.CheckConstraint(
                condition=~Q(description="") & ~Q(action_type=""), name="segment_is_labelled"
            ),
        ]

    def __str__(self) -> str:
        return f"[{self.start_frame}, {self.end_frame}) {self.action_type}"
