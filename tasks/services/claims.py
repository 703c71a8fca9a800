"""The leased claim: taking a task, keeping it, giving it back."""

from __future__ import annotations

from datetime import timedelta

from django.db import transaction
from django.db.models import F

from annotation_platform.clock import database_now
from contractors.models import Contractor, User
from events.services import record
from tasks import guards, queries
from tasks.models import Assignment, Project, Task
from tasks.problems import AlreadySubmitted, LeaseOver, QueueEmpty, TaskNotFree
from tasks.rules import RETRY_AFTER_SECONDS, renewed_lease
from tasks.services import fast_claim
from tasks.services.budget import give_back, reserve
from tasks.services.tasks import free_slot, lock_task, take_slot


@transaction.atomic
def claim_next_task(*, contractor: Contractor, project: Project) -> Assignment:
    """Lease the project's next free task to the contractor.

    Pins price, guideline, eligibility policy and residence on the new assignment and writes
    `assignment.claimed`. Strict queue order (priority, then age) among the tasks that this
    person has never held; a task whose row another claim holds at this moment is skipped.

    Raises the first guard's problem (see `tasks.guards`) or `QueueEmpty`; then nothing is written.
    """
    claimed = fast_claim.claim(person_id=contractor.pk, project_id=project.pk)
    if claimed is not None:
        return Assignment.objects.select_related(
            "task__project", "task__video", "guideline", "contractor__user"
        ).get(pk=claimed.assignment_id)
    # Person before task: the same order everywhere. It also serialises one person's claims, so
    # that the cap of live claims can be counted.
    person = lock_person(contractor.pk)
    terms = guards.require(person, project)
    task = queries.next_open_task(project, person)
    if task is None:
        raise queue_empty(guards.out_of_reach(person, project))
    return _lease(person, project, task, terms)


@transaction.atomic
def reclaim(*, assignment: Assignment) -> Assignment:
    """Claim a task again that expired or was given back; its draft is still there.

    A new claim under today's price and guideline, with every guard. Raises the first guard's
    problem, or `TaskNotFree`.
    """
    person = lock_person(assignment.contractor_id)
    project = assignment.task.project
    terms = guards.require(person, project)
    task = lock_task(assignment.task_id)
    if assignment.state not in (Assignment.State.EXPIRED, Assignment.State.RETURNED):
        raise TaskNotFree(f"This claim is {assignment.state}; only one you gave up comes back.")
    holds_it = task.assignments.filter(contractor=person).exclude(state__in=Assignment.GIVEN_UP)
    if task.state != Task.State.OPEN or holds_it.exists():
        raise TaskNotFree(f"Task {task.pk} is {task.state}. Your draft is kept.")
    return _lease(person, project, task, terms)


def _lease(person: Contractor, project: Project, task: Task, terms: guards.Terms) -> Assignment:
    """Put the person on the lowest free slot of a locked, open task and reserve its price."""
    slot = take_slot(task)
    assert slot is not None, "an open task has a free slot (task_state_agrees_with_facts)"
    reserve(project, terms.price.price_cents)
    now = database_now()
    assignment = Assignment.objects.create(
        task=task,
        contractor=person,
        slot=slot,
        price_version=terms.price,
        price_cents=terms.price.price_cents,
        screening_fee_cents=terms.price.screening_fee_cents,
        currency=terms.price.currency,
        guideline=terms.guideline,
        policy_version=terms.policy_version,
        residence=terms.residence,
        eligibility=terms.eligibility,
        claimed_at=now,
        lease_expires_at=now + timedelta(seconds=project.lease_seconds),
        lease_ceiling_at=now + timedelta(seconds=project.lease_ceiling_seconds),
    )
    record(
        "assignment.claimed",
        actor=person.user,
        subject=assignment,
        data={"task_id": task.pk, "slot": slot, "price_cents": assignment.price_cents},
    )
    return assignment


def queue_empty(out_of_reach: dict[str, int] | None = None) -> QueueEmpty:
    """The refusal when no task is left for this person.

    Arguments:
        out_of_reach: open tasks that the person can't take, by guard (`guards.out_of_reach`).
    """
    return QueueEmpty(
        "Every open task of this project is taken, or you have already had it.",
        headers={"Retry-After": str(RETRY_AFTER_SECONDS)},
        **({} if out_of_reach is None else {"out_of_reach": out_of_reach}),
    )


@transaction.atomic
def renew_lease(*, assignment: Assignment) -> Assignment:
    """Extend a live lease from now on, up to its ceiling; a claim in grace becomes active again.

    A rework lease is a deadline and stays as it is. Raises `AlreadySubmitted` or `LeaseOver`.
    """
    locked = lock_assignment(assignment.pk)
    require_live(locked)
    if locked.state == Assignment.State.REWORK:
        return locked
    now = database_now()
    if now >= locked.lease_ceiling_at:
        hours = locked.task.project.lease_ceiling_seconds // 3600
        raise LeaseOver(
            f"A task can be held for at most {hours} hours. Submit it now or give it back."
        )
    locked.state = Assignment.State.ACTIVE
    locked.lease_expires_at = renewed_lease(
        now=now,
        lease_seconds=locked.task.project.lease_seconds,
        ceiling_at=locked.lease_ceiling_at,
    )
    locked.save(update_fields=["state", "lease_expires_at"])
    return locked


