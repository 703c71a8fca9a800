from payouts.models.holds import Hold
from payouts.models.ledger import Account, Balance, Entry, LedgerTransaction
from payouts.models.payables import Payable
from payouts.models.payouts import (
    Payout,
    PayoutAttempt,
    PayoutFile,
    PayoutItem,
    PayoutMethod,
    PayoutRun,
    PayoutWitness,
    ProviderEvent,
    Rail,
)
from payouts.models.reports import BankReport
from payouts.models.statements import Statement, StatementEntry
from payouts.models.tax import TaxForm

__all__ = [
    "Account",
    "Balance",
    "BankReport",
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
    "PayoutWitness",
    "ProviderEvent",
    "Rail",
    "Statement",
    "StatementEntry",
    "TaxForm",
]
