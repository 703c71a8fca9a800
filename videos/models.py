"""Videos and what is known about each of their frames."""

from __future__ import annotations

from fractions import Fraction

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import GinIndex, OpClass
from django.db import models
from django.db.models.fields.json import KeyTransform
from django.db.models.functions import Now

from videos.timetable import FrameTimes


class Video(models.Model):
    """One source file in storage. Its frames, once known, never change (trigger)."""

    class State(models.TextChoices):
        REGISTERED = "registered"  # in storage, its frames not yet counted
        READY = "ready"  # the time table is known; work can be done on it
        UNREADABLE = "unreadable"  # the machine could not decode it, and says why
        RETIRED = "retired"  # a person took it out of use

    key = models.CharField(max_length=512, unique=True, help_text="Where it is in storage.")
    title = models.CharField(max_length=200)
    state = models.CharField(max_length=12, choices=State.choices, default=State.REGISTERED)
    sha256 = models.CharField(max_length=64, unique=True)
    size_bytes = models.BigIntegerField()

    # Set by the probe, all at once.
    width = models.PositiveIntegerField(null=True, help_text="Coded pixels, before rotation.")
    height = models.PositiveIntegerField(null=True, help_text="Coded pixels, before rotation.")
    rotation = models.SmallIntegerField(
        default=0, help_text="Degrees clockwise that a player must turn the picture by."
    )
    frame_count = models.PositiveIntegerField(null=True, help_text="Displayed frames.")
    time_base_num = models.PositiveIntegerField(null=True)
    time_base_den = models.PositiveIntegerField(null=True)
    frame_times = models.BinaryField(null=True, help_text="videos.timetable.FrameTimes.pack()")
    duration_ticks = models.BigIntegerField(
        null=True, help_text="First frame's start to last frame's end, in ticks of the time base."
    )
    variable_frame_rate = models.BooleanField(default=False)
    has_audio = models.BooleanField(default=False)
    codec = models.CharField(max_length=32, blank=True)
    unreadable_reason = models.CharField(max_length=500, blank=True)

    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+"
    )
    created_at = models.DateTimeField(db_default=Now())
    probed_at = models.DateTimeField(null=True)
    retired_at = models.DateTimeField(null=True)

    class Meta:
        indexes = [models.Index(fields=["state", "id"], name="video_by_state")]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(state__in=["registered", "ready", "unreadable", "retired"]),
                name="video_state_is_known",
            ),
            models.CheckConstraint(
                condition=models.Q(sha256__regex=r"^[0-9a-f]{64}$"),
                name="video_sha256_is_a_digest",
            ),
            models.CheckConstraint(
                condition=models.Q(size_bytes__gt=0), name="video_size_is_positive"
            ),
            models.CheckConstraint(
                condition=models.Q(rotation__in=[0, 90, 180, 270]),
                name="video_rotation_is_a_quarter_turn",
            ),
            models.CheckConstraint(
                condition=models.Q(
                    frame_count__isnull=True,
                    frame_times__isnull=True,
                    time_base_num__isnull=True,
                    time_base_den__isnull=True,
                    width__isnull=True,
                    height__isnull=True,
                    duration_ticks__isnull=True,
                    probed_at__isnull=True,
                )
                # A comparison with NULL is not false, and a CHECK passes what is not false.
                | models.Q(
                    frame_count__isnull=False,
                    frame_count__gt=0,
                    frame_times__isnull=False,
                    time_base_num__isnull=False,
                    time_base_num__gt=0,
                    time_base_den__isnull=False,
                    time_base_den__gt=0,
                    width__isnull=False,
                    width__gt=0,
                    height__isnull=False,
                    height__gt=0,
                    duration_ticks__isnull=False,
                    duration_ticks__gt=0,
                    probed_at__isnull=False,
                ),
                name="video_frames_known_all_or_nothing",
            ),
            models.CheckConstraint(
                condition=~models.Q(state="ready") | models.Q(frame_count__isnull=False),
                name="video_ready_has_frames",
            ),
            models.CheckConstraint(
                condition=~models.Q(state__in=["registered", "unreadable"])
                | models.Q(frame_count__isnull=True),
                name="video_without_frames_until_ready",
            ),
            models.CheckConstraint(
                condition=models.Q(state="unreadable", unreadable_reason__gt="")
                | models.Q(state="retired")
                | models.Q(state__in=["registered", "ready"], unreadable_reason=""),
                name="video_unreadable_says_why",
            ),
            models.CheckConstraint(
                condition=models.Q(state="retired", retired_at__isnull=False)
                | (~models.Q(state="retired") & models.Q(retired_at__isnull=True)),
                name="video_retired_has_its_instant",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.pk} {self.title}"

    @property
    def time_base(self) -> Fraction:
        """Seconds per tick. Only on a probed video."""
        if self.time_base_num is None or self.time_base_den is None:
            raise ValueError(f"Video {self.pk} has not been probed.")
        return Fraction(self.time_base_num, self.time_base_den)

    @property
    def times(self) -> FrameTimes:
        """The frame-time table. Only on a probed video."""
        if self.frame_times is None:
            raise ValueError(f"Video {self.pk} has not been probed.")
        return FrameTimes.unpack(bytes(self.frame_times), self.time_base)

    @property
    def duration_seconds(self) -> float | None:
        """From the first frame's start to the last frame's end; None before the probe."""
        if self.duration_ticks is None:
            return None
        return float(self.duration_ticks * self.time_base)

    @property
    def fps(self) -> float | None:
        """Average frames per second, for people to read; never for finding a frame."""
        if self.frame_count is None or not self.duration_ticks:
            return None
        return float(self.frame_count / (self.duration_ticks * self.time_base))

    @property
    def display_size(self) -> tuple[int, int] | None:
        """(width, height) in pixels as a person sees it, after rotation."""
        if self.width is None or self.height is None:
            return None
        turned = self.rotation in (90, 270)
        return (self.height, self.width) if turned else (self.width, self.height)


