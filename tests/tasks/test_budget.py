"""The budget: never overdrawn, nothing lost, every cent accounted for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import UTC, date, timedelta
from threading import Event as Signal
from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction
from django.db.models import QuerySet, Sum

from annotation_platform.clock import database_now
from contractors.models import Contractor
from events.models import Event
from payouts.models import Payable
from payouts.rules import runs_out_on
from payouts.services import credit_assignment, pay_bonus
from reviews.services import decide_work
from reviews.services.decisions import Grounds
from tasks import problems, services
from tasks.models import Assignment, BudgetShare, Funding, Project, Submission
from tests import factories
from tests.factories import client_for
from tests.faults.processes import eventually
from tests.races.together import run_together
from tests.raw_sql import execute

pytestmark = pytest.mark.django_db


def funded(cents: int, **settings: Any) -> Project:
    project = factories.project(**settings)
    services.fund(actor=None, project=project, amount_cents=cents, reason="Pilot")
    project.refresh_from_db()
    return project


def free(project: Project) -> int:
    total = BudgetShare.objects.filter(project=project).aggregate(t=Sum("free_cents"))["t"]
    return int(total or 0)


def balance(project: Project) -> dict[str, int]:
    """Where a project's money is. What is undecided keeps its whole price reserved."""
    reserved = Assignment.objects.filter(
        task__project=project, state__in=[*Assignment.LEASED, Assignment.State.SUBMITTED]
    ).aggregate(t=Sum("price_cents"))["t"]
    earned = Payable.objects.filter(project=project).aggregate(t=Sum("amount_cents"))["t"]
    put_in = Funding.objects.filter(project=project).aggregate(t=Sum("amount_cents"))["t"]
    found = {"free": free(project), "reserved": reserved or 0, "earned": earned or 0}
    assert put_in == sum(found.values()), found
    return found


# --- the race ---------------------------------------------------------------------------


def claim_each(people: list[Contractor], project: Project) -> Counter[type]:
    def claim(person: Contractor) -> Callable[[], Assignment]:
        return lambda: services.claim_next_task(contractor=person, project=project)

    return Counter(type(result) for result in run_together([claim(p) for p in people]))


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("known", [False, True], ids=["guards", "fast"])
def test_sixteen_people_share_money_for_five(known: bool) -> None:
    """The money lies in shares smaller than a price; together it is exactly five prices."""
    project = funded(5 * 1600, overlap=2)
    factories.open_tasks(project, 16)
    people = [factories.worker(project) for _ in range(16)]
    if known:  # with their eligibility worked out, claims take the short way
        client = [client_for(person) for person in people]
        for each in client:
            each.get(f"/api/v1/projects/{project.pk}/why/")
    kinds = claim_each(people, project)
    assert kinds == {Assignment: 5, problems.BudgetExhausted: 11}
    assert balance(project) == {"free": 0, "reserved": 8000, "earned": 0}


