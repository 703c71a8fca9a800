"""Rows that tests need, made with as little ceremony as possible. Plain functions; add yours.

Each makes a distinct row on every call; keyword arguments override what matters to the test.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from fractions import Fraction
from itertools import count
from typing import Any

import numpy as np
from django.db import transaction
from django.db.backends.postgresql.psycopg_any import DateRange
from django.utils import timezone
from knox.models import get_token_model
from rest_framework.test import APIClient

from annotation_platform.clock import database_now
from contractors.models import (
    Contractor,
    EligibilityPolicy,
    EligibilityPolicyVersion,
    EligibilityRow,
    Residence,
    Role,
    User,
)
from tasks import services
from tasks.models import Assignment, Project, Submission, Task
from timelines.segment import Hands, Segment
from videos.models import Video, VideoJob
from videos.timetable import FrameTimes

PASSWORD = "correct horse battery staple"

# What the project's own policy says (money.md): the default of `policy()`.
PROJECT_POLICY = (
    ("US", "allow"),
    ("US-CA", "deny"),
    ("US-NY", "deny"),
    ("US-CT", "deny"),
    ("US-WA", "deny"),
    ("US-DC", "deny"),
    ("CA", "allow"),
)

_numbers = count(1)


def user(*roles: str, email: str = "", name: str = "", password: str = PASSWORD) -> User:
    """Somebody who can sign in, with these roles."""
    number = next(_numbers)
    return User.objects.create_user(
        email or f"{'-'.join(roles) or 'nobody'}-{number}@example.org",
        password,
        name=name or f"Person {number}",
        roles=list(roles),
    )


def manager() -> User:
    return user(Role.MANAGER)


def reviewer() -> User:
    return user(Role.REVIEWER)


def finance() -> User:
    return user(Role.FINANCE)


def contractor(
    *,
    area: str | None = "US-TX",
    state: str = Contractor.State.ACTIVE,
    since: date = date(2020, 1, 1),
    name: str = "",
) -> Contractor:
    """A contractor who has lived in `area` since a day long past (None: no residence declared)."""
    person = Contractor.objects.create(
        user=user(Role.CONTRACTOR, name=name),
        state=state,
        activated_at=timezone.now() if state in ("active", "restricted") else None,
    )
    if area is not None:
        Residence.objects.create(contractor=person, area=area, valid=DateRange(since, None))
    return person


@transaction.atomic  # a published policy version is sealed with its rows
def policy(
    rows: tuple[tuple[str, str], ...] = PROJECT_POLICY, *, name: str = ""
) -> EligibilityPolicy:
    """An eligibility policy with version 1 of these (area, effect) rows in effect."""
    made = EligibilityPolicy.objects.create(name=name or f"Policy {next(_numbers)}")
    version = EligibilityPolicyVersion.objects.create(policy=made, number=1)
    EligibilityRow.objects.bulk_create(
        EligibilityRow(version=version, area=area, effect=effect) for area, effect in rows
    )
    return made


def client_for(person: User | Contractor | None) -> APIClient:
    """An API client signed in with a real token header; None: nobody."""
    client = APIClient()
    if person is not None:
        account = person.user if isinstance(person, Contractor) else person
        _, token = get_token_model().objects.create(account)
        client.credentials(HTTP_AUTHORIZATION=f"Token {token}")
    return client


# --- videos and tasks --------------------------------------------------------------------


def video(*, frames: int = 300, fps: int = 30, title: str = "") -> Video:
    """A ready video with a regular time table; no file behind it."""
    number = next(_numbers)
    times = FrameTimes(np.arange(frames, dtype=np.int64), Fraction(1, fps))
    return Video.objects.create(
        key=f"videos/{number}.mp4",
        title=title or f"Video {number}",
        state=Video.State.READY,
        sha256=f"{number:064x}",
        size_bytes=1,
        width=480,
        height=270,
        frame_count=frames,
        time_base_num=1,
        time_base_den=fps,
        frame_times=times.pack(),
        duration_ticks=frames,
        probed_at=timezone.now(),
    )


def project(*, name: str = "", guideline: bool = True, **settings: Any) -> Project:
    """An active project paying $16.00 with a published guideline; needs `policy` or makes one."""
    made = services.create_project(
        actor=None,
        name=name or f"Project {next(_numbers)}",
        policy=settings.pop("policy", None) or policy(),
        **settings,
    )
    if guideline:
        draft = services.write_guideline(
            actor=None, project=made, title="Kitchen actions", body="# Cut on contact"
        )
        services.publish_guideline(actor=None, guideline=draft)
    return made


def open_tasks(of: Project, count: int = 1, *, frames: int = 300) -> list[Task]:
    """Open tasks on new videos, in queue order."""
    drafts = services.create_tasks(
        actor=None, project=of, videos=[video(frames=frames) for _ in range(count)]
    )
    return sorted(services.open_tasks(actor=None, tasks=drafts), key=lambda task: task.pk)


def worker(of: Project, **kwargs: Any) -> Contractor:
    """An eligible contractor who has acknowledged the project's current guideline."""
    person = contractor(**kwargs)
    guideline = of.guidelines.filter(published_at__isnull=False).order_by("-version")[0]
    services.acknowledge_guideline(contractor=person, guideline=guideline)
    return person


def claimed(of: Project, person: Contractor | None = None) -> Assignment:
    """A live claim on the project's next task."""
    return services.claim_next_task(contractor=person or worker(of), project=of)


def segments(*rows: tuple[int, int, str, Hands, str]) -> list[Segment]:
    """Segments from (start, end, action type, hands, description); three plain ones by default."""
    return [Segment(*row) for row in rows] or [
        Segment(0, 90, "pick_up", Hands.RIGHT, "Pick up the cup"),
        Segment(90, 200, "pour", Hands.BOTH, "Pour water into the cup"),
        Segment(200, 300, "put_down", Hands.RIGHT, "Put the cup down"),
    ]


def submitted(assignment: Assignment, work: Sequence[Segment] = ()) -> Submission:
    """The claim's timeline, handed in as usable."""
    return services.submit(
        assignment=assignment, segments=work or segments(), screening_verdict="usable"
    )


def age(assignment: Assignment, **by: float) -> None:
    """Let time pass for one claim: moves its instants back, `age(a, minutes=31)`.

    Leases are judged by the database's clock, which no test can turn; the row can be moved.
    """
    delta = timedelta(**by)
    moved = {
        field: getattr(assignment, field) - delta
        for field in ("claimed_at", "lease_expires_at", "lease_ceiling_at", "submitted_at")
        if getattr(assignment, field) is not None
    }
    Assignment.objects.filter(pk=assignment.pk).update(**moved)
    assignment.refresh_from_db()


def made_from(video: Video) -> None:
    """Proxy, a filmstrip of two tiles and audio peaks of `video`, done long ago; no files."""
    strip = {"tile_width": 160, "tile_height": 90, "columns": 10, "rows": 10}
    results: dict[str, dict[str, Any]] = {
        "proxy": {"files": {"proxy.mp4": f"artefacts/{video.pk}/proxy/1/proxy.mp4"}},
        "peaks": {"files": {"peaks.json": f"artefacts/{video.pk}/peaks/1/peaks.json"}},
        "filmstrip": {
            **strip,
            "frames": [0, 30],
            "sheets": ["sheet-0.jpg"],
            "files": {"sheet-0.jpg": f"artefacts/{video.pk}/filmstrip/1/sheet-0.jpg"},
        },
    }
    for stage, result in results.items():
        VideoJob.objects.create(
            video=video, stage=stage, state="done", finished_at=database_now(), result=result
        )
