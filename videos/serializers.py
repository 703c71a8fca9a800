"""Videos over HTTP."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from videos import queries
from videos.models import Registration, RegistrationRow, Upload, Video, VideoJob


class VideoJobSerializer(serializers.ModelSerializer[VideoJob]):
    class Meta:
        model = VideoJob
        fields = [
            "stage", "state", "attempts", "error", "parameters", "started_at", "finished_at",
        ]  # fmt: skip
        read_only_fields = fields


class WarningSerializer(serializers.Serializer[Any]):
    """For people to judge, with the frame it points to."""

    code = serializers.CharField()
    message = serializers.CharField()
    frame = serializers.IntegerField()
    value = serializers.FloatField()
    threshold = serializers.FloatField()
    video = serializers.IntegerField(required=False, help_text="That it looks like")


class VideoSerializer(serializers.ModelSerializer[Video]):
    """One video in the manager's library."""

    jobs = VideoJobSerializer(many=True, read_only=True)
    fps = serializers.FloatField(
        read_only=True, allow_null=True, help_text="Average; never for finding a frame."
    )
    duration_seconds = serializers.FloatField(read_only=True, allow_null=True)
    warnings = serializers.SerializerMethodField()

    class Meta:
        model = Video
        fields = [
            "id", "title", "key", "state", "unreadable_reason", "sha256", "size_bytes", "width",
            "height", "rotation", "codec", "frame_count", "fps", "duration_seconds",
            "variable_frame_rate", "has_audio", "created_by", "created_at", "probed_at",
            "retired_at", "warnings", "jobs",
        ]  # fmt: skip
        read_only_fields = fields

    def get_warnings(self, video: Video) -> list[dict[str, Any]]:
        """Warnings: for people to judge, each with the frame it points to."""
        return queries.warnings(video)


class UploadSerializer(serializers.Serializer[Any]):
    """One video as multipart/form-data."""

    file = serializers.FileField(allow_empty_file=True)
    title = serializers.CharField(max_length=200, required=False, default="", allow_blank=True)


class BeginUploadSerializer(serializers.Serializer[Any]):
    """Announces an upload straight to storage."""

    filename = serializers.CharField(max_length=255)
    size_bytes = serializers.IntegerField(min_value=1)
    sha256 = serializers.RegexField(r"^[0-9a-f]{64}$")
    title = serializers.CharField(max_length=200, required=False, default="", allow_blank=True)


class UploadPartSerializer(serializers.Serializer[Any]):
    number = serializers.IntegerField()
    start = serializers.IntegerField(help_text="First byte.")
    end = serializers.IntegerField(help_text="The byte after the last.")
    url = serializers.CharField(help_text="PUT the bytes here.")


class DirectUploadSerializer(serializers.Serializer[Any]):
    """An upload, what is still to be sent, what became of it; ask again to resume or to wait."""

    id = serializers.IntegerField()
    state = serializers.ChoiceField(choices=Upload.State.choices)
    video = serializers.IntegerField(allow_null=True, help_text="What it became.")
    registration = serializers.IntegerField(
        allow_null=True, help_text="That reads it: how far it is, to cancel and to resume."
    )
    problem = serializers.CharField(help_text="Its slug; empty unless refused.")
    detail = serializers.CharField(help_text="Why it is refused, or what the worker waits for.")
    post = serializers.JSONField(allow_null=True, help_text="url and fields of a form, or null.")
    parts = UploadPartSerializer(many=True)


class RegistrationSerializer(serializers.ModelSerializer[Registration]):
    """A registration of many videos and how far it is."""

    name = serializers.CharField(
        read_only=True, help_text="Of the file, the prefix or the folder that it is of."
    )
    total = serializers.IntegerField(
        read_only=True, allow_null=True, help_text="Rows; null until a prefix is listed."
    )
    done_count = serializers.IntegerField(read_only=True, help_text="Registered and refused rows.")

    class Meta:
        model = Registration
        fields = [
            "id", "kind", "name", "state", "total", "done_count", "registered_count",
            "refused_count", "error", "created_by", "created_at", "finished_at",
        ]  # fmt: skip
        read_only_fields = fields


class RegistrationRowSerializer(serializers.ModelSerializer[RegistrationRow]):
    """One row and what became of it."""

    row = serializers.IntegerField(source="number", read_only=True, help_text="1-based.")
    name = serializers.CharField(read_only=True, help_text="The key or path that it named.")
    problem = serializers.CharField(read_only=True, help_text="Its slug; empty unless refused.")

    class Meta:
        model = RegistrationRow
        fields = ["row", "name", "title", "state", "video", "problem", "detail"]
        read_only_fields = fields


class NamedRowSerializer(serializers.Serializer[Any]):
    key = serializers.CharField(help_text="An object that is in storage already.")
    title = serializers.CharField(required=False, default="", allow_blank=True)


