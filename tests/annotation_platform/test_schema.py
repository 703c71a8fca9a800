"""The database holds what the models promise."""

from __future__ import annotations

import pytest
from django.apps import apps
from django.db import connection

OURS = {"api", "events", "contractors", "videos", "tasks", "payouts", "reviews"}


@pytest.mark.django_db
def test_every_constraint_and_index_of_the_models_is_in_the_database() -> None:
    """A migration can drop one by accident: Django drops each index on a column that loses its."""
    promised = {
        (model._meta.db_table, rule.name)
        for model in apps.get_models()
        if model._meta.app_label in OURS and model._meta.managed
        for rule in (*model._meta.constraints, *model._meta.indexes)
    }
    with connection.cursor() as cursor:
        cursor.execute(
            """SELECT conrelid::regclass::text, conname FROM pg_constraint WHERE conrelid <> 0
               UNION SELECT indrelid::regclass::text, relname
                   FROM pg_index JOIN pg_class ON pg_class.oid = indexrelid"""
        )
        there = set(cursor.fetchall())
    assert len(promised) > 50
    assert promised - there == set()
