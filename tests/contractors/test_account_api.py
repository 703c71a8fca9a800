"""Sign-in and one's own account over HTTP."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest
from django.core.cache import cache
from knox.models import get_token_model
from pytest_django import DjangoAssertNumQueries
from rest_framework.test import APIClient

from annotation_platform.clock import database_now
from contractors import services
from contractors.models import Contractor, Residence
from events.models import Event
from tests import factories
from tests.factories import PASSWORD, client_for

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _nobody_throttled() -> None:
    cache.clear()


def sign_in(email: str, password: str, **extra: Any) -> Any:
    return APIClient().post("/api/v1/tokens/", {"email": email, "password": password}, **extra)


def today(offset: int = 0) -> date:
    return database_now().date() + timedelta(days=offset)


# --- Tokens -----------------------------------------------------------------------------------


def test_a_token_opens_the_door_until_it_is_deleted() -> None:
    factories.user("manager", email="Boss@example.org")
    answer = sign_in("boss@EXAMPLE.org", PASSWORD)
    assert answer.status_code == 201
    assert set(answer.json()) == {"token"}
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=f"Token {answer.json()['token']}")
    assert client.get("/api/v1/me/").json()["roles"] == ["manager"]
    assert client.delete("/api/v1/tokens/current/").status_code == 204
    after = client.get("/api/v1/me/")
    assert after.status_code == 401
    assert after["Content-Type"] == "application/problem+json"
    assert after["WWW-Authenticate"] == "Token"
    assert after.json()["type"] == "/problems/not-signed-in"


def test_only_the_hash_of_a_token_is_stored() -> None:
    factories.user(email="a@example.org")
    token = sign_in("a@example.org", PASSWORD).json()["token"]
    stored = get_token_model().objects.get()
    assert token not in stored.digest
    assert stored.token_key != token


def test_deleting_one_token_leaves_the_others() -> None:
    person = factories.user(email="a@example.org")
    first, second = client_for(person), client_for(person)
    first.delete("/api/v1/tokens/current/")
    assert first.get("/api/v1/me/").status_code == 401
    assert second.get("/api/v1/me/").status_code == 200


def test_wrong_password_unknown_email_and_closed_account_answer_alike() -> None:
    factories.user(email="a@example.org")
    closed = factories.user(email="closed@example.org")
    closed.is_active = False
    closed.save(update_fields=["is_active"])
    answers = [
        sign_in("a@example.org", "wrong"),
        sign_in("nobody@example.org", PASSWORD),
        sign_in("closed@example.org", PASSWORD),
    ]
    assert {answer.status_code for answer in answers} == {401}
    assert len({answer.content for answer in answers}) == 1
    assert answers[0].json()["type"] == "/problems/wrong-credentials"
    assert get_token_model().objects.count() == 0


def test_an_unknown_email_costs_a_password_hash_too(monkeypatch: pytest.MonkeyPatch) -> None:
    from contractors.models import User

    factories.user(email="a@example.org")
    hashed: list[str] = []
    original = User.set_password

    def counting(self: User, raw_password: str | None) -> None:
        hashed.append(self.email)
        original(self, raw_password)

    monkeypatch.setattr(User, "set_password", counting)
    sign_in("nobody@example.org", PASSWORD)
    assert len(hashed) == 1


def test_a_closed_account_s_token_stops_working() -> None:
    person = factories.user()
    client = client_for(person)
    person.is_active = False
    person.save(update_fields=["is_active"])
    assert client.get("/api/v1/me/").status_code == 401


def test_sign_in_is_throttled_per_address_whatever_the_forwarding_header_says() -> None:
    codes = [
        sign_in("a@example.org", "wrong", HTTP_X_FORWARDED_FOR=f"10.0.0.{n}").status_code
        for n in range(21)
    ]
    assert codes == [401] * 20 + [429]
    refused = sign_in("a@example.org", "wrong")
    assert refused.json()["type"] == "/problems/too-many-requests"
    assert 1 <= int(refused["Retry-After"]) <= 60
    elsewhere = sign_in("a@example.org", "wrong", REMOTE_ADDR="192.0.2.7")
    assert elsewhere.status_code == 401


def test_the_newest_twenty_tokens_stay() -> None:
    person = factories.user(email="a@example.org")
    tokens = [services.sign_in(email=person.email, password=PASSWORD)[1] for _ in range(22)]
    client = APIClient()
    codes = []
    for token in (tokens[0], tokens[1], tokens[2], tokens[-1]):
        client.credentials(HTTP_AUTHORIZATION=f"Token {token}")
        codes.append(client.get("/api/v1/me/").status_code)
    assert codes == [401, 401, 200, 200]


@pytest.mark.parametrize("body", [{}, {"email": "x", "password": "y"}, {"email": "a@b.org"}, []])
def test_a_malformed_sign_in_is_located(body: Any) -> None:
    answer = APIClient().post("/api/v1/tokens/", body)
    assert answer.status_code == 400
    assert answer.json()["errors"]


# --- Me ---------------------------------------------------------------------------------------


def test_a_contractor_reads_stage_and_residence() -> None:
    person = factories.contractor(area="CA-QC", since=date(2020, 1, 1), name="Ana")
    answer = client_for(person).get("/api/v1/me/").json()
    residence = Residence.objects.get()
    assert answer == {
        "id": person.pk,
        "email": person.user.email,
        "name": "Ana",
        "roles": ["contractor"],
        "contractor": {"state": "active"},
        "residence": {
            "id": residence.pk,
            "area": "CA-QC",
            "place": "Québec, Canada",
            "complete": True,
            "from_date": "2020-01-01",
            "until_date": None,
            "evidence": "",
            "declared_at": residence.declared_at.isoformat().replace("+00:00", "Z"),
        },
    }


def test_others_have_neither() -> None:
    answer = client_for(factories.reviewer()).get("/api/v1/me/").json()
    assert (answer["contractor"], answer["residence"]) == (None, None)


def test_only_the_name_can_be_changed() -> None:
    person = factories.contractor(name="Ana")
    body = {"name": "Anna", "email": "x@example.org", "roles": ["manager"], "id": 99}
    answer = client_for(person).patch("/api/v1/me/", body)
    assert answer.status_code == 200
    person.user.refresh_from_db()
    assert (person.user.name, person.user.roles) == ("Anna", ["contractor"])
    assert person.user.email != "x@example.org"
    event = Event.objects.get()
    assert (event.type, event.data) == ("user.renamed", {"from": "Ana", "to": "Anna"})


def test_nobody_is_somebody() -> None:
    for path in ("me/", "me/residences/", "places/?q=x", "contractors/", "eligibility-policies/"):
        assert client_for(None).get(f"/api/v1/{path}").status_code == 401


# --- Residences -------------------------------------------------------------------------------


def test_declaring_a_residence() -> None:
    person = factories.contractor(area="US-TX", since=date(2020, 1, 1))
    body = {"area": "US-CA", "from_date": today().isoformat(), "evidence": "lease"}
    answer = client_for(person).post("/api/v1/me/residences/", body)
    assert answer.status_code == 201
    shown = answer.json()
    assert (shown["area"], shown["place"], shown["until_date"]) == ("US-CA", "California", None)
    listed = client_for(person).get("/api/v1/me/residences/").json()["results"]
    assert [(row["area"], row["until_date"]) for row in listed] == [
        ("US-CA", None),
        ("US-TX", today().isoformat()),
    ]


@pytest.mark.parametrize(
    ("area", "offset", "status", "slug"),
    [
        ("US-TX", 0, 409, "residence-unchanged"),
        ("US-OK", 5, 409, "residence-in-the-future"),
        ("US-OK", -3000, 409, "residence-before-history"),
        ("US-OK", -100, 409, "residence-declared-for-that-day"),
        ("us-ok", 0, 400, "invalid-input"),
        ("Texas", 0, 400, "invalid-input"),
        ("US-ZZ", 0, 400, "invalid-input"),
    ],
)
def test_refusals_are_named_and_write_nothing(
    area: str, offset: int, status: int, slug: str
) -> None:
    person = factories.contractor(area="US-TX", since=today(-100))
    body = {"area": area, "from_date": today(offset).isoformat()}
    answer = client_for(person).post("/api/v1/me/residences/", body)
    assert (answer.status_code, answer.json()["type"]) == (status, f"/problems/{slug}")
    assert Residence.objects.count() == 1
    assert Event.objects.count() == 0


def test_bad_input_points_at_its_field() -> None:
    person = factories.contractor()
    answer = client_for(person).post("/api/v1/me/residences/", {"area": "Texas"}).json()
    assert {error["pointer"] for error in answer["errors"]} == {"/area", "/from_date"}


def test_the_same_key_declares_once() -> None:
    person = factories.contractor(area=None)
    body = {"area": "US-OK", "from_date": "2020-01-01"}
    client = client_for(person)
    answers = [
        client.post("/api/v1/me/residences/", body, headers={"Idempotency-Key": "k"})
        for _ in range(2)
    ]
    assert [answer.status_code for answer in answers] == [201, 201]
    assert answers[0].json() == answers[1].json()
    assert Residence.objects.count() == 1
    assert Event.objects.count() == 1


def test_residences_are_one_s_own() -> None:
    mine, other = factories.contractor(area="US-TX"), factories.contractor(area="US-OK")
    listed = client_for(mine).get("/api/v1/me/residences/").json()["results"]
    assert [row["area"] for row in listed] == ["US-TX"]
    for path in ("contractors/", f"contractors/{other.pk}/", f"contractors/{mine.pk}/"):
        assert client_for(mine).get(f"/api/v1/{path}").status_code == 403


@pytest.mark.parametrize("role", ["reviewer", "finance", "manager"])
def test_who_is_no_contractor_has_no_residences(role: str) -> None:
    client = client_for(factories.user(role))
    assert client.get("/api/v1/me/residences/").status_code == 403
    body = {"area": "US-OK", "from_date": "2020-01-01"}
    assert client.post("/api/v1/me/residences/", body).status_code == 403


def test_the_role_without_the_row_is_told_so() -> None:
    client = client_for(factories.user("contractor"))
    body = {"area": "US-OK", "from_date": "2020-01-01"}
    answer = client.post("/api/v1/me/residences/", body)
    assert (answer.status_code, answer.json()["type"]) == (404, "/problems/not-a-contractor")
    assert client.get("/api/v1/me/").json()["contractor"] is None


def test_the_list_takes_two_queries_however_long(
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    person = factories.contractor(area="US-TX", since=date(2020, 1, 1))
    for year, area in ((2021, "US-OK"), (2022, "US-NM"), (2023, "US-AR")):
        services.declare_residence(
            contractor=person, area=area, from_date=date(year, 1, 1), actor=person.user
        )
    client = client_for(person)
    with django_assert_num_queries(2):  # token, residences
        assert len(client.get("/api/v1/me/residences/").json()["results"]) == 4


# --- Places -----------------------------------------------------------------------------------


def test_places_are_found_by_name() -> None:
    client = client_for(Contractor.objects.get(pk=factories.contractor().pk))
    found = client.get("/api/v1/places/", {"q": "québec"}).json()
    assert found == [{"code": "CA-QC", "name": "Québec, Canada", "complete": True}]
    found = client.get("/api/v1/places/", {"q": "washington"}).json()
    assert [place["code"] for place in found] == ["US-DC", "US-WA"]
    found = client.get("/api/v1/places/", {"q": "canada"}).json()
    assert (found[0]["code"], found[0]["complete"]) == ("CA", False)
    assert client.get("/api/v1/places/").json() == []
