"""How fast one worker scores a project anew, and what it waits for.

    python -m benchmarks.rescore [--submissions 10000] [--segments 60] [--batch 50]

Makes a throw-away database with two hand-ins per task (simulated annotators), then runs what the
job `reviews.work_on_run` runs until it is done: score, diagnosis of both sides, alignment.
Times are wall-clock of the worker; "SQL" is the time until the database has answered, the rest of
a read is making Python objects out of the rows.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

FRAMES = 9_000  # of every video that benchmarks.seed makes
FPS = 30.0
ANNOTATORS = 64
POOL = 40  # different pairs of timelines, dealt to the tasks in turn


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--submissions", type=int, default=10_000)
    parser.add_argument("--segments", type=int, default=60, help="of the truth, per submission")
    parser.add_argument("--batch", type=int, default=50, help="tasks per transaction")
    options = parser.parse_args()
    with _database():
        began = time.monotonic()
        project, segments = _seed(options.submissions // 2, options.segments)
        print(
            f"{options.submissions} submissions, {segments} segments "
            f"({segments / options.submissions:.0f} each), made in {time.monotonic() - began:.0f} s"
        )
        _measure(project, options.submissions, options.batch)


@contextmanager
def _database() -> Iterator[None]:
    from annotation_platform.embedded.throwaway import ThrowAwayServices

    services = ThrowAwayServices()
    try:
        services.export()
        os.environ.setdefault("DJANGO_SETTINGS_MODULE", "annotation_platform.settings")
        os.environ["PLATFORM_TESTING"] = "1"
        import django

        django.setup()
        from django.core.management import call_command

        call_command("migrate", verbosity=0)
        yield
    finally:
        services.stop()


def _seed(tasks: int, segments: int) -> tuple[Any, int]:
    """Two hand-ins for each of so many tasks; returns the project and the number of segments."""
    from django.db import connection, transaction
    from django.utils import timezone

    from tasks.models import Task
    from tests import factories
    from timelines.simulator import FAIR, GOOD, annotate, make_truth
    from videos.models import Video

    project = factories.project()
    for _ in range(ANNOTATORS):
        factories.worker(project)
    videos = [factories.video(frames=FRAMES, fps=int(FPS))]
    fields = {
        field.attname: getattr(videos[0], field.attname)
        for field in Video._meta.concrete_fields
        if field.name not in ("id", "key", "sha256")
    }
    videos += Video.objects.bulk_create(
        [
            Video(key=f"copies/{n}.mp4", sha256=f"{n + 2**64:064x}", **fields)
            for n in range(1, tasks)
        ],
        batch_size=500,
    )
    Task.objects.bulk_create(
        [
            Task(
                project=project,
                video=video,
                state=Task.State.FILLED,
                overlap=2,
                max_overlap=3,
                held_slots=2,
                opened_at=timezone.now(),
            )
            for video in videos
        ],
        batch_size=1000,
    )
    pool = []
    for number in range(POOL):
        truth = make_truth(number, segments=segments, fps=FPS)
        for skill in (GOOD, FAIR):
            work = annotate(truth, skill=skill, seed=number)
            pool.append([segment for segment in work if segment.end_frame <= FRAMES])
    with connection.cursor() as cursor:
        cursor.execute(
            """
            WITH people AS (
                SELECT row_number() OVER (ORDER BY id) - 1 AS number, id, contractor_id
                FROM contractors_residence
            )
            INSERT INTO tasks_assignment (task_id, contractor_id, slot, occupies_slot, state,
                price_version_id, price_cents, screening_fee_cents, currency, guideline_id,
                policy_version_id, residence_id, eligibility, claimed_at, lease_ceiling_at,
                submitted_at, end_reason)
            SELECT t.id, people.contractor_id, slot, true, 'submitted', price.id,
                price.price_cents, price.screening_fee_cents, price.currency, g.id, policy.id,
                people.id, '{}', now(), now() + interval '1 day', now(), ''
            FROM tasks_task t CROSS JOIN generate_series(0, 1) slot
            JOIN people ON people.number = (2 * t.id + slot) %% %s
            CROSS JOIN tasks_priceversion price CROSS JOIN tasks_guideline g
            CROSS JOIN contractors_eligibilitypolicyversion policy
            """,
            [ANNOTATORS],
        )
        with transaction.atomic():  # segments come with their submission or not at all
            cursor.execute(
                """
                INSERT INTO tasks_submission (assignment_id, round, state, screening_verdict,
                    screening, frame_count, segment_count, submitted_at)
                SELECT id, 1, 'submitted', 'usable', '{}', %s, 1, now() FROM tasks_assignment
                RETURNING id, assignment_id
                """,
                [FRAMES],
            )
            submissions = sorted(row[0] for row in cursor.fetchall())
            made = 0
            columns = "submission_id, position, start_frame, end_frame, hands, action_type"
            columns += ", description"
            with cursor.copy(f"COPY tasks_segment ({columns}) FROM STDIN") as copy:
                for number, submission in enumerate(submissions):
                    for position, segment in enumerate(pool[number % len(pool)]):
                        copy.write_row(
                            (
                                submission,
                                position,
                                segment.start_frame,
                                segment.end_frame,
                                int(segment.hands),
                                segment.action_type,
                                segment.description,
                            )
                        )
                        made += 1
        cursor.execute("VACUUM (ANALYZE)")
    return project, made


def _measure(project: Any, submissions: int, batch: int) -> None:
    from django.db import connection

    from reviews import queries, services
    from reviews.models import Score
    from reviews.services import rescoring

    spent: defaultdict[str, float] = defaultdict(float)
    burned: defaultdict[str, float] = defaultdict(float)

    def timed(name: str, work: Callable[..., Any]) -> Callable[..., Any]:
        def run(*args: Any, **kwargs: Any) -> Any:
            began, cpu = time.perf_counter(), time.process_time()
            try:
                return work(*args, **kwargs)
            finally:
                spent[name] += time.perf_counter() - began
                burned[name] += time.process_time() - cpu

        return run

    def sql(execute: Any, statement: str, *rest: Any) -> Any:
        reads = statement.lstrip().startswith("SELECT")
        return timed("SQL reads" if reads else "SQL writes", execute)(statement, *rest)

    for name in ("tasks_to_compare", "scored_pairs", "timelines"):
        setattr(queries, name, timed("reads", getattr(queries, name)))
    rescoring.measure = timed("scoring and diagnosis", rescoring.measure)  # type: ignore[attr-defined]

    run = services.start_run(actor=None, project=project, kind="rescore")
    spent.clear()
    burned.clear()
    wall, cpu = time.perf_counter(), time.process_time()
    with connection.execute_wrapper(sql):
        while services.work_on_run(run.pk, batch=batch):
            pass
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    run.refresh_from_db()
    assert (run.state, Score.objects.count()) == ("done", submissions // 2), run.error

    parts = ("reads", "scoring and diagnosis", "SQL writes")
    rest = "the rest (rows to JSON, transactions)"
    spent[rest] = wall - sum(spent[name] for name in parts)
    burned[rest] = cpu - sum(burned[name] for name in parts)
    print(f"one worker: {submissions / wall:.0f} submissions/s, {wall:.1f} s in all")
    print(
        f"worker CPU: {1000 * cpu / submissions:.2f} ms per submission, "
        f"{submissions / cpu:.0f} submissions per CPU second (it had a core {cpu / wall:.0%} of "
        "the time)"
    )
    print(f"  {'':42} {'of the time':>12} {'of its CPU':>12}")
    for label, name in (
        ("database reads, rows made to timelines", "reads"),
        ("  of that until SQL has answered", "SQL reads"),
        ("scoring and diagnosis of both sides", "scoring and diagnosis"),
        ("database writes", "SQL writes"),
        (rest, rest),
    ):
        print(f"  {label:42} {spent[name] / wall:12.1%} {burned[name] / cpu:12.1%}")


if __name__ == "__main__":
    main()
