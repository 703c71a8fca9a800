"""Messages that are gathered: none waits alone, none is lost while the broker is there."""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence
from threading import Event, active_count
from threading import enumerate as threads
from typing import Any

import pytest

from annotation_platform.gathered import MOST, Gathered


class Job:
    """What the broker would get. `hold()` makes the next message wait for `go`."""

    name = "tests.job"

    def __init__(self) -> None:
        self.sent: list[list[Any]] = []
        self.go = Event()
        self.go.set()
        self.begun = Event()
        self.refuse = 0

    def delay(self, items: Sequence[Any], /) -> None:
        self.begun.set()
        assert self.go.wait(10)
        if self.refuse:
            self.refuse -= 1
            raise ConnectionError("no broker")
        self.sent.append(list(items))


@pytest.fixture
def job(settings: Any) -> Job:
    settings.GATHER_JOBS_SECONDS = 0.01
    return Job()


def _sender() -> Any:
    return next((thread for thread in threads() if thread.name == "gather tests.job"), None)


def _finished() -> None:
    while (sender := _sender()) is not None:
        sender.join(10)


def test_the_first_goes_at_once_and_what_follows_goes_together(job: Job) -> None:
    gathered = Gathered(job)
    job.go.clear()
    gathered.send([1, 1])
    assert job.begun.wait(10)
    for number in range(2, 6):
        gathered.send([number, number])  # returns, although the broker is slow
    job.go.set()
    _finished()
    assert job.sent == [[[1, 1]], [[2, 2], [3, 3], [4, 4], [5, 5]]]


def test_after_a_pause_it_begins_again(job: Job) -> None:
    gathered = Gathered(job)
    gathered.send(1)
    _finished()
    gathered.send(2)
    _finished()
    assert job.sent == [[1], [2]]


def test_many_are_split_in_messages_that_workers_can_share(job: Job) -> None:
    gathered = Gathered(job)
    job.go.clear()
    gathered.send(0)
    assert job.begun.wait(10)
    for number in range(1, MOST + 3):
        gathered.send(number)
    job.go.set()
    _finished()
    assert [len(items) for items in job.sent] == [1, MOST, 2]
    assert [number for items in job.sent for number in items] == list(range(MOST + 3))


def test_a_broker_that_is_away_costs_its_message_and_no_other(
    job: Job, caplog: pytest.LogCaptureFixture
) -> None:
    gathered = Gathered(job)
    job.go.clear()
    job.refuse = 1
    with caplog.at_level(logging.WARNING):
        gathered.send(1)
        assert job.begun.wait(10)
        gathered.send(2)
        job.go.set()
        _finished()
    assert job.sent == [[2]]
    assert "its sweep will find the work" in caplog.text


def test_without_a_moment_to_wait_each_is_sent_by_the_caller(job: Job, settings: Any) -> None:
    settings.GATHER_JOBS_SECONDS = 0.0
    threads = active_count()
    gathered = Gathered(job)
    gathered.send(1)
    gathered.send(2)
    assert job.sent == [[1], [2]]
    assert active_count() == threads
    job.refuse = 1
    with pytest.raises(ConnectionError):  # who told of the event logs it
        gathered.send(3)


def test_the_child_of_a_fork_sends_its_own(job: Job) -> None:
    gathered = Gathered(job)
    job.go.clear()
    gathered.send("parent's")
    assert job.begun.wait(10)  # the thread is there, in this process only
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            job.go = Event()
            job.go.set()
            gathered.send("child's")
            _finished()
            os.write(write, repr(job.sent).encode())
        finally:
            os._exit(0)
    os.close(write)
    with os.fdopen(read) as answer:
        assert answer.read() == repr([["child's"]])
    os.waitpid(child, 0)
    job.go.set()
    _finished()
    assert job.sent == [["parent's"]]
