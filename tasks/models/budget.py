"""How much of a project's money claims may still reserve."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from tasks.models.projects import Project

# As many as claims that run at once need, and more: the dead versions of a share, which stay while
# some transaction is held open, are in the way of those who look for it.
SHARES = 32


class Funding(models.Model):
    """Money put into (or taken out of) a project's budget. Append-only (trigger)."""

    project = models.ForeignKey(Project, on_delete=models.PROTECT, related_name="fundings")
    amount_cents = models.BigIntegerField(help_text="Negative when money is taken out")
    reason = models.CharField(max_length=500)
    created_at = models.DateTimeField(db_default=Now())
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+"
    )

    class Meta:
        constraints = [
            models.CheckConstraint(condition=~Q(amount_cents=0), name="funding_is_not_nothing"),
        ]

    def __str__(self) -> str:
        return f"{self.amount_cents} for {self.project_id}"


class BudgetShare(models.Model):
    """A part of a project's free budget.

    One row per project would make every claim wait for the one before it to commit; claims take
    from whichever share is not locked at the moment.
    """

    project = models.ForeignKey(Project, on_delete=models.PROTECT, related_name="budget_shares")
    number = models.PositiveSmallIntegerField()
    free_cents = models.BigIntegerField(default=0)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["project", "number"], name="budget_share_one_each"),
            models.CheckConstraint(
                condition=Q(free_cents__gte=0), name="budget_share_is_not_overdrawn"
            ),
        ]

    def __str__(self) -> str:
        return f"share {self.number} of {self.project_id}: {self.free_cents}"
