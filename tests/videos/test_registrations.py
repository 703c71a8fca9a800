"""Registering many videos: row by row, told as it goes, taken up again where it stopped."""

from __future__ import annotations

import json
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import EndpointConnectionError
from django.core.management import CommandError, call_command
from django.db import IntegrityError, connection, transaction
from rest_framework.test import APIClient

from contractors.models import User
from events.models import Event
from videos import registrations, services, storage
from videos.models import Registration, RegistrationRow, Video, VideoJob
from videos.problems import (
    InvalidKey,
    InvalidManifest,
    RegistrationHasEnded,
    RegistrationIsElsewhere,
    RegistrationIsOpen,
)

pytestmark = pytest.mark.django_db

ADDRESS = "/api/v1/videos/registrations/"


@pytest.fixture
def api(manager_user: User) -> APIClient:
    client = APIClient()
    client.force_authenticate(manager_user)
    return client


@pytest.fixture
def stored(media_root: Path) -> Path:
    """a.mp4, b.mp4 and c.mp4 in storage below raw/, each with its letter as content."""
    (media_root / "raw").mkdir()
    for name in "abc":
        (media_root / f"raw/{name}.mp4").write_bytes(name.encode())
    return media_root


def begun(actor: User | None, *rows: dict[str, Any], **more: Any) -> Registration:
    return registrations.begin(actor=actor, kind="manifest", name="m.csv", rows=rows, **more)


def outcome(registration: Registration) -> list[tuple[int, str, str]]:
    rows = registration.rows.order_by("number")
    return [(r.number, r.state, r.problem or (r.video.title if r.video else "")) for r in rows]


def later() -> None:
    """Whatever waits for its time is due."""
    with connection.cursor() as cursor:
        cursor.execute("UPDATE videos_registration SET due_at = now() - interval '1 second'")


def worker_died() -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE videos_registration SET running_until = now() - interval '1 second',"
            " told_at = NULL"
        )


def test_every_refused_row_is_told_and_the_others_are_registered(
    manager_user: User, stored: Path
) -> None:
    registration = begun(
        manager_user,
        {"key": "raw/a.mp4", "title": "Kitchen"},
        {"key": "raw/missing.mp4"},
        {"key": "raw/a.mp4"},
        {"title": "nothing named"},
        {"key": "../x"},
        {"path": "local.mp4"},
        {"key": "raw/\0.mp4"},
        {"key": "raw"},
        {"key": "raw/b.mp4"},
    )
    assert (registration.state, registration.total) == ("queued", 9)
    assert not Video.objects.exists(), "nothing is read in the request"
    assert registrations.carry_out(registration.pk) is False
    assert outcome(registration) == [
        (1, "registered", "Kitchen"),
        (2, "refused", "not-in-storage"),
        (3, "refused", "video-already-registered"),
        (4, "refused", "invalid-manifest"),
        (5, "refused", "invalid-key"),
        (6, "refused", "invalid-manifest"),  # paths are for the command line
        (7, "refused", "not-in-storage"),  # PostgreSQL keeps no NUL
        (8, "refused", "not-in-storage"),
        (9, "registered", "b"),
    ]
    registration.refresh_from_db()
    assert (registration.state, registration.registered_count, registration.refused_count) == (
        "done", 2, 7,
    )  # fmt: skip
    assert {v.created_by for v in Video.objects.all()} == {manager_user}
    assert Event.objects.filter(type="video.registered").count() == 2
    ended = Event.objects.get(type="registration.done")
    assert ended.data == {"registered": 2, "refused": 7, "error": ""}
    registrations.carry_out(registration.pk)  # again: nothing to do
    assert Video.objects.count() == VideoJob.objects.count() == 2


