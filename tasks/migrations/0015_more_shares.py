"""More shares, each found by its index.

While some transaction is held open (a long report, a backup) no dead version of a share can be
cleaned away, and who looks for a share walks over its dead versions. With four times the shares
each has a quarter of them. The planner read the whole table, which it takes for one page, and so
walked over those of all shares; the function forbids it that.
"""

from importlib import import_module

from django.db import migrations

BEFORE = import_module("tasks.migrations.0014_share_found_once").CLAIM

_EIGHT, _MORE = "shares CONSTANT integer := 8;", "shares CONSTANT integer := 32;"
_PLANS = "LANGUAGE plpgsql AS $$\n#variable_conflict"
_BY_INDEX = "LANGUAGE plpgsql SET enable_seqscan = off AS $$\n#variable_conflict"
assert BEFORE.count(_EIGHT) == BEFORE.count(_PLANS) == 1

CLAIM = BEFORE.replace(_EIGHT, _MORE).replace(_PLANS, _BY_INDEX)

# A project's free money, in equal parts over more shares, or over the first eight again.
_LEVEL = """
WITH free AS (
    SELECT project_id, sum(free_cents) AS cents FROM tasks_budgetshare GROUP BY project_id
)
INSERT INTO tasks_budgetshare (project_id, number, free_cents)
SELECT project_id, number, div(cents, {shares}) + (number < mod(cents, {shares}))::int
FROM free CROSS JOIN generate_series(0, {shares} - 1) number
ON CONFLICT (project_id, number) DO UPDATE SET free_cents = excluded.free_cents;
"""

MORE = _LEVEL.format(shares=32)
FEWER = _LEVEL.format(shares=8) + "DELETE FROM tasks_budgetshare WHERE number >= 8;"


class Migration(migrations.Migration):
    dependencies = [("tasks", "0014_share_found_once")]

    operations = [migrations.RunSQL(MORE, FEWER), migrations.RunSQL(CLAIM, BEFORE)]
