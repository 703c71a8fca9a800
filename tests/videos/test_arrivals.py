"""Files of a form: stored in the request, looked at by the job; nothing of a refused one stays."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from django.core.files.storage import FileSystemStorage
from django.db import IntegrityError, connection, transaction

from contractors.models import User
from events.models import Event
from tests.videos.files import named
from videos import arrivals, jobs, registrations, storage
from videos.models import Registration, RegistrationRow, Video

pytestmark = pytest.mark.django_db


def files_in(folder: Path) -> list[bytes]:
    return sorted(path.read_bytes() for path in folder.rglob("*") if path.is_file())


def send(actor: User, *contents: bytes) -> Registration:
    return registrations.begin_files(
        actor=actor, files=[named(body, f"{n}.mp4") for n, body in enumerate(contents)]
    )


def days_pass() -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE videos_registration SET created_at = created_at - interval '8 days',"
            " finished_at = finished_at - interval '8 days'"
        )


def rows(registration: Registration) -> list[tuple[str, str, str, bool]]:
    found = registration.rows.order_by("number")
    return [(row.name, row.state, row.problem, row.is_staged) for row in found]


def test_a_worker_is_told_once_everything_arrived(
    manager_user: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[Any] = []
    keep = storage.save_as

    def save_as(*args: Any) -> None:
        seen.append(registrations.due())
        keep(*args)

    monkeypatch.setattr(storage, "save_as", save_as)
    sent = send(manager_user, b"a", b"b")
    assert seen == [[], []], "no worker may look while they arrive"
    assert registrations.due() == [sent.pk]
    told = Event.objects.filter(subject_id=sent.pk, type__startswith="registration.")
    assert [(e.type, e.data["by_worker"]) for e in told.order_by("id")] == [
        ("registration.begun", False), ("registration.arrived", True),
    ]  # fmt: skip


def test_duplicates_are_refused_rows_and_their_content_goes(
    manager_user: User, media_root: Path
) -> None:
    first = send(manager_user, b"a")
    registrations.carry_out(first.pk)
    again = send(manager_user, b"a", b"b", b"")
    assert files_in(media_root) == [b"", b"a", b"a", b"b"]
    registrations.carry_out(again.pk)
    assert rows(again) == [
        ("0.mp4", "refused", "video-already-registered", False),
        ("1.mp4", "registered", "", False),
        ("2.mp4", "refused", "empty-file", False),
    ]
    again.refresh_from_db()
    assert (again.state, again.registered_count, again.refused_count) == ("done", 1, 2)
    assert files_in(media_root) == [b"a", b"b"]
    assert {(media_root / v.key).read_bytes() for v in Video.objects.all()} == {b"a", b"b"}


def test_what_cannot_be_deleted_now_is_deleted_by_the_sweep(
    manager_user: User, media_root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent = send(manager_user, b"a", b"a")

    def refuse(self: object, name: str) -> None:
        raise OSError("read-only")

    with monkeypatch.context() as patch:
        patch.setattr(FileSystemStorage, "delete", refuse)
        registrations.carry_out(sent.pk)
    sent.refresh_from_db()
    assert sent.state == "done", "the row's verdict does not hang on it"
    assert files_in(media_root) == [b"a", b"a"]
    jobs.sweep()
    assert files_in(media_root) == [b"a"]
    assert [staged for *_, staged in rows(sent)] == [False, False]


def test_a_request_that_breaks_registers_nothing_and_can_be_taken_up(
    manager_user: User, media_root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keep = storage.save_as
    stored: list[str] = []

    def full(key: str, *rest: Any) -> None:
        if stored:
            raise OSError("No space left on device")
        stored.append(key)
        keep(key, *rest)

    monkeypatch.setattr(storage, "save_as", full)
    with pytest.raises(OSError, match="No space"):
        send(manager_user, b"a", b"b")
    broken = Registration.objects.get()
    assert (broken.state, registrations.due()) == ("cancelled", [])
    registrations.resume(actor=manager_user, registration=broken)
    registrations.carry_out(broken.pk)
    assert [(name, state, problem) for name, state, problem, _ in rows(broken)] == [
        ("0.mp4", "registered", ""), ("1.mp4", "refused", "not-in-storage"),
    ]  # fmt: skip
    assert files_in(media_root) == [b"a"]


def test_a_request_that_was_killed_is_cancelled_and_its_content_given_up(
    manager_user: User, media_root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Killed(BaseException):
        pass

    keep = storage.save_as

    def killed(*args: Any) -> None:
        keep(*args)
        raise Killed

    monkeypatch.setattr(storage, "save_as", killed)
    with pytest.raises(Killed):
        send(manager_user, b"a", b"b")
    jobs.sweep()
    left = Registration.objects.get()
    assert (left.state, files_in(media_root)) == ("queued", [b"a"]), "it may still be arriving"
    days_pass()
    jobs.sweep()
    left.refresh_from_db()
    assert (left.state, files_in(media_root)) == ("cancelled", [b"a"])
    days_pass()
    jobs.sweep()
    left.refresh_from_db()
    assert rows(left) == [
        ("0.mp4", "refused", "upload-given-up", False),
        ("1.mp4", "refused", "upload-given-up", False),
    ]
    assert (left.state, left.refused_count, files_in(media_root)) == ("cancelled", 2, [])


def test_content_that_another_registration_made_a_video_stays(
    manager_user: User, media_root: Path
) -> None:
    sent = send(manager_user, b"a")
    key = RegistrationRow.objects.get().key
    other = registrations.begin(
        actor=manager_user, kind="manifest", name="m.csv", rows=[{"key": key}]
    )
    registrations.carry_out(other.pk)
    registrations.carry_out(sent.pk)
    assert rows(sent) == [("0.mp4", "refused", "video-already-registered", False)]
    assert (media_root / Video.objects.get().key).read_bytes() == b"a"


def test_a_prefix_leaves_out_what_is_arriving(manager_user: User, media_root: Path) -> None:
    send(manager_user, b"a")
    (media_root / "videos/mine.mp4").write_bytes(b"b")
    listed = registrations.begin(actor=manager_user, kind="prefix", name="videos")
    registrations.carry_out(listed.pk)
    assert rows(listed) == [("videos/mine.mp4", "registered", "", False)]


@pytest.mark.parametrize("attack", ["key = ''", "path = ''", "state = 'registered', video_id = 0"])
def test_the_database_refuses_content_without_an_owner(manager_user: User, attack: str) -> None:
    send(manager_user, b"a")
    with (
        pytest.raises(IntegrityError, match="registration_row_staged_is_no_video_yet"),
        transaction.atomic(),
        connection.cursor() as cursor,
    ):
        cursor.execute(f"UPDATE videos_registrationrow SET {attack}")


def test_a_name_without_a_suffix_is_kept_as_plain_bytes(manager_user: User) -> None:
    assert arrivals.row_of("page.html")["key"].endswith(".bin")
    assert arrivals.row_of("") | {"key": ""} == {"key": "", "path": "-", "title": "untitled"}