def test_nothing_and_too_much_are_refused_before_anything_is_stored(
    manager_user: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(registrations, "MOST_ROWS", 2)
    for rows in ([], [{"key": "x"}] * 3):
        with pytest.raises(InvalidManifest):
            begun(manager_user, *rows)
    for prefix in ("../..", "/etc", "a//b", "", "artefacts/1"):
        with pytest.raises(InvalidKey):
            registrations.begin(actor=manager_user, kind="prefix", name=prefix)
    assert not Registration.objects.exists()
    assert not Event.objects.exists()


def test_a_prefix_is_listed_by_the_job(manager_user: User, stored: Path) -> None:
    (stored / "raw/day").mkdir()
    (stored / "raw/day/d.MOV").write_bytes(b"d")
    (stored / "raw/notes.txt").write_bytes(b"n")
    registration = registrations.begin(actor=manager_user, kind="prefix", name="raw/")
    assert (registration.total, registration.rows.count()) == (None, 0)
    registrations.carry_out(registration.pk)
    registration.refresh_from_db()
    assert (registration.state, registration.total) == ("done", 4)
    assert sorted(Video.objects.values_list("key", flat=True)) == [
        "raw/a.mp4", "raw/b.mp4", "raw/c.mp4", "raw/day/d.MOV",
    ]  # fmt: skip
    empty = registrations.begin(actor=manager_user, kind="prefix", name="no/where")
    registrations.carry_out(empty.pk)
    empty.refresh_from_db()
    assert (empty.state, empty.error) == ("failed", "There is no video in it.")


def test_a_worker_that_died_is_followed_by_one_that_goes_on_at_its_row(
    manager_user: User, stored: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    registration = begun(manager_user, *({"key": f"raw/{name}.mp4"} for name in "abc"))
    enter = services.enter

    def die_on_b(**arguments: Any) -> Video:
        if arguments["source"].key == "raw/b.mp4":
            raise SystemExit  # after the content was read
        return enter(**arguments)

    monkeypatch.setattr(services, "enter", die_on_b)
    monkeypatch.setattr(registrations, "_give_back", lambda claim: None)  # it had no time to
    with pytest.raises(SystemExit):
        registrations.carry_out(registration.pk)
    registration.refresh_from_db()
    assert (registration.state, registration.done_count) == ("running", 1)
    assert [state for _, state, _ in outcome(registration)] == ["registered", "waiting", "waiting"]
    monkeypatch.undo()
    assert registrations.due() == []  # its lease has not ended
    registrations.carry_out(registration.pk)
    assert Video.objects.count() == 1
    worker_died()
    assert registrations.due() == [registration.pk]
    assert registrations.due() == []  # told a moment ago
    registrations.carry_out(registration.pk)
    registration.refresh_from_db()
    assert (registration.state, registration.registered_count, registration.attempts) == (
        "done", 3, 2,
    )  # fmt: skip
    assert [v.title for v in Video.objects.order_by("pk")] == ["a", "b", "c"]
    assert Event.objects.filter(type="video.registered").count() == 3


def test_a_worker_that_comes_back_late_changes_nothing(manager_user: User, stored: Path) -> None:
    registration = begun(manager_user, {"key": "raw/a.mp4"})
    claim = registrations._claim(registration.pk, here=False)
    assert claim is not None
    worker_died()
    newer = registrations._claim(registration.pk, here=False)
    assert newer is not None
    assert registrations._register_rows(claim, None, None) is True
    registrations._finish(claim)
    registrations._give_back(claim)
    assert not Video.objects.exists()
    assert Registration.objects.get().state == "running"
    assert registrations._register_rows(newer, None, None) is True
    registrations._finish(newer)
    assert (Registration.objects.get().state, Video.objects.count()) == ("done", 1)


def test_a_row_that_died_every_time_is_given_up(manager_user: User, stored: Path) -> None:
    registration = begun(manager_user, {"key": "raw/a.mp4"})
    for _ in range(6):
        assert registrations._claim(registration.pk, here=False) is not None
        worker_died()
    assert registrations._claim(registration.pk, here=False) is None
    registration.refresh_from_db()
    assert (registration.state, registration.error) == ("failed", "Its worker died every time.")


def test_a_passing_failure_waits_longer_each_time_and_goes_on(
    manager_user: User, stored: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    registration = begun(manager_user, {"key": "raw/a.mp4"}, {"key": "raw/b.mp4"})
    opened = storage.opened

    def away(key: str) -> Any:
        if key == "raw/b.mp4":
            raise EndpointConnectionError(endpoint_url="https://s3.invalid")
        return opened(key)

    monkeypatch.setattr(storage, "opened", away)
    waits = []
    for _ in range(5):
        registrations.carry_out(registration.pk)
        registration.refresh_from_db()
        assert registration.state == "queued"
        assert registration.error.startswith("Row 2 (raw/b.mp4): EndpointConnectionError")
        with connection.cursor() as cursor:
            cursor.execute("SELECT extract(epoch FROM due_at - now()) FROM videos_registration")
            waits.append(round(cursor.fetchone()[0]))
        assert registrations.due() == []
        later()
    assert waits == [30, 60, 120, 240, 480]
    registrations.carry_out(registration.pk)
    registration.refresh_from_db()
    assert (registration.state, registration.registered_count) == ("failed", 1)
    monkeypatch.undo()
    registrations.resume(actor=manager_user, registration=registration)
    registrations.carry_out(registration.pk)
    registration.refresh_from_db()
    assert (registration.state, registration.registered_count, registration.error) == (
        "done", 2, "",
    )  # fmt: skip


def test_others_have_a_turn_after_some_minutes(
    manager_user: User, stored: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    registration = begun(manager_user, *({"key": f"raw/{name}.mp4"} for name in "abc"))
    monkeypatch.setattr(registrations, "SLICE_SECONDS", -1)
    assert registrations.carry_out(registration.pk) is True
    registration.refresh_from_db()
    assert (registration.state, registration.done_count, registration.failures) == ("queued", 0, 0)
    monkeypatch.undo()
    assert registrations.carry_out(registration.pk) is False
    assert Video.objects.count() == 3


def test_a_cancelled_one_stops_after_its_row_and_can_go_on(
    manager_user: User, stored: Path
) -> None:
    registration = begun(manager_user, *({"key": f"raw/{name}.mp4"} for name in "abc"))
    with pytest.raises(RegistrationIsOpen):
        registrations.resume(actor=manager_user, registration=registration)

    def stop(_: Registration, row: RegistrationRow) -> None:
        if row.number == 2:
            registrations.cancel(actor=manager_user, registration=registration)

    registrations.carry_out(registration.pk, on_row=stop)
    registrations.cancel(actor=manager_user, registration=registration)  # again: the same
    registration.refresh_from_db()
    assert (registration.state, registration.done_count) == ("cancelled", 2)
    assert Event.objects.filter(type="registration.cancelled").count() == 1
    registrations.resume(actor=manager_user, registration=registration)
    registrations.carry_out(registration.pk)
    registration.refresh_from_db()
    assert (registration.state, registration.registered_count) == ("done", 3)
    for verb in (registrations.cancel, registrations.resume):
        with pytest.raises(RegistrationHasEnded):
            verb(actor=manager_user, registration=registration)


def test_files_of_another_machine_are_left_to_its_command(
    manager_user: User, tmp_path: Path
) -> None:
    (tmp_path / "x.mp4").write_bytes(b"x")
    rows = [{"path": "x.mp4"}, {"path": "gone.mp4"}, {"path": "a\0b"}]
    registration = begun(manager_user, *rows, folder=tmp_path, by_worker=False)
    assert registrations.due() == []
    registrations.carry_out(registration.pk)
    assert not Video.objects.exists()
    with pytest.raises(RegistrationIsElsewhere, match=f"--resume {registration.pk}"):
        registrations.resume(actor=manager_user, registration=registration)
    with pytest.raises(CommandError):  # not every row was registered
        call_command("register_videos", resume=registration.pk)
    assert outcome(registration) == [
        (1, "registered", "x"),
        (2, "refused", "not-in-storage"),
        (3, "refused", "not-in-storage"),
    ]


def test_the_command_leaves_a_prefix_to_a_worker(
    stored: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    call_command("register_videos", "raw", prefix=True, background=True)
    registration = Registration.objects.get()
    assert f"Registration {registration.pk} waits for a worker." in capsys.readouterr().out
    assert registrations.due() == [registration.pk]
    with pytest.raises(CommandError, match="may not see"):
        call_command("register_videos", str(stored), background=True)
    with pytest.raises(CommandError, match="Say what"):
        call_command("register_videos")
    with pytest.raises(CommandError, match="no registration"):
        call_command("register_videos", resume=10**9)
    with pytest.raises(CommandError, match="under way"):
        call_command("register_videos", resume=registration.pk)


ATTACKS = [
    "UPDATE videos_registration SET state = 'done'",  # from queued
    "UPDATE videos_registration SET state = 'running'",
    "UPDATE videos_registration SET state = 'lunch'",
    "UPDATE videos_registration SET running_until = now()",
    "UPDATE videos_registration SET finished_at = now()",
    "UPDATE videos_registrationrow SET state = 'registered'",
    "UPDATE videos_registrationrow SET state = 'refused'",
    "UPDATE videos_registrationrow SET problem = 'empty-file'",
    "UPDATE videos_registrationrow SET number = 1",
]


@pytest.mark.parametrize("attack", ATTACKS)
def test_the_database_refuses_what_makes_no_sense(manager_user: User, attack: str) -> None:
    begun(manager_user, {"key": "a"}, {"key": "b"})
    with pytest.raises(IntegrityError), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(attack)


def test_done_before_every_row_is_counted_is_refused_by_the_database(manager_user: User) -> None:
    begun(manager_user, {"key": "a"}, {"key": "b"})
    with connection.cursor() as cursor:
        cursor.execute("UPDATE videos_registration SET state = 'running', running_until = now()")
        with pytest.raises(IntegrityError, match="done_counts_every_row"), transaction.atomic():
            cursor.execute(
                "UPDATE videos_registration SET state = 'done', running_until = NULL,"
                " finished_at = now(), refused_count = 1"
            )


# --- over HTTP -----------------------------------------------------------------------------------


def test_begin_watch_and_read_the_report(api: APIClient, stored: Path) -> None:
    rows = [{"key": "raw/a.mp4", "title": "T"}, {"key": "gone.mp4"}]
    answer = api.post(ADDRESS, {"rows": rows})
    assert answer.status_code == 202
    made = answer.json()
    assert (made["state"], made["total"], made["done_count"]) == ("queued", 2, 0)
    assert answer["Location"].endswith(f"{ADDRESS}{made['id']}/")
    assert api.get(answer["Location"]).json() == made
    registrations.carry_out(made["id"])
    done = api.get(answer["Location"]).json()
    assert (done["state"], done["registered_count"], done["refused_count"]) == ("done", 1, 1)
    report = api.get(f"{ADDRESS}{made['id']}/rows/?state=refused").json()
    assert report["results"] == [
        {
            "row": 2,
            "name": "gone.mp4",
            "title": "",
            "state": "refused",
            "video": None,
            "problem": "not-in-storage",
            "detail": "gone.mp4 is not in storage.",
        }
    ]
    every = api.get(f"{ADDRESS}{made['id']}/rows/").json()["results"]
    assert [row["video"] for row in every] == [Video.objects.get().pk, None]
    assert api.get(f"{ADDRESS}{made['id']}/rows/?state=lunch").status_code == 400
    ended = api.post(f"{ADDRESS}{made['id']}/cancel/")
    assert (ended.status_code, ended.json()["type"]) == (409, "/problems/registration-has-ended")


def test_a_repeated_request_begins_once(api: APIClient, stored: Path) -> None:
    key = {"Idempotency-Key": "k1"}
    first = api.post(ADDRESS, {"prefix": "raw"}, headers=key)
    second = api.post(ADDRESS, {"prefix": "raw"}, headers=key)
    assert (first.status_code, second.status_code) == (202, 202)
    assert second["Location"] == first["Location"]
    assert Registration.objects.count() == 1
    stopped = api.post(f"{ADDRESS}{first.json()['id']}/cancel/").json()
    assert stopped["state"] == "cancelled"
    again = api.post(f"{ADDRESS}{first.json()['id']}/resume/").json()
    assert (again["state"], again["finished_at"]) == ("queued", None)


def manifest(api: APIClient, name: str, content: bytes) -> Any:
    file = BytesIO(content)
    file.name = name
    return api.post(ADDRESS, {"manifest": file}, format="multipart")


def test_manifests_are_read_and_a_broken_one_begins_nothing(api: APIClient, stored: Path) -> None:
    for name, content, where in (
        ("m.csv", b"name\nx\n", "first line"),
        ("m.jsonl", b'{"key": "raw/a.mp4"}\nnot json\n', "Line 2"),
        ("m.jsonl", b"[1]\n", "Line 1"),
        ("m.csv", b"key\n\xff\n", "UTF-8"),
        ("m.csv", b"key\n", "no video"),
        ("m.txt", b"key\nraw/a.mp4\n", ".csv or a .jsonl"),
    ):
        refused = manifest(api, name, content)
        assert refused.status_code == 422, content
        assert where in refused.json()["detail"]
    bodies: list[dict[str, Any]] = [{}, {"prefix": "../"}, {"rows": [{}]}, {"rows": []}]
    for wrong in [*bodies, {"prefix": "raw", "rows": [{"key": "x"}]}]:
        assert api.post(ADDRESS, wrong).status_code in (400, 422)
    assert not Registration.objects.exists()
    lines = [json.dumps({"key": "raw/a.mp4", "title": 5}), "", json.dumps({"key": ["raw"]})]
    made = manifest(api, "m.jsonl", "\n".join(lines).encode()).json()
    registrations.carry_out(made["id"])
    assert outcome(Registration.objects.get()) == [
        (1, "registered", "5"),
        (2, "refused", "not-in-storage"),
    ]
    assert manifest(api, "Büro.CSV", "\ufeffkey,title\nraw/b.mp4,Tür\n".encode()).status_code == 202


def test_lists_ask_the_database_a_fixed_number_of_times(
    api: APIClient, manager_user: User, stored: Path, django_assert_num_queries: Any
) -> None:
    for _ in range(7):
        made = begun(manager_user, *({"key": f"raw/{name}.mp4"} for name in "abcabc"))
    registrations.carry_out(made.pk)
    with django_assert_num_queries(1):
        page = api.get(f"{ADDRESS}?page_size=5").json()
    assert len(page["results"]) == 5
    with django_assert_num_queries(1):
        assert len(api.get(page["next"]).json()["results"]) == 2
    with django_assert_num_queries(1):
        assert [r["id"] for r in api.get(f"{ADDRESS}?state=done").json()["results"]] == [made.pk]
    with django_assert_num_queries(2):  # the registration, its rows
        rows = api.get(f"{ADDRESS}{made.pk}/rows/?page_size=4").json()
    assert [row["row"] for row in rows["results"]] == [1, 2, 3, 4]
    with django_assert_num_queries(2):
        rows = api.get(rows["next"]).json()
    assert [(row["row"], row["problem"]) for row in rows["results"]] == [
        (5, "video-already-registered"), (6, "video-already-registered"),
    ]  # fmt: skip


def test_only_managers(contractor_user: User, manager_user: User) -> None:
    made = begun(manager_user, {"key": "a"})
    client = APIClient()
    paths = ["", f"{made.pk}/", f"{made.pk}/rows/"]
    assert [client.get(ADDRESS + path).status_code for path in paths] == [401] * 3
    client.force_authenticate(contractor_user)
    assert [client.get(ADDRESS + path).status_code for path in paths] == [403] * 3
    for path in ("", f"{made.pk}/cancel/", f"{made.pk}/resume/"):
        assert client.post(ADDRESS + path).status_code == 403
    assert Registration.objects.get().state == "queued"


def test_a_registration_begun_by_another_is_the_systems_when_nobody_did(stored: Path) -> None:
    registration = begun(None, {"key": "raw/a.mp4"})
    registrations.carry_out(registration.pk)
    assert Video.objects.get().created_by is None
