"""How fast earnings are posted, and how long a big payout run takes.

    python -m benchmarks.ledger [--postings 4000] [--clients 4] [--rounds 3]
                                [--payables 100000] [--contractors 10000]

Starts a PostgreSQL of its own (its settings are those of the embedded server, with fsync off on
both sides of the ratio) and removes it. Prints:

- earnings posted per second through `payouts.services.credit_assignment`, each in a transaction
  of its own, from several processes at once; and the same rows (transaction, two entries,
  payable, event) as bare INSERTs, one transaction each, into copies of the same tables with the
  same indexes and without foreign keys and triggers. Rounds alternate; medians are compared;
- prepare, lock and approve of one run over many payables, and what it did to this process's
  memory.
"""

from __future__ import annotations

import argparse
import os
import resource
import signal
import sys
import time
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
SELECT user_id, 'file', '', 'ending in 0000', now() FROM contractors_contractor
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--postings", type=int, default=4000, help="per round")
    parser.add_argument("--clients", type=int, default=4)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--payables", type=int, default=100_000)
    parser.add_argument("--contractors", type=int, default=10_000)
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # `timeout`: stop the servers too

    from annotation_platform.embedded.throwaway import ThrowAwayServices

    for measure in (_postings, _payout_run):
        services = ThrowAwayServices()
        try:
            services.export()
            _set_up()
            measure(options)
        finally:
            services.stop()


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

    total = options.postings * options.rounds
    seed(Plan(tasks=total, contractors=PEOPLE))
    _execute(ASSIGNMENTS, {"people": PEOPLE})
    for statement in COPIES.split(";\n"):
        if statement.strip():
            _execute(statement)
    rates: dict[str, list[float]] = {"credit": [], "bare": []}
    for number in range(options.rounds):
        for way in ("bare", "credit") if number % 2 else ("credit", "bare"):
            rates[way].append(_round(way, number, options))
            print(f"round {number + 1}: {way:6} {rates[way][-1]:8.0f} postings/s", flush=True)
    credit, bare = median(rates["credit"]), median(rates["bare"])
    print(
        f"{options.clients} clients, medians of {options.rounds} rounds of {options.postings}: "
        f"credit {credit:.0f}/s, bare INSERTs {bare:.0f}/s, ratio {credit / bare:.0%}"
    )


def _round(way: str, number: int, options: argparse.Namespace) -> float:
    postings, clients = int(options.postings), int(options.clients)
    from django.db import connection

    connection.close()
    first = number * postings
    share = postings // clients
    context = get_context("fork")
    ready = context.Barrier(clients + 1)
    parts = [(first + i * share, share) for i in range(clients)]
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
    ready.wait()
    for assignment in work:
        with transaction.atomic():
            if way == "credit":
                credit_assignment(assignment=assignment, kind="accepted")
            else:
                _bare(assignment)


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


# --- a run -----------------------------------------------------------------------------------


def _payout_run(options: argparse.Namespace) -> None:
    from benchmarks.seed import Plan, seed
    from contractors.models import User
    from payouts.services import approve_run, lock_run, prepare_run

    seed(Plan(tasks=1, contractors=options.contractors))
    _execute(EARNED, {"people": options.contractors, "payables": options.payables})
    _execute(METHODS)
    for table in ("payable", "entry", "ledgertransaction", "account", "balance"):
        _execute(f"ANALYZE payouts_{table}")
    first, second = (
        User.objects.create_user(f"finance-{n}@example.org", roles=["finance"]) for n in (1, 2)
    )
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    started = time.perf_counter()
    run = prepare_run(actor=first)
    prepared = time.perf_counter()
    run = lock_run(actor=first, run=run)
    locked = time.perf_counter()
    approve_run(actor=second, run=run, payout_count=run.payout_count, total_cents=run.total_cents)
    approved = time.perf_counter()
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    assert (run.payout_count, run.total_cents) == (options.contractors, options.payables * 1600)
    print(
        f"payout run of {options.payables} payables for {options.contractors} contractors: "
        f"prepare {prepared - started:.1f} s, lock {locked - prepared:.1f} s, "
        f"approve {approved - locked:.1f} s; this process grew by {grown:.1f} MiB"
    )


if __name__ == "__main__":
    main()
