"""Claiming a task again that was given up: the draft comes back, every guard applies."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import date
from typing import Any

import pytest
from django.db.backends.postgresql.psycopg_any import DateRange

from contractors.models import Contractor, Residence
from contractors.services import restrict
from events.models import Event
from tasks import problems, services
from tasks.models import Assignment, Project
from tests import factories
from tests.factories import client_for
from tests.races.together import run_together

pytestmark = pytest.mark.django_db


def given_up(how: str = "returned", **settings: Any) -> Assignment:
    """A claim with a draft that its holder gave up."""
    project = factories.project(**{"overlap": 1, **settings})
    factories.open_tasks(project)
    assignment = factories.claimed(project)
    services.save_draft(assignment=assignment, body={"n": 1}, expected_revision=0)
    if how == "returned":
        services.return_task(assignment=assignment)
    else:
        for minutes in (31, 16):
            factories.age(assignment, minutes=minutes)
            services.expire_leases()
    assignment.refresh_from_db()
    assert assignment.state == how
    return assignment


def reclaim(assignment: Assignment, **headers: str) -> Any:
    client = client_for(assignment.contractor)
    return client.post(f"/api/v1/assignments/{assignment.pk}/reclaim/", headers=headers)


@pytest.mark.parametrize("how", ["returned", "expired"])
def test_the_draft_comes_back_with_a_new_claim(how: str) -> None:
    assignment = given_up(how)
    services.set_price(
        actor=None,
        project=assignment.task.project,
        price_cents=1900,
        screening_fee_cents=100,
        reason="More",
    )
    answer = reclaim(assignment)
    assert answer.status_code == 201
    body = answer.json()
    assert (body["task"], body["state"], body["price_cents"]) == (
        assignment.task_id, "active", 1900,
    )  # fmt: skip
    assert body["id"] != assignment.pk
    client = client_for(assignment.contractor)
    draft = client.get(f"/api/v1/assignments/{body['id']}/draft/")
    assert (draft["ETag"], draft.json()["body"]) == ('"1"', {"n": 1})
    assignment.refresh_from_db()
    assert assignment.state == how, "the old claim stays what it was"
    told = Event.objects.filter(type="assignment.claimed").values_list("subject_id", flat=True)
    assert list(told.order_by("pk")) == [assignment.pk, body["id"]]
    assignment.task.refresh_from_db()
    assert (assignment.task.state, assignment.task.held_slots) == ("filled", 1)


def test_the_same_key_reclaims_once() -> None:
    assignment = given_up()
    first = reclaim(assignment, **{"Idempotency-Key": "r"})
    again = reclaim(assignment, **{"Idempotency-Key": "r"})
    assert first.json() == again.json()
    assert Assignment.objects.count() == 2


def refused(assignment: Assignment, slug: str) -> None:
    before = (Assignment.objects.count(), Event.objects.count())
    answer = reclaim(assignment)
    assert (answer.json()["type"], answer.status_code >= 400) == (f"/problems/{slug}", True)
    assert (Assignment.objects.count(), Event.objects.count()) == before


def test_it_is_refused_once_the_place_is_gone() -> None:
    assignment = given_up()
    factories.claimed(assignment.task.project)
    refused(assignment, "task-not-free")
    assert client_for(assignment.contractor).get(
        f"/api/v1/assignments/{assignment.pk}/draft/"
    ).json()["body"] == {"n": 1}


def test_a_paused_task_is_not_free() -> None:
    assignment = given_up()
    services.pause_task(actor=factories.manager(), task=assignment.task, reason="Look again")
    refused(assignment, "task-not-free")


@pytest.mark.parametrize("state", ["active", "submitted", "released"])
def test_only_what_one_gave_up_oneself_comes_back(state: str) -> None:
    project = factories.project(overlap=2)
    factories.open_tasks(project)
    assignment = factories.claimed(project)
    if state == "submitted":
        factories.submitted(assignment)
    if state == "released":
        services.release(actor=factories.manager(), assignment=assignment, reason="Wrong")
    assignment.refresh_from_db()
    refused(assignment, "task-not-free")


def test_an_old_claim_does_not_make_a_second_live_one() -> None:
    assignment = given_up(overlap=2)
    assert reclaim(assignment).status_code == 201
    refused(assignment, "task-not-free")


def stranger_to_the_guideline(project: Project, person: Contractor) -> None:
    draft = services.write_guideline(
        actor=None, project=project, title="v2", body="x", changelog="y"
    )
    services.publish_guideline(actor=None, guideline=draft)


def move_to_new_york(project: Project, person: Contractor) -> None:
    Residence.objects.filter(contractor=person).update(
        valid=DateRange(date(2020, 1, 1), date(2021, 1, 1))
    )
    Residence.objects.create(
        contractor=person, area="US-NY", valid=DateRange(date(2021, 1, 1), None)
    )


def cap(project: Project, person: Contractor) -> None:
    Project.objects.filter(pk=project.pk).update(live_claim_cap=1)
    project.refresh_from_db()
    factories.open_tasks(project)
    factories.claimed(project, person)


GUARDS: dict[str, Callable[[Project, Contractor], Any]] = {
    "project-not-open": lambda project, _: Project.objects.update(state="paused"),
    "account-not-active": lambda _, person: Contractor.objects.filter(pk=person.pk).update(
        state="offered"
    ),
    "residence-unknown": lambda _, person: Residence.objects.filter(contractor=person).update(
        valid=DateRange(date(2020, 1, 1), date(2021, 1, 1))
    ),
    "not-eligible": move_to_new_york,
    "not-qualified": lambda project, _: Project.objects.update(needs_qualification=True),
    "guideline-not-acknowledged": stranger_to_the_guideline,
    "restricted": lambda _, person: restrict(contractor=person, cause="Copied", actor=None),
    "live-claim-cap-reached": cap,
    "cooling-down": lambda project, _: Project.objects.update(cool_down_seconds=600),
    "budget-exhausted": lambda project, _: services.fund(
        actor=None, project=project, amount_cents=1, reason="Too little"
    ),
}


@pytest.mark.parametrize("slug", GUARDS)
def test_every_guard_of_a_claim_applies(slug: str) -> None:
    assignment = given_up()
    GUARDS[slug](assignment.task.project, assignment.contractor)
    refused(assignment, slug)


def test_nobody_reclaims_anothers() -> None:
    assignment = given_up()
    address = f"/api/v1/assignments/{assignment.pk}/reclaim/"
    for person in (factories.worker(assignment.task.project), factories.manager()):
        assert client_for(person).post(address).status_code in (403, 404)
    assert client_for(None).post(address).status_code == 401
    assert Assignment.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_reclaiming_races_with_claims_for_the_last_place() -> None:
    assignment = given_up()
    project = assignment.task.project
    people = [factories.worker(project) for _ in range(4)]

    def claim(person: Contractor) -> Callable[[], Any]:
        return lambda: services.claim_next_task(contractor=person, project=project)

    results = run_together(
        [
            *(claim(person) for person in people),
            *([lambda: services.reclaim(assignment=assignment)] * 4),
        ]
    )
    kinds = Counter(type(result) for result in results)
    assert kinds[Assignment] == 1
    assert set(kinds) <= {Assignment, problems.QueueEmpty, problems.TaskNotFree}
    assert Assignment.objects.filter(occupies_slot=True).count() == 1
