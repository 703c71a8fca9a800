"""The tax form that a contractor gave: who they are to a tax office. No tax advice."""

from __future__ import annotations

from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now

from contractors.models import Contractor


class TaxForm(models.Model):
    """What a contractor stated on a W-9 or W-8BEN, and when. Followed by the next one, never
    edited (trigger: only `replaced_at`, and the identifier under a new key, ever change)."""

    class Kind(models.TextChoices):
        W9 = "w9", "W-9 (US person)"
        W8BEN = "w8ben", "W-8BEN (not a US person)"

    class TinKind(models.TextChoices):
        SSN = "ssn", "Social Security number"
        EIN = "ein", "Employer identification number"
        ITIN = "itin", "Individual taxpayer identification number"
        FOREIGN = "foreign", "Identification number of another country"

    contractor = models.ForeignKey(Contractor, on_delete=models.PROTECT, related_name="tax_forms")
    kind = models.CharField(max_length=5, choices=Kind.choices)
    name = models.CharField(max_length=200, help_text="As on the tax return")
    address = models.CharField(max_length=500)
    country = models.CharField(max_length=2, help_text="ISO 3166-1, of tax residence")
    tin_kind = models.CharField(max_length=7, choices=TinKind.choices, blank=True)
    tin = models.BinaryField(help_text="Encrypted (payouts/encryption.py); empty without one")
    tin_last4 = models.CharField(max_length=4, blank=True)
    signature = models.CharField(max_length=200, help_text="The name typed under the statement")
    signed_on = models.DateField(help_text="UTC")
    expires_on = models.DateField(
        null=True, blank=True, help_text="The last day on which a W-8BEN counts"
    )
    stated_at = models.DateTimeField(db_default=Now())
    replaced_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["contractor"],
                condition=Q(replaced_at__isnull=True),
                name="tax_form_one_current_per_contractor",
            ),
            models.CheckConstraint(
                condition=Q(
                    kind="w9",
                    country="US",
                    tin_kind__in=["ssn", "ein", "itin"],
                    expires_on__isnull=True,
                )
                | (
                    Q(kind="w8ben", expires_on__isnull=False)
                    & Q(tin_kind__in=["", "ssn", "itin", "foreign"])
                    & ~Q(country="US")
                ),
                name="tax_form_says_what_its_kind_asks",
            ),
            models.CheckConstraint(
                condition=Q(tin_kind="", tin_last4="") | (~Q(tin_kind="") & ~Q(tin_last4="")),
                name="tax_form_number_and_its_end_go_together",
            ),
            models.CheckConstraint(
                condition=Q(expires_on__isnull=True) | Q(expires_on__gt=F("signed_on")),
                name="tax_form_expires_after_it_was_signed",
            ),
            models.CheckConstraint(condition=~Q(signature=""), name="tax_form_is_signed"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} of {self.contractor_id}"

    @property
    def masked_tin(self) -> str:
        """The only form in which the number leaves the platform unasked."""
        return f"ending in {self.tin_last4}" if self.tin_last4 else ""
