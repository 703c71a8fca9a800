"""A process that forks payout workers and lets them be killed at a chosen commit.

Started once per test with the address of the test's database; reads one JSON command a line:
`{"kill_at": 2, "when": "before", "now": "…", "settings": {…}}`. Each forked child runs the body
of the sweep job and, at its nth commit, kills itself with SIGKILL: nothing is cleaned up, exactly
as when the machine dies. Answers with the number of the signal that ended the child, 0 for none.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from datetime import datetime
from typing import Any

import django


def _die_at(kill_at: int, when: str) -> None:
    from django.db.backends.base.base import BaseDatabaseWrapper

    commit = BaseDatabaseWrapper._commit  # type: ignore[attr-defined]
    commits = 0

    def counted(self: BaseDatabaseWrapper) -> None:
        nonlocal commits
        commits += 1
        if commits == kill_at and when == "before":
            os.kill(os.getpid(), signal.SIGKILL)
        commit(self)
        if commits == kill_at and when == "after":
            os.kill(os.getpid(), signal.SIGKILL)

    BaseDatabaseWrapper._commit = counted  # type: ignore[attr-defined]


def _work(command: dict[str, Any]) -> None:
    from django.conf import settings

    from payouts.services import sweep_payouts

    for name, value in command["settings"].items():
        setattr(settings, name, value)
    _die_at(command["kill_at"], command["when"])
    sweep_payouts(now=datetime.fromisoformat(command["now"]))


def main() -> None:
    django.setup()
    for line in sys.stdin:
        command = json.loads(line)
        child = os.fork()
        if child == 0:
            status = 1
            try:
                _work(command)
                status = 0
            finally:
                os._exit(status)
        _, ended = os.waitpid(child, 0)
        answer = {"signal": ended & 0x7F, "status": ended >> 8}
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
