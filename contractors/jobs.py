from __future__ import annotations

from celery import shared_task

from contractors import services


@shared_task(name="contractors.end_restrictions")
def end_restrictions() -> int:
    """Lift restrictions that have run out; overturn appeals left unanswered. Idempotent."""
    return services.end_restrictions()
