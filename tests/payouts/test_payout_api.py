"""Paying out over the API, by the people who may."""

from __future__ import annotations

import base64
import json
from datetime import date
from typing import Any

import pytest
from achkit import parse, validate
from cryptography.fernet import Fernet, InvalidToken
from django.test import Client
from django.utils import timezone

import verify_statement
from contractors.models import Contractor, User
from payouts import queries
from payouts.encryption import decrypt_json
from payouts.models import Payout, PayoutMethod
from payouts.services import follow_report, make_statements, rotate_secrets
from tests import factories
from tests.payouts.scenes import BANK, Finance, balances, payout_of, states
from tests.payouts.test_statements import LATER

pytestmark = pytest.mark.django_db


@pytest.fixture
def finance() -> Finance:
    return Finance()


def post(client: Any, path: str, body: Any = None, status: int = 200) -> Any:
    answer = client.post(f"/api/v1/payout-runs/{path}", body or {})
    assert answer.status_code == status, answer.content
    return answer.json()


def test_a_run_from_first_to_last(finance: Finance) -> None:
    """Prepare, lock, approve by another person, file, bank's report; then everybody can see."""
    ada, bob = finance.payee(1600, 1600), finance.payee(1600, rail="nacha")
    eve = finance.payee(700)
    preparer, approver = (
        factories.client_for(finance.preparer),
        factories.client_for(finance.approver),
    )
    run = post(preparer, "", status=201)
    post(preparer, f"{run['id']}/lock/")
    totals = {"payout_count": 3, "total_cents": 5500}
    refused = post(preparer, f"{run['id']}/approve/", totals, status=403)
    assert refused["type"] == "/problems/same-person-approves"
    wrong = post(approver, f"{run['id']}/approve/", totals | {"total_cents": 1}, status=409)
    assert wrong["totals"]["ledger"] == {"count": 3, "cents": 5500}
    assert post(approver, f"{run['id']}/approve/", totals)["state"] == "approved"

    files = post(approver, f"{run['id']}/files/")
    assert [(f["rail"], f["payout_count"], f["total_cents"]) for f in files] == [
        ("file", 2, 3900),
        ("nacha", 1, 1600),
    ]
    assert post(approver, f"{run['id']}/files/") == files  # once
    csv = approver.get(f"/api/v1/payout-runs/{run['id']}/files/file/").content.decode()
    assert csv.count("\r\n") == 3
    assert f",32.00,USD,{payout_of(ada).our_reference}," in csv
    ach = approver.get(f"/api/v1/payout-runs/{run['id']}/files/nacha/").content.decode()
    assert validate(ach)["ok"]
    (entry,) = parse(ach)["batches"][0]["entries"]
    assert (entry["amount_cents"], entry["account"]) == (1600, BANK["account"])

    report = "reference,amount,currency,status\r\n" + "".join(
        f"{payout_of(person).our_reference},{amount},USD,{status}\r\n"
        for person, amount, status in (
            (ada, "32.00", "paid"),
            (bob, "16.01", "paid"),
            (eve, "7.00", "failed"),
        )
    ) + "AP-unknown,1.00,USD,paid\r\n"  # fmt: skip
    taken = post(approver, f"{run['id']}/reports/", {"name": "r", "content": report}, status=201)
    asked = approver.post(f"/api/v1/bank-reports/{taken['id']}/follow/")
    assert (asked.status_code, asked.json()["state"]) == (202, "following")
    assert not follow_report(taken["id"])  # a worker
    found = approver.get(f"/api/v1/bank-reports/{taken['id']}/").json()
    assert found["outcome"] == {
        "settled": 1, "failed": 1, "returned": 0, "unchanged": 0, "different": 2, "missing": 0
    }  # fmt: skip
    assert found["differences"] == [
        f"line 3: {payout_of(bob).our_reference} is 1601 USD, ours is 1600 USD",
        "line 5: AP-unknown is not in this run",
    ]
    assert (states(ada), balances(ada)) == ([(1600, "paid"), (1600, "paid")], (0, 0))
    assert (states(bob), balances(bob)) == ([(1600, "batched")], (0, 1600))
    assert (states(eve), balances(eve)) == ([(700, "accrued")], (700, 0))

    (shown,) = factories.client_for(ada).get("/api/v1/payouts/").json()["results"]
    assert (shown["state"], shown["amount_cents"], shown["to"]) == (
        "settled",
        3200,
        "ending in 0072",
    )
    today = timezone.now().date()
    (day,) = queries.money_per_day(finance.project, date(2000, 1, 1), today)
    assert (day.earned_cents, day.paid_cents, day.paid_count) == (5500, 3200, 2)
    speed = factories.client_for(None).get("/api/v1/time-to-pay/").json()
    assert speed["count"] == 2
    assert 0 <= speed["p50_seconds"] <= speed["p95_seconds"] < 600


