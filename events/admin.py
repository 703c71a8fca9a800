from __future__ import annotations

from django.contrib import admin

from annotation_platform.api.read_only import ReadOnlyAdmin
from events.models import Event


@admin.register(Event)
class EventAdmin(ReadOnlyAdmin[Event]):
    """The audit trail: to read, never to change."""

    list_display = ["id", "occurred_at", "type", "actor", "subject_type", "subject_id"]
    list_filter = ["type"]
    list_select_related = ["actor"]
    search_fields = ["=subject_id"]
