"""Tasks of the same two people scored at the same moment, the two in the other order in each."""

from __future__ import annotations

import threading

import pytest
from django.db import connection

from payouts.models import Payable
from reviews import services
from tests import factories
from tests.reviews.scene import CLOSE, GOOD

ROUNDS = 8


@pytest.mark.django_db(transaction=True)
def test_accounts_are_locked_in_one_order_whoever_came_first() -> None:
    project = factories.project(live_claim_cap=2 * ROUNDS)
    ada, ben = factories.worker(project), factories.worker(project)
    tasks: list[int] = []
    for number in range(2 * ROUNDS):
        (task,) = factories.open_tasks(project)
        first, second = (ada, ben) if number % 2 else (ben, ada)
        factories.submitted(factories.claimed(project, first), GOOD)
        factories.submitted(factories.claimed(project, second), CLOSE)
        tasks.append(task.pk)
    together = threading.Barrier(2)
    failures: list[Exception] = []

    def score(mine: list[int]) -> None:
        try:
            for task_id in mine:
                together.wait(timeout=60)
                try:
                    services.score_task(task_id)
                except Exception as error:
                    failures.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=score, args=(tasks[side::2],)) for side in (0, 1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == [], "a deadlock: two transactions locked the accounts in opposite orders"
    assert Payable.objects.filter(kind="accepted", amount_cents=1600).count() == 4 * ROUNDS
