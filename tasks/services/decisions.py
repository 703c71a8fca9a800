"""What a decision does to the queue. Called by the reviews floor inside its transaction."""

from __future__ import annotations

from datetime import timedelta

from django.db import transaction

from annotation_platform.clock import database_now
from contractors.models import User
from events.services import record
from tasks.models import Assignment, Submission, Task
from tasks.problems import AlreadyDecided, NoRoundsLeft, WrongTaskState
from tasks.rules import ASKS_FOR_CHANGES, FREES_SLOT, MAX_ROUNDS, OUTCOMES
from tasks.services.budget import give_back
from tasks.services.claims import lock_assignment, release
from tasks.services.tasks import free_slot, lock_task, settle_slots


@transaction.atomic
def mark_in_review(*, submission: Submission) -> Submission:
    """submitted → in_review; already there is fine. Raises `AlreadyDecided`."""
    locked = Submission.objects.select_for_update(no_key=True).get(pk=submission.pk)
    if locked.state not in Submission.UNDECIDED:
        raise AlreadyDecided(f"Submission {locked.pk} is {locked.state}.")
    locked.state = Submission.State.IN_REVIEW
    locked.save(update_fields=["state"])
    return locked


@transaction.atomic
def record_decision(
    *, submission: Submission, outcome: str, actor: User | None, reason: str = ""
) -> Submission:
    """Set a submission's outcome and carry it to its assignment and task.

    Pay is not decided here: the caller credits it in the same transaction.

    Arguments:
        outcome: one of `tasks.rules.OUTCOMES`.
        actor: the reviewer; None when the system decides.

    Raises `AlreadyDecided`; `NoRoundsLeft` when changes were asked for twice already.
    """
    assert outcome in OUTCOMES, outcome
    task_id = Assignment.objects.values_list("task_id", flat=True).get(submissions=submission)
    task = lock_task(task_id)
    assignment = lock_assignment(submission.assignment_id)
    locked = Submission.objects.select_for_update(no_key=True).get(pk=submission.pk)
    if locked.state not in Submission.UNDECIDED:
        raise AlreadyDecided(f"Submission {locked.pk} is {locked.state}.")
    if outcome == ASKS_FOR_CHANGES and locked.round >= MAX_ROUNDS:
        raise NoRoundsLeft("Accept it, accept it with fixes, or reject it.")

    now = database_now()
    locked.state = outcome
    locked.decided_at = now
    locked.save(update_fields=["state", "decided_at"])
    if outcome == ASKS_FOR_CHANGES:
        assignment.state = Assignment.State.REWORK
        assignment.lease_expires_at = now + timedelta(seconds=task.project.rework_seconds)
        assignment.save(update_fields=["state", "lease_expires_at"])
    else:
        assignment.state = Assignment.State.CLOSED
        assignment.occupies_slot = outcome not in FREES_SLOT
        assignment.ended_at = now
        assignment.end_reason = outcome
        assignment.save(update_fields=["state", "occupies_slot", "ended_at", "end_reason"])
        if not assignment.occupies_slot:
            free_slot(task)
        give_back(task.project, assignment.price_cents - _pays(outcome, assignment))
    record(
        "submission.decided",
        actor=actor,
        subject=locked,
        data={
            "outcome": outcome,
            "reason": reason,
            "assignment_id": assignment.pk,
            "task_id": task.pk,
        },
    )
    _complete_if_done(task)
    return locked


@transaction.atomic
def raise_overlap(*, task: Task, actor: User | None = None) -> Task:
    """Ask for one more independent assignment, up to the task's maximum; filled → open.

    Raises `WrongTaskState` at the maximum or when the task has ended.
    """
    locked = lock_task(task.pk)
    if locked.ended_at is not None or locked.overlap >= locked.max_overlap:
        raise WrongTaskState(f"Task {locked.pk} has no room for a further assignment.")
    locked.overlap += 1
    settle_slots(locked)
    locked.save(update_fields=["overlap", "state"])
    record("task.overlap_raised", actor=actor, subject=locked, data={"overlap": locked.overlap})
    return locked


@transaction.atomic
def mark_adjudicating(*, task: Task) -> Task:
    """filled → adjudicating: too little agreement, a person decides; other states stay."""
    locked = lock_task(task.pk)
    if locked.state == Task.State.FILLED:
        locked.state = Task.State.ADJUDICATING
        locked.save(update_fields=["state"])
        record("task.adjudicating", actor=None, subject=locked)
    return locked


@transaction.atomic
def mark_unusable(*, task: Task, actor: User, reason: str) -> list[Assignment]:
    """open | filled | adjudicating | paused → unusable; live claims are released.

    Returns the released assignments: the caller pays their screening fee in its transaction.
    A task that has ended stays as it is and nothing is released.
    """
    locked = lock_task(task.pk)
    if locked.ended_at is not None:
        return []
    locked.state, locked.state_reason = Task.State.UNUSABLE, reason[:500]
    locked.ended_at = database_now()
    locked.save(update_fields=["state", "state_reason", "ended_at"])
    record("task.unusable", actor=actor, subject=locked, data={"reason": reason})
    live = locked.assignments.filter(state__in=Assignment.LEASED).order_by("contractor_id")
    return [
        release(actor=actor, assignment=claim, reason=reason, pay_cents=claim.screening_fee_cents)
        for claim in live
    ]


def _pays(outcome: str, assignment: Assignment) -> int:
    """Cents of the reservation that an outcome turns into pay."""
    if outcome == "rejected":
        return 0
    if outcome == "unusable_confirmed":
        return assignment.screening_fee_cents
    return assignment.price_cents


def _complete_if_done(task: Task) -> None:
    """filled | adjudicating → completed once every held slot's work is accepted.

    A task under adjudication that loses work it needs opens again for somebody else.
    """
    if task.state not in (Task.State.FILLED, Task.State.ADJUDICATING):
        return
    held = Assignment.objects.filter(task=task, occupies_slot=True)
    if held.exclude(state=Assignment.State.CLOSED).exists():
        return
    if task.held_slots == 0:
        task.state = Task.State.OPEN
        task.save(update_fields=["state"])
        return
    task.state = Task.State.COMPLETED
    task.ended_at = database_now()
    task.save(update_fields=["state", "ended_at"])
    record("task.completed", actor=None, subject=task)
