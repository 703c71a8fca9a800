"""The queue over HTTP, as fast as this machine lets it, beside what PostgreSQL alone can do.

    python -m benchmarks.claim --tasks 10k --clients 1,8,32 [--rounds 5] [--label-studio VENV]

Starts a PostgreSQL of its own (durable settings), seeds it, serves the platform as its Procfile
does (granian, WSGI, 2 processes of 2 threads) and measures, in turn and several times over:

- the least that a claim can be, one statement in pgbench on a copy of the table;
- claims over HTTP, by people who each hold as much as the project allows;
- claim + submit of 50 segments, and the whole cycle with a renewal and three autosaves;
- with `--label-studio`, its "next" + submit on the same PostgreSQL.

Everything is on: token, guards, budget, event, and the message to the broker that asks for the
score. No worker runs, so that scoring does not share the CPU. Quote ratios, not rates.
"""

from __future__ import annotations

import argparse
import contextlib
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks import label_studio
from benchmarks.baseline import Baseline
from benchmarks.load import Figures, Visitor, drive
from benchmarks.seed import Plan, number
from benchmarks.stack import (
    PROJECT_ROOT,
    Cluster,
    Server,
    end_cleanly_on_sigterm,
    platform_server,
)
from benchmarks.table import HEAD, Round, Summary, machine, row, verdict
from benchmarks.visits import Claims, claim_visits

CAP = 2
STEPS = ("claim", "renew", "autosave", "submit")


@dataclass(frozen=True)
class Sizes:
    """How much of each to do in one round."""

    claims: int = 960
    cycles: int = 160
    rounds: int = 3