class VideoJob(models.Model):
    """One stage of background work on one video. This row, not the message, is the truth.

    A worker claims the row with a lease (`running_until`) and a fencing number (`attempts`): when
    it dies the sweep finds the expired lease, and when it comes back late its number no longer
    matches and it changes nothing.
    """

    class Stage(models.TextChoices):
        PROBE = "probe"
        SCREEN = "screen"
        PROXY = "proxy"
        FILMSTRIP = "filmstrip"
        PEAKS = "peaks"
        LARGE = "large"  # a proxy of 720 lines, on demand

    class State(models.TextChoices):
        WAITING = "waiting"  # to be done from `due_at` on
        RUNNING = "running"  # a worker has it until `running_until`
        DONE = "done"  # `result` says what came out
        FAILED = "failed"  # given up: `error` says why; a manager may run it again

    video = models.ForeignKey(Video, on_delete=models.CASCADE, related_name="jobs")
    stage = models.CharField(max_length=12, choices=Stage.choices)
    state = models.CharField(max_length=12, choices=State.choices, default=State.WAITING)
    parameters = models.JSONField(default=dict, help_text="E.g. screening thresholds.")
    attempts = models.PositiveIntegerField(default=0, help_text="Fencing number of the last claim.")
    failures = models.PositiveIntegerField(default=0, help_text="In a row; reset by a re-run.")
    due_at = models.DateTimeField(db_default=Now())
    told_at = models.DateTimeField(null=True, help_text="When the sweep last sent a message.")
    started_at = models.DateTimeField(null=True)
    running_until = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)
    error = models.CharField(max_length=1000, blank=True)
    result = models.JSONField(null=True)

    class Meta:
        indexes = [
            models.Index(
                fields=["due_at"],
                condition=models.Q(state="waiting"),
                name="video_job_waiting",
            ),
            models.Index(
                fields=["running_until"],
                condition=models.Q(state="running"),
                name="video_job_running",
            ),
            GinIndex(  # of small documents: the library is searched by the codes in them
                OpClass(KeyTransform("warnings", "result"), name="jsonb_path_ops"),
                name="video_job_warnings",
            ),
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["video", "stage"], name="video_job_one_per_video_and_stage"
            ),
            models.CheckConstraint(
                condition=models.Q(state__in=["waiting", "running", "done", "failed"])
                & models.Q(stage__in=["probe", "screen", "proxy", "filmstrip", "peaks", "large"]),
                name="video_job_state_and_stage_are_known",
            ),
            models.CheckConstraint(
                condition=models.Q(state="running", running_until__isnull=False)
                | (~models.Q(state="running") & models.Q(running_until__isnull=True)),
                name="video_job_running_has_a_lease",
            ),
            models.CheckConstraint(
                condition=~models.Q(state="done")
                | models.Q(result__isnull=False, finished_at__isnull=False, error=""),
                name="video_job_done_has_a_result",
            ),
            models.CheckConstraint(
                condition=~models.Q(state="failed") | models.Q(error__gt=""),
                name="video_job_failed_says_why",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.stage} of {self.video_id}: {self.state}"


