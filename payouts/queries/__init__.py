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
from payouts.queries.payouts import payouts_of, payouts_to_look_at, time_to_pay, unpaid_earnings
from payouts.queries.projects import (
    RESERVING,
    BudgetOutlook,
    PayDay,
    ProjectMoney,
    budget_outlook,
    money_per_day,
    project_money,
)
from payouts.queries.tax import (
    TaxLine,
    all_tax_lines,
    current_tax_form,
    paid_in_years,
    status_of,
    tax_lines,
    tax_year,
)

__all__ = [
    "RESERVING",
    "BudgetOutlook",
    "Earned",
    "PayDay",
    "ProjectMoney",
    "Purse",
    "TaxLine",
    "Whereabouts",
    "account_balances",
    "all_tax_lines",
    "budget_outlook",
    "current_tax_form",
    "decided_but_unpaid",
    "earned",
    "explanation",
    "money_per_day",
    "paid_in_years",
    "payables_of",
    "payouts_of",
    "payouts_to_look_at",
    "project_money",
    "purse",
    "sentence",
    "status_of",
    "tax_lines",
    "tax_year",
    "time_to_pay",
    "unbalanced_transactions",
    "unpaid_earnings",
    "whereabouts",
    "wrong_balances",
]
