"""Making the demo: every step looks first, so that each start completes what is missing."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from datetime import date
from pathlib import Path

from django.conf import settings
from django.contrib.auth.models import Permission
from django.db import transaction

from contractors.models import Contractor, User
from contractors.services import (
    activate,
    declare_residence,
    default_policy,
    make_offer,
    register_contractor,
    start_interview,
    start_quiz,
)
from demo import guideline
from demo.accounts import CONTRACTORS, MANAGER, PASSWORD, PROJECT_NAME, STAFF, Account
from tasks.models import Project, Task
from tasks.queries import current_guideline
from tasks.services import (
    create_project,
    create_tasks,
    open_tasks,
    publish_guideline,
    write_guideline,
)
from videos.demo_clips import generate_demo_clips
from videos.models import Video
from videos.problems import VideoAlreadyRegistered
from videos.services import probe, register_video

CLIPS = 4
CLIP_SECONDS = 8
LIVED_THERE_SINCE = date(2025, 1, 1)


def is_allowed() -> bool:
    """Whether accounts with a published password may exist here."""
    return bool(settings.DEBUG or settings.PLATFORM_DEMO)


def set_up_people() -> None:
    """Make the log-ins that are missing. Idempotent."""
    for account in STAFF:
        _staff(account)
    for account in CONTRACTORS:
        add_contractor(account)


def set_up() -> None:
    """Make people, project, clips and tasks, or whatever of it is missing. Idempotent.

    Side effects: rows, files in media storage; clips are probed at once in this process.
    """
    set_up_people()
    manager = User.objects.get(email=MANAGER.email)
    project = _project(manager)
    if project.tasks.count() < CLIPS:
        with transaction.atomic():
            create_tasks(actor=manager, project=project, videos=_videos(manager))
    drafts = project.tasks.filter(state=Task.State.DRAFT, video__state=Video.State.READY)
    open_tasks(actor=manager, tasks=drafts)


@transaction.atomic
def _staff(account: Account) -> None:
    if User.objects.filter(email=account.email).exists():
        return
    user = User.objects.create_user(
        account.email,
        PASSWORD,
        name=account.name,
        roles=[account.role],
        is_staff=account.role == "manager",
    )
    if user.is_staff:  # looks into the admin, changes nothing there
        user.user_permissions.set(Permission.objects.filter(codename__startswith="view_"))


@transaction.atomic
def add_contractor(account: Account) -> None:
    """Make a contractor who went through every step and lives where the account says."""
    if Contractor.objects.filter(user__email=account.email).exists():
        return
    person = register_contractor(email=account.email, password=PASSWORD, name=account.name)
    for step in (start_interview, start_quiz, make_offer, activate):
        step(contractor=person, actor=None)
    declare_residence(
        contractor=person,
        area=account.area,
        from_date=LIVED_THERE_SINCE,
        evidence="demo",
        actor=person.user,
    )


@transaction.atomic
def _project(manager: User) -> Project:
    project = Project.objects.filter(name=PROJECT_NAME).first()
    if project is None:
        project = create_project(
            actor=manager,
            name=PROJECT_NAME,
            description="Cut what the hands do, frame by frame. $16.00 per accepted video.",
            policy=default_policy(),
            price_cents=1600,
            overlap=2,
        )
    if current_guideline(project) is None:
        draft = write_guideline(
            actor=manager, project=project, title=guideline.TITLE, body=guideline.text()
        )
        publish_guideline(actor=manager, guideline=draft)
    return project


def _videos(manager: User) -> Sequence[Video]:
    videos = []
    with tempfile.TemporaryDirectory(prefix="demo-clips-") as folder:
        for clip in generate_demo_clips(Path(folder), count=CLIPS, seconds=CLIP_SECONDS):
            with clip.path.open("rb") as file:
                try:
                    video = register_video(actor=manager, file=file, title=clip.title)
                except VideoAlreadyRegistered as known:
                    video = Video.objects.get(pk=known.extra["video"])
            videos.append(probe(video.pk))
    return videos
