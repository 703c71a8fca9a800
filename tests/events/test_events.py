"""The log: append-only, in the transaction of its change, told after the commit."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest
from django.contrib.auth.models import AnonymousUser
from django.db import Error, transaction
from django.db.transaction import TransactionManagementError
from pytest_django import DjangoCaptureOnCommitCallbacks

from annotation_platform.clock import database_now
from contractors.models import User
from events import services
from events.models import Event
from events.services import receives, record
from tests import factories, raw_sql

pytestmark = pytest.mark.django_db

Told = list[tuple[int, int, dict[str, Any]]]


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> Told:
    """What a receiver of test.happened was told."""
    monkeypatch.setattr(services, "_receivers", {})
    heard: Told = []

    @receives("test.happened")
    def hear(event_id: int, subject_id: int, data: dict[str, Any]) -> None:
        heard.append((event_id, subject_id, data))

    return heard


def happen(person: User, **data: Any) -> Event:
    with transaction.atomic():
        return record("test.happened", actor=person, subject=person, data=data)


def test_an_event_says_who_what_when_and_about_what() -> None:
    person = factories.user()
    before = database_now()
    happen(person, a=[1, None])
    event = Event.objects.get()
    assert (event.type, event.actor_id, event.subject_type, event.subject_id, event.data) == (
        "test.happened",
        person.pk,
        "contractors.user",
        person.pk,
        {"a": [1, None]},
    )
    assert before <= event.occurred_at <= database_now()


@pytest.mark.parametrize("actor", [None, AnonymousUser()])
def test_the_system_has_no_name(actor: AnonymousUser | None) -> None:
    record("test.happened", actor=actor, subject=factories.user())
    event = Event.objects.get()
    assert (event.actor_id, event.data) == (None, {})


@pytest.mark.django_db(transaction=True)
def test_outside_a_transaction_nothing_is_recorded() -> None:
    person = factories.user()
    with pytest.raises(TransactionManagementError, match=r"test\.happened"):
        record("test.happened", actor=None, subject=person)
    assert Event.objects.count() == 0


@pytest.mark.django_db(transaction=True)
def test_receivers_hear_after_the_commit(told: Told) -> None:
    person = factories.user()
    with transaction.atomic():
        event = happen(person, n=1)
        assert told == []
    assert told == [(event.pk, person.pk, {"n": 1})]


@pytest.mark.django_db(transaction=True)
def test_receivers_never_hear_of_what_was_rolled_back(told: Told) -> None:
    person = factories.user()

    def happen_and_fail() -> None:
        with transaction.atomic():
            happen(person, failed=True)
            raise RuntimeError

    with pytest.raises(RuntimeError):
        happen_and_fail()
    with transaction.atomic():
        with pytest.raises(RuntimeError):
            happen_and_fail()
        happen(person, outer=True)
    assert [data for _, _, data in told] == [{"outer": True}]
    assert [event.data for event in Event.objects.all()] == [{"outer": True}]


def test_other_events_are_not_heard(
    told: Told, django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks
) -> None:
    with django_capture_on_commit_callbacks(execute=True):
        record("test.other", actor=None, subject=factories.user())
    assert told == []


def _fails(event_id: int, subject_id: int, data: dict[str, Any]) -> None:
    raise ConnectionError("the broker is away")


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("receiver", [_fails, partial(_fails)], ids=["function", "partial"])
def test_a_failing_receiver_breaks_nothing(
    receiver: services.Receiver, told: Told, caplog: pytest.LogCaptureFixture
) -> None:
    services._receivers["test.happened"].insert(0, receiver)
    person = factories.user()
    event = happen(person)
    assert Event.objects.get() == event
    assert [subject for _, subject, _ in told] == [person.pk]
    assert "its sweep will find it" in caplog.text
    assert "the broker is away" in caplog.text


@pytest.mark.django_db(transaction=True)
def test_a_receiver_whose_query_fails_leaves_the_connection_usable(told: Told) -> None:
    def bad_query(event_id: int, subject_id: int, data: dict[str, Any]) -> None:
        raw_sql.execute("SELECT * FROM no_such_table")

    services._receivers["test.happened"].insert(0, bad_query)
    happen(factories.user())
    assert len(told) == Event.objects.count() == 1


ATTACKS = [
    "UPDATE events_event SET data = '{}'",
    "UPDATE events_event SET actor_id = NULL WHERE id > 0",
    "DELETE FROM events_event",
    "TRUNCATE events_event",
    "TRUNCATE contractors_user CASCADE",
    "INSERT INTO events_event (id, type, subject_type, subject_id, data) "
    "SELECT id, 'x', 'x', 1, '{}' FROM events_event "
    "ON CONFLICT (id) DO UPDATE SET type = 'forged'",
    "MERGE INTO events_event USING (SELECT 1) AS one ON true WHEN MATCHED THEN DELETE",
]


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("attack", ATTACKS)
def test_raw_sql_cannot_change_the_log(attack: str) -> None:
    happen(factories.user(), kept=True)
    with pytest.raises(Error, match="append-only"):
        raw_sql.execute(raw_sql.AS_IN_PRODUCTION, attack)
    assert [event.data for event in Event.objects.all()] == [{"kept": True}]


@pytest.mark.django_db(transaction=True)
def test_the_orm_cannot_either() -> None:
    event = happen(factories.user(), kept=True)
    event.data = {}
    with pytest.raises(Error, match="append-only"):
        event.save()
    with pytest.raises(Error, match="append-only"):
        event.delete()
    with pytest.raises(Error, match="append-only"):
        Event.objects.all().delete()
    assert Event.objects.get().data == {"kept": True}