class FrameHash(models.Model):
    """A 64-bit DCT hash of one sampled frame, for finding near-duplicates in the library."""

    video = models.ForeignKey(Video, on_delete=models.CASCADE, related_name="frame_hashes")
    slot = models.PositiveSmallIntegerField(help_text="Which fraction of the video's length.")
    kept = models.PositiveSmallIntegerField(help_text="Per cent of the picture, 100 is all of it.")
    frame = models.PositiveIntegerField()
    hash = models.BigIntegerField(help_text="64 bits, as a signed integer.")

    class Meta:
        indexes = [models.Index(fields=["slot", "kept"], name="frame_hash_by_slot")]
        constraints = [
            models.UniqueConstraint(
                fields=["video", "slot", "kept"], name="frame_hash_one_per_video_slot_and_crop"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.video_id}@{self.frame}/{self.kept}: {self.hash & (2**64 - 1):016x}"


class Upload(models.Model):
    """A browser's or a program's upload straight to S3, until it becomes a video."""

    class State(models.TextChoices):
        OPEN = "open"
        REGISTERING = "registering"  # `row` is what a worker looks at
        COMPLETED = "completed"  # `video` is what it became
        REFUSED = "refused"  # `row` says why; nothing of it is left in storage
        ABANDONED = "abandoned"  # given up, or of a wrong size; nothing of it is left either

    key = models.CharField(max_length=512, unique=True)
    upload_id = models.CharField(
        max_length=1024, blank=True, help_text="Of the multipart upload; empty for a single POST."
    )
    title = models.CharField(max_length=200, blank=True)
    sha256 = models.CharField(max_length=64)
    size_bytes = models.BigIntegerField()
    part_bytes = models.BigIntegerField(help_text="Each part but the last.")
    state = models.CharField(max_length=12, choices=State.choices, default=State.OPEN)
    row = models.OneToOneField(
        "RegistrationRow",
        null=True,
        on_delete=models.PROTECT,
        related_name="upload",
        help_text="Of the registration that it was handed to when everything had arrived.",
    )
    video = models.OneToOneField(Video, null=True, on_delete=models.PROTECT, related_name="upload")
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+"
    )
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        indexes = [
            models.Index(
                fields=["created_at"], condition=models.Q(state="open"), name="video_upload_open"
            ),
        ]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(state="completed", video__isnull=False)
                | models.Q(state__in=["open", "abandoned"], video__isnull=True, row__isnull=True)
                | models.Q(
                    state__in=["registering", "refused"], video__isnull=True, row__isnull=False
                ),
                name="video_upload_is_what_its_state_says",
            ),
            models.CheckConstraint(
                condition=models.Q(size_bytes__gt=0, part_bytes__gt=0),
                name="video_upload_sizes_are_positive",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.pk} {self.key}: {self.state}"

    @property
    def part_count(self) -> int:
        return -(-self.size_bytes // self.part_bytes)


class Registration(models.Model):
    """Many videos to be registered, row by row, by whichever worker is free.

    Claimed like a `VideoJob`, with a lease and a fencing number. What becomes of a row is committed
    together with its video and with the counts here: a worker that dies loses the row it was at,
    and the next one goes on there.
    """

    class Kind(models.TextChoices):
        MANIFEST = "manifest"  # rows that somebody wrote down
        PREFIX = "prefix"  # every video below a folder of the storage: listed by the job
        FOLDER = "folder"  # every video below a folder of the machine that a command runs on
        FILES = "files"  # files of a form: stored while they arrive, looked at by the job
        UPLOAD = "upload"  # one that went straight to S3, looked at by the job

    STAGED = (Kind.FILES, Kind.UPLOAD)  # their content came with them, and goes when refused

    class State(models.TextChoices):
        QUEUED = "queued"
        RUNNING = "running"
        DONE = "done"
        FAILED = "failed"
        CANCELLED = "cancelled"

    ENDED = (State.DONE, State.FAILED, State.CANCELLED)

    kind = models.CharField(max_length=10, choices=Kind.choices)
    name = models.CharField(max_length=512, help_text="The file, the prefix or the folder.")
    folder = models.CharField(
        max_length=4096,
        blank=True,
        help_text="What paths are relative to, on the command's machine.",
    )
    by_worker = models.BooleanField(
        default=True, help_text="False when the command that began it carries it out."
    )
    state = models.CharField(max_length=10, choices=State.choices, default=State.QUEUED)
    total = models.PositiveIntegerField(null=True, help_text="Rows; null until a prefix is listed.")
    registered_count = models.PositiveIntegerField(default=0)
    refused_count = models.PositiveIntegerField(default=0)
    attempts = models.PositiveIntegerField(default=0, help_text="Fencing number of the last claim.")
    failures = models.PositiveIntegerField(default=0, help_text="In a row, without a row done.")
    error = models.CharField(max_length=1000, blank=True)
    due_at = models.DateTimeField(db_default=Now())
    told_at = models.DateTimeField(null=True, help_text="When the sweep last sent a message.")
    running_until = models.DateTimeField(null=True)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+"
    )
    created_at = models.DateTimeField(db_default=Now())
    finished_at = models.DateTimeField(null=True)

    class Meta:
        indexes = [
            models.Index(
                fields=["due_at"],
                condition=models.Q(state__in=["queued", "running"]),
                name="video_registration_open",
            ),
        ]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(
                    state__in=["queued", "running", "done", "failed", "cancelled"],
                    kind__in=["manifest", "prefix", "folder", "files", "upload"],
                ),
                name="video_registration_state_and_kind_are_known",
            ),
            models.CheckConstraint(
                condition=models.Q(state="running", running_until__isnull=False)
                | (~models.Q(state="running") & models.Q(running_until__isnull=True)),
                name="video_registration_running_has_a_lease",
            ),
            models.CheckConstraint(
                condition=models.Q(
                    state__in=["done", "failed", "cancelled"], finished_at__isnull=False
                )
                | models.Q(state__in=["queued", "running"], finished_at__isnull=True),
                name="video_registration_ended_has_its_instant",
            ),
            models.CheckConstraint(
                condition=~models.Q(state="done")
                | models.Q(
                    total__isnull=False,
                    total=models.F("registered_count") + models.F("refused_count"),
                    error="",
                ),
                name="video_registration_done_counts_every_row",
            ),
            models.CheckConstraint(
                condition=~models.Q(state="failed") | models.Q(error__gt=""),
                name="video_registration_failed_says_why",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.pk} {self.kind} {self.name}: {self.done_count}/{self.total} {self.state}"

    @property
    def done_count(self) -> int:
        """Rows that are registered or refused."""
        return self.registered_count + self.refused_count

    @property
    def has_ended(self) -> bool:
        return self.state in self.ENDED


