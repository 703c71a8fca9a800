"""Does a claim get slower with what has piled up? Each experiment prints one ratio.

    python -m benchmarks.growth [depth] [locked] [snapshot] [veteran] [events]

- depth: a queue of a million open tasks against one of ten thousand;
- locked: the thousand tasks at the head locked by somebody's open transaction, against not;
- snapshot: thousands of claims while another transaction is held open, which keeps vacuum from
  cleaning up behind them: the last of them against the first;
- veteran: somebody with ten thousand past assignments against somebody new; half of the past is
  on tasks at the head that are still open, which the search has to step over;
- events: the plan of every statement of the whole cycle, from PostgreSQL's own log: none may read
  a table that grows from end to end, and none may read the log of events at all.

A and B take turns. The ratio is of CPU per claim (server and database), which other load on the
machine disturbs least; that of the database alone and of the median latency stand beside it.
"""

from __future__ import annotations

import argparse
import contextlib
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import psycopg

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks import plans
from benchmarks.claim import CAP, queue
from benchmarks.load import Visitor
from benchmarks.seed import Plan, number
from benchmarks.stack import PROJECT_ROOT, Cluster, end_cleanly_on_sigterm
from benchmarks.table import Round, Summary, machine, verdict

CLIENTS = 8


@dataclass(frozen=True)
class Sizes:
    """How deep, how much, how often."""

    deep: int = 1_000_000
    shallow: int = 10_000
    claims: int = 320
    rounds: int = 5
    locked: int = 1_000
    held: int = 32_000
    past: int = 10_000
    events: int = 1_000_000


def compare(name: str, a: Sequence[Round], b: Sequence[Round], target: float) -> None:
    """Print how many times as much B needs as A."""
    first, second = Summary.of(a), Summary.of(b)
    print(
        f"{verdict(name, second.cpu_ms / first.cpu_ms, target, at_most=True)};"
        f" {first.cpu_ms:.2f} → {second.cpu_ms:.2f} ms of CPU"
        f" (database alone {second.database / first.database:.2f},"
        f" {first.database:.2f} → {second.database:.2f} ms);"
        f" median latency {second.p50 / first.p50:.2f}",
        flush=True,
    )


def depth(cluster: Cluster, sizes: Sizes) -> None:
    people = (sizes.claims * sizes.rounds + 96) // CAP + 64
    with (
        queue(cluster, "shallow", Plan(sizes.shallow, contractors=people)) as shallow,
        queue(cluster, "deep", Plan(sizes.deep, contractors=people)) as deep,
    ):
        a, b = _in_turn(
            sizes.rounds,
            lambda: shallow.claim(clients=CLIENTS, times=sizes.claims),
            lambda: deep.claim(clients=CLIENTS, times=sizes.claims),
        )
        compare(f"{sizes.deep:,} open tasks ÷ {sizes.shallow:,}", a, b, 1.3)
        print(f"- {sizes.deep:,} tasks were seeded in {deep.seed_seconds:.0f} s", flush=True)


def locked(cluster: Cluster, sizes: Sizes) -> None:
    people = (2 * sizes.claims * sizes.rounds + 96) // CAP + 64
    with queue(cluster, "locked", Plan(sizes.shallow, contractors=people)) as made:

        def behind_locks() -> Round:
            with _transaction(cluster, "locked") as other:
                other.execute(
                    "SELECT id FROM tasks_task WHERE state = 'open' ORDER BY priority DESC, id"
                    " LIMIT %s FOR NO KEY UPDATE",
                    [sizes.locked],
                )
                return made.claim(clients=CLIENTS, times=sizes.claims)

        a, b = _in_turn(
            sizes.rounds, lambda: made.claim(clients=CLIENTS, times=sizes.claims), behind_locks
        )
        compare(f"{sizes.locked:,} locked tasks at the head ÷ none", a, b, 2)


