"""Money over the API: one's own, explained, in few queries."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from django.db import transaction
from django.test import Client

from contractors.models import Contractor, User
from payouts.models import Account, Payable, Statement
from payouts.services import credit, make_statements, pay_bonus
from tasks.models import Project
from tasks.services import record_decision, set_price
from tests import factories

pytestmark = pytest.mark.django_db


def accepted(project: Project, person: Contractor) -> Payable:
    """The person claims, submits and is accepted, as reviews would do it."""
    factories.open_tasks(project)
    work = factories.submitted(factories.claimed(project, person))
    with transaction.atomic():
        work = record_decision(submission=work, outcome="accepted", actor=None)
        return credit(submission=work)


@pytest.fixture
def project() -> Project:
    return factories.project(name="Kitchens", overlap=1, max_overlap=1, live_claim_cap=50)


@pytest.fixture
def person(project: Project) -> Contractor:
    return factories.worker(project)


def test_earnings_with_their_reasons(project: Project, person: Contractor) -> None:
    payable = accepted(project, person)
    factories.open_tasks(project)
    factories.claimed(project, person)  # a live claim: reserved, not earned

    answer = factories.client_for(person).get("/api/v1/earnings/").json()

    assert answer["summary"] == [
        {
            "currency": "USD",
            "reserved_cents": 1600,
            "accrued_cents": 1600,
            "held_cents": 0,
            "batched_cents": 0,
            "paid_cents": 0,
            "earned_cents": 1600,
        }
    ]
    (line,) = answer["results"]
    assignment = payable.assignment
    assert assignment is not None
    why = line.pop("why")
    assert why.startswith("$16.00: Your submission was accepted. Price version 1, $16.00, was ")
    assert line.pop("decided_at") is not None
    assert line.pop("accrued_at") is not None
    assert line.pop("where")["text"] == "Tell us where to pay you."
    assert line == {
        "id": payable.pk,
        "kind": "accepted",
        "state": "accrued",
        "amount_cents": 1600,
        "currency": "USD",
        "project": "Kitchens",
        "task": assignment.task_id,
        "video": assignment.task.video.title,
        "assignment": assignment.pk,
        "submission": payable.submission_id,
        "price_version": 1,
        "price_cents": 1600,
    }


def test_why(project: Project, person: Contractor) -> None:
    payable = accepted(project, person)
    answer = factories.client_for(person).get(f"/api/v1/earnings/{payable.pk}/").json()
    explanation = answer["explanation"]
    assert explanation["price"]["price_cents"] == 1600
    assert explanation["price"]["version"] == 1
    assert explanation["submission"]["id"] == payable.submission_id
    assert explanation["task"]["id"] == payable.assignment.task_id  # type: ignore[union-attr]
    assert explanation["transaction"] == payable.transaction_id


def test_the_list_takes_the_same_queries_however_long(
    project: Project, person: Contractor, django_assert_num_queries: Any
) -> None:
    client = factories.client_for(person)
    for _ in range(2):
        accepted(project, person)
    # Who asks; the lines with everything about them; the sums: earned and reserved; where to.
    with django_assert_num_queries(5):
        assert len(client.get("/api/v1/earnings/").json()["results"]) == 2
    for _ in range(5):
        accepted(project, person)
    with django_assert_num_queries(5):
        assert len(client.get("/api/v1/earnings/").json()["results"]) == 7


def test_pages(project: Project, person: Contractor) -> None:
    made = [accepted(project, person).pk for _ in range(3)]
    client = factories.client_for(person)
    first = client.get("/api/v1/earnings/?page_size=2").json()
    second = client.get(first["next"]).json()
    seen = [line["id"] for line in first["results"] + second["results"]]
    assert seen == sorted(made, reverse=True)
    assert second["next"] is None
    assert second["summary"][0]["earned_cents"] == 4800


def test_nobody_reads_another_s_pay(project: Project, person: Contractor) -> None:
    payable = accepted(project, person)
    other = factories.worker(project)
    client = factories.client_for(other)
    assert client.get("/api/v1/earnings/").json()["results"] == []
    assert client.get(f"/api/v1/earnings/{payable.pk}/").status_code == 404
    for role in (factories.manager(), factories.reviewer(), factories.finance()):
        assert factories.client_for(role).get("/api/v1/earnings/").status_code == 403
        assert factories.client_for(role).get(f"/api/v1/earnings/{payable.pk}/").status_code == 403
    assert factories.client_for(None).get("/api/v1/earnings/").status_code == 401


def test_project_money(
    project: Project, person: Contractor, django_assert_num_queries: Any
) -> None:
    accepted(project, person)
    boss = factories.manager()
    pay_bonus(
        contractor=person, project=project, amount_cents=50, reason="Care", actor=boss, key="k"
    )
    factories.open_tasks(project, 2)
    factories.claimed(project, person)
    factories.submitted(factories.claimed(project, person))  # submitted is reserved as well
    client = factories.client_for(boss)
    with django_assert_num_queries(4):
        answer = client.get(f"/api/v1/projects/{project.pk}/money/")
    assert answer.json() == {
        "project": project.pk,
        "money": [
            {
                "currency": "USD",
                "reserved_cents": 3200,
                "earned_cents": 1650,
                "paid_cents": 0,
                "unpaid_cents": 1650,
            }
        ],
    }
    assert client.get("/api/v1/projects/0/money/").status_code == 404


@pytest.mark.parametrize("role", ["contractor", "reviewer"])
def test_project_money_is_for_managers_and_finance(project: Project, role: str) -> None:
    client = factories.client_for(factories.user(role))
    assert client.get(f"/api/v1/projects/{project.pk}/money/").status_code == 403
    client = factories.client_for(factories.finance())
    assert client.get(f"/api/v1/projects/{project.pk}/money/").status_code == 200


def test_bonus(project: Project, person: Contractor) -> None:
    boss = factories.client_for(factories.manager())
    body = {
        "contractor": person.pk,
        "project": project.pk,
        "amount_cents": 500,
        "reason": "Caught a bad video",
    }
    first = boss.post("/api/v1/bonuses/", body, headers={"Idempotency-Key": "a"})
    again = boss.post("/api/v1/bonuses/", body, headers={"Idempotency-Key": "a"})
    other = boss.post("/api/v1/bonuses/", body, headers={"Idempotency-Key": "b"})
    assert [first.status_code, again.status_code, other.status_code] == [201, 201, 201]
    assert first.json() == again.json()
    assert sorted(Payable.objects.values_list("pk", flat=True)) == sorted(
        [first.json()["id"], other.json()["id"]]
    )
    lines = factories.client_for(person).get("/api/v1/earnings/").json()["results"]
    assert [line["why"] for line in lines] == ["$5.00: A bonus. Caught a bad video"] * 2


def test_bonus_refused(project: Project, person: Contractor) -> None:
    body = {"contractor": person.pk, "project": project.pk, "amount_cents": 500, "reason": "x"}
    for role in ("contractor", "reviewer", "finance"):
        client = factories.client_for(factories.user(role))
        assert client.post("/api/v1/bonuses/", body).status_code == 403
    boss = factories.client_for(factories.manager())
    for wrong in ({"amount_cents": 0}, {"amount_cents": 16.5}, {"reason": ""}, {"contractor": 0}):
        answer = boss.post("/api/v1/bonuses/", body | wrong)
        assert answer.status_code == 400
        assert answer.json()["errors"][0]["pointer"] == f"/{next(iter(wrong))}"
    assert not Payable.objects.exists()


def test_admin_pages_show_and_change_nothing(project: Project, person: Contractor) -> None:
    payable = accepted(project, person)
    boss = User.objects.create_superuser("root@example.org", factories.PASSWORD)
    browser = Client()
    browser.force_login(boss)
    pages = {
        "account": Account.objects.get(contractor=person).pk,
        "ledgertransaction": payable.transaction_id,
        "payable": payable.pk,
    }
    for model, pk in pages.items():
        address = f"/admin/payouts/{model}/"
        listed = browser.get(address)
        assert listed.status_code == 200
        assert browser.get(f"{address}{pk}/change/").status_code == 200
        assert browser.get(f"{address}add/").status_code == 403
        assert browser.post(f"{address}{pk}/delete/", {"post": "yes"}).status_code == 403
    assert "$16.00" in browser.get("/admin/payouts/payable/").content.decode()


def test_a_statement_s_line_leads_to_work_decision_and_price(
    project: Project, person: Contractor
) -> None:
    payable = accepted(project, person)
    assert make_statements(period_end=datetime(2100, 1, 1, tzinfo=UTC)) == 1
    (line,) = json.loads(Statement.objects.get().document)["lines"]
    work, claim = payable.submission, payable.assignment
    assert work is not None
    assert claim is not None
    work.refresh_from_db()
    assert work.decided_at is not None
    wanted = {
        "assignment": claim.pk, "submission": work.pk, "task": claim.task_id,
        "decision": "accepted", "decided_at": work.decided_at.isoformat(),
        "price_version": 1, "price_cents": 1600, "payable": payable.pk,
    }  # fmt: skip
    assert {name: line[name] for name in wanted} == wanted


def test_the_price_history_is_public_also_of_a_closed_project(
    project: Project, person: Contractor
) -> None:
    set_price(
        actor=None, project=project, price_cents=1800, screening_fee_cents=200, reason="Longer"
    )
    Project.objects.filter(pk=project.pk).update(state=Project.State.CLOSED)
    client = factories.client_for(person)
    history = client.get(f"/api/v1/projects/{project.pk}/price-versions/").json()["results"]
    assert [(row["number"], row["price_cents"], row["reason"]) for row in history] == [
        (2, 1800, "Longer"),
        (1, 1600, history[1]["reason"]),
    ]
    assert client.get(f"/api/v1/projects/{project.pk}/").status_code == 404
    assert (
        factories.client_for(None).get(f"/api/v1/projects/{project.pk}/price-versions/").status_code
        == 401
    )
