"""Reads of money across tables. Nothing here locks or writes."""

from payouts.queries.books import (
    account_balances,
    decided_but_unpaid,
    unbalanced_transactions,
    wrong_balances,
)
from payouts.queries.earnings import (
    Earned,
    Purse,
    Whereabouts,
    earned,
    explanation,
    payables_of,
    purse,
    sentence,
    whereabouts,
)
from payouts.queries.payouts import payouts_of, time_to_pay
from payouts.queries.projects import (
    RESERVING,
    BudgetOutlook,
    PayDay,
    ProjectMoney,
    budget_outlook,
    money_per_day,
    project_money,
)

__all__ = [
    "RESERVING",
    "BudgetOutlook",
    "Earned",
    "PayDay",
    "ProjectMoney",
    "Purse",
    "Whereabouts",
    "account_balances",
    "budget_outlook",
    "decided_but_unpaid",
    "earned",
    "explanation",
    "money_per_day",
    "payables_of",
    "payouts_of",
    "project_money",
    "purse",
    "sentence",
    "time_to_pay",
    "unbalanced_transactions",
    "whereabouts",
    "wrong_balances",
]
