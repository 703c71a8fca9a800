"""One batch of scoring a project's tasks anew."""

from __future__ import annotations

from itertools import combinations

from reviews import queries
from reviews.measure import measure
from reviews.models import Run, Score


def rescore_tasks(run: Run, tasks: list[queries.ComparableTask]) -> None:
    """Store the scores that these tasks lack under the run's scoring version.

    Three reads and one write per batch. A task that can't be scored is noted in `skipped`.
    Decisions and pay stay as they are: what was accepted is paid.
    """
    ids = [pk for task in tasks for pk in task.submission_ids]
    have = queries.scored_pairs(ids, run.scoring)
    fps = {pk: task.fps for task in tasks for pk in task.submission_ids}
    timelines = queries.timelines(ids, fps=fps)
    measures = run.scoring.measures
    rows: list[Score] = []
    for task in tasks:
        try:
            rows += [
                Score(
                    task_id=task.task_id,
                    scoring=run.scoring,
                    reference_id=one,
                    candidate_id=other,
                    **measure(timelines[one], timelines[other], measures),
                )
                for one, other in combinations(task.submission_ids, 2)
                if frozenset((one, other)) not in have
            ]
        except (ValueError, ArithmeticError) as error:
            run.skipped.append({"task": task.task_id, "error": str(error)[:500]})
    Score.objects.bulk_create(rows, ignore_conflicts=True, batch_size=200)
    run.partial["scores"] = run.partial.get("scores", 0) + len(rows)


def conclude_rescore(run: Run) -> None:
    """What the run says in the end."""
    run.result = {"scores": run.partial.get("scores", 0), "skipped": len(run.skipped)}
