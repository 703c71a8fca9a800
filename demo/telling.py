"""Somebody who uses the API and tells about it; what is not as it should be ends the story."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from demo.accounts import PASSWORD, Account
from demo.client import Answer, Client

POLL_SECONDS = 0.25

Say = Callable[[str], None]


class StoryFailed(Exception):
    """An answer was not as it should be."""


class Person(Client):
    """A signed-in account that tells what it does."""

    def __init__(self, url: str, account: Account, say: Say) -> None:
        super().__init__(url)
        self.name = account.name
        self._say = say
        require(f"{self.name} signs in", self.sign_in(account.email, PASSWORD), 201)

    def tells(self, what: str) -> None:
        """Print one step of this person."""
        self._say(f"  {self.name:<5} {what}")

    def refused(self, what: str, answer: Answer, status: int, problem: str) -> None:
        """Print a refusal; it must have this status and name."""
        expect(f"{self.name}: {what}", (answer.status, answer.problem), (status, problem))
        self.tells(f"{what}: refused, {answer.status} {answer.problem}: {answer.detail}")


def expect(what: str, found: object, wanted: object) -> None:
    """Raise `StoryFailed` unless the two are equal."""
    if found != wanted:
        raise StoryFailed(f"{what}:\n    expected {wanted!r}\n    found    {found!r}")


def require(what: str, answer: Answer, status: int = 200) -> Any:
    """The answer's body; it must have this status."""
    if answer.status != status:
        raise StoryFailed(
            f"{what}:\n    expected {status}\n    found    {answer.status} {answer.body!r}"
        )
    return answer.body


def dollars(cents: int) -> str:
    """`$16.00`."""
    return f"${cents // 100}.{cents % 100:02d}"


def wait_until(
    done: Callable[[Any], bool], ask: Callable[[], Any], *, within: float, what: str
) -> Any:
    """Ask again and again until the answer is `done`; returns it.

    Raises `StoryFailed` after `within` seconds: the worker, who is waited for, does not run.
    """
    deadline = time.monotonic() + within
    while not done(body := ask()):
        if time.monotonic() > deadline:
            raise StoryFailed(f"Waited {within:.0f} s for {what}. Is a worker running?")
        time.sleep(POLL_SECONDS)
    return body