@pytest.mark.parametrize("content", ["", "a,b\r\n1,2", "reference,amount,currency,status\nx,1.5,USD,paid", "reference,amount,currency,status\nx,1.50,USD,lost"])  # fmt: skip # noqa: E501
def test_an_unreadable_report_changes_nothing(finance: Finance, content: str) -> None:
    finance.payee(1600)
    run = finance.approved()
    client = factories.client_for(finance.approver)
    body = {"name": "r", "content": content}
    answer = client.post(f"/api/v1/payout-runs/{run.pk}/reports/", body)
    assert answer.status_code == 400
    assert set(Payout.objects.values_list("state", flat=True)) == {"approved"}


def test_runs_are_for_finance_only(finance: Finance) -> None:
    finance.payee(1600)
    run = finance.locked()
    for role in ("contractor", "reviewer", "manager"):
        client = factories.client_for(factories.user(role))
        for path in ("", f"{run.pk}/lock/", f"{run.pk}/approve/", f"{run.pk}/files/"):
            post(client, path, status=403)
        assert client.get(f"/api/v1/payout-runs/{run.pk}/files/file/").status_code == 403


def test_payouts_and_statements_are_one_s_own(
    finance: Finance, django_assert_num_queries: Any
) -> None:
    ada, bob = finance.payee(1600, 200), finance.payee(300)
    finance.approved()
    make_statements(period_end=LATER)
    mine, other = factories.client_for(ada), factories.client_for(bob)
    payout = payout_of(ada)
    with django_assert_num_queries(2):
        assert len(mine.get("/api/v1/payouts/").json()["results"]) == 1
    assert other.get(f"/api/v1/payouts/{payout.pk}/").status_code == 404
    with django_assert_num_queries(2):
        (statement,) = mine.get("/api/v1/statements/").json()["results"]
    base = f"/api/v1/statements/{statement['id']}/download"
    content = mine.get(f"{base}/json/").content
    header, wrong = verify_statement.check(content)
    assert wrong == []
    assert header is not None
    assert header["hash"] == statement["hash"]
    assert len(json.loads(content)["lines"]) == 3
    assert mine.get(f"{base}/csv/").content.count(b"\r\n") == 4
    assert mine.get(f"{base}/pdf/").content.startswith(b"%PDF")
    assert other.get(f"{base}/json/").status_code == 404
    assert factories.client_for(finance.manager).get(f"{base}/json/").status_code == 403


# --- details ----------------------------------------------------------------------------------


def put(person: Contractor, **body: Any) -> Any:
    return factories.client_for(person).put("/api/v1/payout-method/", body)


def test_details_go_in_and_never_come_out() -> None:
    person = factories.contractor()
    answer = put(person, rail="nacha", details=BANK, password=factories.PASSWORD)
    assert answer.status_code == 200
    shown = factories.client_for(person).get("/api/v1/payout-method/").json()
    assert shown["label"] == "ending in 0072"
    stored = PayoutMethod.objects.get()
    for text in (json.dumps(shown), answer.content.decode(), bytes(stored.details).decode()):
        assert BANK["account"] not in text
    assert decrypt_json(stored.details) == BANK


@pytest.mark.parametrize(
    ("body", "status", "slug"),
    [
        ({"password": "wrong"}, 403, "fresh-sign-in-needed"),
        ({"details": {"account": "1", "routing": "011401533"}}, 400, "invalid-payout-details"),
        ({"details": BANK | {"routing": "011401534"}}, 400, "invalid-payout-details"),
        ({"details": BANK | {"iban": "x"}}, 400, "invalid-payout-details"),
        ({"rail": "cheque"}, 400, "invalid-input"),
    ],
)
def test_details_refused(body: dict[str, Any], status: int, slug: str) -> None:
    person = factories.contractor()
    good = {"rail": "nacha", "details": BANK, "password": factories.PASSWORD}
    answer = put(person, **(good | body))
    assert (answer.status_code, answer.json()["type"]) == (status, f"/problems/{slug}")
    assert not PayoutMethod.objects.exists()


def test_keys_rotate(settings: Any) -> None:
    old, new = Fernet.generate_key().decode(), Fernet.generate_key().decode()
    settings.FIELD_ENCRYPTION_KEYS = [old]
    put(factories.contractor(), rail="nacha", details=BANK, password=factories.PASSWORD)
    settings.FIELD_ENCRYPTION_KEYS = [new, old]
    assert rotate_secrets() == 1
    settings.FIELD_ENCRYPTION_KEYS = [new]
    assert decrypt_json(PayoutMethod.objects.get().details) == BANK
    settings.FIELD_ENCRYPTION_KEYS = [base64.urlsafe_b64encode(b"x" * 32).decode()]
    with pytest.raises(InvalidToken):
        decrypt_json(PayoutMethod.objects.get().details)


def test_finance_pages_in_the_admin(finance: Finance) -> None:
    finance.payee(200)
    run = finance.approved()
    browser = Client()
    browser.force_login(User.objects.create_superuser("root@example.org", factories.PASSWORD))
    pages = {"payoutrun": run.pk, "payout": run.payouts.get().pk}
    for model, pk in pages.items():
        assert "$2.00" in browser.get(f"/admin/payouts/{model}/").content.decode()
        assert browser.get(f"/admin/payouts/{model}/{pk}/change/").status_code == 200
        assert browser.get(f"/admin/payouts/{model}/add/").status_code == 403
