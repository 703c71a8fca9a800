"""Append-only tables refuse TRUNCATE in production; only the test cluster lets it pass."""

from __future__ import annotations

import psycopg
import pytest
from django.db import connection

from annotation_platform.embedded.postgres import (
    KEPT_SETTINGS,
    THROW_AWAY_SETTINGS,
    Postgres,
)
from annotation_platform.embedded.throwaway import ThrowAwayServices

pytestmark = pytest.mark.django_db


def guards() -> dict[str, tuple[str, str, str]]:
    """Table → (trigger, its SQL, its function's SQL) of every guard against TRUNCATE."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT c.relname, t.tgname, pg_get_triggerdef(t.oid), pg_get_functiondef(t.tgfoid)
            FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid
            WHERE NOT t.tgisinternal AND t.tgtype & 32 = 32
            """
        )
        return {table: (name, trigger, function) for table, name, trigger, function in cursor}


def test_money_and_events_are_guarded() -> None:
    guarded = set(guards())
    assert {"events_event", "payouts_entry", "payouts_ledgertransaction"} <= guarded


def test_the_test_cluster_lets_truncate_pass() -> None:
    for table in guards():
        with connection.cursor() as cursor:
            cursor.execute("SHOW platform.allow_truncate")
            assert cursor.fetchone() == ("on",)
            cursor.execute(f"TRUNCATE {table} CASCADE")


def test_a_production_cluster_refuses_truncate_on_every_guarded_table() -> None:
    assert "platform.allow_truncate" in THROW_AWAY_SETTINGS
    assert "platform.allow_truncate" not in KEPT_SETTINGS
    found = guards()
    services = ThrowAwayServices()
    settings = {**KEPT_SETTINGS, "shared_buffers": "16MB"}
    services.postgres = Postgres(services.home / "postgres", settings=settings, durable=False)
    try:
        url = services.postgres.start()
        with psycopg.connect(url, autocommit=True) as production:
            for table, (_, trigger, function) in found.items():
                # Definitions from a database made by our migrations; the columns do not matter.
                production.execute(f"CREATE TABLE {table} (id int)".encode())
                production.execute(f"INSERT INTO {table} VALUES (1)".encode())
                production.execute(function.encode())
                production.execute(trigger.encode())
                with pytest.raises(psycopg.errors.RestrictViolation, match="append-only"):
                    production.execute(f"TRUNCATE {table}".encode())
                row = production.execute(f"SELECT count(*) FROM {table}".encode()).fetchone()
                assert row == (1,)
    finally:
        services.stop()