class RegistrationRow(models.Model):
    """One row of a registration and what became of it."""

    class State(models.TextChoices):
        WAITING = "waiting"
        REGISTERED = "registered"  # as `video`
        REFUSED = "refused"  # `problem` and `detail` say why

    registration = models.ForeignKey(Registration, on_delete=models.CASCADE, related_name="rows")
    number = models.PositiveIntegerField(help_text="1-based, without the header.")
    key = models.TextField(blank=True, help_text="An object that is in storage already.")
    path = models.TextField(blank=True, help_text="A file, relative to the registration's folder.")
    is_staged = models.BooleanField(
        default=False,
        db_default=False,
        help_text="The object at `key` came with the row, and goes when the row is refused.",
    )
    title = models.TextField(blank=True)
    sha256 = models.CharField(
        max_length=64,
        blank=True,
        db_default="",
        help_text="Announced: other content is refused. Empty when nobody announced any.",
    )
    state = models.CharField(max_length=10, choices=State.choices, default=State.WAITING)
    video = models.OneToOneField(
        Video, null=True, on_delete=models.PROTECT, related_name="registration_row"
    )
    problem = models.CharField(max_length=64, blank=True, help_text="Its slug.")
    detail = models.TextField(blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["registration", "number"], name="registration_row_one_per_number"
            ),
            models.CheckConstraint(
                condition=models.Q(state="waiting", video__isnull=True, problem="")
                | models.Q(state="registered", video__isnull=False, problem="")
                | models.Q(state="refused", video__isnull=True, problem__gt=""),
                name="registration_row_says_what_became_of_it",
            ),
            models.CheckConstraint(
                condition=models.Q(is_staged=False)
                | (~models.Q(state="registered") & models.Q(key__gt="", path__gt="")),
                name="registration_row_staged_is_no_video_yet",
            ),
        ]
        indexes = [
            models.Index(
                fields=["registration", "number"],
                condition=models.Q(is_staged=True),
                name="registration_row_staged",
            ),
            models.Index(
                fields=["registration", "number"],
                condition=models.Q(state="waiting"),
                name="registration_row_waiting",
            ),
            models.Index(
                fields=["registration", "number"],
                condition=models.Q(state="refused"),
                name="registration_row_refused",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.registration_id}/{self.number} {self.name}: {self.state}"

    @property
    def name(self) -> str:
        """What the row named: a key or a path; empty when it named nothing."""
        return self.path if self.is_staged else self.key or self.path


class ScreeningFigures(models.Model):
    """The screening's measures as columns, so that thresholds are compared in the database.

    Derived from the result of the stage `screen`, in the same transaction. Medians are over the
    samples of the video; see `videos.screening.Measures`.
    """

    video = models.OneToOneField(
        Video, primary_key=True, on_delete=models.CASCADE, related_name="figures"
    )
    sharpness = models.FloatField(null=True, help_text="Median.")
    mean = models.FloatField(null=True, help_text="Median.")
    black = models.FloatField(null=True, help_text="Median.")
    clipped = models.FloatField(null=True, help_text="Median.")
    plain = ArrayField(models.FloatField(), default=list, help_text="Of each sample.")
    seconds = ArrayField(models.FloatField(), default=list, help_text="Of each sample.")
    change = ArrayField(
        models.FloatField(null=True), default=list, help_text="Each sample against the one before."
    )
    shake = models.FloatField(null=True, help_text="Median.")
    shake_count = models.PositiveIntegerField(default=0, help_text="Bursts that were measured.")
    speech_share = models.FloatField(
        null=True, help_text="Of the sound; null when there was nothing to hear or point to."
    )

    def __str__(self) -> str:
        return f"screening figures of {self.video_id}"
