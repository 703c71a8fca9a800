"""Moving away mid-task: no new claims from that date, and everything that was earned stays.

Eligibility is decided at each claim only.
"""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest
from django.db import transaction

from annotation_platform.clock import database_now
from contractors.models import Contractor, Residence
from contractors.services import declare_residence, publish_policy_version
from payouts.models import Payable
from payouts.services import credit_assignment
from reviews.services import decide_work
from reviews.services.decisions import Grounds
from tasks import problems, services
from tasks.models import Assignment, Project
from tests import factories
from tests.factories import client_for

pytestmark = pytest.mark.django_db


@pytest.fixture
def project() -> Project:
    made = factories.project(live_claim_cap=5, overlap=1)
    factories.open_tasks(made, 4)
    return made


def today() -> date:
    return database_now().date()


def moves(person: Contractor, area: str = "US-NY", on: date | None = None) -> Residence:
    return declare_residence(
        contractor=person, area=area, from_date=on or today(), actor=person.user
    )


def may_not_claim(person: Contractor, project: Project) -> None:
    before = Assignment.objects.count()
    with pytest.raises(problems.NotEligible, match="New York"):
        services.claim_next_task(contractor=person, project=project)
    assert Assignment.objects.count() == before


def paid(assignment: Assignment) -> list[tuple[str, int]]:
    return list(Payable.objects.filter(assignment=assignment).values_list("kind", "amount_cents"))


def test_from_the_day_of_the_move_there_are_no_new_claims(project: Project) -> None:
    person = factories.worker(project)
    factories.claimed(project, person)
    moves(person)
    may_not_claim(person, project)


def test_a_move_tomorrow_leaves_today_as_it_is(project: Project) -> None:
    person = factories.worker(project)
    factories.claimed(project, person)
    moves(person, on=today() + timedelta(days=1))
    assert factories.claimed(project, person).residence.area == "US-TX"


def test_a_move_dated_back_voids_nothing(project: Project) -> None:
    person = factories.worker(project)
    live = factories.claimed(project, person)
    moves(person, on=today() - timedelta(days=30))
    may_not_claim(person, project)
    live.refresh_from_db()
    assert (live.state, live.residence.area) == ("active", "US-TX")
    factories.submitted(live)


def test_a_live_claim_is_finished_reviewed_and_paid(project: Project) -> None:
    person = factories.worker(project)
    live = factories.claimed(project, person)
    moves(person)
    assert services.renew_lease(assignment=live).state == "active"
    services.save_draft(assignment=live, body={"n": 1}, expected_revision=0)
    services.heartbeat(assignment=live, events=1)
    submission = factories.submitted(live)
    asked = decide_work(
        submission=submission,
        outcome="changes_requested",
        actor=factories.reviewer(),
        grounds=Grounds(explanation="Look at the end."),
    )
    assert asked.outcome == "changes_requested"
    again = factories.submitted(live)
    decide_work(
        submission=again,
        outcome="accepted",
        actor=factories.reviewer(),
        grounds=Grounds(explanation="Good."),
    )
    assert paid(live) == [("accepted", 1600)]
    live.refresh_from_db()
    assert (live.state, live.residence.area, live.eligibility["area"]) == (
        "closed", "US-TX", "US-TX",
    )  # fmt: skip


def test_submitted_work_is_reviewed_and_paid(project: Project) -> None:
    person = factories.worker(project)
    submission = factories.submitted(factories.claimed(project, person))
    moves(person)
    decide_work(
        submission=submission,
        outcome="auto_accepted",
        actor=None,
        grounds=Grounds(explanation="Nobody looked in time."),
    )
    assert paid(submission.assignment) == [("auto_accepted", 1600)]


def test_a_live_claim_can_be_released_with_part_pay(project: Project) -> None:
    person = factories.worker(project)
    live = factories.claimed(project, person)
    moves(person)
    manager = factories.manager()
    with transaction.atomic():
        released = services.release(
            actor=manager, assignment=live, reason="You moved", pay_cents=800
        )
        credit_assignment(
            assignment=released, kind="partial", amount_cents=800, actor=manager, reason="Half"
        )
    live.refresh_from_db()
    assert (live.state, paid(live)) == ("released", [("partial", 800)])


def test_a_live_claim_can_be_given_back_and_not_taken_again(project: Project) -> None:
    person = factories.worker(project)
    live = factories.claimed(project, person)
    moves(person)
    services.return_task(assignment=live)
    live.refresh_from_db()
    with pytest.raises(problems.NotEligible):
        services.reclaim(assignment=live)


def test_late_work_of_somebody_who_moved_is_still_taken(project: Project) -> None:
    person = factories.worker(project)
    live = factories.claimed(project, person)
    for minutes in (31, 16):
        factories.age(live, minutes=minutes)
        services.expire_leases()
        live.refresh_from_db()
    moves(person)
    assert factories.submitted(live).state == "submitted"


def test_moving_back_lets_claim_again(project: Project) -> None:
    person = factories.worker(project)
    moves(person, on=today() - timedelta(days=2))
    may_not_claim(person, project)
    moves(person, "US-TX")
    assert factories.claimed(project, person).residence.area == "US-TX"


def test_a_policy_change_reaches_new_claims_only(project: Project) -> None:
    person = factories.worker(project)
    live = factories.claimed(project, person)
    submission = factories.submitted(factories.claimed(project, person))
    pinned = (live.policy_version_id, live.eligibility)
    publish_policy_version(
        policy=project.policy,
        rows=[("US", "allow"), ("US-TX", "deny")],
        reason="Texas is out",
        effective_at=None,
        actor=factories.manager(),
    )
    with pytest.raises(problems.NotEligible, match="Texas"):
        services.claim_next_task(contractor=person, project=project)
    live.refresh_from_db()
    assert (live.policy_version_id, live.eligibility) == pinned
    assert live.eligibility["policy_version"] == 1
    decide_work(
        submission=submission,
        outcome="accepted",
        actor=factories.reviewer(),
        grounds=Grounds(explanation="Good."),
    )
    assert paid(submission.assignment) == [("accepted", 1600)]
    finished = factories.submitted(live)
    assert finished.state == "submitted"
    new_yorker = factories.contractor(area="US-NY")
    services.acknowledge_guideline(contractor=new_yorker, guideline=live.guideline)
    claim = services.claim_next_task(contractor=new_yorker, project=project)
    assert claim.eligibility["policy_version"] == 2


def test_a_move_over_http_keeps_the_claim_workable(project: Project) -> None:
    person = factories.worker(project)
    client = client_for(person)
    live = client.post("/api/v1/assignments/", {"project": project.pk}).json()
    moves(person)
    refused: Any = client.post("/api/v1/assignments/", {"project": project.pk})
    assert (refused.status_code, refused.json()["type"]) == (403, "/problems/not-eligible")
    address = f"/api/v1/assignments/{live['id']}"
    assert client.post(f"{address}/renew/").status_code == 200
    assert client.get(f"{address}/").json()["media"] is not None
    (offer,) = client.get("/api/v1/offers/").json()["results"]
    assert [r["type"] for r in offer["refusals"]] == ["/problems/not-eligible"]
