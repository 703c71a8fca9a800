"""Earnings held back for a while, with a name and a reason."""

from __future__ import annotations

from datetime import timedelta

from django.conf import settings
from django.db import models
from django.db.models import F, Q

from payouts.models.payables import Payable


class Hold(models.Model):
    """Somebody from finance holds a payable back: a named case, a reason, at most seven days."""

    payable = models.ForeignKey(Payable, on_delete=models.PROTECT, related_name="holds")
    case = models.CharField(max_length=60, help_text="What finance files it under")
    reason = models.CharField(max_length=500, help_text="The contractor reads it")
    placed_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+"
    )
    placed_at = models.DateTimeField()
    ends_at = models.DateTimeField()
    lifted_at = models.DateTimeField(null=True, blank=True)
    lifted_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="+",
        help_text="Empty: its time was over",
    )

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["payable"], name="hold_one_per_payable"),
            models.CheckConstraint(condition=~Q(reason=""), name="hold_has_a_reason"),
            models.CheckConstraint(condition=~Q(case=""), name="hold_names_its_case"),
            models.CheckConstraint(
                condition=Q(ends_at__gt=F("placed_at")), name="hold_ends_after_it_starts"
            ),
            models.CheckConstraint(
                condition=Q(ends_at__lte=F("placed_at") + timedelta(days=7)),
                name="hold_lasts_seven_days_at_most",
            ),
            models.CheckConstraint(
                condition=Q(lifted_by__isnull=True) | Q(lifted_at__isnull=False),
                name="hold_lifted_by_somebody_is_lifted",
            ),
        ]
        indexes = [
            models.Index(fields=["ends_at"], condition=Q(lifted_at__isnull=True), name="hold_live"),
        ]

    def __str__(self) -> str:
        return f"hold on payable {self.payable_id} until {self.ends_at:%Y-%m-%d}"
