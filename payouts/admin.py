"""Money in the admin: to read; it changes through services only."""

from __future__ import annotations

from typing import Any, TypeVar

from django.contrib import admin
from django.db.models import Model
from django.http import HttpRequest

from payouts.models import Account, Entry, LedgerTransaction, Payable
from payouts.rules import money

Row = TypeVar("Row", bound=Model)


class ReadOnly(admin.ModelAdmin[Row]):
    """Rows that nobody adds, changes or deletes by hand."""

    show_full_result_count = False

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(Account)
class AccountAdmin(ReadOnly[Account]):
    list_display = ["code", "kind", "currency", "balance"]
    list_filter = ["kind", "currency"]
    list_select_related = ["balance"]
    search_fields = ["code"]

    @admin.display(description="running balance")
    def balance(self, account: Account) -> str:
        running = getattr(account, "balance", None)
        return money(running.balance_cents, account.currency) if running else ""


class EntryInline(admin.TabularInline[Entry, LedgerTransaction]):
    model = Entry
    extra = 0
    raw_id_fields = ["account"]


@admin.register(LedgerTransaction)
class LedgerTransactionAdmin(ReadOnly[LedgerTransaction]):
    list_display = ["id", "occurred_at", "kind", "idempotency_key", "reverses"]
    list_filter = ["kind"]
    list_select_related = ["reverses"]
    search_fields = ["=idempotency_key"]
    inlines = [EntryInline]


@admin.register(Payable)
class PayableAdmin(ReadOnly[Payable]):
    list_display = ["id", "accrued_at", "contractor", "project", "kind", "amount", "state"]
    list_filter = ["state", "kind", "currency"]
    list_select_related = ["contractor", "project"]
    search_fields = ["=source_key", "=contractor__pk", "contractor__user__email"]

    @admin.display(ordering="amount_cents")
    def amount(self, payable: Payable) -> str:
        return money(payable.amount_cents, payable.currency)
