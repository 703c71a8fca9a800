"""Weekly statements of account: immutable, and chained per contractor."""

from __future__ import annotations

from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now

from contractors.models import Contractor
from payouts.models.ledger import Entry


class Statement(models.Model):
    """What happened on a contractor's account until a day. Append-only (trigger).

    `document` is the statement itself, in the canonical JSON whose digests a contractor can
    check with `verify_statement.py`; the columns repeat what queries need.
    """

    contractor = models.ForeignKey(Contractor, on_delete=models.PROTECT, related_name="statements")
    currency = models.CharField(max_length=3)
    sequence = models.PositiveIntegerField(help_text="1, 2, 3 … per contractor and currency")
    period_end = models.DateTimeField(help_text="Exclusive")
    opening_cents = models.BigIntegerField()
    closing_cents = models.BigIntegerField()
    line_count = models.PositiveIntegerField()
    lines_sha256 = models.CharField(max_length=64)
    previous_hash = models.CharField(max_length=64, blank=True)
    hash = models.CharField(max_length=64, unique=True)
    document = models.TextField()
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["contractor", "currency", "sequence"],
                name="statement_one_per_contractor_currency_and_sequence",
            ),
            models.CheckConstraint(
                condition=Q(sequence=1, previous_hash="", opening_cents=0)
                | (Q(sequence__gt=1) & ~Q(previous_hash="")),
                name="statement_first_opens_at_zero",
            ),
            models.CheckConstraint(condition=Q(line_count__gt=0), name="statement_says_something"),
            models.CheckConstraint(
                condition=Q(previous_hash="") | ~Q(previous_hash=F("hash")),
                name="statement_follows_another",
            ),
        ]

    def __str__(self) -> str:
        return f"statement {self.contractor_id}/{self.currency}/{self.sequence}"


class StatementEntry(models.Model):
    """Which statement shows which ledger entry: each exactly one. Append-only (trigger)."""

    statement = models.ForeignKey(Statement, on_delete=models.PROTECT, related_name="+")
    entry = models.OneToOneField(Entry, on_delete=models.PROTECT, related_name="statement_entry")

    def __str__(self) -> str:
        return f"{self.entry_id} on {self.statement_id}"
