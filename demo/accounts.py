"""Who lives in the demo. Plain data without Django: the story's client reads it too."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

# Published in the README and printed at every start: it protects nothing (see services.py).
PASSWORD = "frame-by-frame"

PROJECT_NAME = "Kitchen actions (demo)"


@dataclass(frozen=True)
class Account:
    """One log-in.

    Attributes:
        role: contractor, reviewer, manager or finance.
        area: a contractor's residence, ISO 3166.
        note: what this person can show.
    """

    email: str
    name: str
    role: str
    note: str
    area: str = ""


MANAGER = Account("manager@demo.example", "Mara", "manager", "projects, videos, tasks, throughput")
REVIEWER = Account("reviewer@demo.example", "Rui", "reviewer", "the review desk")
REVIEWER_2 = Account("reviewer2@demo.example", "Rosa", "reviewer", "the second look at a rejection")
FINANCE = Account("finance@demo.example", "Finn", "finance", "money: prepares payout runs")
FINANCE_2 = Account("finance2@demo.example", "Fay", "finance", "approves what Finn prepared")
ADA = Account("ada@demo.example", "Ada", "contractor", "lives in Texas: may work", "US-TX")
BEN = Account("ben@demo.example", "Ben", "contractor", "lives in Ontario: may work", "CA-ON")
CLEO = Account("cleo@demo.example", "Cleo", "contractor", "lives in California: refused", "US-CA")
NOOR = Account("noor@demo.example", "Noor", "contractor", "lives in New York: refused", "US-NY")
SAM = Account("sam@demo.example", "Sam", "contractor", "state unknown: refused", "US")
# Whom `demo_fill` adds.
OLGA = Account("olga@demo.example", "Olga", "contractor", "restricted, has appealed", "US-TX")
PIA = Account("pia@demo.example", "Pia", "contractor", "restricted, may appeal", "US-OR")
QUIN = Account("quin@demo.example", "Quin", "contractor", "was paid, has a hold", "CA-ON")
RAY = Account("ray@demo.example", "Ray", "contractor", "waits for a lost payout", "US-TX")

STAFF = (MANAGER, REVIEWER, REVIEWER_2, FINANCE, FINANCE_2)
CONTRACTORS = (ADA, BEN, CLEO, NOOR, SAM)
FILLED_IN = (OLGA, PIA, QUIN, RAY)


def table(accounts: Sequence[Account] = (*STAFF, *CONTRACTORS)) -> str:
    """The log-ins as lines of text, for a terminal."""
    width = max(len(account.email) for account in accounts)
    lines = [f"Demo log-ins; the password of everybody is  {PASSWORD}", ""]
    lines += [f"  {a.email:<{width}}  {a.role:<10}  {a.note}" for a in accounts]
    return "\n".join(lines) + "\n"