@transaction.atomic
def return_task(*, assignment: Assignment, reason: str = "") -> Assignment:
    """active | grace → returned: no penalty, the draft is kept, the slot is free again."""
    task = lock_task(assignment.task_id)
    locked = lock_assignment(assignment.pk)
    require_live(locked)
    if locked.state == Assignment.State.REWORK:
        raise LeaseOver("Work sent back for changes can't be returned; submit it as it is.")
    _give_up(locked, task, Assignment.State.RETURNED, reason)
    record("assignment.returned", actor=locked.contractor.user, subject=locked)
    return locked


@transaction.atomic
def release(*, actor: User, assignment: Assignment, reason: str, pay_cents: int = 0) -> Assignment:
    """active | grace | rework → released by a manager, with a reason; the slot is free again.

    `pay_cents` stays reserved of its price: the caller pays it in the same transaction.
    """
    task = lock_task(assignment.task_id)
    locked = lock_assignment(assignment.pk)
    require_live(locked)
    _give_up(locked, task, Assignment.State.RELEASED, reason, pay_cents=pay_cents)
    record(
        "assignment.released",
        actor=actor,
        subject=locked,
        data={"reason": reason, "pay_cents": pay_cents},
    )
    return locked


def expire_leases(*, batch: int = 500) -> dict[str, int]:
    """The sweep: active → grace when the lease ran out, grace → expired when that ran out too.

    Returns how many of each. One short transaction per expired claim, so that a claim or a
    submit never waits for the sweep.
    """
    now = database_now()
    lapsed = list(
        Assignment.objects.filter(
            state=Assignment.State.ACTIVE, lease_expires_at__lte=now
        ).values_list("pk", "task__project__grace_seconds")[:batch]
    )
    to_grace = sum(_enter_grace(pk, seconds) for pk, seconds in lapsed)
    over = list(
        Assignment.objects.filter(
            state=Assignment.State.GRACE, lease_expires_at__lte=now
        ).values_list("pk", "task_id")[:batch]
    )
    expired = sum(_expire(pk, task_id) for pk, task_id in over)
    return {"grace": to_grace, "expired": expired}


def _enter_grace(pk: int, grace_seconds: int) -> int:
    # One guarded statement: a renewal that came first makes it match nothing.
    return Assignment.objects.filter(
        pk=pk, state=Assignment.State.ACTIVE, lease_expires_at__lte=database_now()
    ).update(
        state=Assignment.State.GRACE,
        lease_expires_at=F("lease_expires_at") + timedelta(seconds=grace_seconds),
    )


@transaction.atomic
def _expire(pk: int, task_id: int) -> int:
    task = lock_task(task_id)
    assignment = lock_assignment(pk)
    lease = assignment.lease_expires_at
    if assignment.state != Assignment.State.GRACE or lease is None or lease > database_now():
        return 0
    _give_up(assignment, task, Assignment.State.EXPIRED, "The lease ran out.")
    record("assignment.expired", actor=None, subject=assignment, data={"task_id": task_id})
    return 1


def _give_up(
    assignment: Assignment,
    task: Task,
    state: Assignment.State,
    reason: str,
    *,
    pay_cents: int = 0,
) -> None:
    assignment.state = state
    assignment.occupies_slot = False
    assignment.lease_expires_at = None
    assignment.ended_at = database_now()
    assignment.end_reason = reason
    assignment.save(
        update_fields=["state", "occupies_slot", "lease_expires_at", "ended_at", "end_reason"]
    )
    free_slot(task)
    give_back(assignment.task.project, assignment.price_cents - pay_cents)


def lock_person(pk: int) -> Contractor:
    """The contractor, locked: first in the lock order."""
    return (
        Contractor.objects.select_for_update(no_key=True, of=("self",))
        .select_related("user")
        .get(pk=pk)
    )


def lock_assignment(pk: int) -> Assignment:
    """The assignment, locked, with what its services look at."""
    return (
        Assignment.objects.select_for_update(no_key=True, of=("self",))
        .select_related("task__project", "task__video", "contractor__user")
        .get(pk=pk)
    )


def require_live(assignment: Assignment) -> None:
    """Raise unless the contractor may still write to it."""
    if assignment.is_live:
        return
    if assignment.state in (Assignment.State.SUBMITTED, Assignment.State.CLOSED):
        raise AlreadySubmitted(f"Task {assignment.task_id} is {assignment.state}.")
    raise LeaseOver(
        f"Your claim on task {assignment.task_id} is {assignment.state}. Your draft is kept.",
        state=assignment.state,
    )
