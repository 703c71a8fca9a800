"""How fast earnings are posted, how long a big payout run takes, and a long statement's check.

    python -m benchmarks.ledger [--postings 4000] [--clients 4] [--rounds 3]
                                [--payables 100000] [--contractors 10000]

Starts a PostgreSQL of its own and removes it. Its settings are those of the test server: nothing
waits for a disk (fsync and synchronous_commit off), which is the harder comparison, because a
commit that costs the same on both sides hides what differs. Prints:

- earnings posted per second through `payouts.services.credit_assignment`, each in a transaction
  of its own, from several processes at once with kept connections. The baseline "bare INSERTs":
  the same five rows (transaction, two entries, payable, event) by four INSERT statements in one
  transaction, from as many processes, into copies of the same tables with the same indexes and
  CHECK constraints and without foreign keys and triggers. "One statement" is the same in a single
  CTE. Each client warms up with 20; rounds alternate; medians are compared;
- prepare, lock, approve and write the file of one run over many payables; the baseline "bare
  tables": the same services on copies of the tables without foreign keys and triggers. Meanwhile
  somebody posts earnings to the people of the run: the longest wait is printed. The same for a
  tenth of the payables and people first, each size in a process of its own: what the run adds to
  its process's peak memory, and the ratio for ten times as many;
- `verify_statement.py` on a statement of 10,000 lines.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import time
from collections.abc import Callable
from multiprocessing import get_context
from pathlib import Path
from statistics import median
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

PEOPLE = 200

ASSIGNMENTS = """
INSERT INTO tasks_assignment (task_id, contractor_id, slot, occupies_slot, state,
    price_version_id, price_cents, screening_fee_cents, currency, guideline_id,
    policy_version_id, residence_id, eligibility, claimed_at, lease_ceiling_at, submitted_at,
    ended_at, end_reason)
SELECT t.id, t.id %% %(people)s + 1, 0, false, 'closed', p.id, p.price_cents,
    p.screening_fee_cents, p.currency, g.id, v.id, t.id %% %(people)s + 1, '{}', now(), now(),
    now(), now(), ''
FROM tasks_task t, tasks_priceversion p, tasks_guideline g, contractors_eligibilitypolicyversion v
"""

ONE_STATEMENT = """
WITH posted AS (
    INSERT INTO bare_transaction (kind, idempotency_key) VALUES ('earn', %(key)s) RETURNING id
), entries AS (
    INSERT INTO bare_entry (transaction_id, account_id, currency, amount_cents)
    SELECT id, %(contractor)s, 'USD', 1600 FROM posted
    UNION ALL SELECT id, 1, 'USD', -1600 FROM posted
), earned AS (
    INSERT INTO bare_payable (source_key, contractor_id, project_id, assignment_id,
        price_version_id, kind, amount_cents, currency, state, transaction_id, reason)
    SELECT %(key)s, %(contractor)s, %(project)s, %(assignment)s, %(price)s, 'accepted', 1600,
        'USD', 'accrued', id, '' FROM posted RETURNING id
)
INSERT INTO bare_event (type, subject_type, subject_id, data)
SELECT 'payable.accrued', 'payouts.payable', id, %(data)s::jsonb FROM earned RETURNING id
"""

COPIES = """
CREATE TABLE bare_transaction (LIKE payouts_ledgertransaction INCLUDING ALL);
CREATE TABLE bare_entry (LIKE payouts_entry INCLUDING ALL);
CREATE TABLE bare_payable (LIKE payouts_payable INCLUDING ALL);
CREATE TABLE bare_event (LIKE events_event INCLUDING ALL);
"""

EARNED = """
WITH numbered AS (
    SELECT n, (n %% %(people)s) + 1 AS person FROM generate_series(1, %(payables)s) n
), account AS (
    INSERT INTO payouts_account (code, kind, currency, contractor_id, project_id, floor_cents)
    SELECT 'contractor:' || person || ':payable:USD', 'contractor_payable', 'USD', person, NULL, 0
    FROM (SELECT DISTINCT person FROM numbered) x
    UNION ALL
    SELECT 'project:1:expense:USD', 'project_expense', 'USD', NULL, id, NULL FROM tasks_project
    RETURNING id, contractor_id
), posted AS (
    INSERT INTO payouts_ledgertransaction (kind, idempotency_key)
    SELECT 'earn', 'bonus:' || n FROM numbered RETURNING id, idempotency_key
), matched AS (
    SELECT p.id, n.n, n.person FROM posted p JOIN numbered n ON p.idempotency_key = 'bonus:' || n.n
), entries AS (
    INSERT INTO payouts_entry (transaction_id, account_id, currency, amount_cents)
    SELECT m.id, a.id, 'USD', 1600 FROM matched m JOIN account a ON a.contractor_id = m.person
    UNION ALL
    SELECT m.id, a.id, 'USD', -1600 FROM matched m, account a WHERE a.contractor_id IS NULL
)
INSERT INTO payouts_payable (source_key, contractor_id, project_id, kind, amount_cents, currency,
    state, transaction_id, reason)
