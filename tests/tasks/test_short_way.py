"""The short way of the two busiest routes against the views: the same answers, byte for byte."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.core.exceptions import MiddlewareNotUsed
from django.db import DatabaseError, connection, transaction
from django.test import Client
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from knox.models import get_token_model

from contractors.models import Contractor, Restriction
from events.models import Event
from tasks import guards, services
from tasks.models import Assignment, BudgetShare, Project, Segment, Submission
from tasks.services import fast_claim, fast_submit
from tasks.short_way import ShortWay
from tests import factories
from tests.races.together import run_together
from timelines import lint
from timelines.segment import Hands
from timelines.segment import Segment as Piece

CLAIM = "/api/v1/assignments/"
WORK: dict[str, Any] = {
    "screening": {"verdict": "usable"},
    "segments": [
        {"start_frame": 90, "end_frame": 300, "hands": "both", "action_type": "pour",
         "description": 'Pour "water" \\ {wasser}, größer\u2028 als NULL'},
        {"start_frame": 0, "end_frame": 90, "hands": "right", "action_type": "pick_up",
         "description": "Pick up the cup"},
    ],
}  # fmt: skip


@pytest.fixture(autouse=True)
def fresh_marks() -> Iterator[None]:
    fast_claim.low_water.forget()
    yield
    fast_claim.low_water.forget()


def token_for(person: Contractor) -> str:
    _, token = get_token_model().objects.create(person.user)
    return str(token)


def ask(address: str, body: Any, token: str, **headers: str) -> Any:
    content = body if isinstance(body, (str, bytes)) else json.dumps(body)
    return Client().post(
        address, content, "application/json", headers={"Authorization": f"Token {token}", **headers}
    )


def ready(**settings: Any) -> tuple[Project, Contractor, str]:
    project = factories.project(**{"overlap": 1, "live_claim_cap": 9, **settings})
    factories.open_tasks(project, 4)
    person = factories.worker(project)
    list(guards.refusals(person, project))  # works the verdict out
    return project, person, token_for(person)


@pytest.fixture
def views_only(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """From now on: no short way, and no claim or hand-in in one call either."""

    def unused(self: ShortWay, get_response: Any) -> None:
        raise MiddlewareNotUsed

    def switch() -> None:
        monkeypatch.setattr(ShortWay, "__init__", unused)
        monkeypatch.setattr(fast_claim, "claim", lambda **_: None)
        monkeypatch.setattr(fast_submit, "submit", lambda **_: None)

    return switch


def undone(call: Callable[[], Any]) -> Any:
    """The answer of a call whose effects are rolled back, with ids from where the rows end."""
    with connection.cursor() as cursor:
        for table in ("tasks_assignment", "tasks_submission", "events_event"):
            cursor.execute(
                f"SELECT setval(pg_get_serial_sequence('{table}', 'id'),"
                f" coalesce((SELECT max(id) FROM {table}), 0) + 1, false)"
            )
    with transaction.atomic():
        answer = call()
        transaction.set_rollback(True)
    return answer


def same(short: Any, plain: Any) -> None:
    """Equal in status, headers and body, but for what says when."""

    def seen(answer: Any) -> tuple[int, dict[str, str], str]:
        text = answer.content.decode()
        text = re.sub(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?(Z|\+00:00)", "<instant>", text)
        text = re.sub(r'"/api/v1/media/[^"]+"', '"<link>"', text)
        headers = {**answer.headers}
        headers.pop("Content-Length", "")
        return answer.status_code, headers, text

    assert seen(short) == seen(plain)
    assert int(short.headers.get("Content-Length", len(short.content))) == len(short.content)


@pytest.mark.django_db
def test_a_claim_is_answered_alike_by_both_ways(
    views_only: Callable[[], None],
) -> None:
    project, _, token = ready()
    short = undone(lambda: ask(CLAIM, {"project": project.pk}, token))
    views_only()
    same(short, undone(lambda: ask(CLAIM, {"project": project.pk}, token)))
    assert short.status_code == 201
    assert "/media/" in short.json()["media"]["url"]


@pytest.mark.django_db
def test_a_hand_in_is_answered_and_stored_alike_by_both_ways(
    views_only: Callable[[], None],
) -> None:
    _, person, token = ready()
    assignment = factories.claimed(Project.objects.get(), person)
    services.save_draft(assignment=assignment, body={"n": 1}, expected_revision=0)
    address = f"{CLAIM}{assignment.pk}/submissions/"

    def hand_in() -> tuple[Any, Any]:
        answer = ask(address, WORK, token)
        submission = Submission.objects.get()
        stored: list[Any] = [
            Submission.objects.values().get(),
            list(Segment.objects.order_by("position").values()),
            Assignment.objects.values().get(),
            Event.objects.filter(type="assignment.submitted").values().get(),
        ]
        assert stored[2]["submitted_at"] == submission.submitted_at
        for row in stored[1]:
            row.pop("id")
        for row, names in ((stored[0], ["submitted_at"]), (stored[2], ["submitted_at"]),
                           (stored[3], ["occurred_at"])):  # fmt: skip
            for name in names:
                assert row.pop(name) is not None
        return answer, stored

    short, stored = undone(hand_in)
    views_only()
    plain, stored_plain = undone(hand_in)
    same(short, plain)
    assert stored == stored_plain
    assert (short.status_code, stored[0]["draft_revision"]) == (201, 1)
    assert [row["description"] for row in stored[1]] == [
        "Pick up the cup", WORK["segments"][0]["description"],
    ]  # fmt: skip


def revoked(project: Project, person: Contractor) -> None:
    get_token_model().objects.filter(user=person.user).delete()


def expired_token(project: Project, person: Contractor) -> None:
    get_token_model().objects.update(expiry=timezone.now() - timedelta(seconds=1))


def deactivated(project: Project, person: Contractor) -> None:
    type(person.user).objects.filter(pk=person.pk).update(is_active=False)


def no_contractor(project: Project, person: Contractor) -> None:
    type(person.user).objects.filter(pk=person.pk).update(roles=["reviewer"])


def restricted(project: Project, person: Contractor) -> None:
    Restriction.objects.create(contractor=person, scope="all", cause="Copied text")


def paused(project: Project, person: Contractor) -> None:
    Project.objects.filter(pk=project.pk).update(state="paused")


def at_the_cap(project: Project, person: Contractor) -> None:
    Project.objects.filter(pk=project.pk).update(live_claim_cap=1)
    services.claim_next_task(contractor=person, project=project)


def no_money(project: Project, person: Contractor) -> None:
    services.fund(actor=None, project=project, amount_cents=1599, reason="Too little")


def nothing_left(project: Project, person: Contractor) -> None:
    for _ in range(4):
        services.claim_next_task(contractor=person, project=project)


WHO = [revoked, expired_token, deactivated, no_contractor]
STATES = [*WHO, restricted, paused, at_the_cap, no_money, nothing_left]


def rows() -> list[Any]:
    money = sum(BudgetShare.objects.values_list("free_cents", flat=True))
    return [Assignment.objects.count(), Submission.objects.count(), Event.objects.count(), money]


@pytest.mark.django_db
@pytest.mark.parametrize("make", STATES, ids=lambda make: make.__name__)
def test_every_refusal_of_a_claim_is_the_views_own(
    make: Callable[[Project, Contractor], None], views_only: Callable[[], None]
) -> None:
    project, person, token = ready()
    make(project, person)
    before = rows()
    short = ask(CLAIM, {"project": project.pk}, token)
    assert rows() == before
    assert short.status_code >= 400
    views_only()
    same(short, ask(CLAIM, {"project": project.pk}, token))


def with_segment(**changes: Any) -> dict[str, Any]:
    return {**WORK, "segments": [{**WORK["segments"][1], **changes}]}


BODIES = {
    "not JSON": "{",
    "NUL": json.dumps(with_segment(description="a\0b")),
    "a list": [],
    "no screening": {"segments": WORK["segments"]},
    "past the end": with_segment(end_frame=301),
    "beyond int4": with_segment(end_frame=2**31),
    "beyond int8": with_segment(end_frame=2**70),
    "before the start": with_segment(start_frame=-1),
    "backwards": with_segment(end_frame=0),
    "unknown type": with_segment(action_type="juggle"),
    "nothing described": with_segment(description="…"),
    "no segments": {**WORK, "segments": []},
    "overlap": {**WORK, "segments": [WORK["segments"][1]] * 2},
    "a fraction": with_segment(end_frame=9.5),
}


@pytest.mark.django_db
@pytest.mark.parametrize("name", BODIES)
def test_every_refusal_of_a_timeline_is_the_views_own(
    name: str, views_only: Callable[[], None]
) -> None:
    project, person, token = ready()
    address = f"{CLAIM}{factories.claimed(project, person).pk}/submissions/"
    before = rows()
    short = ask(address, BODIES[name], token)
    assert rows() == before
    assert 400 <= short.status_code < 500
    views_only()
    same(short, ask(address, BODIES[name], token))


@pytest.mark.django_db
@pytest.mark.parametrize("make", WHO, ids=lambda make: make.__name__)
def test_nobody_else_hands_in(
    make: Callable[[Project, Contractor], None], views_only: Callable[[], None]
) -> None:
    project, person, token = ready()
    address = f"{CLAIM}{factories.claimed(project, person).pk}/submissions/"
    stranger = ask(address, WORK, token_for(factories.worker(project)))
    make(project, person)
    before = rows()
    short = ask(address, WORK, token)
    assert rows() == before
    assert (stranger.status_code, short.status_code >= 401) == (404, True)
    views_only()
    same(short, ask(address, WORK, token))


@pytest.mark.django_db
def test_what_is_over_is_told_by_the_views_and_late_work_is_taken() -> None:
    project, person, token = ready()
    first, second = (factories.claimed(project, person) for _ in range(2))
    assert ask(f"{CLAIM}{first.pk}/submissions/", WORK, token).status_code == 201
    again = ask(f"{CLAIM}{first.pk}/submissions/", WORK, token)
    assert (again.status_code, again.json()["type"]) == (409, "/problems/already-submitted")
    for minutes in (31, 16):
        second.refresh_from_db()
        factories.age(second, minutes=minutes)
        services.expire_leases()
    second.refresh_from_db()
    assert second.state == "expired"
    assert ask(f"{CLAIM}{second.pk}/submissions/", WORK, token).status_code == 201


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("address", "headers"),
    [
        (CLAIM, {"Idempotency-Key": "k"}),
        (CLAIM, {"Accept": "application/json; indent=2"}),
        (CLAIM, {"Host": "elsewhere.example"}),
        (CLAIM + "?format=xml", {}),
    ],
    ids=["key", "accept", "host", "query"],
)
def test_what_is_out_of_the_ordinary_goes_to_the_views(
    address: str, headers: dict[str, str], views_only: Callable[[], None]
) -> None:
    project, _, token = ready()
    short = undone(lambda: ask(address, {"project": project.pk}, token, **headers))
    views_only()
    same(short, undone(lambda: ask(address, {"project": project.pk}, token, **headers)))


frames = st.integers(-2, 12)
piece = st.builds(
    Piece, frames, frames, st.sampled_from(["pour", ""]), st.sampled_from(list(Hands)),
    st.sampled_from(["Pour", "…", ""]),
)  # fmt: skip


@given(st.lists(piece, max_size=5))
def test_sound_is_what_the_check_finds_nothing_wrong_with(pieces: list[Piece]) -> None:
    ordered = sorted(pieces, key=lambda p: (p.start_frame, p.end_frame, p.hands))
    found = lint.check_segments(ordered, frame_count=99, action_types=["pour"])
    assert lint.is_sound(ordered) == (not found)


texts = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=8)


@pytest.mark.django_db
@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(st.lists(texts, max_size=4), st.lists(st.integers(-9, 2**31 - 1), max_size=4))
def test_arrays_arrive_as_they_were_sent(words: list[str], numbers: list[int]) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT %s::text[], %s::int4[]",
            [fast_submit.text_array(words), fast_submit.int_array(numbers)],
        )
        assert cursor.fetchone() == (words, numbers)


INSERT = """
    INSERT INTO tasks_segment
        (submission_id, position, start_frame, end_frame, hands, action_type, description)
    VALUES (%s, 9, 299, 300, 1, 'pour', 'Pour')
