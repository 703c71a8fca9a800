"""The queue in the admin: to look at. Changes go through the services, which keep the rules."""

from __future__ import annotations

from django.contrib import admin

from annotation_platform.api.read_only import ReadOnlyAdmin
from tasks.models import (
    ActiveTime,
    Assignment,
    Funding,
    Guideline,
    PriceVersion,
    Project,
    ProjectPace,
    Qualification,
    Submission,
    Task,
)


@admin.register(Project)
class ProjectAdmin(ReadOnlyAdmin[Project]):
    list_display = ["id", "name", "state", "policy", "overlap", "max_overlap", "budget_limited"]
    list_filter = ["state"]
    list_select_related = ["policy"]
    search_fields = ["name"]


@admin.register(PriceVersion)
class PriceVersionAdmin(ReadOnlyAdmin[PriceVersion]):
    list_display = ["project", "number", "price_cents", "currency", "effective_at", "reason"]
    list_select_related = ["project"]


@admin.register(Guideline)
class GuidelineAdmin(ReadOnlyAdmin[Guideline]):
    list_display = ["project", "version", "title", "published_at"]
    list_select_related = ["project"]


@admin.register(Task)
class TaskAdmin(ReadOnlyAdmin[Task]):
    list_display = ["id", "project", "video", "state", "held_slots", "overlap", "priority"]
    list_filter = ["state", "project"]
    list_select_related = ["project", "video"]
    search_fields = ["=id"]


@admin.register(Assignment)
class AssignmentAdmin(ReadOnlyAdmin[Assignment]):
    list_display = ["id", "task_id", "contractor_id", "slot", "state", "claimed_at", "price_cents"]
    list_filter = ["state"]
    search_fields = ["=id", "=task__id", "=contractor__pk"]


@admin.register(Submission)
class SubmissionAdmin(ReadOnlyAdmin[Submission]):
    list_display = ["id", "assignment_id", "round", "state", "segment_count", "submitted_at"]
    list_filter = ["state", "screening_verdict"]
    search_fields = ["=id", "=assignment__id"]


@admin.register(Funding)
class FundingAdmin(ReadOnlyAdmin[Funding]):
    list_display = ["project", "amount_cents", "reason", "created_by", "created_at"]
    list_select_related = ["project", "created_by"]


@admin.register(Qualification)
class QualificationAdmin(ReadOnlyAdmin[Qualification]):
    list_display = ["contractor_id", "project", "granted_at", "ended_at", "reason"]
    list_select_related = ["project"]


@admin.register(ActiveTime)
class ActiveTimeAdmin(ReadOnlyAdmin[ActiveTime]):
    list_display = ["assignment_id", "project_id", "active_ms", "beats", "last_active_at"]


@admin.register(ProjectPace)
class ProjectPaceAdmin(ReadOnlyAdmin[ProjectPace]):
    list_display = ["project", "samples", "median_active_ms", "cents_per_hour", "below_floor"]
    list_filter = ["below_floor"]
    list_select_related = ["project"]