SELECT 'bonus:' || m.n, m.person, p.id, 'bonus', 1600, 'USD', 'accrued', m.id, 'Benchmark'
FROM matched m, tasks_project p
"""

METHODS = """
INSERT INTO payouts_payoutmethod (contractor_id, rail, details, label, usable_from)
SELECT user_id, 'file', %(details)s, 'ending in 0072', now() FROM contractors_contractor
"""

RUN_TABLES = (
    "account", "ledgertransaction", "entry", "balance", "payable", "payoutmethod", "payoutrun",
    "payout", "payoutitem", "payoutfile",
)  # fmt: skip
WAYS = ("credit", "bare", "one statement")
WARM_UP = 20


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--postings", type=int, default=4000, help="per round")
    parser.add_argument("--clients", type=int, default=4)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--payables", type=int, default=100_000)
    parser.add_argument("--contractors", type=int, default=10_000)
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # `timeout`: stop the servers too

    _statement()
    _with_services(_postings, options)
    tenth = argparse.Namespace(**vars(options))
    tenth.payables, tenth.contractors = options.payables // 10, options.contractors // 10
    small, large = _in_its_own_process(tenth), _in_its_own_process(options)
    print(
        f"memory because of the run: {small / 1024:.1f} MiB for {tenth.payables} payables, "
        f"{large / 1024:.1f} MiB for {options.payables}: ratio {large / max(small, 1):.2f}"
    )


def _with_services(measure: Callable[[argparse.Namespace], Any], options: Any) -> Any:
    from annotation_platform.embedded.throwaway import ThrowAwayServices

    services = ThrowAwayServices()
    try:
        services.export()
        _set_up()
        return measure(options)
    finally:
        services.stop()


def _in_its_own_process(options: argparse.Namespace) -> int:
    """KiB that a payout run adds to the peak of a process that did nothing big before."""
    context = get_context("spawn")
    results = context.SimpleQueue()
    process = context.Process(target=_measure_run, args=(options, results))
    process.start()
    try:
        process.join()
        assert process.exitcode == 0
        return int(results.get())
    finally:
        process.terminate()
        process.join()


def _measure_run(options: argparse.Namespace, results: Any) -> None:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    results.put(_with_services(_payout_run, options))


def _set_up() -> None:
    os.environ["DJANGO_SETTINGS_MODULE"] = "annotation_platform.settings"
    os.environ["PLATFORM_TESTING"] = "1"
    import django
    import environ
    from django.conf import settings
    from django.core.management import call_command
    from django.db import connection

    if not settings.configured:
        django.setup()
    else:  # the second measurement has a server of its own
        connection.close()
        connection.settings_dict.update(environ.Env().db_url("DATABASE_URL"))
    call_command("migrate", verbosity=0)


def _execute(sql: str, parameters: dict[str, Any] | None = None) -> None:
    from django.db import connection, transaction

    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(sql, parameters or {})


# --- postings ------------------------------------------------------------------------------


def _postings(options: argparse.Namespace) -> None:
    from benchmarks.seed import Plan, seed

    per_round = options.postings + WARM_UP * options.clients
    seed(Plan(tasks=per_round * options.rounds, contractors=PEOPLE))
    _execute(ASSIGNMENTS, {"people": PEOPLE})
    for statement in COPIES.split(";\n"):
        if statement.strip():
            _execute(statement)
    rates: dict[str, list[float]] = {way: [] for way in WAYS}
    for number in range(options.rounds):
        for way in WAYS if number % 2 else reversed(WAYS):
            rates[way].append(_round(way, number, options))
            print(f"round {number + 1}: {way:13} {rates[way][-1]:8.0f} postings/s", flush=True)
    credit, bare, one = (median(rates[way]) for way in WAYS)
    print(
        f"earnings, {options.clients} clients, medians of {options.rounds} rounds of "
        f"{options.postings}: credit {credit:.0f}/s, bare INSERTs {bare:.0f}/s, "
        f"ratio {credit / bare:.0%}; in one statement {one:.0f}/s, ratio {credit / one:.0%}"
    )


def _round(way: str, number: int, options: argparse.Namespace) -> float:
    postings, clients = int(options.postings), int(options.clients)
    from django.db import connection

    connection.close()
    share = postings // clients
    first = number * (postings + WARM_UP * clients)
    context = get_context("fork")
    ready = context.Barrier(clients + 1)
    parts = [(first + i * (share + WARM_UP), share + WARM_UP) for i in range(clients)]
    workers = [context.Process(target=_client, args=(way, part, ready)) for part in parts]
    for client in workers:
        client.start()
    ready.wait()
    started = time.perf_counter()
    for client in workers:
        client.join()
    assert all(client.exitcode == 0 for client in workers)
    return share * clients / (time.perf_counter() - started)


def _client(way: str, part: tuple[int, int], ready: Any) -> None:
    from django.db import transaction

    from payouts.services import credit_assignment
    from tasks.models import Assignment

    first, count = part
    work = list(Assignment.objects.select_related("task").order_by("pk")[first : first + count])
    for number, assignment in enumerate(work):
        if number == WARM_UP:
            ready.wait()
        with transaction.atomic():
            if way == "credit":
                credit_assignment(assignment=assignment, kind="accepted")
            elif way == "bare":
                _bare(assignment)
            else:
                _one_statement(assignment)


def _bare(assignment: Any) -> None:
    """The rows that one credit writes, and nothing else."""
    from django.db import connection

    key = f"assignment:{assignment.pk}:earning"
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO bare_transaction (kind, idempotency_key) VALUES ('earn', %s) RETURNING id",
            [key],
        )
        (transaction_id,) = cursor.fetchone()
        cursor.execute(
            "INSERT INTO bare_entry (transaction_id, account_id, currency, amount_cents) "
            "VALUES (%s, %s, 'USD', %s), (%s, 1, 'USD', %s)",
            [transaction_id, assignment.contractor_id, 1600, transaction_id, -1600],
        )
        cursor.execute(
            "INSERT INTO bare_payable (source_key, contractor_id, project_id, assignment_id, "
            "price_version_id, kind, amount_cents, currency, state, transaction_id, reason) "
            "VALUES (%s, %s, %s, %s, %s, 'accepted', 1600, 'USD', 'accrued', %s, '') RETURNING id",
            [
                key,
                assignment.contractor_id,
                assignment.task.project_id,
                assignment.pk,
                assignment.price_version_id,
                transaction_id,
            ],
        )
        (payable_id,) = cursor.fetchone()
        cursor.execute(
            "INSERT INTO bare_event (type, subject_type, subject_id, data) "
            "VALUES ('payable.accrued', 'payouts.payable', %s, %s) RETURNING id",
            [
                payable_id,
                f'{{"contractor_id": {assignment.contractor_id}, "project_id": 1, '
                f'"assignment_id": {assignment.pk}, "kind": "accepted", "amount_cents": 1600, '
                '"currency": "USD"}',
            ],
        )


def _one_statement(assignment: Any) -> None:
    """The same rows again; the keys differ from `_bare`'s, whose tables it shares."""
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute(
            ONE_STATEMENT,
            {
                "key": f"one:{assignment.pk}:earning",
                "contractor": assignment.contractor_id,
                "project": assignment.task.project_id,
                "assignment": assignment.pk,
                "price": assignment.price_version_id,
                "data": f'{{"contractor_id": {assignment.contractor_id}, "project_id": 1, '
                f'"assignment_id": {assignment.pk}, "kind": "accepted", "amount_cents": 1600, '
                '"currency": "USD"}',
            },
        )
        cursor.fetchone()


