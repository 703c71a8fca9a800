"""A CHECK lets NULL pass: a comparison with NULL is neither true nor false, and only false refuses.

Every CHECK over a column that may be NULL is evaluated here on a grid of values: the literals that
it compares with, the edges of their types, and NULL. None may answer NULL to any of them.
"""

from __future__ import annotations

import re
from itertools import count

import pytest
from django.db import IntegrityError, connection

from annotation_platform.clock import database_now
from tests import factories
from tests.raw_sql import execute
from videos.models import Registration, Video

pytestmark = pytest.mark.django_db

# (table, name, expression and the source of our functions in it, [(column, type, nullable)]).
# A CHECK over one nullable column says what the value is when there is one: NULL may pass.
CHECKS = """
SELECT conrelid::regclass::text, conname, pg_get_expr(conbin, conrelid),
    (SELECT coalesce(string_agg(prosrc, ' '), '') FROM pg_proc
        WHERE pronamespace = 'public'::regnamespace
        AND pg_get_expr(conbin, conrelid) ~ ('\\m' || proname || '\\(')),
    (SELECT array_agg(ARRAY[attname::text, atttypid::regtype::text, (NOT attnotnull)::text]
        ORDER BY attnum)
        FROM pg_attribute WHERE attrelid = conrelid AND attnum = ANY (conkey))
FROM pg_constraint WHERE contype = 'c' AND connamespace = 'public'::regnamespace
    AND cardinality(conkey) > 1
"""

EDGES = {
    "boolean": ["true", "false"],
    "bytea": ["''"],
    "date": ["'2026-01-01'", "'2027-01-01'"],
    "timestamp with time zone": ["'2026-01-01'", "'2027-01-01'"],
    "jsonb": ["'{}'"],
    "character varying": ["''", "'another'"],
    "text": ["''", "'another'"],
    "smallint": ["-1", "0", "1", "2"],
    "integer": ["-1", "0", "1", "2"],
    "bigint": ["-1", "0", "1", "2"],
}


def values(kind: str, nullable: bool, source: str) -> list[str]:
    found = list(EDGES[kind])
    if kind in ("character varying", "text"):
        found += re.findall(r"'\w+'", source)
    elif kind.endswith("int") or kind == "integer":
        found += re.findall(r"[(= ](\d+)\b", source) if len(source) < 400 else []
    return sorted({*found, *(["NULL"] if nullable else [])})


def undecided(expression: str, source: str, columns: list[list[str]]) -> tuple[object, ...] | None:
    """A row to which the expression answers NULL."""
    aliases = (f"v{number}" for number in count())
    grid = " CROSS JOIN ".join(
        f"unnest(ARRAY[{', '.join(values(kind, nullable == 'true', source))}]::{kind}[]) "
        f"AS {next(aliases)} ({name})"
        for name, kind, nullable in columns
    )
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT * FROM {grid} WHERE ({expression}) IS NULL LIMIT 1")
        row: tuple[object, ...] | None = cursor.fetchone()
    return row


def test_no_check_answers_null() -> None:
    with connection.cursor() as cursor:
        cursor.execute(CHECKS)
        rows = [row for row in cursor.fetchall() if any(c[2] == "true" for c in row[4])]
    assert len(rows) > 40
    holes = {
        f"{table}.{name}": dict(zip((column[0] for column in columns), hole, strict=True))
        for table, name, expression, functions, columns in rows
        if (hole := undecided(expression, f"{expression} {functions}", columns))
    }
    assert holes == {}


# --- the three that did -----------------------------------------------------------------

PROBED = {
    "frame_count": "1", "time_base_num": "1", "time_base_den": "30", "width": "1",
    "height": "1", "duration_ticks": "1", "frame_times": "'x'", "probed_at": "now()",
}  # fmt: skip


@pytest.mark.parametrize("missing", PROBED)
def test_frames_known_but_one_figure(missing: str) -> None:
    video = Video.objects.create(key="a.mp4", title="A", sha256="0" * 64, size_bytes=1)
    given = {**PROBED, missing: "NULL"}
    state = "registered" if missing == "frame_count" else "ready"
    with pytest.raises(IntegrityError, match="video_frames_known_all_or_nothing"):
        execute(
            f"UPDATE videos_video SET state = '{state}', "
            + ", ".join(f"{column} = {value}" for column, value in given.items())
            + " WHERE id = %s",
            parameters=(video.pk,),
        )


def test_a_registration_is_done_and_nobody_knows_of_how_many() -> None:
    begun = Registration.objects.create(kind="manifest", name="m.csv")
    Registration.objects.update(state="running", running_until=database_now())
    with pytest.raises(IntegrityError, match="video_registration_done_counts_every_row"):
        execute(
            "UPDATE videos_registration SET state = 'done', running_until = NULL, "
            "finished_at = now(), total = NULL WHERE id = %s",
            parameters=(begun.pk,),
        )


def test_a_rate_without_a_median() -> None:
    with pytest.raises(IntegrityError, match="pace_rate_comes_from_a_median"):
        execute(
            "INSERT INTO tasks_projectpace (project_id, samples, cents_per_hour, below_floor, "
            "measured_at) VALUES (%s, 5, 1500, false, now())",
            parameters=(factories.project().pk,),
        )
