"""What is looked at again, although it can't go wrong."""

from __future__ import annotations

import logging

from payouts import queries
from payouts.rules import PAYING_OUTCOMES
from payouts.services.credits import credit

logger = logging.getLogger(__name__)


def credit_decided(*, batch: int = 500) -> int:
    """Pay work with a paying decision that nobody credited; returns how many assignments.

    One short transaction each. Anything found is a bug of the caller that decided, so it is
    logged as an error, but the person is paid.
    """
    found = list(queries.decided_but_unpaid()[:batch])
    for submission in found:
        credit(submission=submission, kind=PAYING_OUTCOMES[submission.state])
        logger.error("Submission %s was decided and not credited; credited now.", submission.pk)
    return len(found)


def check_ledger() -> list[str]:
    """Recompute the ledger; returns a line per difference and logs each as an error."""
    found = [
        f"{code}: running balance {running}, entries say {recomputed}"
        for code, running, recomputed in queries.wrong_balances()
    ]
    found += [
        f"ledger transaction {pk} does not sum to zero" for pk in queries.unbalanced_transactions()
    ]
    for line in found:
        logger.error("Ledger: %s", line)
    return found
