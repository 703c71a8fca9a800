from __future__ import annotations

from datetime import timedelta

from celery import shared_task
from django.db.models.functions import Now
from django.utils import timezone
from knox.models import get_token_model

from annotation_platform.api.idempotency import KEEP_HOURS
from annotation_platform.api.models import StoredAnswer


@shared_task(name="api.purge_idempotency_keys")
def purge_idempotency_keys() -> int:
    """Delete stored answers older than KEEP_HOURS, and expired tokens. Returns how many answers."""
    get_token_model().objects.filter(expiry__lt=Now()).delete()
    limit = timezone.now() - timedelta(hours=KEEP_HOURS)
    deleted, _ = StoredAnswer.objects.filter(created_at__lt=limit).delete()
    return deleted
