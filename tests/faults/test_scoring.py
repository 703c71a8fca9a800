"""Work that was handed in is scored and paid, whichever process or message is lost."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db.models import F

from reviews import services
from reviews.models import Run, Score, TaskConsensus
from tasks.models import Task
from tests.faults.processes import Broker, Worker, eventually
from tests.reviews.scene import CLOSE, GOOD, handed_in, paid_cents, states

pytestmark = pytest.mark.faults


def is_scored(task: Task) -> bool:
    return Score.objects.filter(task=task).exists()


def test_a_worker_scores_and_pays_what_was_handed_in(worker_process: Worker) -> None:
    worker_process.start()
    task, submissions = handed_in(GOOD, CLOSE)
    eventually(lambda: is_scored(task), what="the score")
    assert states(submissions) == ["accepted", "accepted"]
    assert [paid_cents(s) for s in submissions] == [[1600], [1600]]
    assert worker_process.received("reviews.score_handed_in")


def test_a_worker_killed_between_submit_and_score(worker_process: Worker) -> None:
    worker_process.start()
    worker_process.suspend()  # it may hold the message, but does nothing with it
    task, submissions = handed_in(GOOD, CLOSE)
    worker_process.kill()
    assert not is_scored(task)
    assert states(submissions) == ["submitted", "submitted"]

    worker_process.with_beat = True
    worker_process.start()
    eventually(lambda: is_scored(task), what="the score after the sweep")
    assert states(submissions) == ["accepted", "accepted"]
    assert [paid_cents(s) for s in submissions] == [[1600], [1600]]


def test_a_broker_lost_with_the_message(broker: Broker, worker_process: Worker) -> None:
    task, submissions = handed_in(GOOD, CLOSE)
    broker.restart()  # empty: nobody will ever get the message
    assert not is_scored(task)
    worker_process.with_beat = True
    worker_process.start()
    eventually(lambda: is_scored(task), what="the score after the sweep")
    assert not worker_process.received("reviews.score_handed_in"), "the sweep did it, not a message"
    assert states(submissions) == ["accepted", "accepted"]
    assert [paid_cents(s) for s in submissions] == [[1600], [1600]]


def test_a_run_whose_message_was_lost_is_found_again(
    broker: Broker, worker_process: Worker
) -> None:
    task, _ = handed_in(GOOD, CLOSE)
    run = services.start_run(actor=None, project=task.project, kind="rescore")
    broker.restart()
    Run.objects.update(moved_at=F("moved_at") - timedelta(minutes=2))  # nobody for a while
    worker_process.with_beat = True
    worker_process.start()
    eventually(lambda: Run.objects.get(pk=run.pk).state == "done", what="the end of the run")
    assert is_scored(task)
    eventually(
        lambda: TaskConsensus.objects.filter(task=task, stale=False).exists(),
        what="the consensus of what was accepted",
    )


def test_handing_in_works_while_the_broker_is_away(broker: Broker, worker_process: Worker) -> None:
    broker.lose()
    task, submissions = handed_in(GOOD, CLOSE)
    assert states(submissions) == ["submitted", "submitted"]
    broker.restart_elsewhere()
    worker_process.environment["REDIS_URL"] = broker.url
    worker_process.with_beat = True
    worker_process.start()
    eventually(lambda: is_scored(task), what="the score after the sweep")
    assert [paid_cents(s) for s in submissions] == [[1600], [1600]]