# --- a run -----------------------------------------------------------------------------------


def _payout_run(options: argparse.Namespace) -> int:
    from django.db import connection

    from benchmarks.seed import Plan, seed
    from contractors.models import User
    from payouts.encryption import encrypt_json

    seed(Plan(tasks=1, contractors=options.contractors))
    _execute(EARNED, {"people": options.contractors, "payables": options.payables})
    details = encrypt_json({"account": "12345678900072", "routing": "011401533"})
    _execute(METHODS, {"details": details})
    _execute("CREATE SCHEMA bare")
    for table in RUN_TABLES:
        name = f"payouts_{table}"
        _execute(f"ANALYZE {name}")
        _execute(f"CREATE TABLE bare.{name} (LIKE public.{name} INCLUDING ALL)")
        _execute(f"INSERT INTO bare.{name} SELECT * FROM public.{name}")
        if table != "balance":
            _execute(
                f"SELECT setval(pg_get_serial_sequence('bare.{name}', 'id'), "
                f"(SELECT max(id) + 1 FROM public.{name}))"
            )
        _execute(f"ANALYZE bare.{name}")
    people = [User.objects.create_user(f"f{n}@example.org", roles=["finance"]) for n in (1, 2, 3)]

    connection.close()
    context = get_context("fork")
    # In a child: what it allocates would be there already when this process's peak is measured.
    seconds = context.SimpleQueue()
    on_bare = context.Process(target=_bare_run, args=(options, people, seconds))
    on_bare.start()
    on_bare.join()
    assert on_bare.exitcode == 0
    bare = seconds.get()
    over, waits = context.Event(), context.Queue()
    poster = context.Process(target=_post_meanwhile, args=(options, people[2].pk, over, waits))
    poster.start()
    waits.get()  # it has posted once
    before = _peak_kb(reset=True)
    real = _one_run(options, people)
    peak = _peak_kb()
    over.set()
    count, p50, longest = waits.get()
    poster.join()

    steps = ", ".join(f"{name} {seconds:.1f} s" for name, seconds in real.items())
    total, least = sum(real.values()), sum(bare.values())
    print(
        f"payout run of {options.payables} payables for {options.contractors} contractors: "
        f"{total:.1f} s ({steps}), {options.payables / total:.0f} payables/s; the same on bare "
        f"tables {least:.1f} s, ratio {total / least:.2f}; peak memory of this process "
        f"{peak / 1024:.0f} MiB, {(peak - before) / 1024:.1f} of them because of the run; "
        f"{count} earnings posted meanwhile waited {p50 * 1000:.0f} ms (p50), "
        f"{longest:.2f} s at the longest"
    )
    return peak - before


