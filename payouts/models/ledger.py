"""The double-entry ledger. Append-only: what was wrong is set right by a further transaction.

The refusals (unbalanced, sealed, changed, below a floor, taking back earned money) are triggers:
`migrations/0002_ledger_refusals.py`.
"""

from __future__ import annotations

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from contractors.models import Contractor
from tasks.models import Project


class Account(models.Model):
    """Something that holds or owes money in one currency. Never changed (trigger)."""

    class Kind(models.TextChoices):
        PROJECT_EXPENSE = "project_expense", "what a project spent"
        CONTRACTOR_PAYABLE = "contractor_payable", "owed to a contractor"
        CONTRACTOR_IN_TRANSIT = "contractor_in_transit", "on its way to a contractor"
        CASH = "cash", "what left through a rail"
        EXCHANGE = "exchange", "the other side of a currency exchange"

    code = models.CharField(max_length=64, unique=True)
    kind = models.CharField(max_length=24, choices=Kind.choices)
    currency = models.CharField(max_length=3)
    contractor = models.ForeignKey(
        Contractor, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    project = models.ForeignKey(
        Project, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    floor_cents = models.BigIntegerField(
        null=True,
        blank=True,
        help_text="The balance may never be below it. Empty: no floor, and no balance row either.",
    )

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(currency__regex=r"^[A-Z]{3}$"), name="account_currency_is_iso_4217"
            ),
            models.CheckConstraint(
                condition=Q(kind="project_expense", project__isnull=False, contractor__isnull=True)
                | Q(
                    kind__in=["contractor_payable", "contractor_in_transit"],
                    contractor__isnull=False,
                    project__isnull=True,
                )
                | Q(kind__in=["cash", "exchange"], project__isnull=True, contractor__isnull=True),
                name="account_belongs_to_what_its_kind_says",
            ),
            models.CheckConstraint(
                condition=~Q(kind__in=["contractor_payable", "contractor_in_transit"])
                # Not null: comparing it says neither yes nor no, which a CHECK lets pass.
                | Q(floor_cents__isnull=False, floor_cents=0),
                name="account_of_a_contractor_has_floor_zero",
            ),
            models.UniqueConstraint(
                fields=["contractor", "kind", "currency"],
                name="account_one_per_contractor_kind_and_currency",
            ),
        ]

    def __str__(self) -> str:
        return self.code


class LedgerTransaction(models.Model):
    """One balanced movement of money; sealed with the database transaction that wrote it."""

    class Kind(models.TextChoices):
        EARN = "earn"
        RESERVE = "reserve"
        SETTLE = "settle"
        FAIL = "fail"
        RETURN = "return"
        EXCHANGE = "exchange"

    kind = models.CharField(max_length=10, choices=Kind.choices)
    idempotency_key = models.CharField(max_length=100, unique=True)
    reverses = models.OneToOneField(
        "self", null=True, blank=True, on_delete=models.PROTECT, related_name="reversed_by"
    )
    occurred_at = models.DateTimeField(db_default=Now())
    # Beside these, unknown to Django: `sealed_xid xid8` and `sealed_at timestamptz`, the database
    # transaction that wrote it, set by a trigger.

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(kind__in=["earn", "reserve", "settle", "fail", "return", "exchange"]),
                name="ledger_transaction_kind_is_known",
            ),
            models.CheckConstraint(
                condition=Q(kind__in=["fail", "return"], reverses__isnull=False)
                | (~Q(kind__in=["fail", "return"]) & Q(reverses__isnull=True)),
                name="ledger_transaction_fail_and_return_reverse",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.idempotency_key}"


class Entry(models.Model):
    """One side of a transaction: positive is a credit, negative a debit."""

    transaction = models.ForeignKey(
        LedgerTransaction, on_delete=models.PROTECT, related_name="entries"
    )
    account = models.ForeignKey(Account, on_delete=models.PROTECT, related_name="entries")
    currency = models.CharField(max_length=3)
    amount_cents = models.BigIntegerField()

    class Meta:
        verbose_name_plural = "entries"
        constraints = [
            models.CheckConstraint(condition=~Q(amount_cents=0), name="entry_moves_something"),
        ]

    def __str__(self) -> str:
        return f"{self.amount_cents} {self.currency} on {self.account_id}"


class Balance(models.Model):
    """The running balance of a floored account. Written by a trigger only; checked nightly."""

    account = models.OneToOneField(Account, primary_key=True, on_delete=models.PROTECT)
    balance_cents = models.BigIntegerField()

    def __str__(self) -> str:
        return f"{self.account_id}: {self.balance_cents}"