"""


@pytest.mark.django_db(transaction=True)
def test_nobody_adds_to_what_was_handed_in() -> None:
    project, person, _ = ready()
    submission = factories.submitted(
        factories.claimed(project, person), [Piece(0, 9, "pour", Hands.LEFT, "Pour")]
    )
    with connection.cursor() as cursor:
        with pytest.raises(DatabaseError, match="its segments stay as they are"):
            cursor.execute(INSERT, [submission.pk])
        with pytest.raises(DatabaseError, match="append-only"):
            cursor.execute("UPDATE tasks_submission SET made_by_transaction = pg_current_xact_id()")
    assert Segment.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_a_connection_that_was_lost_is_not_the_caller_s_trouble() -> None:
    """There is no health check before the short way's statement: the view takes over."""
    project, _, token = ready()
    assert ask(CLAIM, {"project": project.pk}, token).status_code == 201
    lost = connection.connection
    backend = lost.info.backend_pid

    def end_it() -> None:
        with connection.cursor() as cursor:  # another one: this runs on its own thread
            cursor.execute("SELECT pg_terminate_backend(%s, 5000)", [backend])

    assert run_together([end_it]) == [None]
    assert ask(CLAIM, {"project": project.pk}, token).status_code == 201
    assert connection.connection is not lost
    assert Assignment.objects.count() == 2
