from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpRequest

from events.models import Event


@admin.register(Event)
class EventAdmin(admin.ModelAdmin[Event]):
    """The audit trail: to read, never to change."""

    list_display = ["id", "occurred_at", "type", "actor", "subject_type", "subject_id"]
    list_filter = ["type"]
    list_select_related = ["actor"]
    search_fields = ["=subject_id"]
    show_full_result_count = False

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False
