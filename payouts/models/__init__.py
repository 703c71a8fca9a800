from payouts.models.ledger import Account, Balance, Entry, LedgerTransaction
from payouts.models.payables import Payable

__all__ = ["Account", "Balance", "Entry", "LedgerTransaction", "Payable"]
