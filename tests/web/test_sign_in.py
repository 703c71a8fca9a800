"""Logging in and out, and who gets where."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from django.core.cache import cache
from django.test import Client

from contractors.models import Role, User
from tests import factories
from tests.web.browsers import LogIn

PAGES: dict[str, str] = {
    "/work/": Role.CONTRACTOR,
    "/work/results/": Role.CONTRACTOR,
    "/work/earnings/": Role.CONTRACTOR,
    "/reviews/": Role.REVIEWER,
    "/projects/": Role.MANAGER,
    "/money/": Role.FINANCE,
}
HOMES: dict[str, str] = {
    Role.CONTRACTOR: "/work/",
    Role.REVIEWER: "/reviews/",
    Role.MANAGER: "/projects/",
    Role.FINANCE: "/money/",
}

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def fresh_throttle() -> None:
    cache.clear()


def person_with(role: str) -> User:
    return factories.contractor().user if role == Role.CONTRACTOR else factories.user(role)


@pytest.mark.parametrize("page", PAGES)
def test_each_page_is_for_its_role_alone(page: str, log_in: LogIn) -> None:
    statuses = {role: log_in(person_with(role)).get(page).status_code for role in Role.values}
    assert statuses == {role: 200 if role == PAGES[page] else 403 for role in Role.values}
    answer = Client().get(page)
    assert (answer.status_code, answer["Location"]) == (302, f"/log-in/?next={page}")


@pytest.mark.parametrize("page", ["/work/claim/", "/reviews/next/"])
def test_what_writes_takes_only_posts_with_a_token(page: str, log_in: LogIn) -> None:
    role = Role.CONTRACTOR if page.startswith("/work") else Role.REVIEWER
    person = person_with(role)
    assert log_in(person).get(page).status_code == 405
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(person)
    assert strict.post(page).status_code == 403
    assert Client().post(page).status_code == 302


@pytest.mark.parametrize("role", Role.values)
def test_home_is_the_first_area_of_a_person(role: str) -> None:
    person = person_with(role)
    browser = Client()
    # The email in other letters, as people type it.
    sent = {"username": person.email.upper(), "password": factories.PASSWORD}
    answer = browser.post("/log-in/", sent, follow=True)
    assert [url for url, _ in answer.redirect_chain] == ["/", HOMES[role]]
    assert answer.status_code == 200
    out = browser.post("/log-out/")
    assert (out.status_code, out["Location"]) == (302, "/log-in/")
    assert browser.get(HOMES[role]).status_code == 302
    assert browser.get("/log-out/").status_code == 405


def test_home_without_a_role(log_in: LogIn) -> None:
    nobody, administrator = factories.user(), factories.user()
    answer = log_in(nobody).get("/")
    assert answer.status_code == 403
    assert "Your account has no role yet." in answer.content.decode()
    administrator.is_staff = True
    administrator.save()
    assert log_in(administrator).get("/")["Location"] == "/admin/"


def test_a_wrong_password_an_unknown_email_and_a_closed_account_look_the_same() -> None:
    person = factories.manager()
    closed = factories.manager()
    closed.is_active = False
    closed.save()
    pages = []
    for email, password in (
        (person.email, "wrong"),
        ("nobody@example.org", factories.PASSWORD),
        (closed.email, factories.PASSWORD),
    ):
        answer = Client().post("/log-in/", {"username": email, "password": password})
        assert answer.status_code == 200
        assert "_auth_user_id" not in answer.client.session
        text = answer.content.decode().replace(email, "")
        pages.append(re.sub(r'name="csrfmiddlewaretoken" value="\w+"', "", text))
    assert pages[0] == pages[1] == pages[2]
    assert "do not match" in pages[0]


def test_guessing_passwords_is_throttled() -> None:
    person = factories.manager()
    wrong = {"username": person.email, "password": "wrong"}
    statuses = [Client().post("/log-in/", wrong).status_code for _ in range(21)]
    assert statuses == [200] * 20 + [429]
    right = {"username": person.email, "password": factories.PASSWORD}
    answer = Client().post("/log-in/", right)
    assert answer.status_code == 429
    assert 1 <= int(answer["Retry-After"]) <= 60


def test_only_addresses_of_this_site_are_gone_on_to() -> None:
    person = factories.manager()
    sent = {"username": person.email, "password": factories.PASSWORD}
    answer = Client().post("/log-in/", sent | {"next": "https://evil.example/"})
    assert answer["Location"] == "/"
    answer = Client().post("/log-in/", sent | {"next": "/projects/?page=2"})
    assert answer["Location"] == "/projects/?page=2"


def test_pages_allow_nothing_inline_and_nothing_from_elsewhere(
    log_in: LogIn, project_root: Path
) -> None:
    manager = log_in(factories.manager())
    for browser, address in (
        (Client(), "/log-in/"),
        (manager, "/projects/"),
        (manager, "/money/"),  # refused
        (manager, "/nothing/"),
    ):
        answer = browser.get(address)
        policy = answer["Content-Security-Policy"]
        assert "default-src 'self'" in policy
        assert "unsafe" not in policy
    for template in (project_root / "web" / "templates").rglob("*.html"):
        text = template.read_text()
        inline = r"<style|<script(?! (type=\"module\" )?src=)|\sstyle=|\son[a-z]{4,}=|https?://"
        assert not re.search(inline, text), template
