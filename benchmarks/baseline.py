"""The physical limit: the least that a claim can be, in pgbench on the same PostgreSQL."""

from __future__ import annotations

from benchmarks.stack import Cluster, Pgbench
from benchmarks.table import Round

# As little as there can be: no guards, no price, no budget, no event, no person.
_TABLES = """
DROP TABLE IF EXISTS least_claim, least_task;
CREATE TABLE least_task (LIKE tasks_task);
ALTER TABLE least_task ALTER COLUMN id SET NOT NULL;
INSERT INTO least_task SELECT * FROM tasks_task WHERE state = 'open' ORDER BY id LIMIT {rows};
ALTER TABLE least_task ADD PRIMARY KEY (id);
CREATE INDEX least_queue ON least_task (project_id, priority DESC, id) WHERE state = 'open';
CREATE TABLE least_claim (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    task_id bigint NOT NULL, contractor_id bigint NOT NULL, claimed_at timestamptz NOT NULL
);
CREATE UNIQUE INDEX ON least_claim (task_id);
VACUUM ANALYZE least_task;
"""

ONE_STATEMENT = """
\\set contractor random(1, 1000)
WITH picked AS (
    SELECT id FROM least_task WHERE project_id = 1 AND state = 'open'
    ORDER BY priority DESC, id LIMIT 1 FOR UPDATE SKIP LOCKED
), taken AS (
    UPDATE least_task SET state = 'filled', held_slots = held_slots + 1
    FROM picked WHERE least_task.id = picked.id RETURNING least_task.id
)
INSERT INTO least_claim (task_id, contractor_id, claimed_at)
SELECT id, :contractor, now() FROM taken RETURNING task_id;
"""


class Baseline:
    """A copy of the open tasks of `database`, claimed one statement at a time."""

    def __init__(self, cluster: Cluster, database: str, *, tasks: int) -> None:
        self._cluster = cluster
        self._database = database
        statements = _TABLES.format(rows=tasks).split(";\n")
        columns = cluster.sql(
            "SELECT string_agg(quote_ident(attname), ', ' ORDER BY attnum) FROM pg_attribute"
            " WHERE attrelid = 'tasks_task'::regclass AND attnum > 0 AND NOT attisdropped",
            database,
        ).strip()
        for statement in statements:
            if statement.strip():
                cluster.sql(statement.replace("SELECT *", f"SELECT {columns}"), database)

    def claims(self, *, clients: int, count: int) -> Round:
        """Claim `count` tasks with prepared statements."""
        done: Pgbench = self._cluster.pgbench(
            self._database, ONE_STATEMENT, clients=clients, transactions=count
        )
        return Round(done.rate, done.latencies, None, done.cpu * 1000 / len(done.latencies))

    def left(self) -> int:
        """How many tasks are still open in the copy."""
        text = self._cluster.sql(
            "SELECT count(*) FROM least_task WHERE state = 'open'", self._database
        )
        return int(text)
