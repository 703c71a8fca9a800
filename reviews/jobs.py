from __future__ import annotations

from celery import shared_task

from reviews import services


@shared_task(name="reviews.score_handed_in")
def score_handed_in(handed_in: list[tuple[int, int]]) -> dict[str, int]:
    """Score what was handed in: pairs of a task's and a submission's id.

    The task's submissions are scored against each other, this one against the task's reference.
    """
    return services.score_handed_in(handed_in)


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


@shared_task(name="reviews.build_consensus")
def build_consensus(task_id: int) -> None:
    """Build a task's consensus timeline, if a decision made it stale."""
    services.build_task_consensus(task_id)


@shared_task(name="reviews.sweep_consensus")
def sweep_consensus() -> dict[str, int]:
    """Build consensus timelines whose message was lost."""
    return services.sweep_consensus()


@shared_task(name="reviews.work_on_run")
def work_on_run(run_id: int) -> None:
    """Do a while's work on a run, then stand in line again, so that other jobs get their turn."""
    if services.work_on_run(run_id):
        work_on_run.delay(run_id)


@shared_task(name="reviews.sweep_runs")
def sweep_runs() -> int:
    """Go on with runs whose message or worker was lost. Returns how many."""
    idle = services.idle_runs()
    for run_id in idle:
        work_on_run.delay(run_id)
    return len(idle)


@shared_task(name="reviews.sweep_gold")
def sweep_gold() -> dict[str, int]:
    """Score hand-ins on gold tasks whose message was lost."""
    return services.sweep_gold()
