"""Paying out: runs, payouts, every attempt to send one, and what providers told us."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now

from contractors.models import Contractor
from payouts.models.ledger import LedgerTransaction
from payouts.models.payables import Payable


class Rail(models.TextChoices):
    FILE = "file", "bank batch upload (CSV)"
    NACHA = "nacha", "US bank transfer (NACHA file)"
    STRIPE = "stripe", "Stripe Connect"


class PayoutMethod(models.Model):
    """Where a contractor wants their money; the details are encrypted and never shown again."""

    contractor = models.ForeignKey(
        Contractor, on_delete=models.PROTECT, related_name="payout_methods"
    )
    rail = models.CharField(max_length=8, choices=Rail.choices)
    details = models.BinaryField(help_text="Encrypted JSON (payouts/encryption.py)")
    label = models.CharField(max_length=60, help_text="Masked, e.g. account ending in 0072")
    created_at = models.DateTimeField(db_default=Now())
    usable_from = models.DateTimeField(help_text="A change holds payouts for a day")
    retired_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["contractor"],
                condition=Q(retired_at__isnull=True),
                name="payout_method_one_current_per_contractor",
            ),
            models.CheckConstraint(
                condition=Q(rail__in=["file", "nacha", "stripe"]),
                name="payout_method_rail_is_known",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.rail} {self.label}"


class PayoutRun(models.Model):
    """The payouts of one period: prepared by one person, approved by another."""

    class State(models.TextChoices):
        DRAFT = "draft"
        LOCKED = "locked"
        APPROVED = "approved"
        CANCELLED = "cancelled"

    currency = models.CharField(max_length=3, default="USD")
    cut_off_at = models.DateTimeField(help_text="What accrued until then is in it")
    state = models.CharField(max_length=10, choices=State.choices, default=State.DRAFT)
    payout_count = models.PositiveIntegerField(default=0)
    total_cents = models.BigIntegerField(default=0)
    prepared_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+"
    )
    prepared_at = models.DateTimeField(db_default=Now())
    locked_at = models.DateTimeField(null=True, blank=True)
    approved_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    approved_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(state__in=["draft", "locked", "approved", "cancelled"]),
                name="payout_run_state_is_known",
            ),
            models.CheckConstraint(
                condition=Q(approved_by__isnull=True) | ~Q(approved_by=F("prepared_by")),
                name="payout_run_approved_by_another_person",
            ),
            models.CheckConstraint(
                condition=Q(state="approved", approved_by__isnull=False, approved_at__isnull=False)
                | (~Q(state="approved") & Q(approved_by__isnull=True)),
                name="payout_run_approved_has_approver",
            ),
        ]

    def __str__(self) -> str:
        return f"payout run {self.pk} ({self.state})"


# A payout keeps its number unless it came to nothing before a rail had it.
NUMBER_IS_USED = ~Q(state="cancelled") & ~Q(state="failed", submitted_at__isnull=True)


class Payout(models.Model):
    """One payment to one contractor. Open until it is settled, failed, returned or cancelled."""

    class State(models.TextChoices):
        DRAFT = "draft"
        LOCKED = "locked"
        APPROVED = "approved"
        SENDING = "sending", "sending"
        UNKNOWN = "unknown", "the provider's answer was lost"
        SUBMITTED = "submitted", "the provider has it"
        SETTLED = "settled"
        FAILED = "failed"
        RETURNED = "returned"
        CANCELLED = "cancelled"

    OPEN = (
        State.DRAFT, State.LOCKED, State.APPROVED, State.SENDING, State.UNKNOWN, State.SUBMITTED,
    )  # fmt: skip

    run = models.ForeignKey(PayoutRun, on_delete=models.PROTECT, related_name="payouts")
    contractor = models.ForeignKey(Contractor, on_delete=models.PROTECT, related_name="payouts")
    method = models.ForeignKey(PayoutMethod, on_delete=models.PROTECT, related_name="+")
    rail = models.CharField(max_length=8, choices=Rail.choices)
    currency = models.CharField(max_length=3)
    amount_cents = models.BigIntegerField()
    number = models.PositiveIntegerField(
        help_text="In the person's own series for the currency. Used up only when a rail has the "
        "payment: what came to nothing before gives its number to the next one."
    )
    our_reference = models.CharField(
        max_length=40,
        help_text="What the rail remembers it by, derived from person, currency and number "
        "(`payouts_reference`): a restored backup arrives at the same one, and asks for it.",
    )
    state = models.CharField(max_length=10, choices=State.choices, default=State.DRAFT)
    reserve = models.OneToOneField(
        LedgerTransaction, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    settle = models.OneToOneField(
        LedgerTransaction, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    provider_reference = models.CharField(max_length=100, blank=True)
    problem = models.CharField(max_length=500, blank=True, help_text="Why it failed or waits")
    needs_person = models.BooleanField(default=False)
    file = models.ForeignKey(
        "PayoutFile", null=True, blank=True, on_delete=models.PROTECT, related_name="payouts",
        help_text="The bank file that it is in",
    )  # fmt: skip
    found_cents = models.BigIntegerField(
        null=True, blank=True, help_text="What a rail already paid under our reference"
    )
    found_rail = models.CharField(max_length=8, blank=True, choices=Rail.choices)
    found_reference = models.CharField(max_length=100, blank=True)
    created_at = models.DateTimeField(db_default=Now())
    submitted_at = models.DateTimeField(null=True, blank=True)
    settled_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["contractor", "currency"],
                condition=Q(
                    state__in=["draft", "locked", "approved", "sending", "unknown", "submitted"]
                ),
                name="payout_one_open_per_contractor_and_currency",
            ),
            models.UniqueConstraint(
                fields=["contractor", "currency", "number"],
                condition=NUMBER_IS_USED,
                name="payout_one_per_number",
            ),
            models.UniqueConstraint(
                fields=["our_reference"], condition=NUMBER_IS_USED, name="payout_one_per_reference"
            ),
            models.CheckConstraint(
                condition=Q(found_cents__isnull=True, found_rail="")
                # Not null, or comparing it says neither yes nor no, which a CHECK lets pass.
                | (Q(found_cents__isnull=False, found_cents__gt=0) & ~Q(found_rail="")),
                name="payout_found_is_whole",
            ),
            models.UniqueConstraint(
                fields=["rail", "provider_reference"],
                condition=~Q(provider_reference=""),
                name="payout_one_per_provider_reference",
            ),
            models.CheckConstraint(
                condition=Q(
                    state__in=[
                        "draft", "locked", "approved", "sending", "unknown", "submitted",
                        "settled", "failed", "returned", "cancelled",
                    ]
                ),
                name="payout_state_is_known",
            ),
            models.CheckConstraint(
                condition=Q(state__in=["draft", "cancelled"]) | Q(reserve__isnull=False),
                name="payout_left_draft_is_reserved",
            ),
            models.CheckConstraint(
                condition=Q(
                    state__in=["settled", "returned"],
                    settle__isnull=False,
                    settled_at__isnull=False,
                )
                | (~Q(state__in=["settled", "returned"]) & Q(settle__isnull=True)),
                name="payout_settled_has_settlement",
            ),
            models.CheckConstraint(condition=Q(amount_cents__gt=0), name="payout_pays"),
        ]  # fmt: skip
        indexes = [
            models.Index(fields=["contractor", "-id"], name="payout_by_contractor"),
            models.Index(fields=["our_reference"], name="payout_by_reference"),
            models.Index(
                fields=["id"],
                condition=Q(state__in=["approved", "sending", "unknown", "submitted"]),
                name="payout_unfinished",
            ),
        ]

    def __str__(self) -> str:
        return f"payout {self.pk} ({self.state})"


class PayoutItem(models.Model):
    """One payable in one payout; released when the payout came to nothing."""

    payout = models.ForeignKey(Payout, on_delete=models.PROTECT, related_name="items")
    payable = models.ForeignKey(Payable, on_delete=models.PROTECT, related_name="payout_items")
    released = models.BooleanField(default=False)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["payable"],
                condition=Q(released=False),
                name="payout_item_one_live_per_payable",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.payable_id} in {self.payout_id}"


class PayoutAttempt(models.Model):
    """One request to a provider, stored before it is made: its key and its bytes never change."""

    class Outcome(models.TextChoices):
        PENDING = "pending", "not answered yet"
        ACCEPTED = "accepted"
        REFUSED = "refused"
        ABSENT = "absent", "the provider never got it"

    payout = models.ForeignKey(Payout, on_delete=models.PROTECT, related_name="attempts")
    number = models.PositiveSmallIntegerField()
    idempotency_key = models.CharField(max_length=100, unique=True)
    request = models.BinaryField()
    request_sha256 = models.CharField(max_length=64)
    first_sent_at = models.DateTimeField()
    outcome = models.CharField(max_length=10, choices=Outcome.choices, default=Outcome.PENDING)
    detail = models.CharField(max_length=500, blank=True)
    answered_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["payout", "number"], name="payout_attempt_one_per_number"
            ),
            models.UniqueConstraint(
                fields=["payout"],
                condition=Q(outcome__in=["pending", "accepted"]),
                name="payout_attempt_one_that_may_have_paid",
            ),
        ]

    def __str__(self) -> str:
        return f"attempt {self.number} of {self.payout_id} ({self.outcome})"


class PayoutFile(models.Model):
    """The bytes of a batch file, made once. Append-only (trigger)."""

    run = models.ForeignKey(PayoutRun, on_delete=models.PROTECT, related_name="files")
    rail = models.CharField(max_length=8, choices=Rail.choices)
    name = models.CharField(max_length=100)
    content = models.BinaryField(help_text="Encrypted: it holds account numbers")
    sha256 = models.CharField(max_length=64)
    payout_count = models.PositiveIntegerField()
    total_cents = models.BigIntegerField()
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["run", "rail"], name="payout_file_one_per_run_and_rail")
        ]

    def __str__(self) -> str:
        return self.name


class PayoutWitness(models.Model):
    """A note outside of the database that money may have left; this row says that we know of it.

    Append-only (trigger). A note without a row is the trace of a history that a restore undid.
    """

    name = models.CharField(max_length=120, unique=True, help_text="In the storage `witnesses`")
    run = models.ForeignKey(PayoutRun, on_delete=models.PROTECT, related_name="witnesses")
    created_at = models.DateTimeField(db_default=Now())

    def __str__(self) -> str:
        return self.name


class ProviderEvent(models.Model):
    """A webhook or a line of a report: inserted before anything is done about it."""

    provider = models.CharField(max_length=8)
    event_id = models.CharField(max_length=100)
    kind = models.CharField(max_length=60)
    reference = models.CharField(max_length=100, blank=True)
    our_reference = models.CharField(max_length=100, blank=True)
    received_at = models.DateTimeField(db_default=Now())
    handled_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["provider", "event_id"], name="provider_event_one_per_id"
            )
        ]

    def __str__(self) -> str:
        return f"{self.provider} {self.kind} {self.event_id}"
