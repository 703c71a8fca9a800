"""A claim finds its share of the budget once.

While some transaction is held open no dead version of a share can be cleaned away, and whoever
looks for the row walks over all of them. The row that was just locked is at its `ctid`: changing
it there spares the second walk.
"""

from importlib import import_module

from django.db import migrations

BEFORE = import_module("tasks.migrations.0012_cheaper_checks").CLAIM

_CHANGES = (
    ("    share bigint;\n", "    share tid;\n"),
    ("            SELECT id INTO share FROM", "            SELECT ctid INTO share FROM"),
    (
        "        UPDATE tasks_budgetshare SET free_cents = free_cents - terms.price_cents"
        " WHERE id = share;\n",
        # Locked, it cannot be moved by anybody else.
        "        UPDATE tasks_budgetshare SET free_cents = free_cents - terms.price_cents\n"
        "            WHERE ctid = share;\n"
        "        IF NOT FOUND THEN\n"
        "            RAISE EXCEPTION 'The locked share of project %’s budget is gone.', in_project;\n"
        "        END IF;\n",
    ),
)


def _changed(text: str) -> str:
    for before, after in _CHANGES:
        assert text.count(before) == 1, before
        text = text.replace(before, after)
    return text


CLAIM = _changed(BEFORE)


class Migration(migrations.Migration):
    dependencies = [("tasks", "0013_null_is_no_number")]

    operations = [migrations.RunSQL(CLAIM, BEFORE)]
