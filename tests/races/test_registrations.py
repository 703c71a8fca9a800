"""Workers at one registration, and registrations of the same content, at the same moment."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.core.files.storage import storages
from django.db.models import QuerySet

from annotation_platform.clock import database_now
from events.models import Event
from tests.races.together import run_together
from videos import registrations
from videos.models import Registration, Video

pytestmark = pytest.mark.django_db(transaction=True)

ROWS = 15


@pytest.fixture
def stored(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The same videos twice in storage, below `one/` and `two/`."""
    monkeypatch.setitem(settings.STORAGES["media"], "OPTIONS", {"location": str(tmp_path)})
    storages._storages.pop("media", None)  # type: ignore[attr-defined]
    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()
        for n in range(ROWS):
            (tmp_path / f"{folder}/{n:02}.mp4").write_bytes(b"%d" % n)
    return tmp_path


def begun(folder: str) -> Registration:
    return registrations.begin(actor=None, kind="prefix", name=folder)


def carrying_out(registration: Registration) -> Callable[[], bool]:
    return lambda: registrations.carry_out(registration.pk)


def claims_of_two(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What two workers get that both have read the row before either writes it."""
    registration = begun("one")
    both_have_read = threading.Barrier(2)

    def wait_for_the_other() -> datetime:
        with suppress(threading.BrokenBarrierError):  # the other was kept from reading it
            both_have_read.wait(timeout=1)
        return database_now()

    monkeypatch.setattr(registrations, "database_now", wait_for_the_other)
    claim = registrations._claim
    return run_together([lambda: claim(registration.pk, here=False)] * 2)


def test_one_of_two_workers_gets_it(monkeypatch: pytest.MonkeyPatch) -> None:
    claims = claims_of_two(monkeypatch)
    assert [type(claim) for claim in claims if claim is not None] == [registrations.Claim]
    assert Registration.objects.get().attempts == 1


def test_without_the_lock_both_believe_they_have_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(QuerySet, "select_for_update", lambda self, **_: self.all())
    claims = claims_of_two(monkeypatch)
    assert [type(claim) for claim in claims] == [registrations.Claim] * 2, "no race to notice"


def test_four_workers_register_each_video_once(stored: Path) -> None:
    registration = begun("one")
    assert run_together([carrying_out(registration)] * 4) == [False] * 4
    registration.refresh_from_db()
    assert (registration.state, registration.attempts, registration.registered_count) == (
        "done", 1, ROWS,
    )  # fmt: skip
    assert Video.objects.count() == ROWS


def test_the_same_content_in_two_registrations_becomes_one_video(stored: Path) -> None:
    both = [begun("one"), begun("two")]
    assert run_together([carrying_out(one) for one in both]) == [False, False]
    ended = Registration.objects.all()
    assert {one.state for one in ended} == {"done"}
    assert {one.failures for one in ended} == {0}
    assert sum(one.registered_count for one in ended) == ROWS
    assert sum(one.refused_count for one in ended) == ROWS
    assert Video.objects.count() == ROWS
    assert Event.objects.filter(type="video.registered").count() == ROWS
