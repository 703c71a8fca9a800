"""The benchmark itself works, at the smallest size; what it counts is exact. Nothing is timed."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from benchmarks import plans
from benchmarks.baseline import Baseline
from benchmarks.claim import Queue, queue
from benchmarks.seed import Plan, number, token_of
from benchmarks.stack import Cluster

TASKS = 300
PLAN = Plan(TASKS, contractors=90, overlap=2, past_assignments=7, seen_open=5, events=11)


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    with Cluster() as made:
        yield made


@pytest.fixture(scope="module")
def made(cluster: Cluster) -> Iterator[Queue]:
    with queue(cluster, "tiny", PLAN) as tiny:
        yield tiny


def count(cluster: Cluster, what: str) -> int:
    return int(cluster.sql(f"SELECT count(*) FROM {what}", "tiny"))


def test_the_seed_makes_what_the_plan_says(cluster: Cluster) -> None:
    seconds = cluster.seeded("seeded", PLAN)["seconds"]
    assert set(seconds) == {"project", "people", "videos", "tasks", "history", "vacuum"}
    rows = cluster.sql(
        "SELECT state, overlap, held_slots, count(*) FROM tasks_task"
        " GROUP BY 1, 2, 3 ORDER BY 1, 3",
        "seeded",
    ).split()
    assert rows == ["completed|1|1|7", "open|2|0|295", "open|2|1|5"]
    past = "SELECT contractor_id, state, count(*) FROM tasks_assignment GROUP BY 1, 2"
    assert cluster.sql(past, "seeded").split() == ["1|closed|12"]
    told = "SELECT count(*) FROM events_event WHERE type = 'assignment.claimed'"
    assert cluster.sql(told, "seeded").strip() == "11"
    with pytest.raises(RuntimeError, match="in use"):
        cluster.run_seed("seeded", PLAN)


def test_claims_are_unique_and_all_of_them_are_rows(cluster: Cluster, made: Queue) -> None:
    rows, answered = count(cluster, "tasks_assignment"), len(made.claims.taken)
    measured = made.claim(clients=4, times=20)
    assert len(measured.latencies) == 20
    assert len(made.claims.taken) - answered == 20
    assert count(cluster, "tasks_assignment") - rows == 20
    made.claims.check(overlap=2)
    assignments = [assignment for _, _, assignment in made.claims.taken]
    assert len(set(assignments)) == len(assignments)


def test_a_cycle_leaves_fifty_segments_and_three_revisions(cluster: Cluster, made: Queue) -> None:
    before = [count(cluster, "tasks_submission"), count(cluster, "tasks_segment")]
    rounds = made.cycle(clients=2, times=4, autosaves=3)
    assert {name: len(value.latencies) for name, value in rounds.items()} == {
        "cycle": 4, "claim": 4, "renew": 4, "autosave": 12, "submit": 4
    }  # fmt: skip
    after = [count(cluster, "tasks_submission"), count(cluster, "tasks_segment")]
    assert [now - was for now, was in zip(after, before, strict=True)] == [4, 200]
    revisions = "SELECT revision FROM tasks_draft ORDER BY id DESC LIMIT 4"
    assert cluster.sql(revisions, "tiny").split() == ["3"] * 4


def test_the_baseline_claims_each_task_once(cluster: Cluster, made: Queue) -> None:
    still_open = count(cluster, "tasks_task WHERE state = 'open'")
    baseline = Baseline(cluster, "tiny", tasks=TASKS)
    measured = baseline.claims(clients=2, count=40)
    assert len(measured.latencies) == 40
    assert baseline.left() == still_open - 40
    assert count(cluster, "least_claim") == 40
    # It is a copy: the platform's own queue stays as it was.
    assert count(cluster, "tasks_task WHERE state = 'open'") == still_open


def test_no_statement_of_a_cycle_reads_a_growing_table_from_end_to_end(
    cluster: Cluster, made: Queue
) -> None:
    accesses = plans.of_a_cycle(cluster, made, times=8)
    tables = {access.table for access in accesses}
    assert {"tasks_task", "tasks_assignment", "events_event", "knox_authtoken"} <= tables
    # On so few rows a scan may be the best plan, but the log of events is never read at all.
    events = {access.node for access in accesses if access.table == "events_event"}
    assert events == {"Insert"}


def test_plans_are_judged() -> None:
    fine = plans.Access("Index Scan", "tasks_task", "task_queue", "…")
    whole = plans.Access("Seq Scan", "tasks_task", "", "…")
    small = plans.Access("Seq Scan", "tasks_project", "", "…")
    read = plans.Access("Index Scan", "events_event", "event_by_type", "…")
    told = plans.Access("Insert", "events_event", "", "…")
    assert plans.faults([fine, whole, small, read, told]) == [whole, read]


def test_numbers_and_tokens() -> None:
    assert [number(text) for text in ("7", "10k", "1m")] == [7, 10_000, 1_000_000]
    assert token_of(1) != token_of(2)
    assert len(token_of(1)) == 64
