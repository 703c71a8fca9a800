"""Pages, roles, tokens and throttles: what every endpoint leans on."""

from __future__ import annotations

from base64 import b64encode
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode

import pytest
from django.core.cache import cache
from django.utils import timezone
from knox.models import get_token_model
from pytest_django import DjangoAssertNumQueries
from rest_framework.test import APIClient

from annotation_platform.api.jobs import purge_idempotency_keys
from tests import factories
from tests.factories import client_for

pytestmark = [
    pytest.mark.django_db,
    pytest.mark.urls("tests.annotation_platform.api_views"),
]


# --- Pages ------------------------------------------------------------------------------------


def page(client: Any, url: str = "/api/people/", **query: Any) -> Any:
    return client.get(url, query)


def test_newest_first_and_nothing_twice_while_rows_arrive() -> None:
    client = client_for(factories.user())
    people = [factories.user().pk for _ in range(5)]
    first = page(client, page_size=2).json()
    assert [row["id"] for row in first["results"]] == people[:-3:-1]
    factories.user()
    second = page(client, first["next"]).json()
    assert [row["id"] for row in second["results"]] == [people[2], people[1]]
    back = page(client, second["previous"]).json()
    assert [row["id"] for row in back["results"]] == [people[4], people[3]]


@pytest.mark.parametrize(("asked", "given"), [("1", 1), ("200", 60), ("9999", 60), ("x", 50)])
def test_page_sizes(asked: str, given: int) -> None:
    client = client_for(factories.user())
    for _ in range(59):
        factories.user(password="")
    assert len(page(client, page_size=asked).json()["results"]) == given


def cursor(**parts: str) -> str:
    return b64encode(urlencode(parts).encode()).decode()


@pytest.mark.parametrize(
    "value",
    [
        "nonsense",
        cursor(p="abc"),
        cursor(p="1; DROP TABLE x"),
        cursor(p="1.5"),
        cursor(p="٣"),
        cursor(p="1" * 40),
        cursor(p="2026-01-01"),
        cursor(o="x", p="1"),
    ],
)
def test_a_cursor_that_was_never_given_out_is_bad_input(value: str) -> None:
    client = client_for(factories.user())
    client.raise_request_exception = False
    answer = page(client, cursor=value)
    assert (answer.status_code, answer.json()["type"]) == (400, "/problems/invalid-input")
    assert answer.json()["errors"][0]["pointer"] == "/cursor"


def test_a_cursor_beyond_every_row_is_an_empty_page() -> None:
    client = client_for(factories.user())
    assert len(page(client, cursor=cursor(p="9" * 19)).json()["results"]) == 1
    assert page(client, cursor=cursor(p="0")).json()["results"] == []


# --- Roles ------------------------------------------------------------------------------------

ROLES = ("contractor", "reviewer", "manager", "finance")


@pytest.mark.parametrize(
    ("permission", "allowed"),
    [
        ("IsContractor", {"contractor"}),
        ("IsReviewer", {"reviewer"}),
        ("IsManager", {"manager"}),
        ("IsFinance", {"finance"}),
        ("IsReviewerOrManager", {"reviewer", "manager"}),
        ("IsManagerOrFinance", {"manager", "finance"}),
        ("IsStaff", {"reviewer", "manager", "finance"}),
    ],
)
def test_roles_open_their_doors_only(permission: str, allowed: set[str]) -> None:
    url = f"/api/for/{permission}/"
    opened = {
        role for role in ROLES if client_for(factories.user(role)).get(url).status_code == 200
    }
    assert opened == allowed
    assert client_for(factories.user(*ROLES)).get(url).status_code == 200
    refused = client_for(factories.user()).get(url)
    assert (refused.status_code, refused.json()["type"]) == (403, "/problems/not-allowed")
    assert all(role in refused.json()["detail"] for role in allowed)
    assert client_for(None).get(url).status_code == 401


# --- Tokens and sessions ----------------------------------------------------------------------


@pytest.mark.parametrize(
    "header",
    [
        "Token",
        "Token a b",
        "Token nonsense",
        "Token \xff\xfe",
        "Token \x00",
        "Token é",
        "Token " + "a" * 5000,
        "token ''",
    ],
)
def test_a_strange_header_is_not_signed_in(header: str) -> None:
    client = APIClient(raise_request_exception=False)
    client.credentials(HTTP_AUTHORIZATION=header)
    answer = client.get("/api/people/")
    assert (answer.status_code, answer.json()["type"]) == (401, "/problems/not-signed-in")


def test_a_token_costs_one_query_however_many_there_are(
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    person = factories.user()
    clients = [client_for(person) for _ in range(4)]
    with django_assert_num_queries(2):  # token with its person, people
        clients[0].get("/api/people/")


def test_an_expired_token_is_refused_and_purged() -> None:
    client = client_for(factories.user())
    get_token_model().objects.update(expiry=timezone.now() - timedelta(seconds=1))
    assert client.get("/api/people/").status_code == 401
    other = client_for(factories.user())
    get_token_model().objects.filter(expiry=None).update(expiry=timezone.now() + timedelta(hours=1))
    assert other.get("/api/people/").status_code == 200
    purge_idempotency_keys()
    assert get_token_model().objects.count() == 1


def test_a_page_s_session_needs_the_csrf_token() -> None:
    client = APIClient(enforce_csrf_checks=True)
    client.force_login(factories.user())
    assert client.get("/api/people/").status_code == 200
    answer = client.post("/api/make-person/", {"name": "ada"})
    assert (answer.status_code, answer.json()["type"]) == (403, "/problems/not-allowed")


# --- Throttles --------------------------------------------------------------------------------


def test_the_throttle_counts_and_refuses() -> None:
    cache.clear()
    client = APIClient()
    codes = [client.get("/api/throttled/").status_code for _ in range(21)]
    assert codes == [200] * 20 + [429]


def test_losing_the_cache_stops_nobody(settings: Any) -> None:
    settings.CACHES = {
        "default": {
            "BACKEND": "django.core.cache.backends.redis.RedisCache",
            "LOCATION": "redis://127.0.0.1:1",  # nothing listens there
            "OPTIONS": {"socket_connect_timeout": 1},
        }
    }
    client = APIClient()
    assert [client.get("/api/throttled/").status_code for _ in range(22)] == [200] * 22
