"""What contractors have earned, line by line."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from contractors.models import Contractor
from payouts.models.ledger import LedgerTransaction
from tasks.models import Assignment, PriceVersion, Project, Submission


class Payable(models.Model):
    """One thing that somebody is paid for, once. Only its state ever changes (trigger).

    Before it accrues, what a claim will pay is derived from the assignment ("reserved").
    """

    class Kind(models.TextChoices):
        ACCEPTED = "accepted"
        AUTO_ACCEPTED = "auto_accepted"
        ACCEPTED_WITH_FIXES = "accepted_with_fixes"
        PAID_UNUSED = "paid_unused"
        SCREENING_FEE = "screening_fee"
        PARTIAL = "partial"
        BONUS = "bonus"
        DISPUTE = "dispute"

    class State(models.TextChoices):
        ACCRUED = "accrued", "earned, in the next payout"
        HELD = "held", "held for a named reason"
        BATCHED = "batched", "in a payout"
        PAID = "paid", "paid"

    source_key = models.CharField(max_length=100, unique=True)
    contractor = models.ForeignKey(Contractor, on_delete=models.PROTECT, related_name="payables")
    project = models.ForeignKey(Project, on_delete=models.PROTECT, related_name="payables")
    assignment = models.ForeignKey(
        Assignment, null=True, blank=True, on_delete=models.PROTECT, related_name="payables"
    )
    submission = models.ForeignKey(
        Submission, null=True, blank=True, on_delete=models.PROTECT, related_name="payables"
    )
    price_version = models.ForeignKey(
        PriceVersion,
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="+",
        db_index=False,
    )
    kind = models.CharField(max_length=20, choices=Kind.choices)
    amount_cents = models.BigIntegerField()
    currency = models.CharField(max_length=3)
    state = models.CharField(max_length=8, choices=State.choices, default=State.ACCRUED)
    transaction = models.OneToOneField(
        LedgerTransaction, on_delete=models.PROTECT, related_name="payable"
    )
    actor = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="+",
        db_index=False,
        help_text="Who decided it; empty when the system did",
    )
    reason = models.CharField(max_length=500, blank=True)
    accrued_at = models.DateTimeField(db_default=Now())

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(amount_cents__gt=0), name="payable_pays"),
            models.CheckConstraint(
                condition=Q(state__in=["accrued", "held", "batched", "paid"]),
                name="payable_state_is_known",
            ),
            models.CheckConstraint(
                condition=Q(
                    kind__in=[
                        "accepted",
                        "auto_accepted",
                        "accepted_with_fixes",
                        "paid_unused",
                        "screening_fee",
                        "partial",
                        "bonus",
                        "dispute",
                    ]
                ),
                name="payable_kind_is_known",
            ),
            models.CheckConstraint(
                condition=Q(kind="bonus")
                | Q(assignment__isnull=False, price_version__isnull=False),
                name="payable_for_work_names_assignment_and_price",
            ),
            models.CheckConstraint(
                condition=~Q(kind="bonus") | ~Q(reason=""), name="payable_bonus_has_a_reason"
            ),
        ]
        indexes = [
            models.Index(fields=["contractor", "-id"], name="payable_by_contractor"),
            models.Index(
                fields=["contractor", "currency", "id"],
                condition=Q(state="accrued"),
                name="payable_to_pay",
            ),
            models.Index(fields=["project", "accrued_at"], name="payable_by_project"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.amount_cents} {self.currency} to {self.contractor_id}"
