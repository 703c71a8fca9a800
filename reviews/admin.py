from __future__ import annotations

from django.contrib import admin

from annotation_platform.api.read_only import ReadOnlyAdmin
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


@admin.register(Score)
class ScoreAdmin(ReadOnlyAdmin[Score]):
    list_display = ["id", "task_id", "reference_id", "candidate_id", "s", "rq", "sq", "scored_at"]
    search_fields = ["=task__id"]


@admin.register(Review)
class ReviewAdmin(ReadOnlyAdmin[Review]):
    list_display = ["id", "kind", "state", "submission_id", "reviewer", "queued_at", "decided_at"]
    list_filter = ["kind", "state"]
    list_select_related = ["reviewer"]


@admin.register(Decision)
class DecisionAdmin(ReadOnlyAdmin[Decision]):
    list_display = ["id", "about", "outcome", "submission_id", "actor", "s", "rq", "decided_at"]
    list_filter = ["about", "outcome"]
    list_select_related = ["actor"]


@admin.register(Assessment)
class AssessmentAdmin(ReadOnlyAdmin[Assessment]):
    list_display = ["task_id", "submission_ids", "assessed_at"]


@admin.register(DecisionRule, Scoring)
class VersionAdmin(ReadOnlyAdmin[DecisionRule | Scoring]):
    list_display = ["id", "project_id", "number", "reason", "created_at"]


@admin.register(GoldReference)
class GoldReferenceAdmin(ReadOnlyAdmin[GoldReference]):
    list_display = ["id", "task_id", "source", "created_at", "created_by", "retired_at"]
    list_filter = ["source"]
    list_select_related = ["created_by"]


@admin.register(GoldScore)
class GoldScoreAdmin(ReadOnlyAdmin[GoldScore]):
    list_display = ["id", "reference_id", "submission_id", "contractor_id", "s", "scored_at"]


@admin.register(GoldSettings)
class GoldSettingsAdmin(ReadOnlyAdmin[GoldSettings]):
    list_display = ["project_id", "share", "last_scores", "qualify_at", "suspend_below"]