@pytest.fixture
def no_locks(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same code with every row lock off."""

    def unlocked(self: QuerySet[Any], *args: Any, **kwargs: Any) -> QuerySet[Any]:
        return self.all()

    monkeypatch.setattr(QuerySet, "select_for_update", unlocked)


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("no_locks")
def test_without_the_locks_the_shares_collide() -> None:
    project = funded(5 * 1600)
    results = run_together(
        [lambda: transaction.atomic(services.reserve)(project, 1600) for _ in range(16)]
    )
    granted = [r for r in results if not isinstance(r, Exception)]
    collided = [r for r in results if isinstance(r, IntegrityError)]
    assert collided or 1600 * len(granted) + free(project) != 8000


@pytest.mark.django_db(transaction=True)
def test_with_them_they_do_not() -> None:
    project = funded(5 * 1600)
    results = run_together(
        [lambda: transaction.atomic(services.reserve)(project, 1600) for _ in range(16)]
    )
    assert Counter(type(r) for r in results) == {type(None): 5, problems.BudgetExhausted: 11}
    assert free(project) == 0


@pytest.mark.django_db(transaction=True)
def test_taking_money_out_races_with_claims() -> None:
    project = funded(5 * 1600)
    factories.open_tasks(project, 8)
    people = [factories.worker(project) for _ in range(8)]

    def claim(person: Contractor) -> Callable[[], Any]:
        return lambda: services.claim_next_task(contractor=person, project=project)

    def withdraw() -> Any:
        return services.fund(actor=None, project=project, amount_cents=-4800, reason="Elsewhere")

    results = run_together([*(claim(p) for p in people), withdraw])
    claims = sum(isinstance(r, Assignment) for r in results)
    unexpected = [
        r for r in results if isinstance(r, Exception) and type(r) is not problems.BudgetExhausted
    ]
    assert unexpected == []
    assert claims == (2 if isinstance(results[-1], Funding) else 5)
    balance(project)


# --- arithmetic -------------------------------------------------------------------------


def close(submission: Submission, outcome: str) -> None:
    reviewer = factories.reviewer()
    grounds = Grounds(explanation="Because.", concurred_by=factories.reviewer())
    if outcome == "rejected":
        grounds = Grounds(
            explanation="Because.",
            reason_code="copied",
            guideline_clause="2",
            concurred_by=factories.reviewer(),
        )
    actor = None if outcome == "auto_accepted" else reviewer
    decide_work(submission=submission, outcome=outcome, actor=actor, grounds=grounds)


OUTCOMES = {
    "accepted": 1600,
    "accepted_with_fixes": 1600,
    "auto_accepted": 1600,
    "paid_unused": 1600,
    "unusable_confirmed": 200,
    "rejected": 0,
}


@pytest.mark.parametrize("outcome", OUTCOMES)
def test_a_decision_keeps_what_it_pays_and_gives_back_the_rest(outcome: str) -> None:
    project = funded(5000)
    factories.open_tasks(project)
    submission = factories.submitted(factories.claimed(project))
    assert balance(project) == {"free": 3400, "reserved": 1600, "earned": 0}
    close(submission, outcome)
    pays = OUTCOMES[outcome]
    assert balance(project) == {"free": 5000 - pays, "reserved": 0, "earned": pays}


def test_changes_requested_keep_the_reservation() -> None:
    project = funded(5000)
    factories.open_tasks(project)
    close(factories.submitted(factories.claimed(project)), "changes_requested")
    assert balance(project) == {"free": 3400, "reserved": 1600, "earned": 0}


def test_what_was_given_up_comes_back_whole() -> None:
    project = funded(5000, live_claim_cap=3)
    factories.open_tasks(project, 3)
    person = factories.worker(project)
    returned, expired, released = (factories.claimed(project, person) for _ in range(3))
    assert balance(project) == {"free": 200, "reserved": 4800, "earned": 0}
    services.return_task(assignment=returned)
    assert free(project) == 1800
    for minutes in (31, 16):
        factories.age(expired, minutes=minutes)
        services.expire_leases()
    assert free(project) == 3400
    services.release(actor=factories.manager(), assignment=released, reason="Wrong video")
    assert balance(project) == {"free": 5000, "reserved": 0, "earned": 0}


def test_a_release_with_pay_keeps_that_part() -> None:
    project = funded(5000)
    factories.open_tasks(project)
    assignment = factories.claimed(project)
    manager = factories.manager()
    with transaction.atomic():
        released = services.release(
            actor=manager, assignment=assignment, reason="Wrong video", pay_cents=700
        )
        credit_assignment(assignment=released, kind="partial", amount_cents=700, actor=manager)
    assert balance(project) == {"free": 4300, "reserved": 0, "earned": 700}


def test_live_claims_of_an_unusable_video_keep_their_fee() -> None:
    project = funded(5000, overlap=2)
    (task,) = factories.open_tasks(project)
    submission = factories.submitted(factories.claimed(project))
    factories.claimed(project)
    with transaction.atomic():
        close(submission, "unusable_confirmed")
        for claim in services.mark_unusable(task=task, actor=factories.reviewer(), reason="Dark"):
            credit_assignment(assignment=claim, kind="screening_fee")
    assert balance(project) == {"free": 4600, "reserved": 0, "earned": 400}


def test_late_work_reserves_its_price_again() -> None:
    project = funded(5000)
    factories.open_tasks(project)
    assignment = factories.claimed(project)
    for minutes in (31, 16):
        factories.age(assignment, minutes=minutes)
        services.expire_leases()
        assignment.refresh_from_db()
    assert free(project) == 5000
    factories.submitted(assignment)
    assert balance(project) == {"free": 3400, "reserved": 1600, "earned": 0}


def bonus(project: Project, cents: int, key: str = "k") -> Payable:
    return pay_bonus(
        contractor=factories.contractor(),
        project=project,
        amount_cents=cents,
        reason="Thorough work",
        actor=factories.manager(),
        key=key,
    )


def test_a_bonus_comes_out_of_the_budget() -> None:
    project = funded(5000)
    bonus(project, 1200)
    assert balance(project) == {"free": 3800, "reserved": 0, "earned": 1200}
    with pytest.raises(problems.BudgetExhausted):
        bonus(project, 3801, "other")
    assert balance(project) == {"free": 3800, "reserved": 0, "earned": 1200}


def test_a_bonus_that_was_paid_already_takes_nothing_more() -> None:
    project = funded(2000)
    person, manager = factories.contractor(), factories.manager()
    for _ in range(2):
        pay_bonus(
            contractor=person, project=project, amount_cents=1200, reason="Thorough work",
            actor=manager, key="k",
        )  # fmt: skip
    assert balance(project) == {"free": 800, "reserved": 0, "earned": 1200}


def test_an_overturned_rejection_is_paid_even_from_an_empty_budget() -> None:
    project = funded(1600)
    factories.open_tasks(project)
    submission = factories.submitted(factories.claimed(project))
    close(submission, "rejected")
    services.fund(actor=None, project=project, amount_cents=-1000, reason="Elsewhere")
    assert balance(project) == {"free": 600, "reserved": 0, "earned": 0}
    credit_assignment(assignment=submission.assignment, submission=submission, kind="dispute")
    assert balance(project) == {"free": 0, "reserved": 0, "earned": 1600}
    overrun = Funding.objects.order_by("-pk")[0]
    assert (overrun.amount_cents, overrun.created_by) == (1000, None)


def test_a_project_without_a_budget_is_not_limited() -> None:
    project = factories.project()
    factories.open_tasks(project)
    services.return_task(assignment=factories.claimed(project))
    bonus(project, 1200)
    assert not BudgetShare.objects.exists()


def test_the_first_funding_covers_what_is_held_already() -> None:
    project = factories.project(live_claim_cap=5)
    factories.open_tasks(project, 4)
    person = factories.worker(project)
    live, handed_in, _ = (factories.claimed(project, person) for _ in range(3))
    factories.submitted(handed_in)
    with pytest.raises(problems.BudgetExhausted, match="4800 cents"):
        services.fund(actor=None, project=project, amount_cents=4799, reason="Too little")
    assert not BudgetShare.objects.exists()
    project.refresh_from_db()
    assert not project.budget_limited
    services.fund(actor=None, project=project, amount_cents=5000, reason="Pilot")
    assert balance(project) == {"free": 200, "reserved": 4800, "earned": 0}
    services.return_task(assignment=live)
    assert balance(project) == {"free": 1800, "reserved": 3200, "earned": 0}
    close(handed_in.submissions.get(), "rejected")
    assert balance(project) == {"free": 3400, "reserved": 1600, "earned": 0}


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("known", [False, True], ids=["guards", "fast"])
def test_the_first_funding_waits_for_claims_under_way(known: bool) -> None:
    project = factories.project()
    factories.open_tasks(project)
    person = factories.worker(project)
    if known:
        client_for(person).get(f"/api/v1/projects/{project.pk}/why/")
    claimed, may_commit = Signal(), Signal()

    def claim() -> None:
        with transaction.atomic():
            services.claim_next_task(contractor=person, project=project)
            claimed.set()
            assert may_commit.wait(30)

    def fund() -> Funding:
        assert claimed.wait(30)
        return services.fund(actor=None, project=project, amount_cents=5000, reason="Pilot")

    def commit_once_the_other_waits() -> None:
        eventually(funding_waits, what="the funding's wait")
        may_commit.set()

    results = run_together([claim, fund, commit_once_the_other_waits])
    assert not [result for result in results if isinstance(result, Exception)]
    assert balance(project) == {"free": 3400, "reserved": 1600, "earned": 0}


def funding_waits() -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_locks WHERE NOT granted AND mode = 'ExclusiveLock'")
        return bool(cursor.fetchone()[0])


def test_a_project_loaded_before_its_first_funding_is_limited_all_the_same() -> None:
    loaded_before = factories.project(live_claim_cap=2)
    factories.open_tasks(loaded_before, 2)
    services.fund(
        actor=None, project=Project.objects.get(pk=loaded_before.pk), amount_cents=3000, reason="P"
    )
    person = factories.worker(loaded_before)
    assert not loaded_before.budget_limited
    claim = services.claim_next_task(contractor=person, project=loaded_before)
    assert balance(loaded_before) == {"free": 1400, "reserved": 1600, "earned": 0}
    with pytest.raises(problems.BudgetExhausted):
        services.claim_next_task(contractor=person, project=loaded_before)
    bonus(loaded_before, 400)
    assert balance(loaded_before) == {"free": 1000, "reserved": 1600, "earned": 400}
    claim.task.project = loaded_before
    services.return_task(assignment=claim)
    assert balance(loaded_before) == {"free": 2600, "reserved": 0, "earned": 400}
    with transaction.atomic():
        services.reserve_owed(loaded_before, 2700, "Owed")
    overrun = Funding.objects.order_by("-pk")[0]
    assert (free(loaded_before), overrun.amount_cents) == (0, 100)


# --- what the database refuses ----------------------------------------------------------


def test_the_database_refuses_an_overdraft() -> None:
    project = funded(800)
    with pytest.raises(IntegrityError, match="budget_share_is_not_overdrawn"):
        execute(
            "UPDATE tasks_budgetshare SET free_cents = free_cents - 101 WHERE project_id = %s",
            parameters=(project.pk,),
        )
    assert free(project) == 800


@pytest.mark.parametrize(
    "sql", ["UPDATE tasks_funding SET amount_cents = 1", "DELETE FROM tasks_funding"]
)
def test_fundings_are_never_edited(sql: str) -> None:
    funded(800)
    with pytest.raises(Exception, match="append-only"):
        execute(sql)


# --- over HTTP --------------------------------------------------------------------------


def test_funding_over_http() -> None:
    project = factories.project()
    finance = factories.finance()
    client = client_for(finance)
    address = f"/api/v1/projects/{project.pk}/fundings/"
    body = {"amount_cents": 10_001, "reason": "Invoice 7"}
    first = client.post(address, body, headers={"Idempotency-Key": "f1"})
    again = client.post(address, body, headers={"Idempotency-Key": "f1"})
    assert (first.status_code, again.status_code) == (201, 201)
    assert first.json() == again.json()
    assert first.json() | {"id": 0, "created_at": ""} == {
        "id": 0,
        "amount_cents": 10_001,
        "reason": "Invoice 7",
        "created_at": "",
        "created_by": finance.pk,
    }
    assert free(project) == 10_001
    out = client.post(address, {"amount_cents": -10_002, "reason": "Elsewhere"})
    assert (out.status_code, out.json()["type"]) == (409, "/problems/budget-exhausted")
    assert client.post(address, {"amount_cents": -1, "reason": "Cent"}).status_code == 201
    assert [row["amount_cents"] for row in client.get(address).json()["results"]] == [-1, 10_001]
    assert free(project) == 10_000
    assert Event.objects.filter(type="project.funded").count() == 2


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"amount_cents": 0, "reason": "x"}, "/amount_cents"),
        ({"amount_cents": 1.5, "reason": "x"}, "/amount_cents"),
        ({"amount_cents": 10**13, "reason": "x"}, "/amount_cents"),
        ({"amount_cents": 5, "reason": ""}, "/reason"),
        ({"amount_cents": 5}, "/reason"),
    ],
)
def test_a_funding_that_makes_no_sense_is_refused(body: dict[str, Any], pointer: str) -> None:
    project = factories.project()
    client = client_for(factories.manager())
    answer = client.post(f"/api/v1/projects/{project.pk}/fundings/", body)
    assert answer.status_code == 400
    assert [error["pointer"] for error in answer.json()["errors"]] == [pointer]
    assert not Funding.objects.exists()


def test_fundings_are_for_managers_and_finance() -> None:
    project = funded(1)
    address = f"/api/v1/projects/{project.pk}/fundings/"
    for person in (factories.contractor(), factories.reviewer()):
        assert client_for(person).get(address).status_code == 403
        assert client_for(person).post(address, {"amount_cents": 1}).status_code == 403
    assert client_for(None).get(address).status_code == 401
    assert client_for(factories.manager()).post("/api/v1/projects/0/fundings/").status_code == 404


def today() -> date:
    return database_now().astimezone(UTC).date()


def test_where_the_money_is(django_assert_num_queries: Any) -> None:
    project = factories.project(live_claim_cap=5)
    client = client_for(factories.finance())
    address = f"/api/v1/projects/{project.pk}/budget/"
    never = {"limited": False, "funded_cents": 0, "free_cents": 0, "reserved_cents": 0,
             "earned_cents": 0, "paid_cents": 0, "daily_earned_cents": 0,
             "runs_out_on": None}  # fmt: skip
    assert client.get(address).json() == never
    services.fund(actor=None, project=project, amount_cents=10_000, reason="Pilot")
    project.refresh_from_db()
    factories.open_tasks(project, 3)
    person = factories.worker(project)
    close(factories.submitted(factories.claimed(project, person)), "accepted")
    factories.submitted(factories.claimed(project, person))
    factories.claimed(project, person)
    bonus(project, 300)
    with django_assert_num_queries(4):  # token and person, project, budget, earnings
        told = client.get(address).json()
    free_cents = 10_000 - 3 * 1600 - 300
    assert told == {
        "limited": True, "funded_cents": 10_000, "free_cents": free_cents,
        "reserved_cents": 3200, "earned_cents": 1900, "paid_cents": 0,
        # 4,900 cents last 2 days and a half at 1,900 a day
        "daily_earned_cents": 1900, "runs_out_on": str(today() + timedelta(days=2)),
    }  # fmt: skip
    assert told["earned_cents"] == balance(project)["earned"]
    for stranger in (person, factories.reviewer()):
        assert client_for(stranger).get(address).status_code == 403
    assert client_for(None).get(address).status_code == 401


def test_the_list_takes_two_queries(django_assert_num_queries: Any) -> None:
    project = funded(1)
    client = client_for(factories.manager())
    services.fund(actor=factories.manager(), project=project, amount_cents=2, reason="More")
    with django_assert_num_queries(2):  # token and person, rows
        rows = client.get(f"/api/v1/projects/{project.pk}/fundings/").json()["results"]
    assert len(rows) == 2


@pytest.mark.parametrize(
    ("free_cents", "earned_cents", "days", "daily", "left"),
    [
        (4900, 1900, 1, 1900, 2),
        (0, 1900, 1, 1900, 0),
        (26_600, 1900, 14, 135, 196),
        (10_000, 0, 14, 0, None),  # nothing was earned: no pace
        (3650, 1, 1, 1, 3650),
        (3651, 1, 1, 1, None),  # too far away to be said
    ],
)
def test_the_day_a_budget_runs_out(
    free_cents: int, earned_cents: int, days: int, daily: int, left: int | None
) -> None:
    day = date(2026, 6, 3)
    found = runs_out_on(free_cents=free_cents, earned_cents=earned_cents, days=days, today=day)
    assert found == (daily, None if left is None else day + timedelta(days=left))
