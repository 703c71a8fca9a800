"""Money in the admin: to read; it changes through services only."""

from __future__ import annotations

from django.contrib import admin

from annotation_platform.api.read_only import ReadOnlyAdmin
from payouts.models import (
    Account,
    Entry,
    Hold,
    LedgerTransaction,
    Payable,
    Payout,
    PayoutAttempt,
    PayoutItem,
    PayoutRun,
)
from payouts.rules import money


@admin.register(Account)
class AccountAdmin(ReadOnlyAdmin[Account]):
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
class LedgerTransactionAdmin(ReadOnlyAdmin[LedgerTransaction]):
    list_display = ["id", "occurred_at", "kind", "idempotency_key", "reverses"]
    list_filter = ["kind"]
    list_select_related = ["reverses"]
    search_fields = ["=idempotency_key"]
    inlines = [EntryInline]


@admin.register(Payable)
class PayableAdmin(ReadOnlyAdmin[Payable]):
    list_display = ["id", "accrued_at", "contractor", "project", "kind", "amount", "state"]
    list_filter = ["state", "kind", "currency"]
    list_select_related = ["contractor", "project"]
    search_fields = ["=source_key", "=contractor__pk", "contractor__user__email"]

    @admin.display(ordering="amount_cents")
    def amount(self, payable: Payable) -> str:
        return money(payable.amount_cents, payable.currency)


class ItemInline(admin.TabularInline[PayoutItem, Payout]):
    model = PayoutItem
    extra = 0
    raw_id_fields = ["payable"]


class AttemptInline(admin.TabularInline[PayoutAttempt, Payout]):
    model = PayoutAttempt
    extra = 0
    fields = ["number", "outcome", "detail", "idempotency_key", "first_sent_at", "answered_at"]


@admin.register(PayoutRun)
class PayoutRunAdmin(ReadOnlyAdmin[PayoutRun]):
    list_display = ["id", "state", "cut_off_at", "payout_count", "total", "approved_by"]
    list_filter = ["state"]
    list_select_related = ["approved_by"]

    @admin.display(ordering="total_cents")
    def total(self, run: PayoutRun) -> str:
        return money(run.total_cents, run.currency)


@admin.register(Payout)
class PayoutAdmin(ReadOnlyAdmin[Payout]):
    list_display = ["id", "run", "contractor", "rail", "amount", "state", "needs_person"]
    list_filter = ["needs_person", "state", "rail"]
    list_select_related = ["run", "contractor"]
    search_fields = ["=our_reference", "=provider_reference", "contractor__user__email"]
    inlines = [ItemInline, AttemptInline]

    @admin.display(ordering="amount_cents")
    def amount(self, payout: Payout) -> str:
        return money(payout.amount_cents, payout.currency)


@admin.register(Hold)
class HoldAdmin(ReadOnlyAdmin[Hold]):
    list_display = ["payable", "reason", "placed_by", "ends_at", "lifted_at"]
    list_select_related = ["payable", "placed_by"]
