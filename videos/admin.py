from __future__ import annotations

from django.contrib import admin
from django.http import HttpRequest

from videos.models import Video, VideoJob


class JobsInline(admin.TabularInline[VideoJob, Video]):
    model = VideoJob
    fields = ("stage", "state", "attempts", "error", "started_at", "finished_at")
    readonly_fields = fields
    extra = 0
    can_delete = False

    def has_add_permission(self, request: HttpRequest, obj: Video | None = None) -> bool:
        return False


@admin.register(Video)
class VideoAdmin(admin.ModelAdmin[Video]):
    """To look at; changes go through the API, which records who made them."""

    list_display = ["id", "title", "state", "frame_count", "created_at"]
    list_filter = ["state", "variable_frame_rate", "has_audio"]
    search_fields = ["title", "key", "sha256"]
    exclude = ["frame_times"]
    inlines = [JobsInline]

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Video | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Video | None = None) -> bool:
        return False
