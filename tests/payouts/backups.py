"""A backup of what one test wrote since it began, and going back to it.

The rows of the money, task, review and event tables are copied and put back as a restored dump
would: without triggers, and with the sequences where they were, so that row numbers are given
out again. Whatever a provider did in between is not undone.
"""

from __future__ import annotations

from functools import cache
from typing import Any

from django.db import connection, transaction

_APPS = ("payouts", "tasks", "reviews", "events")


class Backups:
    """Takes note of where the tables end now; only rows after that are copied."""

    def __init__(self) -> None:
        self._first = {
            (table, key): number or 0
            for (table, key), number in zip(
                _tables(),
                _row(
                    "SELECT "
                    + ", ".join(f"(SELECT max({key}) FROM {table})" for table, key in _tables())
                ),
                strict=True,
            )
        }

    def take(self) -> dict[str, Any]:
        """The rows of now, as JSON by table, and where the sequences stand."""
        parts = [
            f"(SELECT jsonb_agg(to_jsonb(t)) FROM {table} t WHERE {key} > {first})"
            for (table, key), first in self._first.items()
        ]
        rows = _row("SELECT " + ", ".join(f"{part}::text" for part in parts))
        return {
            "rows": dict(zip((table for table, _ in self._first), rows, strict=True)),
            "sequences": dict(
                zip(
                    _sequences(),
                    _row(
                        "SELECT "
                        + ", ".join(
                            f"(SELECT ARRAY[last_value, is_called::int] FROM {name})"
                            for name in _sequences()
                        )
                    ),
                    strict=True,
                )
            ),
        }

    def restore(self, backup: dict[str, Any]) -> None:
        """Make the tables what they were."""
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SET LOCAL session_replication_role = replica")
            for (table, key), first in self._first.items():
                cursor.execute(f"DELETE FROM {table} WHERE {key} > {first}")
                if backup["rows"][table] is not None:
                    columns = _columns(table)
                    cursor.execute(
                        f"INSERT INTO {table} ({columns}) SELECT {columns} "
                        f"FROM jsonb_populate_recordset(NULL::{table}, %s::jsonb)",
                        [backup["rows"][table]],
                    )
            cursor.execute(
                "SELECT "
                + ", ".join(
                    f"setval('{name}', {last}, {bool(called)})"
                    for name, (last, called) in backup["sequences"].items()
                )
            )


@cache
def _sequences() -> tuple[str, ...]:
    (names,) = _row("SELECT array_agg(sequencename::text ORDER BY sequencename) FROM pg_sequences")
    return tuple(name for name in names if name.startswith(_APPS))


def _row(sql: str) -> tuple[Any, ...]:
    with connection.cursor() as cursor:
        cursor.execute(sql)
        row = cursor.fetchone()
        assert row is not None
        return tuple(row)


@cache
def _columns(table: str) -> str:
    """All that can be written: a generated column makes itself."""
    (columns,) = _row(
        "SELECT string_agg(quote_ident(attname), ', ' ORDER BY attnum) FROM pg_attribute "
        f"WHERE attrelid = '{table}'::regclass AND attnum > 0 AND NOT attisdropped "
        "AND attgenerated = ''"
    )
    return str(columns)


_known: list[tuple[str, str]] = []


def _tables() -> list[tuple[str, str]]:
    """(table, its numeric primary key)."""
    if not _known:
        with connection.cursor() as cursor:
            cursor.execute(
                """
                SELECT c.relname, a.attname
                FROM pg_class c
                JOIN pg_index i ON i.indrelid = c.oid AND i.indisprimary
                JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = i.indkey[0]
                WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'r'
                    AND a.atttypid IN ('int4'::regtype, 'int8'::regtype)
                    AND split_part(c.relname, '_', 1) = ANY (%s)
                ORDER BY c.relname
                """,
                [list(_APPS)],
            )
            _known.extend((str(table), str(key)) for table, key in cursor.fetchall())
    return _known
