"""`Idempotency-Key`: one key, one creation, one answer."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from annotation_platform.api.jobs import purge_idempotency_keys
from annotation_platform.api.models import StoredAnswer
from contractors.models import User
from tests import factories
from tests.annotation_platform.api_views import MakePerson
from tests.factories import client_for

pytestmark = [
    pytest.mark.django_db,
    pytest.mark.urls("tests.annotation_platform.api_views"),
]


@pytest.fixture(autouse=True)
def _fresh_view() -> Iterator[None]:
    MakePerson.runs, MakePerson.before_answer = 0, None
    yield
    MakePerson.before_answer = None


def make(
    client: Any, name: str = "ada", key: str | None = "k", path: str = "", **extra: Any
) -> Any:
    headers = {} if key is None else {"Idempotency-Key": key}
    return client.post(f"/api/{path or 'make-person/'}", {"name": name} | extra, headers=headers)


def named(name: str) -> int:
    return User.objects.filter(name=name).count()


def test_the_second_time_the_first_answer_comes_back() -> None:
    client = client_for(factories.user())
    first, second = make(client), make(client)
    assert (first.status_code, second.status_code) == (201, 201)
    assert first.json() == second.json()
    assert second["Location"] == first["Location"]
    assert second["Idempotency-Replayed"] == "true"
    assert "Idempotency-Replayed" not in first
    assert "X-Other" not in second
    assert (MakePerson.runs, named("ada")) == (1, 1)


def test_without_a_key_each_request_runs() -> None:
    client = client_for(factories.user())
    assert make(client, "ada", None).status_code == 201
    assert make(client, "bob", None).status_code == 201
    assert MakePerson.runs == 2
    assert StoredAnswer.objects.count() == 0


@pytest.mark.parametrize(
    "change",
    [
        {"name": "bob"},
        {"more": 1},
        {"path": "make-person-elsewhere/"},
        {"path": "make-person/?x=1"},
    ],
)
def test_another_request_under_the_key_is_refused(change: dict[str, Any]) -> None:
    client = client_for(factories.user())
    make(client)
    answer = make(client, **change)
    assert (answer.status_code, answer.json()["type"]) == (422, "/problems/idempotency-key-reused")
    assert MakePerson.runs == 1
    assert named("bob") == 0


def test_the_order_of_members_makes_no_other_request() -> None:
    client = client_for(factories.user())
    headers = {"Idempotency-Key": "k"}
    first = client.post("/api/make-person/", {"name": "ada", "x": 1}, headers=headers)
    second = client.post("/api/make-person/", {"x": 1, "name": "ada"}, headers=headers)
    assert (second.status_code, second.json()) == (201, first.json())


def test_a_key_is_its_person_s_own() -> None:
    assert make(client_for(factories.user()), "ada").status_code == 201
    assert make(client_for(factories.user()), "bob").status_code == 201
    assert (named("ada"), named("bob")) == (1, 1)


@pytest.mark.parametrize("how", ["raise", "refuse"])
def test_a_refusal_writes_nothing_and_frees_the_key(how: str) -> None:
    client = client_for(factories.user())
    wish: dict[str, Any] = {how: True}
    assert make(client, **wish).status_code in (418, 409)
    assert named("ada") == 0
    assert StoredAnswer.objects.count() == 0
    assert make(client).status_code == 201
    assert named("ada") == 1


def test_a_crash_writes_nothing_and_frees_the_key() -> None:
    client = client_for(factories.user())
    client.raise_request_exception = False
    assert make(client, crash=True).status_code == 500
    assert named("ada") == 0
    assert make(client).status_code == 201


@pytest.mark.parametrize("key", ["", "x" * 256, "a\tb"])
def test_an_unusable_key_is_refused(key: str) -> None:
    answer = make(client_for(factories.user()), key=key)
    assert (answer.status_code, answer.json()["type"]) == (400, "/problems/invalid-idempotency-key")
    assert MakePerson.runs == 0


def test_the_longest_key_is_kept() -> None:
    client = client_for(factories.user())
    assert make(client, key="x" * 255).json() == make(client, key="x" * 255).json()


def test_nobody_has_no_keys() -> None:
    assert make(client_for(None)).status_code == 401
    assert MakePerson.runs == 0


def test_old_answers_are_purged() -> None:
    client = client_for(factories.user())
    make(client, "ada", "old")
    StoredAnswer.objects.update(created_at=timezone.now() - timedelta(hours=49))
    make(client, "bob", "new")
    assert purge_idempotency_keys() == 1
    assert list(StoredAnswer.objects.values_list("key", flat=True)) == ["new"]


@pytest.mark.django_db(transaction=True)
def test_while_the_first_runs_the_second_is_told_so() -> None:
    person = factories.user()
    running, go_on = threading.Event(), threading.Event()
    answers: list[Any] = []

    def wait() -> None:
        running.set()
        assert go_on.wait(timeout=10)

    MakePerson.before_answer = wait

    def first() -> None:
        try:
            answers.append(make(client_for(person)))
        finally:
            connection.close()

    thread = threading.Thread(target=first)
    thread.start()
    assert running.wait(timeout=10)
    second = make(client_for(person))
    go_on.set()
    thread.join()
    assert (second.status_code, second.json()["type"]) == (
        409,
        "/problems/idempotency-key-running",
    )
    assert second["Retry-After"] == "1"
    assert (answers[0].status_code, MakePerson.runs, named("ada")) == (201, 1, 1)
    assert make(client_for(person)).json() == answers[0].json()
    assert MakePerson.runs == 1