class BeginRegistrationSerializer(serializers.Serializer[Any]):
    """Exactly one of `rows`, `prefix` and `manifest`."""

    rows = NamedRowSerializer(many=True, required=False)
    prefix = serializers.CharField(
        required=False, help_text="Every video below this folder of the storage."
    )
    manifest = serializers.FileField(
        required=False,
        help_text="A .csv (with a header) or .jsonl file with key and title, as multipart.",
    )

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if len(attrs) != 1:
            raise serializers.ValidationError("Give exactly one of rows, prefix and manifest.")
        return attrs


class FrameTimesSerializer(serializers.Serializer[Any]):
    """See `videos.queries.frame_times_document`."""

    video = serializers.IntegerField()
    frame_count = serializers.IntegerField()
    time_base = serializers.ListField(
        child=serializers.IntegerField(), help_text="[num, den]: seconds per tick."
    )
    first = serializers.IntegerField(help_text="Ticks at which frame 0 appears in the source.")
    runs = serializers.ListField(
        child=serializers.ListField(child=serializers.IntegerField()),
        help_text="[[ticks to the next frame, how many times], …]",
    )
    duration_ticks = serializers.IntegerField()
    variable_frame_rate = serializers.BooleanField()


class FilmstripSerializer(serializers.Serializer[Any]):
    """Tile n is on sheet n // (columns * rows), row by row."""

    tile_width = serializers.IntegerField()
    tile_height = serializers.IntegerField()
    columns = serializers.IntegerField()
    rows = serializers.IntegerField()
    frames = serializers.ListField(
        child=serializers.IntegerField(), help_text="The frame that each tile shows."
    )
    sheets = serializers.ListField(child=serializers.CharField(), help_text="A link to each sheet.")


class LargeProxySerializer(serializers.Serializer[Any]):
    state = serializers.ChoiceField(choices=VideoJob.State.choices)
    url = serializers.CharField(allow_null=True)


class MediaSerializer(serializers.Serializer[Any]):
    """What a browser plays. Every link is for you, works without a cookie, and expires."""

    url = serializers.CharField()
    kind = serializers.ChoiceField(choices=["proxy", "source"])
    zero_seconds = serializers.FloatField(
        help_text="Frame i is on screen at its seconds in the frame-time table less this."
    )
    expires_at = serializers.DateTimeField(
        help_text="When these links stop working; ask again a little before."
    )


class WholeMediaSerializer(MediaSerializer):
    """The same with what a workbench draws; null is what has not been made (yet)."""

    filmstrip = FilmstripSerializer(allow_null=True)
    peaks = serializers.CharField(
        allow_null=True,
        help_text="JSON: per_second, and peaks 0 … 255 as base 64 bytes from frame 0 on.",
    )
    large = LargeProxySerializer(
        allow_null=True, help_text="The proxy of 720 lines; null until somebody asks for it."
    )


class LinksSerializer(serializers.Serializer[Any]):
    """Signed links, good for `expires_in_seconds`."""

    source = serializers.CharField()  # type: ignore[assignment]  # shadows Field.source
    proxy = serializers.CharField(allow_null=True)
    peaks = serializers.CharField(allow_null=True)
    large = serializers.CharField(allow_null=True)
    filmstrip = FilmstripSerializer(allow_null=True)
    sample_frames = serializers.JSONField(
        allow_null=True, help_text="[{frame, url}]: what the screening looked at and warned of."
    )
    expires_in_seconds = serializers.IntegerField()
    expires_at = serializers.DateTimeField()


class RerunSerializer(serializers.Serializer[Any]):
    stage = serializers.ChoiceField(choices=VideoJob.Stage.choices)
    parameters = serializers.DictField(required=False)


class RetireSerializer(serializers.Serializer[Any]):
    reason = serializers.CharField(max_length=500, required=False, default="", allow_blank=True)


class BulkSerializer(serializers.Serializer[Any]):
    """One action on many videos."""

    videos = serializers.ListField(
        child=serializers.IntegerField(), allow_empty=False, max_length=500
    )
    action = serializers.ChoiceField(choices=["retire", "restore", "rerun"])
    stage = serializers.ChoiceField(choices=VideoJob.Stage.choices, required=False)
    reason = serializers.CharField(max_length=500, required=False, default="", allow_blank=True)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if attrs["action"] == "rerun" and "stage" not in attrs:
            raise serializers.ValidationError({"stage": "Say which stage to run again."})
        return attrs


class BulkRefusalSerializer(serializers.Serializer[Any]):
    video = serializers.IntegerField()
    problem = serializers.CharField()
    detail = serializers.CharField()


class BulkOutcomeSerializer(serializers.Serializer[Any]):
    done = serializers.ListField(child=serializers.IntegerField())
    refused = BulkRefusalSerializer(many=True)
