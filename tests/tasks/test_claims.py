from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import connection

from events.models import Event
from tasks import problems, services
from tasks.models import Assignment, Task
from tests import factories

pytestmark = pytest.mark.django_db


def test_a_claim_pins_what_decides_about_it_later() -> None:
    project = factories.project(lease_seconds=1800, lease_ceiling_seconds=86_400)
    task = factories.open_tasks(project)[0]
    person = factories.worker(project, area="US-TX")

    assignment = services.claim_next_task(contractor=person, project=project)

    assert assignment.task == task
    assert (assignment.slot, assignment.state) == (0, "active")
    assert (assignment.price_cents, assignment.currency) == (1600, "USD")
    assert assignment.price_version.number == 1
    assert assignment.guideline.version == 1
    assert assignment.policy_version.number == 1
    assert assignment.residence.area == "US-TX"
    assert assignment.eligibility["outcome"] == "allow"
    assert assignment.eligibility["matched_area"] == "US"
    assert assignment.lease_expires_at == assignment.claimed_at + timedelta(minutes=30)
    assert assignment.lease_ceiling_at == assignment.claimed_at + timedelta(hours=24)
    event = Event.objects.get(type="assignment.claimed")
    assert (event.actor_id, event.subject_id) == (person.pk, assignment.pk)


def test_a_new_price_reaches_new_claims_only() -> None:
    project = factories.project(overlap=2)
    factories.open_tasks(project)
    before = factories.claimed(project)
    services.set_price(
        actor=None, project=project, price_cents=2000, screening_fee_cents=200, reason="Harder"
    )
    after = factories.claimed(project)
    before.refresh_from_db()
    assert (before.price_cents, after.price_cents) == (1600, 2000)


def test_two_people_share_a_task_of_overlap_two_and_a_third_gets_the_next() -> None:
    project = factories.project(overlap=2)
    first, second = factories.open_tasks(project, 2)
    claims = [factories.claimed(project) for _ in range(3)]
    assert [(c.task_id, c.slot) for c in claims] == [
        (first.pk, 0), (first.pk, 1), (second.pk, 0),
    ]  # fmt: skip
    first.refresh_from_db()
    second.refresh_from_db()
    assert (first.state, first.held_slots) == ("filled", 2)
    assert (second.state, second.held_slots) == ("open", 1)


def test_one_person_never_gets_the_same_task_twice() -> None:
    project = factories.project(overlap=2, live_claim_cap=9)
    tasks = factories.open_tasks(project, 2)
    person = factories.worker(project)
    assert {factories.claimed(project, person).task_id for _ in tasks} == {t.pk for t in tasks}
    with pytest.raises(problems.QueueEmpty):
        factories.claimed(project, person)


def test_a_returned_task_goes_to_somebody_else() -> None:
    project = factories.project(overlap=1)
    factories.open_tasks(project)
    person = factories.worker(project)
    services.return_task(assignment=factories.claimed(project, person))
    with pytest.raises(problems.QueueEmpty):
        factories.claimed(project, person)
    assert factories.claimed(project).slot == 0


def test_priority_goes_before_age() -> None:
    project = factories.project()
    old, urgent = factories.open_tasks(project, 2)
    Task.objects.filter(pk=urgent.pk).update(priority=5)
    assert factories.claimed(project).task_id == urgent.pk
    assert old.pk < urgent.pk


REFUSALS = [
    ({"area": "US-CA"}, problems.NotEligible),
    ({"area": "US-NY"}, problems.NotEligible),
    ({"area": "US-DC"}, problems.NotEligible),
    ({"area": "US"}, problems.ResidenceUnknown),
    ({"area": None}, problems.ResidenceUnknown),
    ({"state": "offered"}, problems.AccountNotActive),
]


@pytest.mark.parametrize(("who", "refusal"), REFUSALS)
def test_a_refused_claim_says_why_and_writes_nothing(
    who: dict[str, str], refusal: type[Exception]
) -> None:
    project = factories.project()
    task = factories.open_tasks(project)[0]
    person = factories.worker(project, **who)
    events = Event.objects.count()

    with pytest.raises(refusal):
        services.claim_next_task(contractor=person, project=project)

    task.refresh_from_db()
    assert (task.state, task.held_slots) == ("open", 0)
    assert not Assignment.objects.exists()
    assert Event.objects.count() == events


def test_an_unread_guideline_and_a_full_hand_are_refused() -> None:
    project = factories.project(live_claim_cap=1)
    factories.open_tasks(project, 3)
    with pytest.raises(problems.GuidelineNotAcknowledged):
        services.claim_next_task(contractor=factories.contractor(), project=project)
    person = factories.worker(project)
    held = factories.claimed(project, person)
    with pytest.raises(problems.LiveClaimCapReached) as refused:
        factories.claimed(project, person)
    assert refused.value.extra == {"assignments": [held.pk]}