@dataclass
class Queue:
    """The platform on a seeded database, ready to be driven."""

    cluster: Cluster
    server: Server
    database: str
    tasks: int
    claims: Claims
    people: Iterator[int]
    seed_seconds: float = 0.0
    client_cpu: float = 0.0
    client_requests: int = 0
    _fixed: list[int] = field(default_factory=list)

    def run(self, visits: list[Visitor], *, clients: int) -> tuple[Figures, float, float]:
        """Drive the visits; returns figures and CPU seconds of server and database."""
        server, database = self.server.cpu(), self.cluster.cpu()
        figures = drive(self.server.port, visits, clients=clients)
        self.client_cpu += figures.client_cpu
        self.client_requests += sum(
            figures.count(operation) for operation in figures.latencies if operation != "cycle"
        )
        return figures, self.server.cpu() - server, self.cluster.cpu() - database

    def claim(self, *, clients: int, times: int) -> Round:
        """Claims by people who hold nothing yet."""
        people = list(islice(self.people, max(1, times // CAP)))
        visits = claim_visits(self.claims, people, cap=CAP)
        figures, server, database = self.run(visits, clients=clients)
        return _round(figures, "claim", server, database)

    def cycle(self, *, clients: int, times: int, autosaves: int) -> dict[str, Round]:
        """Whole cycles, each client one person; one round per step and one for "cycle"."""
        while len(self._fixed) < clients:
            self._fixed.append(next(self.people))
        each = max(1, times // clients)
        visits = [
            self.claims.cycles(person, each, autosaves=autosaves)
            for person in self._fixed[:clients]
        ]
        figures, server, database = self.run(visits, clients=clients)
        found = {"cycle": _round(figures, "cycle", server, database)}
        for step in STEPS:
            if figures.count(step):
                # CPU is known for the whole run only, not for one step of it.
                found[step] = Round(figures.rate(step), figures.latencies[step], None, None)
        return found


def _round(figures: Figures, operation: str, server: float, database: float) -> Round:
    done = figures.count(operation)
    return Round(
        figures.rate(operation),
        figures.latencies[operation],
        server * 1000 / done,
        database * 1000 / done,
    )


@contextlib.contextmanager
def queue(cluster: Cluster, database: str, plan: Plan) -> Iterator[Queue]:
    """Seed a database and serve it, warm: every thread has prepared its statements."""
    seeded = cluster.seeded(database, plan)
    with platform_server(cluster, database) as server:
        # The first contractor may be a veteran (`Plan`), the others are all alike.
        people = iter(range(2, plan.contractors + 1))
        claims, seconds = Claims(seeded["project"]), sum(seeded["seconds"].values())
        made = Queue(cluster, server, database, plan.tasks, claims, people, seconds)
        made.cycle(clients=16, times=96, autosaves=1)
        made.claim(clients=16, times=96)
        yield made


def compare(made: Queue, clients: Sequence[int], sizes: Sizes) -> dict[tuple[str, int], Summary]:
    """Everything in turn, `sizes.rounds` times; medians by (operation, clients)."""
    rounds: dict[tuple[str, int], list[Round]] = {}
    for many in clients:
        # A fresh copy for each: the baseline must not suffer from dead rows of former rounds.
        baseline = Baseline(made.cluster, made.database, tasks=made.tasks)
        for _ in range(sizes.rounds):
            taken = min(sizes.claims * 3, made.tasks // (sizes.rounds + 1))
            got = {
                "pgbench": baseline.claims(clients=many, count=max(taken, many)),
                "claim": made.claim(clients=many, times=sizes.claims),
                "claim + submit": made.cycle(clients=many, times=sizes.cycles, autosaves=0)[
                    "cycle"
                ],
            }
            whole = made.cycle(clients=many, times=sizes.cycles, autosaves=3)
            got["whole cycle"] = whole["cycle"]
            got |= {f"· its {step}": whole[step] for step in STEPS}
            for name, value in got.items():
                rounds.setdefault((name, many), []).append(value)
    made.claims.check()
    return {key: Summary.of(values) for key, values in rounds.items()}


def report(made: Queue, clients: Sequence[int], found: dict[tuple[str, int], Summary]) -> list[str]:
    """The table's lines, and below them the targets that this run can judge."""
    lines = []
    best = max(found[("pgbench", many)].rate for many in clients)
    for many in clients:
        for (name, of), summary in found.items():
            if of != many:
                continue
            ratio = f"{summary.rate / best:.1%} of pgbench" if name == "claim" else ""
            lines.append(row(name, made.tasks, many, summary, ratio))
    most = max(clients)
    claim = found[("claim", most)]
    limit = found[("pgbench", most)]
    of_client = made.client_cpu * 1000 / made.client_requests
    name = f"claims/s over HTTP ÷ pgbench's best, {most} clients"
    return [
        *lines,
        "",
        verdict(name, claim.rate / best, 0.12, at_most=False),
        verdict(f"p99 ÷ p50 of the claim, {most} clients", claim.p99 / claim.p50, 3, at_most=True),
        f"- database CPU of a claim ÷ pgbench's: {claim.database / limit.database:.2f};"
        f" the load generator took {of_client:.2f} ms of CPU a request;"
        f" server {made.server.memory_mb():.0f} MB; seeded in {made.seed_seconds:.0f} s",
    ]


def against_label_studio(
    made: Queue, venv: Path, clients: Sequence[int], sizes: Sizes
) -> list[str]:
    """Both do claim + submit of 50 segments in turn, on the same PostgreSQL."""
    lines = []
    with label_studio.serving_project(made.cluster, venv, tasks=made.tasks) as peer:
        lines.append(f"Label Studio {peer.version} with {peer.how}")
        for many in clients:
            ours, theirs = [], []
            peer.cycle(clients=many, times=2 * many)  # warm
            for _ in range(sizes.rounds):
                ours.append(made.cycle(clients=many, times=sizes.cycles, autosaves=0)["cycle"])
                theirs.append(peer.cycle(clients=many, times=max(many, sizes.cycles // 4)))
            us, them = Summary.of(ours), Summary.of(theirs)
            rate, cpu = us.rate / them.rate, them.cpu_ms / us.cpu_ms
            lines += [
                row("Label Studio: next + submit", made.tasks, many, them),
                row("ours: claim + submit", made.tasks, many, us, f"{rate:.0f} times"),
                verdict(f"cycles/s ÷ Label Studio's, {many} clients", rate, 40, at_most=False),
                verdict(f"Label Studio's CPU ÷ ours, {many} clients", cpu, 40, at_most=False),
            ]
        lines.append(f"- given twice by Label Studio: {peer.given_twice()};"
                     f" it holds {peer.memory_mb():.0f} MB")  # fmt: skip
    return lines


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--tasks", default="10k", help="depths of the queue: 10k,100k,1m")
    parser.add_argument("--clients", default="1,8,32")
    parser.add_argument("--rounds", type=int, default=Sizes.rounds)
    parser.add_argument("--claims", type=number, default=Sizes.claims, help="per round")
    parser.add_argument("--cycles", type=number, default=Sizes.cycles, help="per round")
    parser.add_argument("--label-studio", type=Path, help="a virtual environment that has it")
    parser.add_argument("--root", type=Path, default=PROJECT_ROOT, help="checkout to measure")
    options = parser.parse_args(arguments)
    clients = [int(text) for text in options.clients.split(",")]
    sizes = Sizes(options.claims, options.cycles, options.rounds)
    end_cleanly_on_sigterm()
    print(machine())
    with Cluster(program_root=options.root.resolve()) as cluster:
        for tasks in [number(text) for text in options.tasks.split(",")]:
            with queue(cluster, f"queue_{tasks}", _plan(tasks, clients, sizes)) as made:
                print("\n" + HEAD)
                print("\n".join(report(made, clients, compare(made, clients, sizes))), flush=True)
                if options.label_studio:
                    peer, most = options.label_studio, clients[-1:]
                    lines = against_label_studio(made, peer, most, sizes)
                    print("\n".join(lines), flush=True)
    print(machine())


def _plan(tasks: int, clients: Sequence[int], sizes: Sizes) -> Plan:
    claims = (sizes.claims * sizes.rounds + 96) * len(clients)
    cycles = (sizes.cycles * sizes.rounds * 4 + 96) * len(clients)
    if claims + cycles > tasks:
        raise SystemExit(f"{claims + cycles} claims are more than the {tasks} tasks of the queue.")
    return Plan(tasks, contractors=claims // CAP + 64 * len(clients) + 64, live_claim_cap=CAP)


if __name__ == "__main__":
    main()
