"""Attacking the database past every service."""

from __future__ import annotations

from django.db import connection, transaction


def execute(*statements: str, parameters: tuple[str | int | None, ...] = ()) -> None:
    """Run statements in one transaction (parameters go to the last one)."""
    with transaction.atomic(), connection.cursor() as cursor:
        for statement in statements[:-1]:
            cursor.execute(statement)
        cursor.execute(statements[-1], parameters)


# Only test sessions may truncate append-only tables; production never has this on.
AS_IN_PRODUCTION = "SET LOCAL platform.allow_truncate = off"
