from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpRequest

from reviews.models import (
    Assessment,
    Decision,
    DecisionRule,
    GoldReference,
    GoldScore,
    GoldSettings,
    Review,
    Score,
    Scoring,
)


class ReadOnlyAdmin(admin.ModelAdmin[Any]):
    """To read: what is decided is changed by services, never by a form."""

    show_full_result_count = False

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(Score)
class ScoreAdmin(ReadOnlyAdmin):
    list_display = ["id", "task_id", "reference_id", "candidate_id", "s", "rq", "sq", "scored_at"]
    search_fields = ["=task__id"]


@admin.register(Review)
class ReviewAdmin(ReadOnlyAdmin):
    list_display = ["id", "kind", "state", "submission_id", "reviewer", "queued_at", "decided_at"]
    list_filter = ["kind", "state"]
    list_select_related = ["reviewer"]


@admin.register(Decision)
class DecisionAdmin(ReadOnlyAdmin):
    list_display = ["id", "about", "outcome", "submission_id", "actor", "s", "rq", "decided_at"]
    list_filter = ["about", "outcome"]
    list_select_related = ["actor"]


@admin.register(Assessment)
class AssessmentAdmin(ReadOnlyAdmin):
    list_display = ["task_id", "submission_ids", "assessed_at"]


@admin.register(DecisionRule, Scoring)
class VersionAdmin(ReadOnlyAdmin):
    list_display = ["id", "project_id", "number", "reason", "created_at"]


@admin.register(GoldReference)
class GoldReferenceAdmin(ReadOnlyAdmin):
    list_display = ["id", "task_id", "source", "created_at", "created_by", "retired_at"]
    list_filter = ["source"]
    list_select_related = ["created_by"]


@admin.register(GoldScore)
class GoldScoreAdmin(ReadOnlyAdmin):
    list_display = ["id", "reference_id", "submission_id", "contractor_id", "s", "scored_at"]


@admin.register(GoldSettings)
class GoldSettingsAdmin(ReadOnlyAdmin):
    list_display = ["project_id", "share", "last_scores", "qualify_at", "suspend_below"]
