from __future__ import annotations

import pytest
from django.db import connection
from django.test import Client

from annotation_platform.api.handler import server_error
from tests import factories
from tests.web.browsers import LogIn

pytestmark = pytest.mark.django_db


def test_a_chosen_theme_is_kept_and_one_goes_back_to_the_page(log_in: LogIn) -> None:
    browser = log_in(factories.manager())
    assert "data-theme" not in browser.get("/projects/").content.decode()
    answer = browser.post(
        "/theme/", {"theme": "dark"}, headers={"Referer": "http://testserver/projects/?page=2"}
    )
    assert (answer.status_code, answer["Location"]) == (302, "http://testserver/projects/?page=2")
    assert 'data-theme="dark"' in browser.get("/projects/").content.decode()
    browser.post("/theme/", {"theme": "auto"})
    assert "data-theme" not in browser.get("/projects/").content.decode()


def test_an_unknown_theme_changes_nothing_and_nobody_is_sent_elsewhere() -> None:
    browser = Client()
    answer = browser.post(
        "/theme/", {"theme": '"><script>'}, headers={"Referer": "https://evil.example/"}
    )
    assert answer["Location"] == "/"
    assert "theme" not in browser.cookies
    assert browser.get("/theme/").status_code == 405
    browser.cookies["theme"] = '"><b>'
    assert "data-theme" not in browser.get("/log-in/").content.decode()


def test_only_own_areas_and_their_pages_are_offered(log_in: LogIn) -> None:
    page = log_in(factories.user("manager", "finance")).get("/projects/").content.decode()
    assert [f'href="/{area}/"' in page for area in ("projects", "money", "reviews", "work")] == [
        True,
        True,
        False,
        False,
    ]


def test_a_broken_page_says_so_in_the_design_and_without_the_database() -> None:
    request = Client().get("/log-in/").wsgi_request
    with connection.execute_wrapper(_refuse):
        answer = server_error(request)
    assert answer.status_code == 500
    assert "Something broke on our side" in answer.content.decode()


def test_a_form_without_its_token_is_refused_with_words() -> None:
    answer = Client(enforce_csrf_checks=True).post("/log-in/", {})
    assert answer.status_code == 403
    assert "This form is out of date" in answer.content.decode()
    assert "default-src 'self'" in answer["Content-Security-Policy"]


def _refuse(*arguments: object) -> None:
    raise AssertionError("the database is asked")
