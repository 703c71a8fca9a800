from __future__ import annotations

from celery import shared_task

from tasks import services


@shared_task(name="tasks.expire_leases")
def expire_leases() -> dict[str, int]:
    """Move claims whose lease ran out into grace, and those whose grace ran out to expired."""
    return services.expire_leases()


@shared_task(name="tasks.measure_paces")
def measure_paces() -> int:
    """Measure how long each project's work takes and what an hour of it pays."""
    return services.measure_paces()


@shared_task(name="tasks.submit_overdue_rework")
def submit_overdue_rework() -> int:
    """Hand in work sent back for changes, as it was, when the deadline is over."""
    return services.submit_overdue_rework()


@shared_task(name="tasks.spread_queue_order")
def spread_queue_order() -> int:
    """Give tasks the order that their project was changed to, a batch at a time."""
    return services.spread_queue_order()
