"""Writing the ledger: accounts and balanced transactions."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from django.db import IntegrityError, connection

from payouts.models import Account, Entry, LedgerTransaction

Posting = tuple[Account, int]


def expense_account(project_id: int, currency: str) -> Account:
    """What a project spent (not saved yet; see `open_accounts`)."""
    return Account(
        code=f"project:{project_id}:expense:{currency}",
        kind=Account.Kind.PROJECT_EXPENSE,
        currency=currency,
        project_id=project_id,
    )


def payable_account(contractor_id: int, currency: str) -> Account:
    """What is owed to a contractor; its floor is zero (not saved yet)."""
    return Account(
        code=f"contractor:{contractor_id}:payable:{currency}",
        kind=Account.Kind.CONTRACTOR_PAYABLE,
        currency=currency,
        contractor_id=contractor_id,
        floor_cents=0,
    )


def in_transit_account(contractor_id: int, currency: str) -> Account:
    """What is on its way to a contractor; its floor is zero (not saved yet)."""
    return Account(
        code=f"contractor:{contractor_id}:in_transit:{currency}",
        kind=Account.Kind.CONTRACTOR_IN_TRANSIT,
        currency=currency,
        contractor_id=contractor_id,
        floor_cents=0,
    )


def cash_account(rail: str, currency: str) -> Account:
    """What left through a rail (not saved yet)."""
    return Account(code=f"cash:{rail}:{currency}", kind=Account.Kind.CASH, currency=currency)


def open_accounts(wanted: Sequence[Account]) -> list[Account]:
    """The saved accounts with the codes of `wanted`, in that order; missing ones are opened."""
    codes = [account.code for account in wanted]
    saved = {account.code: account for account in Account.objects.filter(code__in=codes)}
    if len(saved) < len(set(codes)):
        # By code: two transactions that open the same accounts must not wait for each other.
        missing = {a.code: a for a in wanted if a.code not in saved}
        Account.objects.bulk_create(
            [missing[code] for code in sorted(missing)], ignore_conflicts=True
        )
        saved = {account.code: account for account in Account.objects.filter(code__in=codes)}
    return [saved[code] for code in codes]


def post(
    *,
    kind: str,
    key: str,
    postings: Iterable[Posting],
    reverses: LedgerTransaction | None = None,
) -> LedgerTransaction | None:
    """Write one transaction with its entries, once per key.

    Arguments:
        kind: `LedgerTransaction.Kind`.
        key: names what happened; a second posting under it writes nothing.
        postings: (saved account, cents): positive credits, negative debits; they sum to zero.
        reverses: for `fail` and `return`, what is undone.

    Returns None when the key was posted before. A concurrent posting under the same key is
    waited for. The database refuses unbalanced and otherwise wrong transactions at the latest
    when the caller's transaction commits.
    """
    transaction = _insert_once(kind, key, reverses)
    if transaction is None:
        return None
    # Debits first would dip a floored account that the same transaction refills.
    ordered = sorted(postings, key=lambda posting: -posting[1])
    Entry.objects.bulk_create(
        Entry(
            transaction=transaction,
            account=account,
            currency=account.currency,
            amount_cents=amount,
        )
        for account, amount in ordered
    )
    return transaction


def reverse(*, kind: str, key: str, reverses: LedgerTransaction) -> LedgerTransaction | None:
    """Post the exact opposite of a transaction, once per key.

    Raises `IntegrityError` when it was already reversed under another key.
    """
    entries = reverses.entries.select_related("account").order_by("account_id")
    return post(
        kind=kind,
        key=key,
        postings=[(entry.account, -entry.amount_cents) for entry in entries],
        reverses=reverses,
    )


def _insert_once(
    kind: str, key: str, reverses: LedgerTransaction | None
) -> LedgerTransaction | None:
    """ON CONFLICT DO NOTHING RETURNING: Django has no word for it."""
    if not connection.in_atomic_block:
        raise IntegrityError("A ledger transaction and its entries belong to one transaction.")
    with connection.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO payouts_ledgertransaction (kind, idempotency_key, reverses_id)
            VALUES (%s, %s, %s) ON CONFLICT (idempotency_key) DO NOTHING
            RETURNING id, occurred_at
            """,
            [kind, key, reverses.pk if reverses else None],
        )
        row = cursor.fetchone()
    if row is None:
        return None
    return LedgerTransaction(
        pk=row[0], kind=kind, idempotency_key=key, reverses=reverses, occurred_at=row[1]
    )
