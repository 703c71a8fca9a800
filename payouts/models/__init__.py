from payouts.models.ledger import Account, Balance, Entry, LedgerTransaction
from payouts.models.payables import Payable
from payouts.models.payouts import (
    Hold,
    Payout,
    PayoutAttempt,
    PayoutFile,
    PayoutItem,
    PayoutMethod,
    PayoutRun,
    ProviderEvent,
    Rail,
)
from payouts.models.statements import Statement, StatementEntry

__all__ = [
    "Account",
    "Balance",
    "Entry",
    "Hold",
    "LedgerTransaction",
    "Payable",
    "Payout",
    "PayoutAttempt",
    "PayoutFile",
    "PayoutItem",
    "PayoutMethod",
    "PayoutRun",
    "ProviderEvent",
    "Rail",
    "Statement",
    "StatementEntry",
]
