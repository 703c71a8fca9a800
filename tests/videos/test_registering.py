from __future__ import annotations

from pathlib import Path

import pytest
from django.db import IntegrityError, connection, transaction
from django.db.utils import InternalError

from contractors.models import User
from events.models import Event
from tests.videos.files import named
from videos import services
from videos.models import Video, VideoJob
from videos.problems import EmptyFile, InvalidKey, NotInStorage, VideoAlreadyRegistered

pytestmark = pytest.mark.django_db


def test_registering_writes_file_row_job_and_event_together(
    manager_user: User, media_root: Path
) -> None:
    video = services.register_video(actor=manager_user, file=named(b"abc", "Making_tea.MP4"))
    assert video.state == "registered"
    assert video.title == "Making tea"
    assert video.size_bytes == 3
    sha256 = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert video.sha256 == sha256
    assert video.key == f"videos/{sha256}.mp4"
    assert (media_root / video.key).read_bytes() == b"abc"
    assert [(j.stage, j.state) for j in video.jobs.all()] == [("probe", "waiting")]
    event = Event.objects.get()
    assert (event.type, event.subject_id, event.actor_id) == (
        "video.registered", video.pk, manager_user.pk,
    )  # fmt: skip


def test_same_content_under_another_name_is_refused(manager_user: User, media_root: Path) -> None:
    first = services.register_video(actor=manager_user, file=named(b"abc", "a.mp4"))
    with pytest.raises(VideoAlreadyRegistered) as refusal:
        services.register_video(actor=manager_user, file=named(b"abc", "b.mov"))
    assert refusal.value.extra == {"video": first.pk}
    assert Video.objects.count() == Event.objects.count() == VideoJob.objects.count() == 1
    assert [p.name for p in (media_root / "videos").iterdir()] == [Path(first.key).name]


def test_same_content_in_storage_under_another_key_is_refused(
    manager_user: User, media_root: Path
) -> None:
    (media_root / "raw").mkdir()
    (media_root / "raw/a.mp4").write_bytes(b"abc")
    (media_root / "raw/b.mp4").write_bytes(b"abc")
    video = services.register_video(actor=manager_user, key="raw/a.mp4")
    assert video.key == "raw/a.mp4"
    with pytest.raises(VideoAlreadyRegistered):
        services.register_video(actor=manager_user, key="raw/b.mp4")
    with pytest.raises(VideoAlreadyRegistered):
        services.register_video(actor=manager_user, key="raw/a.mp4")


def test_a_half_written_leftover_is_replaced(manager_user: User, media_root: Path) -> None:
    video = services.register_video(actor=manager_user, file=named(b"abc"))
    key, path = video.key, media_root / video.key
    video.delete()
    path.write_bytes(b"a")
    services.register_video(actor=manager_user, file=named(b"abc"))
    assert (media_root / key).read_bytes() == b"abc"


@pytest.mark.parametrize(
    "key",
    ["../secret", "/etc/passwd", "a//b", "./a", "artefacts/1/proxy/1/a.mp4", "a\nb", "a\\b", ""],
)
def test_keys_that_leave_the_store_are_refused(manager_user: User, key: str) -> None:
    with pytest.raises(InvalidKey):
        services.register_video(actor=manager_user, key=key)


def test_missing_and_empty_files_are_refused(manager_user: User, media_root: Path) -> None:
    (media_root / "folder").mkdir()
    for key in ("nothing.mp4", "folder"):
        with pytest.raises(NotInStorage):
            services.register_video(actor=manager_user, key=key)
    with pytest.raises(EmptyFile):
        services.register_video(actor=manager_user, file=named(b""))
    assert not Video.objects.exists()


def test_retire_and_restore_follow_the_frames(manager_user: User) -> None:
    video = services.register_video(actor=manager_user, file=named(b"abc"))
    retired = services.retire(actor=manager_user, video=video, reason="faces")
    assert retired.state == "retired"
    assert retired.retired_at is not None
    services.retire(actor=manager_user, video=video)
    restored = services.restore(actor=manager_user, video=video)
    assert (restored.state, restored.retired_at) == ("registered", None)
    assert list(Event.objects.order_by("id").values_list("type", flat=True)) == [
        "video.registered",
        "video.retired",
        "video.restored",
    ]


ATTACKS = [
    "UPDATE videos_video SET state = 'ready'",
    "UPDATE videos_video SET state = 'gone'",
    "UPDATE videos_video SET state = 'unreadable'",
    "UPDATE videos_video SET unreadable_reason = 'because'",
    "UPDATE videos_video SET state = 'retired'",
    "UPDATE videos_video SET retired_at = now()",
    "UPDATE videos_video SET frame_count = 3",
    "UPDATE videos_video SET rotation = 45",
    "UPDATE videos_video SET size_bytes = 0",
    "UPDATE videos_videojob SET state = 'running'",
    "UPDATE videos_videojob SET state = 'done'",
    "UPDATE videos_videojob SET state = 'failed'",
    "UPDATE videos_videojob SET running_until = now()",
    "UPDATE videos_videojob SET stage = 'lunch'",
]


@pytest.mark.parametrize("attack", ATTACKS)
def test_the_database_refuses_states_that_make_no_sense(manager_user: User, attack: str) -> None:
    services.register_video(actor=manager_user, file=named(b"abc"))
    with pytest.raises(IntegrityError), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(attack)


def test_the_database_refuses_to_change_content(manager_user: User) -> None:
    services.register_video(actor=manager_user, file=named(b"abc"))
    for change in (f"sha256 = '{'0' * 64}'", "size_bytes = 4"):
        with (
            pytest.raises((IntegrityError, InternalError)),
            transaction.atomic(),
            connection.cursor() as cursor,
        ):
            cursor.execute(f"UPDATE videos_video SET {change}")