def test_renewal_extends_up_to_the_ceiling_and_comes_back_from_grace() -> None:
    project = factories.project(lease_seconds=1800, lease_ceiling_seconds=3600)
    factories.open_tasks(project)
    assignment = factories.claimed(project)
    factories.age(assignment, minutes=40)
    assert services.expire_leases() == {"grace": 1, "expired": 0}

    renewed = services.renew_lease(assignment=assignment)
    assert renewed.state == "active"
    assert renewed.lease_expires_at == renewed.lease_ceiling_at  # in 20 minutes, not 30

    factories.age(renewed, minutes=20)
    with pytest.raises(problems.LeaseOver):
        services.renew_lease(assignment=renewed)


def test_a_lease_runs_out_into_grace_then_frees_the_slot() -> None:
    project = factories.project(overlap=1, grace_seconds=900)
    task = factories.open_tasks(project)[0]
    assignment = factories.claimed(project)
    factories.age(assignment, minutes=29)
    assert services.expire_leases() == {"grace": 0, "expired": 0}
    factories.age(assignment, minutes=2)
    assert services.expire_leases() == {"grace": 1, "expired": 0}
    task.refresh_from_db()
    assert (task.state, task.held_slots) == ("filled", 1)  # grace holds the slot

    factories.age(Assignment.objects.get(), minutes=15)
    assert services.expire_leases() == {"grace": 0, "expired": 1}
    task.refresh_from_db()
    assignment.refresh_from_db()
    assert (task.state, task.held_slots) == ("open", 0)
    assert (assignment.state, assignment.occupies_slot) == ("expired", False)
    assert Event.objects.filter(type="assignment.expired").count() == 1


def attack(sql: str, *params: int) -> None:
    with connection.cursor() as cursor:
        cursor.execute(sql, params)


COPY_CLAIM = """
    INSERT INTO tasks_assignment (task_id, contractor_id, slot, occupies_slot, state,
        price_version_id, price_cents, screening_fee_cents, currency, guideline_id,
        policy_version_id, residence_id, eligibility, claimed_at, lease_expires_at,
        lease_ceiling_at, end_reason)
    SELECT task_id, %s, %s, true, 'active', price_version_id, price_cents, screening_fee_cents,
        currency, guideline_id, policy_version_id, residence_id, eligibility, claimed_at,
        lease_expires_at, lease_ceiling_at, ''
    FROM tasks_assignment WHERE id = %s
"""


def test_the_database_refuses_two_live_claims_on_one_slot() -> None:
    project = factories.project()
    factories.open_tasks(project)
    assignment = factories.claimed(project)
    other = factories.contractor()
    with pytest.raises(Exception, match="assignment_one_live_per_slot"):
        attack(COPY_CLAIM, other.pk, assignment.slot, assignment.pk)


def test_the_database_refuses_one_person_twice_on_one_task() -> None:
    project = factories.project()
    factories.open_tasks(project)
    assignment = factories.claimed(project)
    with pytest.raises(Exception, match="assignment_one_live_per_task_and_contractor"):
        attack(COPY_CLAIM, assignment.contractor_id, 1, assignment.pk)


@pytest.mark.parametrize(
    ("change", "constraint"),
    [
        ("state = 'submitted'", "assignment_state_agrees_with_facts"),
        (
            "state = 'returned', lease_expires_at = NULL, ended_at = now()",
            "assignment_state_agrees_with_facts",
        ),
        ("occupies_slot = false", "assignment_state_agrees_with_facts"),
        ("lease_expires_at = NULL", "assignment_state_agrees_with_facts"),
        ("ended_at = now()", "assignment_state_agrees_with_facts"),
        ("price_cents = 0, screening_fee_cents = 0", "assignment_pins_are_usable"),
        (
            "state = 'nonsense', lease_expires_at = NULL",
            "active to nonsense is not a move",
        ),
    ],
)
def test_the_database_ties_states_to_their_columns(change: str, constraint: str) -> None:
    project = factories.project()
    factories.open_tasks(project)
    assignment = factories.claimed(project)
    with pytest.raises(Exception, match=constraint):
        attack(f"UPDATE tasks_assignment SET {change} WHERE id = %s", assignment.pk)


@pytest.mark.parametrize(
    ("change", "constraint"),
    [
        ("held_slots = 3", "task_slots_within_overlap"),
        ("held_slots = 2", "task_state_agrees_with_facts"),
        ("state = 'filled'", "task_state_agrees_with_facts"),
        ("state = 'cancelled'", "task_state_agrees_with_facts"),
        ("opened_at = NULL", "task_state_agrees_with_facts"),
    ],
)
def test_the_database_keeps_slots_and_task_states_together(change: str, constraint: str) -> None:
    task = factories.open_tasks(factories.project(overlap=2))[0]
    with pytest.raises(Exception, match=constraint):
        attack(f"UPDATE tasks_task SET {change} WHERE id = %s", task.pk)
