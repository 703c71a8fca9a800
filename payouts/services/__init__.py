"""The verbs of money. Each is one transaction; accounts are locked last (contractor → task →
assignment → account)."""

from payouts.services.checks import check_ledger, credit_decided
from payouts.services.credits import credit, credit_assignment, pay_bonus

__all__ = ["check_ledger", "credit", "credit_assignment", "credit_decided", "pay_bonus"]