def _bare_run(options: argparse.Namespace, people: list[Any], seconds: Any) -> None:
    _execute("SET search_path = bare, public")
    seconds.put(_one_run(options, people))


def _peak_kb(*, reset: bool = False) -> int:
    """This process's largest resident size since the last reset (Linux)."""
    if reset:
        Path("/proc/self/clear_refs").write_text("5")
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0])


def _one_run(options: argparse.Namespace, people: list[Any]) -> dict[str, float]:
    """Seconds of each step of a run over everything that accrued."""
    from payouts.services import approve_run, lock_run, prepare_run, write_files

    marks = [time.perf_counter()]
    run = prepare_run(actor=people[0])
    marks.append(time.perf_counter())
    run = lock_run(actor=people[0], run=run)
    marks.append(time.perf_counter())
    run = approve_run(
        actor=people[1], run=run, payout_count=run.payout_count, total_cents=run.total_cents
    )
    marks.append(time.perf_counter())
    (file,) = write_files(run=run)
    marks.append(time.perf_counter())
    assert file.payout_count == options.contractors
    assert file.total_cents >= options.payables * 1600
    steps = ("prepare", "lock", "approve", "file")
    return {name: b - a for name, a, b in zip(steps, marks, marks[1:], strict=False)}


def _post_meanwhile(options: argparse.Namespace, actor: int, over: Any, waits: Any) -> None:
    """Pay a bonus to one of the people after the other until it is over."""
    from contractors.models import Contractor, User
    from payouts.services import pay_bonus
    from tasks.models import Project

    manager, project = User.objects.get(pk=actor), Project.objects.get()
    people = list(Contractor.objects.order_by("pk")[: options.contractors : 37])
    took: list[float] = []
    while not over.is_set():
        started = time.perf_counter()
        pay_bonus(
            contractor=people[len(took) % len(people)],
            project=project,
            amount_cents=100,
            reason="Meanwhile",
            actor=manager,
            key=f"meanwhile-{len(took)}",
        )
        took.append(time.perf_counter() - started)
        if len(took) == 1:
            waits.put(None)
        over.wait(0.02)
    waits.put((len(took), median(took), max(took)))


# --- a statement -------------------------------------------------------------------------------


def _statement() -> None:
    """The stand-alone script, as a contractor runs it, on a statement of 10,000 lines."""
    import subprocess
    import tempfile

    import verify_statement
    from tests.payouts.long_statement import long_statement

    script = str(Path(verify_statement.__file__))
    with tempfile.NamedTemporaryFile(suffix=".json") as file:
        file.write(long_statement(10_000))
        file.flush()
        started = time.perf_counter()
        subprocess.run([sys.executable, "-I", "-S", script, file.name], check=True)
        whole = time.perf_counter() - started
    print(f"verify_statement.py, 10,000 lines: {whole:.2f} s from start to end of the program")


if __name__ == "__main__":
    main()