def snapshot(cluster: Cluster, sizes: Sizes) -> None:
    claims = sizes.held + 96
    plan = Plan(max(sizes.shallow, 2 * claims), contractors=claims // CAP + 64)
    part = max(CAP * CLIENTS, min(1_000, sizes.held // 4))
    with queue(cluster, "snapshot", plan) as made, _transaction(cluster, "snapshot") as other:
        # Repeatable read: the snapshot is taken by the first statement and kept.
        other.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        other.execute("SELECT count(*) FROM tasks_project")
        parts = [made.claim(clients=CLIENTS, times=part) for _ in range(max(2, sizes.held // part))]
        made.claims.check()
        name = f"last {part:,} of {sizes.held:,} claims under a held snapshot ÷ the first"
        compare(name, parts[:1], parts[-1:], 1.5)


def veteran(cluster: Cluster, sizes: Sizes) -> None:
    times = max(10, sizes.claims // 4)
    half = sizes.past // 2
    tasks = half + 2 * times * sizes.rounds + 1_000
    plan = Plan(
        tasks, contractors=96, overlap=2, past_assignments=sizes.past - half, seen_open=half
    )
    with queue(cluster, "veteran", plan) as made:
        fresh = next(made.people)

        def by(person: int) -> Round:
            visits: list[Visitor] = [made.claims.claim_and_return(person, "claim")] * times
            figures, server, database = made.run(visits, clients=1)
            done = figures.count("claim")
            latencies = figures.latencies["claim"]
            return Round(
                figures.rate("claim"), latencies, server * 1000 / done, database * 1000 / done
            )

        by(1)
        by(fresh)
        a, b = _in_turn(sizes.rounds, lambda: by(fresh), lambda: by(1))
        compare(f"{sizes.past:,} past assignments ÷ none (claim and return)", a, b, 1.3)


def events(cluster: Cluster, sizes: Sizes) -> None:
    people = (sizes.claims * sizes.rounds + 96) // CAP + 64
    plans_of = {"no_events": 0, "events": sizes.events}
    with contextlib.ExitStack() as stack:
        made = {
            name: stack.enter_context(
                queue(cluster, name, Plan(sizes.shallow, contractors=people, events=rows))
            )
            for name, rows in plans_of.items()
        }
        a, b = _in_turn(
            sizes.rounds,
            lambda: made["no_events"].claim(clients=CLIENTS, times=sizes.claims),
            lambda: made["events"].claim(clients=CLIENTS, times=sizes.claims),
        )
        compare(f"{sizes.events:,} past events ÷ none", a, b, 1.1)
        print("\n".join(plans.report(plans.of_a_cycle(cluster, made["events"]))), flush=True)


def _in_turn(
    rounds: int, first: Callable[[], Round], second: Callable[[], Round]
) -> tuple[list[Round], list[Round]]:
    a, b = [], []
    for _ in range(rounds):
        a.append(first())
        b.append(second())
    return a, b


@contextlib.contextmanager
def _transaction(cluster: Cluster, database: str) -> Iterator[psycopg.Connection]:
    with psycopg.connect(cluster.url(database)) as connection:
        yield connection
        connection.rollback()


EXPERIMENTS: dict[str, Callable[[Cluster, Sizes], None]] = {
    "depth": depth,
    "locked": locked,
    "snapshot": snapshot,
    "veteran": veteran,
    "events": events,
}


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("experiments", nargs="*", help=f"of {', '.join(EXPERIMENTS)}")
    for name, value in vars(Sizes()).items():
        parser.add_argument(f"--{name}", type=number, default=value)
    parser.add_argument("--root", type=Path, default=PROJECT_ROOT, help="checkout to measure")
    options = vars(parser.parse_args(arguments))
    chosen, root = options.pop("experiments"), options.pop("root")
    end_cleanly_on_sigterm()
    print(machine())
    with Cluster(program_root=root.resolve()) as cluster:
        for name in chosen or EXPERIMENTS:
            EXPERIMENTS[name](cluster, Sizes(**options))


if __name__ == "__main__":
    main()
