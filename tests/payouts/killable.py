"""A process that forks payout workers and lets them be killed at a chosen moment.

Started once per test with the address of the test's database; reads one JSON command a line:
`{"work": "sweep", "subject": 0, "moment": "commit", "kill_at": 2, "when": "before", "now": "…",
"settings": {…}}`. Each forked child does one piece of work, the body of the sweep job say, and at
its nth such moment (a commit, a look for a payment that a rail has already, a witness's object)
kills itself with SIGKILL: nothing is cleaned up, exactly as when the machine dies. Answers with
the number of the signal that ended the child, 0 for none.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from datetime import datetime
from typing import Any

import django


def _die_at(moment: str, kill_at: int, when: str) -> None:
    from django.core.files.storage import Storage
    from django.db.backends.base.base import BaseDatabaseWrapper

    from payouts.services import sending

    place: Any
    place, name = {
        "commit": (BaseDatabaseWrapper, "_commit"),
        "found": (sending, "find_payment"),
        "witness": (Storage, "save"),
    }[moment]
    original = getattr(place, name)
    count = 0

    def counted(*args: Any, **kwargs: Any) -> Any:
        nonlocal count
        count += 1
        if count == kill_at and when == "before":
            os.kill(os.getpid(), signal.SIGKILL)
        result = original(*args, **kwargs)
        if count == kill_at and when == "after":
            os.kill(os.getpid(), signal.SIGKILL)
        return result

    setattr(place, name, counted)


def _work(command: dict[str, Any]) -> None:
    from django.conf import settings

    from contractors.models import User
    from payouts.models import PayoutFile, PayoutRun
    from payouts.services import (
        approve_run,
        follow_report,
        hand_out_file,
        refresh_payout,
        send_payout,
        sweep_payouts,
    )

    for name, value in command["settings"].items():
        setattr(settings, name, value)
    work, subject = command["work"], command["subject"]
    now = datetime.fromisoformat(command["now"])
    _die_at(command["moment"], command["kill_at"], command["when"])
    if work == "approve":
        run = PayoutRun.objects.get(pk=subject)
        approve_run(
            actor=User.objects.filter(roles__contains=["finance"]).latest("pk"),
            run=run,
            payout_count=run.payout_count,
            total_cents=run.total_cents,
        )
    elif work == "hand_out":
        hand_out_file(PayoutFile.objects.get(pk=subject))
    elif work == "follow":
        follow_report(subject)
    elif work == "send":  # what the sweep does with one payout
        if send_payout(payout_id=subject, now=now) == "submitted":
            refresh_payout(payout_id=subject)
    else:
        sweep_payouts(now=now)


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
