"""Which plans PostgreSQL really used, read from its own log (auto_explain)."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from benchmarks.claim import Queue
    from benchmarks.stack import Cluster

#: Tables with a row per task, person, claim or event. The others stay small.
GROWING = (
    "tasks_task",
    "tasks_assignment",
    "tasks_draft",
    "tasks_submission",
    "tasks_segment",
    "tasks_guidelineacknowledgement",
    "videos_video",
    "videos_videojob",
    "contractors_user",
    "contractors_contractor",
    "contractors_residence",
    "contractors_verdict",
    "knox_authtoken",
    "events_event",
)
_START = re.compile(r"^.*LOG:  duration: [\d.]+ ms  plan:$")


@dataclass(frozen=True)
class Access:
    """One way in which a statement reads or writes a table."""

    node: str
    table: str
    index: str
    statement: str


def of_a_cycle(cluster: Cluster, queue: Queue, *, times: int = 16) -> list[Access]:
    """Log the plans of whole cycles, nested statements (foreign keys, triggers) included."""
    for setting, value in (
        ("auto_explain.log_min_duration", "0"),
        ("auto_explain.log_format", "json"),
        ("auto_explain.log_nested_statements", "on"),
    ):
        cluster.sql(f"ALTER SYSTEM SET {setting} = '{value}'")
    begin = cluster.postgres.log.stat().st_size
    cluster.sql("SELECT pg_reload_conf()")
    try:
        # The server's connections load the module at their start, see `Cluster`.
        queue.cycle(clients=1, times=times, autosaves=3)
    finally:
        cluster.sql("ALTER SYSTEM SET auto_explain.log_min_duration = '-1'")
        cluster.sql("SELECT pg_reload_conf()")
    with cluster.postgres.log.open(encoding="utf-8", errors="replace") as log:
        log.seek(begin)
        return [access for plan in _plans(log) for access in _accesses(plan)]


def _plans(lines: Iterable[str]) -> Iterator[dict[str, Any]]:
    collected: list[str] | None = None
    for line in lines:
        if _START.match(line.rstrip("\n")):
            collected = []
        elif collected is not None:
            if not line.startswith("\t"):
                collected = None
                continue
            collected.append(line)
            if line.startswith("\t}"):
                yield json.loads("".join(collected), strict=False)
                collected = None


def _accesses(plan: dict[str, Any]) -> Iterator[Access]:
    statement = " ".join(plan["Query Text"].split())[:160]

    def walk(node: dict[str, Any]) -> Iterator[Access]:
        if "Relation Name" in node:
            kind = node["Node Type"]
            if kind == "ModifyTable":
                kind = node["Operation"]
            yield Access(kind, node["Relation Name"], node.get("Index Name", ""), statement)
        for child in node.get("Plans", ()):
            yield from walk(child)

    yield from walk(plan["Plan"])


def faults(accesses: Iterable[Access]) -> list[Access]:
    """Scans of a whole growing table, and any reading of the event log."""
    found = []
    for access in accesses:
        reads = access.node not in ("Insert", "Update", "Delete")
        whole = access.node == "Seq Scan" and access.table in GROWING
        if whole or (reads and access.table == "events_event"):
            found.append(access)
    return found


def report(accesses: list[Access]) -> list[str]:
    """Which index serves which table, and what is wrong."""
    ways: dict[str, set[str]] = {}
    for access in accesses:
        if access.table in GROWING:
            ways.setdefault(access.table, set()).add(f"{access.node} {access.index}".strip())
    lines = [f"- {table}: {', '.join(sorted(used))}" for table, used in sorted(ways.items())]
    wrong = faults(accesses)
    lines.append(f"- scans of whole growing tables or reads of the event log: {len(wrong)}")
    return lines + [f"  - {access}" for access in dict.fromkeys(wrong)]
