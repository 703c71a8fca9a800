from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models.functions import Now


class Event(models.Model):
    """One thing that happened, written in the transaction that did it. Append-only (trigger)."""

    id = models.BigAutoField(primary_key=True)
    type = models.CharField(max_length=64, help_text="Past tense: assignment.claimed")
    occurred_at = models.DateTimeField(db_default=Now())
    actor = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        null=True,
        on_delete=models.PROTECT,
        related_name="+",
        db_index=False,
        help_text="Who did it; empty when the system did.",
    )
    subject_type = models.CharField(max_length=64, help_text="app.model of the row it is about")
    subject_id = models.BigIntegerField()
    data = models.JSONField(default=dict)

    class Meta:
        indexes = [
            models.Index(fields=["subject_type", "subject_id", "id"], name="event_by_subject"),
            models.Index(fields=["type", "id"], name="event_by_type"),
        ]

    def __str__(self) -> str:
        return f"{self.id} {self.type} {self.subject_type}:{self.subject_id}"
