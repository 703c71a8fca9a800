"""Fill an empty, migrated database with a queue of any depth, by COPY. A million tasks in a minute.

    python -m benchmarks.seed --tasks 1m [--contractors 20000] [--past-assignments 10000] …

The database is named by DATABASE_URL and has to be empty: everybody made here signs in with a token
that can be computed from this file (`token_of`).

People, project, price, guideline, policy and budget are what the services make of them; videos
are five minutes at 30 frames per second with a finished proxy; no file stands behind them.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import json
import os
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from fractions import Fraction
from itertools import islice
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

FRAMES = 9_000
FPS = 30
_LONG_AGO = datetime(2026, 1, 1, tzinfo=UTC)
_ROWS_PER_WRITE = 2_000
_NULL = "\\N"


@dataclass(frozen=True)
class Plan:
    """What to make.

    Arguments:
        tasks: open ones.
        contractors: active, eligible, guideline read; the first is the veteran (see below).
        overlap: independent assignments wanted per task.
        live_claim_cap: how many claims one contractor may hold at once.
        past_assignments: closed claims of the veteran on completed tasks.
        seen_open: closed claims of the veteran on as many open tasks, the first in the queue;
            needs an overlap of 2 or more.
        events: rows of the log, on top of those that the services write.
    """

    tasks: int
    contractors: int = 64
    overlap: int = 1
    live_claim_cap: int = 2
    past_assignments: int = 0
    seen_open: int = 0
    events: int = 0

    def __post_init__(self) -> None:
        if self.seen_open and (self.overlap < 2 or self.seen_open > self.tasks):
            raise ValueError("seen_open needs an overlap of 2 and at least as many tasks.")


@dataclass(frozen=True)
class Seeded:
    """What was made: the project, and how long each step took in seconds."""

    project: int
    seconds: dict[str, float]


def token_of(number: int) -> str:
    """The API token of contractor `number` (1-based, also the id of its user)."""
    return hashlib.sha256(f"benchmark contractor {number}".encode()).hexdigest()


def seed(plan: Plan) -> Seeded:
    """Make everything in the default database. Needs Django set up and a migrated, empty database.

    Raises `RuntimeError` when anybody has an account there already.
    """
    from django.db import transaction

    from contractors.models import User

    if User.objects.exists():
        raise RuntimeError("This database is in use; the seed wants one of its own.")
    clock = _Clock()
    with transaction.atomic():
        terms = _terms(plan)
        clock.lap("project")
        _people(plan, terms)
        clock.lap("people")
        _videos(plan.tasks + plan.past_assignments)
        clock.lap("videos")
        _tasks(plan, terms)
        clock.lap("tasks")
        _past(plan, terms)
        _events(plan.events)
        clock.lap("history")
    _vacuum()
    clock.lap("vacuum")
    return Seeded(terms.project.pk, clock.laps)


class _Clock:
    def __init__(self) -> None:
        self._last = time.monotonic()
        self.laps: dict[str, float] = {}

    def lap(self, name: str) -> None:
        now = time.monotonic()
        self.laps[name] = round(now - self._last, 2)
        self._last = now


# -- what the services make --------------------------------------------------------------------


@dataclass(frozen=True)
class _Terms:
    project: Any
    guideline: Any
    price: Any
    policy_version: Any


def _terms(plan: Plan) -> _Terms:
    from contractors.queries import current_policy_version
    from contractors.services import default_policy
    from tasks import queries, services
    from tasks.rules import DEFAULT_PRICE_CENTS

    project = services.create_project(
        actor=None,
        name="Benchmark",
        policy=default_policy(),
        overlap=plan.overlap,
        max_overlap=max(3, plan.overlap),
        live_claim_cap=plan.live_claim_cap,
    )
    draft = services.write_guideline(
        actor=None, project=project, title="Kitchen actions", body="# Cut on contact"
    )
    guideline = services.publish_guideline(actor=None, guideline=draft)
    services.fund(
        actor=None,
        project=project,
        amount_cents=DEFAULT_PRICE_CENTS * plan.overlap * (plan.tasks + 1000),
        reason="Benchmark",
    )
    return _Terms(
        project,
        guideline,
        queries.current_price(project),
        current_policy_version(project.policy),
    )


# -- what COPY makes ---------------------------------------------------------------------------


def _people(plan: Plan, terms: _Terms) -> None:
    from django.contrib.auth.hashers import make_password
    from django.db.backends.postgresql.psycopg_any import DateRange
    from knox.crypto import hash_token
    from knox.models import get_token_model
    from knox.settings import CONSTANTS

    from contractors.models import Contractor, Residence, Role, User
    from contractors.queries import verdict
    from tasks.models import GuidelineAcknowledgement

    numbers = range(1, plan.contractors + 1)
    user = User(password=make_password(None), name="Somebody", roles=[Role.CONTRACTOR])
    _copy(user, {"id": numbers, "email": (f"contractor-{n}@example.org" for n in numbers)})
    active = Contractor(state=Contractor.State.ACTIVE, activated_at=_LONG_AGO)
    _copy(active, {"user_id": numbers})
    residence = Residence(area="US-TX", valid=DateRange(date(2020, 1, 1), None))
    _copy(residence, {"id": numbers, "contractor_id": numbers})
    # Worked out at everybody's first claim; the first person's is like all others'.
    known = verdict(terms.policy_version, Residence.objects.get(pk=1))
    known.pk = None
    _copy(known, {"residence_id": numbers[1:]})
    read = GuidelineAcknowledgement(guideline=terms.guideline)
    _copy(read, {"id": numbers, "contractor_id": numbers})
    tokens = [token_of(n) for n in numbers]
    _copy(
        get_token_model()(created=_LONG_AGO),
        {
            "digest": (hash_token(token) for token in tokens),
            "token_key": (token[: CONSTANTS.TOKEN_KEY_LENGTH] for token in tokens),
            "user_id": numbers,
        },
    )


def _videos(count: int) -> None:
    import numpy as np

    from videos.models import Video, VideoJob
    from videos.timetable import FrameTimes

    numbers = range(1, count + 1)
    times = FrameTimes(np.arange(FRAMES, dtype=np.int64), Fraction(1, FPS))
    video = Video(
        state=Video.State.READY,
        size_bytes=90_000_000,
        width=1920,
        height=1080,
        frame_count=FRAMES,
        time_base_num=1,
        time_base_den=FPS,
        frame_times=times.pack(),
        duration_ticks=FRAMES,
        codec="h264",
        probed_at=_LONG_AGO,
    )
    _copy(
        video,
        {
            "id": numbers,
            "key": (f"videos/{n:08}.mp4" for n in numbers),
            "title": (f"Kitchen {n}" for n in numbers),
            "sha256": (f"{n:064x}" for n in numbers),
        },
    )
    proxy = VideoJob(
        stage=VideoJob.Stage.PROXY,
        state=VideoJob.State.DONE,
        attempts=1,
        due_at=_LONG_AGO,
        finished_at=_LONG_AGO,
    )
    result = '{{"files": {{"proxy.mp4": "derived/{0:08}/proxy.mp4"}}}}'
    _copy(
        proxy,
        {"id": numbers, "video_id": numbers, "result": (result.format(n) for n in numbers)},
    )


def _tasks(plan: Plan, terms: _Terms) -> None:
    from tasks.models import Task

    fields = {"project": terms.project, "max_overlap": terms.project.max_overlap}
    task = Task(state=Task.State.OPEN, overlap=plan.overlap, opened_at=_LONG_AGO, **fields)
    fresh = range(plan.seen_open + 1, plan.tasks + 1)
    _copy(task, {"id": fresh, "video_id": fresh})
    if plan.seen_open:
        seen = range(1, plan.seen_open + 1)
        task.held_slots = 1
        _copy(task, {"id": seen, "video_id": seen})
    if plan.past_assignments:
        past = range(plan.tasks + 1, plan.tasks + plan.past_assignments + 1)
        done = Task(
            state=Task.State.COMPLETED,
            overlap=1,
            held_slots=1,
            opened_at=_LONG_AGO,
            ended_at=_LONG_AGO,
            **fields,
        )
        _copy(done, {"id": past, "video_id": past})


def _past(plan: Plan, terms: _Terms) -> None:
    """The veteran's (contractor 1's) claims of former times."""
    from tasks.models import Assignment

    tasks = [
        *range(1, plan.seen_open + 1),
        *range(plan.tasks + 1, plan.tasks + plan.past_assignments + 1),
    ]
    closed = Assignment(
        contractor_id=1,
        residence_id=1,
        slot=0,
        state=Assignment.State.CLOSED,
        price_version=terms.price,
        price_cents=terms.price.price_cents,
        screening_fee_cents=terms.price.screening_fee_cents,
        currency=terms.price.currency,
        guideline=terms.guideline,
        policy_version=terms.policy_version,
        eligibility={"outcome": "allow", "area": "US-TX", "matched_area": "US"},
        claimed_at=_LONG_AGO,
        lease_ceiling_at=_LONG_AGO + timedelta(days=1),
        submitted_at=_LONG_AGO,
        ended_at=_LONG_AGO,
    )
    _copy(closed, {"id": range(1, len(tasks) + 1), "task_id": tasks})


def _events(count: int) -> None:
    from events.models import Event

    event = Event(
        type="assignment.claimed", actor_id=1, subject_type="tasks.assignment", data={"slot": 0}
    )
    # Others have written events already: ids from the sequence.
    _copy(event, {"subject_id": range(1, count + 1)})


def _copy(template: Any, varying: dict[str, Iterable[Any]]) -> None:
    """COPY one row per value of `varying`; every other column is the template's.

    Columns that the template leaves to the database (ids, defaults) are left to it here too. When
    ids are given, the table's sequence goes on behind them.
    """
    from django.db import connection

    fixed = {
        column: _text(value)
        for column, value in _columns(template).items()
        if column not in varying
    }
    line = "\t".join(
        [*(text.replace("%", "%%") for text in fixed.values()), *["%s"] * len(varying)]
    )
    rows: Iterator[tuple[Any, ...]] = zip(*varying.values(), strict=True)
    table = template._meta.db_table
    columns = ", ".join(f'"{name}"' for name in [*fixed, *varying])
    with connection.cursor() as cursor:
        with cursor.copy(f'COPY "{table}" ({columns}) FROM STDIN') as copy:
            while some := list(islice(rows, _ROWS_PER_WRITE)):
                text = io.StringIO()
                for row in some:
                    text.write(line % row)
                    text.write("\n")
                copy.write(text.getvalue())
        if "id" in varying:
            cursor.execute(
                f"SELECT setval(pg_get_serial_sequence('{table}', 'id'), max(id))"
                f' FROM "{table}" HAVING max(id) IS NOT NULL'
            )


def _columns(template: Any) -> dict[str, Any]:
    """Column → value of every column that is not the database's to fill."""
    from django.db.models.expressions import DatabaseDefault

    columns = {}
    for field in template._meta.concrete_fields:
        if field.generated:
            continue
        value = getattr(template, field.attname)
        is_new_id = field.primary_key and value is None
        if not isinstance(value, DatabaseDefault) and not is_new_id:
            columns[field.column] = value
    return columns


