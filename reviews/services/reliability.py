"""One batch of measuring how far a project's annotators agree beyond chance."""

from __future__ import annotations

from reviews import queries, reliability
from reviews.models import Run


def measure_tasks(run: Run, tasks: list[queries.ComparableTask]) -> None:
    """Add these tasks to what was found, each under the guideline version it was made with.

    Work made under different versions of the guideline is never compared; videos that somebody
    screened as unusable are left out.
    """
    fps = {pk: task.fps for task in tasks for pk in task.submission_ids}
    timelines = queries.timelines(list(fps), fps=fps)
    parameters = run.scoring.measures.score
    for task in tasks:
        for version in sorted(set(task.guidelines)):
            of_version = [
                timelines[pk]
                for pk, guideline in zip(task.submission_ids, task.guidelines, strict=True)
                if guideline == version and len(timelines[pk])
            ]
            if len(of_version) < 2:
                continue
            found = run.partial.setdefault(str(version), reliability.empty())
            try:
                reliability.add_task(found, task.task_id, of_version, parameters)
            except (ValueError, ArithmeticError) as error:
                run.skipped.append({"task": task.task_id, "error": str(error)[:500]})


def conclude_reliability(run: Run) -> None:
    """Turn what was found into the figures, newest guideline first."""
    run.result = {
        "guidelines": [
            {"guideline": int(version), **reliability.summarise(run.partial[version])}
            for version in sorted(run.partial, key=int, reverse=True)
        ]
    }
    run.partial = {}
