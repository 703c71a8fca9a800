"""The whole queue on real PostgreSQL against a small model of it, under any history."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)

from annotation_platform.api.problems import Problem
from events.models import Event
from tasks import problems, services
from tasks.models import Assignment, BudgetShare, Draft, Submission, Task
from tasks.services import fast_claim
from tests import factories

PRICE = 1600
PEOPLE = 4
LEASED = ("active", "grace", "rework")
OCCUPYING = (*LEASED, "submitted", "accepted")
GIVEN_UP = ("returned", "expired", "released")

who = st.integers(0, PEOPLE - 1)
pick = st.integers(0, 99)


@dataclass
class Claim:
    """What the model knows of an assignment; `accepted`, `rejected` where it is closed."""

    person: int
    task: int
    state: str = "active"


@dataclass
class Work:
    """What the model knows of a task."""

    overlap: int
    paused: bool = False
    completed: bool = False


class Queue(RuleBasedStateMachine):
    @initialize(tasks=st.integers(1, 3), cap=st.integers(1, 2), money=st.integers(2, 12))
    def begin(self, tasks: int, cap: int, money: int) -> None:
        fast_claim.low_water.forget()
        self.project = factories.project(overlap=2, max_overlap=3, live_claim_cap=cap)
        services.fund(actor=None, project=self.project, amount_cents=money * PRICE, reason="Test")
        self.project.refresh_from_db()
        opened = factories.open_tasks(self.project, tasks)
        self.people = [factories.worker(self.project) for _ in range(PEOPLE)]
        self.boss = factories.manager()
        self.cap, self.money = cap, money * PRICE
        self.tasks = {task.pk: Work(task.overlap) for task in opened}
        self.claims: dict[int, Claim] = {}
        self.drafts: dict[tuple[int, int], tuple[int, Any]] = {}

    # --- the model's own arithmetic -------------------------------------------------------

    def _held(self, task: int) -> int:
        return sum(c.task == task and c.state in OCCUPYING for c in self.claims.values())

    def _is_open(self, task: int) -> bool:
        work = self.tasks[task]
        return not work.paused and not work.completed and self._held(task) < work.overlap

    def _live(self, person: int) -> list[int]:
        return [pk for pk, c in self.claims.items() if c.person == person and c.state in LEASED]

    def _in(self, number: int, *states: str) -> int | None:
        """One of the claims in these states."""
        found = [pk for pk, claim in self.claims.items() if claim.state in states]
        return found[number % len(found)] if found else None

    def _completes(self, task: int) -> None:
        work = self.tasks[task]
        states = [c.state for c in self.claims.values() if c.task == task]
        accepted = sum(state == "accepted" for state in states)
        if not work.paused and accepted == work.overlap:
            work.completed = True

    @contextmanager
    def _refused(self, kind: type[Problem]) -> Iterator[None]:
        """The block raises this problem and leaves no trace."""
        before = (Event.objects.count(), self._money_in_database())
        with pytest.raises(kind):
            yield
        assert (Event.objects.count(), self._money_in_database()) == before

    def _money_in_database(self) -> int:
        shares = BudgetShare.objects.filter(project=self.project)
        return sum(shares.values_list("free_cents", flat=True))

    # --- claiming ---------------------------------------------------------------------------

    @rule(who=who, forget=st.booleans())
    def claim(self, who: int, forget: bool) -> None:
        if forget:
            fast_claim.low_water.forget()
        had = {c.task for c in self.claims.values() if c.person == who}
        free = [task for task in sorted(self.tasks) if self._is_open(task) and task not in had]

        def attempt() -> Assignment:
            return services.claim_next_task(contractor=self.people[who], project=self.project)

        if len(self._live(who)) >= self.cap:
            with self._refused(problems.LiveClaimCapReached):
                attempt()
        elif self.money < PRICE:
            with self._refused(problems.BudgetExhausted):
                attempt()
        elif not free:
            with self._refused(problems.QueueEmpty):
                attempt()
        else:
            assignment = attempt()
            assert assignment.task_id in ([free[0]] if forget else free)
            self._claimed(assignment, who)

    def _claimed(self, assignment: Assignment, person: int) -> None:
        self.claims[assignment.pk] = Claim(person, assignment.task_id)
        self.money -= PRICE

    @rule(number=pick)
    def reclaim(self, number: int) -> None:
        pk = self._in(number, "returned", "expired")
        if pk is None:
            return
        claim = self.claims[pk]
        assignment = Assignment.objects.get(pk=pk)
        holds = any(
            c.person == claim.person and c.task == claim.task and c.state not in GIVEN_UP
            for c in self.claims.values()
        )
        if len(self._live(claim.person)) >= self.cap:
            expected: type[Problem] = problems.LiveClaimCapReached
        elif self.money < PRICE:
            expected = problems.BudgetExhausted
        elif holds or not self._is_open(claim.task):
            expected = problems.TaskNotFree
        else:
            self._claimed(services.reclaim(assignment=assignment), claim.person)
            return
        with self._refused(expected):
            services.reclaim(assignment=assignment)

    # --- time ---------------------------------------------------------------------------------

    @rule(number=pick)
    def lease_runs_out(self, number: int) -> None:
        pk = self._in(number, "active", "grace")
        if pk is None:
            return
        claim = self.claims[pk]
        factories.age(Assignment.objects.get(pk=pk), minutes=46 if claim.state == "grace" else 31)
        services.expire_leases()
        if claim.state == "active":
            claim.state = "grace"
        else:
            claim.state = "expired"
            self.money += PRICE

    @rule(number=pick)
    def renew(self, number: int) -> None:
        pk = self._in(number, "active", "grace", "submitted", *GIVEN_UP)
        if pk is None:
            return
        claim, assignment = self.claims[pk], Assignment.objects.get(pk=pk)
        if claim.state in LEASED:
            if services.renew_lease(assignment=assignment).state == "active":
                claim.state = "active"
        else:
            kind = problems.AlreadySubmitted if claim.state == "submitted" else problems.LeaseOver
            with self._refused(kind):
                services.renew_lease(assignment=assignment)

    # --- working ------------------------------------------------------------------------------

    @rule(number=pick, text=st.text(max_size=3).filter(str.isprintable), stale=st.booleans())
    def save_draft(self, number: int, text: str, stale: bool) -> None:
        pk = self._in(number, *LEASED, "expired")
        if pk is None:
            return
        claim, assignment = self.claims[pk], Assignment.objects.get(pk=pk)
        key = (claim.person, claim.task)
        revision, _ = self.drafts.get(key, (0, None))
        if stale:
            with self._refused(problems.StaleDraft):
                services.save_draft(
                    assignment=assignment, body={"text": text}, expected_revision=revision + 1
                )
            return
        services.save_draft(assignment=assignment, body={"text": text}, expected_revision=revision)
        self.drafts[key] = (revision + 1, {"text": text})

    @rule(number=pick)
    def submit(self, number: int) -> None:
        pk = self._in(number, *LEASED, "submitted", *GIVEN_UP)
        if pk is None:
            return
        claim, assignment = self.claims[pk], Assignment.objects.get(pk=pk)
        again = any(
            other != pk and c.person == claim.person and c.task == claim.task
            and c.state not in GIVEN_UP
            for other, c in self.claims.items()
        )  # fmt: skip
        if claim.state == "submitted":
            expected: type[Problem] | None = problems.AlreadySubmitted
        elif claim.state in ("returned", "released") or (
            claim.state == "expired" and (again or not self._is_open(claim.task))
        ):
            expected = problems.LeaseOver
        elif claim.state == "expired" and self.money < PRICE:
            expected = problems.BudgetExhausted
        else:
            expected = None
        if expected is not None:
            with self._refused(expected):
                factories.submitted(assignment)
            return
        factories.submitted(assignment)
        if claim.state == "expired":
            self.money -= PRICE
        claim.state = "submitted"

    @rule(number=pick)
    def give_back(self, number: int) -> None:
        pk = self._in(number, "active", "grace")
        if pk is not None:
            services.return_task(assignment=Assignment.objects.get(pk=pk))
            self.claims[pk].state = "returned"
            self.money += PRICE

    @rule(number=pick)
    def release(self, number: int) -> None:
        pk = self._in(number, *LEASED)
        if pk is not None:
            services.release(
                actor=self.boss, assignment=Assignment.objects.get(pk=pk), reason="Test"
            )
            self.claims[pk].state = "released"
            self.money += PRICE

    # --- deciding -------------------------------------------------------------------------------

    @rule(number=pick, outcome=st.sampled_from(["accepted", "rejected", "changes_requested"]))
    def decide(self, number: int, outcome: str) -> None:
        pk = self._in(number, "submitted")
        if pk is None:
            return
        claim = self.claims[pk]
        submission = Submission.objects.filter(assignment=pk).latest("round")
        if outcome == "changes_requested" and submission.round >= 3:
            with self._refused(problems.NoRoundsLeft):
                services.record_decision(submission=submission, outcome=outcome, actor=self.boss)
            return
        services.record_decision(submission=submission, outcome=outcome, actor=self.boss)
        claim.state = "rework" if outcome == "changes_requested" else outcome
        if outcome == "rejected":
            self.money += PRICE
        self._completes(claim.task)

    @rule(number=pick)
    def pause_or_resume(self, number: int) -> None:
        task = sorted(self.tasks)[number % len(self.tasks)]
        work, row = self.tasks[task], Task.objects.get(pk=task)
        if work.completed:
            with self._refused(problems.WrongTaskState):
                services.pause_task(actor=self.boss, task=row, reason="Test")
        elif work.paused:
            services.resume_task(actor=self.boss, task=row)
            work.paused = False
        else:
            services.pause_task(actor=self.boss, task=row, reason="Test")
            work.paused = True

    @rule(number=pick)
    def raise_overlap(self, number: int) -> None:
        task = sorted(self.tasks)[number % len(self.tasks)]
        work, row = self.tasks[task], Task.objects.get(pk=task)
        if work.completed or work.overlap >= 3:
            with self._refused(problems.WrongTaskState):
                services.raise_overlap(task=row)
        else:
            services.raise_overlap(task=row)
            work.overlap += 1

    # --- after every step -------------------------------------------------------------------

    @invariant()
    def the_database_says_what_the_model_says(self) -> None:
        if not hasattr(self, "claims"):
            return
        rows = Assignment.objects.filter(task__project=self.project)
        closed = {"accepted": "closed", "rejected": "closed"}
        assert {row.pk: (row.state, row.occupies_slot) for row in rows} == {
            pk: (closed.get(claim.state, claim.state), claim.state in OCCUPYING)
            for pk, claim in self.claims.items()
        }
        assert self._money_in_database() == self.money
        slots: dict[int, set[int]] = {}
        for row in rows:
            if row.occupies_slot:
                taken = slots.setdefault(row.task_id, set())
                assert row.slot not in taken, "one slot given twice"
                taken.add(row.slot)
        for task in Task.objects.filter(project=self.project):
            work = self.tasks[task.pk]
            assert (task.overlap, task.held_slots) == (work.overlap, self._held(task.pk))
            assert slots.get(task.pk, set()) <= set(range(task.overlap))
            if work.completed or work.paused:
                assert task.state == ("completed" if work.completed else "paused")
            else:
                assert task.state == ("open" if self._is_open(task.pk) else "filled")
        people = {person.pk: number for number, person in enumerate(self.people)}
        drafts = Draft.objects.filter(task__project=self.project)
        assert {
            (people[d.contractor_id], d.task_id): (d.revision, d.body) for d in drafts
        } == self.drafts


def play(examples: int, steps: int) -> None:
    run_state_machine_as_test(
        Queue,
        settings=settings(
            max_examples=examples,
            stateful_step_count=steps,
            deadline=None,
            database=None,
            suppress_health_check=list(HealthCheck),
        ),
    )


@pytest.mark.django_db
def test_the_queue_under_any_history() -> None:
    play(examples=40, steps=30)


@pytest.mark.nightly
@pytest.mark.django_db
def test_the_queue_under_many_histories() -> None:
    play(examples=1000, steps=50)