def _text(value: Any) -> str:
    """One value in COPY's text format."""
    if value is None:
        return _NULL
    if isinstance(value, bytes):
        return "\\\\x" + value.hex()
    if isinstance(value, dict):
        value = json.dumps(value)
    elif isinstance(value, list):
        value = "{" + ",".join(f'"{item}"' for item in value) + "}"
    elif hasattr(value, "lower_inc"):  # a range
        upper = value.upper or ""
        value = f"{'[' if value.lower_inc else '('}{value.lower},{upper})"
    return str(value).replace("\\", "\\\\").replace("\t", "\\t").replace("\n", "\\n")


def _vacuum() -> None:
    """Visibility map and statistics as they are on a queue that has been there for a while.

    Empty tables are left out: PostgreSQL would learn that they are empty, plan to read them from
    end to end, and keep to that while they grow. For a table it knows nothing of it does not.
    """
    from django.db import connection

    with connection.cursor() as cursor:
        for table in connection.introspection.table_names(cursor):
            cursor.execute(f'SELECT FROM "{table}" LIMIT 1')
            if cursor.fetchone() is not None:
                cursor.execute(f'VACUUM (ANALYZE) "{table}"')


# -- from the command line ---------------------------------------------------------------------


def number(text: str) -> int:
    """`10k`, `1m`, `250` → an integer."""
    factor = {"k": 1_000, "m": 1_000_000}.get(text[-1:].lower(), 1)
    return int(text[:-1] if factor > 1 else text) * factor


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """One option per field of `Plan`."""
    defaults = Plan(tasks=0)
    parser.add_argument("--tasks", type=number, required=True, help="open tasks: 10k, 1m")
    for name in ("contractors", "overlap", "live-claim-cap", "past-assignments", "seen-open"):
        attribute = getattr(defaults, name.replace("-", "_"))
        parser.add_argument(f"--{name}", type=number, default=attribute)
    parser.add_argument("--events", type=number, default=0)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=_Formatter)
    add_arguments(parser)
    options = vars(parser.parse_args(arguments))
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "annotation_platform.settings")
    import django

    django.setup()
    made = seed(replace(Plan(tasks=0), **options))
    print(json.dumps({"project": made.project, "seconds": made.seconds}))


class _Formatter(argparse.RawDescriptionHelpFormatter):
    pass


if __name__ == "__main__":
    main()
