"""What banks tell us about the files that they took."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from payouts.models.payouts import PayoutRun


class BankReport(models.Model):
    """A report file about a run's payouts, kept as it was uploaded; a person decides to follow it.

    Only who followed it, and when, is ever written to it afterwards (trigger).
    """

    run = models.ForeignKey(PayoutRun, on_delete=models.PROTECT, related_name="reports")
    name = models.CharField(max_length=200)
    content = models.TextField()
    sha256 = models.CharField(max_length=64)
    row_count = models.PositiveIntegerField()
    uploaded_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+"
    )
    uploaded_at = models.DateTimeField(db_default=Now())
    followed_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    followed_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["run", "sha256"], name="bank_report_once_per_run"),
            models.CheckConstraint(
                condition=Q(followed_by__isnull=True, followed_at__isnull=True)
                | Q(followed_by__isnull=False, followed_at__isnull=False),
                name="bank_report_followed_by_somebody",
            ),
        ]

    def __str__(self) -> str:
        return f"report {self.name} about run {self.run_id}"
