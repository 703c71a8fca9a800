"""Every refusal is one RFC 9457 document, wherever it comes from."""

from __future__ import annotations

import json
from typing import Any

import pytest
from rest_framework.test import APIClient

from annotation_platform.api.problems import InvalidInput, Problem

pytestmark = pytest.mark.urls("tests.annotation_platform.api_views")


def get(name: str, **extra: Any) -> Any:
    return APIClient(raise_request_exception=False).get(f"/api/raise/{name}/", **extra)


def post(body: bytes, content_type: str = "application/json") -> Any:
    client = APIClient(raise_request_exception=False)
    return client.post("/api/echo/", body, content_type=content_type)


def test_a_problem_is_rendered_whole() -> None:
    answer = get("problem")
    assert answer.status_code == 418
    assert answer["Content-Type"] == "application/problem+json"
    assert answer["Retry-After"] == "3"
    assert json.loads(answer.content) == {
        "type": "/problems/teapot",
        "title": "This is a teapot.",
        "status": 418,
        "detail": "Short and stout.",
        "instance": "/api/raise/problem/",
        "handle": "left",
    }


def test_a_problem_without_detail_leaves_it_out() -> None:
    assert "detail" not in get("bare-problem").json()


@pytest.mark.parametrize(
    ("name", "status", "slug", "detail"),
    [
        ("http404", 404, "not-found", None),
        ("not-found", 404, "not-found", None),
        ("denied", 403, "not-allowed", "Not yours."),
        ("drf-denied", 403, "not-allowed", "Not yours."),
        ("too-big", 400, "malformed-request", "The request is too large."),
        ("unnamed", 402, "problem", "No tea left."),
    ],
)
def test_others_get_a_name(name: str, status: int, slug: str, detail: str | None) -> None:
    answer = get(name)
    assert answer.status_code == status
    assert answer["Content-Type"] == "application/problem+json"
    document = answer.json()
    assert (document["status"], document["type"]) == (status, f"/problems/{slug}")
    assert document.get("detail") == detail


def test_an_unnamed_refusal_does_not_change_the_class_of_problems() -> None:
    get("unnamed")
    assert Problem.status == 400


def test_who_is_not_signed_in_is_told_how() -> None:
    answer = get("not-authenticated")
    assert (answer.status_code, answer["WWW-Authenticate"]) == (401, "Token")


@pytest.mark.parametrize(("name", "seconds"), [("throttled", "1"), ("throttled-long", "30")])
def test_throttled_says_when_to_come_back(name: str, seconds: str) -> None:
    assert get(name)["Retry-After"] == seconds


@pytest.mark.parametrize(
    ("name", "errors"),
    [
        ("drf-text", {("", "Bad.")}),
        ("django-list", {("", "One."), ("", "Two.")}),
        ("django-dict", {("/name", "Bad."), ("", "Worse.")}),
        (
            "drf-nested",
            {
                ("/rows/1/area", "Bad."),
                ("/tags/0", "Short."),
                ("/a~1b~0c", "Odd."),
                ("", "All of it."),
            },
        ),
    ],
)
def test_invalid_input_is_located_by_json_pointers(name: str, errors: set[tuple[str, str]]) -> None:
    answer = get(name)
    assert (answer.status_code, answer.json()["type"]) == (400, "/problems/invalid-input")
    assert {(e["pointer"], e["detail"]) for e in answer.json()["errors"]} == errors
    assert all(error["code"] == "invalid" for error in answer.json()["errors"])
    assert answer.json()["detail"]


def test_the_detail_counts_the_other_errors() -> None:
    assert get("django-list").json()["detail"] == "the request: One. (and 1 more)"


def test_a_bug_is_a_500_that_tells_nothing() -> None:
    answer = get("bug")
    assert answer.status_code == 500
    assert answer["Content-Type"] == "application/problem+json"
    assert answer.json()["type"] == "/problems/server-error"
    assert b"secret" not in answer.content


def test_unknown_addresses_and_methods() -> None:
    client = APIClient()
    missing = client.get("/api/nothing-here/")
    assert (missing.status_code, missing.json()["type"]) == (404, "/problems/not-found")
    assert missing["Content-Type"] == "application/problem+json"
    wrong = client.put("/api/echo/", {})
    assert (wrong.status_code, wrong.json()["type"]) == (405, "/problems/method-not-allowed")
    assert wrong["Allow"] == "POST, OPTIONS"
    elsewhere = client.get("/nothing-here/")
    assert elsewhere.status_code == 404
    assert elsewhere["Content-Type"].startswith("text/html")


def test_content_negotiation() -> None:
    assert get("problem", HTTP_ACCEPT="text/html").status_code == 406
    assert post(b"a=1", "application/x-www-form-urlencoded").status_code == 415


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"",
        b"[1,]",
        b"\xff\xfe",
        b'{"a": NaN}',
        b'{"a": 1e999}',
        b'{"a": -1e999}',
        b"1" * 5000,
        rb'{"a": "\u0000"}',
        rb'{"\u0000": 1}',
        rb'{"a": "\ud800"}',
        rb'{"a": "\udc00 \ud83d"}',
        b"[" * 100_000,
        b"[" * 100_000 + b"]" * 100_000,
    ],
    ids=lambda body: repr(body[:16]),
)
def test_unreadable_json_is_malformed_and_never_a_crash(body: bytes) -> None:
    answer = post(body)
    if body == b"":  # nothing at all is an empty document, as DRF has it
        assert answer.status_code == 200
        return
    assert (answer.status_code, answer.json()["type"]) == (400, "/problems/malformed-request")


@pytest.mark.parametrize(
    ("body", "data"),
    [
        (rb'{"a": "\ud83d\ude00"}', {"a": "\U0001f600"}),
        (rb'{"a": "\\u0000"}', {"a": "\\u0000"}),
        (rb'{"a": "\\\\u0000 \ud83d\ude00"}', {"a": "\\\\u0000 \U0001f600"}),
        ('{"é": 1.5}'.encode(), {"é": 1.5}),
        (b'{"a": 1e300, "b": [null, true]}', {"a": 1e300, "b": [None, True]}),
    ],
)
def test_unusual_but_good_json_is_read(body: bytes, data: Any) -> None:
    assert post(body).json() == data


def test_invalid_input_can_be_raised_by_hand() -> None:
    document = InvalidInput("x", errors=({"pointer": "/a", "detail": "b"},)).as_dict()
    assert document["errors"] == [{"pointer": "/a", "detail": "b"}]
    assert "instance" not in document
