from __future__ import annotations

from celery import shared_task

from reviews import services


@shared_task(name="reviews.score_task")
def score_task(task_id: int) -> None:
    """Score a task's submissions against each other and decide by the project's rule."""
    services.score_task(task_id)


@shared_task(name="reviews.sweep_scores")
def sweep_scores() -> dict[str, int]:
    """Score tasks whose message was lost."""
    return services.sweep_scores()


@shared_task(name="reviews.expire_leases")
def expire_leases() -> int:
    """Put reviews whose lease ran out back in the queue."""
    return services.expire_leases()


@shared_task(name="reviews.auto_accept")
def auto_accept() -> dict[str, int]:
    """Pay for work that nobody decided about within the review deadline."""
    return services.auto_accept()
