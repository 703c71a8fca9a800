"""The verbs of money. Each is one transaction; accounts are locked last (contractor → task →
assignment → account)."""

from payouts.services.credits import credit, credit_assignment, pay_bonus

__all__ = ["credit", "credit_assignment", "pay_bonus"]
