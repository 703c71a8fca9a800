"""What banks tell us about the files that they took."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now

from payouts.models.payouts import PayoutRun

# What becomes of a report's line, and of a payout that it leaves out, in the order they are told.
OUTCOMES = ("settled", "failed", "returned", "unchanged", "different", "missing")


class BankReport(models.Model):
    """A report file about a run's payouts, kept as it was uploaded; a person asks to follow it.

    Only who asked for that and when, how far its worker came, and when it was done with it is ever
    written to it afterwards, and only forwards (triggers).
    """

    class State(models.TextChoices):
        TAKEN = "taken"
        FOLLOWING = "following"
        FOLLOWED = "followed"

    run = models.ForeignKey(PayoutRun, on_delete=models.PROTECT, related_name="reports")
    name = models.CharField(max_length=200)
    content = models.TextField()
    sha256 = models.CharField(max_length=64)
    row_count = models.PositiveIntegerField()
    uploaded_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+"
    )
    uploaded_at = models.DateTimeField(db_default=Now())
    follow_asked_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    follow_asked_at = models.DateTimeField(null=True, blank=True)
    lines_done = models.PositiveIntegerField(default=0, db_default=0)
    outcome = models.JSONField(
        default=dict, blank=True, help_text="How many were settled, failed, returned, unchanged, "
        "different or missing"
    )  # fmt: skip
    differences = models.JSONField(default=list, blank=True, help_text="The first 1,000, in words")
    followed_at = models.DateTimeField(null=True, blank=True, help_text="To its end")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["run", "sha256"], name="bank_report_once_per_run"),
            models.CheckConstraint(
                condition=Q(follow_asked_by__isnull=True, follow_asked_at__isnull=True)
                | Q(follow_asked_by__isnull=False, follow_asked_at__isnull=False),
                name="bank_report_follow_asked_by_somebody",
            ),
            models.CheckConstraint(
                condition=Q(lines_done=0)
                | Q(follow_asked_at__isnull=False, lines_done__lte=F("row_count")),
                name="bank_report_lines_done_are_asked_for",
            ),
            models.CheckConstraint(
                condition=Q(followed_at__isnull=True)
                | Q(follow_asked_at__isnull=False, lines_done=F("row_count")),
                name="bank_report_followed_to_its_end",
            ),
        ]

    def __str__(self) -> str:
        return f"report {self.name} about run {self.run_id}"

    @property
    def state(self) -> State:
        """Following: asked for, and not done to its end."""
        if self.followed_at is not None:
            return self.State.FOLLOWED
        return self.State.TAKEN if self.follow_asked_at is None else self.State.FOLLOWING

    @property
    def outcome_in_order(self) -> list[tuple[str, int]]:
        """(what became of a line, how many); JSON in the database keeps no order."""
        return [(name, self.outcome[name]) for name in OUTCOMES if name in self.outcome]
