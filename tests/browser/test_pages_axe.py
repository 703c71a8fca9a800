"""Every page, in both themes, against axe-core's rules; and by keyboard alone."""

from __future__ import annotations

import re
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from django.test import Client, RequestFactory
from django.views.csrf import csrf_failure
from playwright.sync_api import Page, Route, expect
from pytest_django.live_server_helper import LiveServer

from annotation_platform.api.handler import server_error
from demo.pictures.shots import NO_PAGES as SHOTLESS
from demo.pictures.steps import refused
from tests import factories
from tests.browser import scene as scenes
from tests.browser.axe import violations
from tests.browser.desk import tab_through
from tests.browser.people import SignIn

# Looked at among the pages of nobody.
NO_PAGES = SHOTLESS | {"log-in": "leads on who is signed in"}

FOCUSABLE = """
() => {
  const wanted = 'a[href], button, input, select, textarea, summary, video, [tabindex="0"]';
  const seen = new Set();
  const found = [];
  for (const element of document.querySelectorAll(wanted)) {
    if (element.type === 'hidden' || element.disabled || !element.checkVisibility()) continue;
    if (element.type === 'radio') {  // one stop for all of them, arrows go on
      if (seen.has(element.name)) continue;
      seen.add(element.name);
    }
    element.dataset.stop = String(found.length);
    found.push(element.outerHTML.slice(0, 120));
  }
  return found;
}
"""
HERE = """
() => {
  const element = document.activeElement;
  const radio = element.type === 'radio'
    && document.querySelector(`input[type=radio][name="${element.name}"][data-stop]`);
  const style = getComputedStyle(element);
  const shown = style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) >= 2;
  return [(radio || element).dataset.stop ?? null, shown || element.tagName === 'VIDEO'];
}
"""


@pytest.fixture
def axe(project_root: Path) -> Path:
    path = project_root / "web" / "workbench" / "node_modules" / "axe-core" / "axe.min.js"
    if not path.is_file():
        pytest.skip("axe-core is not installed: `scripts/web build` needs Node")
    return path


def pages_of(scene: scenes.Scene) -> dict[str, str]:
    """The addresses that answer with a page of their own."""
    client = Client()
    client.force_login(scene.person.user)
    found = {}
    for name, address in scenes.addresses(scene).items():
        if name in NO_PAGES:
            continue
        if not address:
            # Only what takes POST alone may have no row to look at.
            continue
        if client.get(address).status_code != 405:
            found[name] = address
    return found


@pytest.mark.django_db
def test_no_page_is_forgotten() -> None:
    scene = scenes.full()
    client = Client()
    client.force_login(scene.person.user)
    for name, address in scenes.addresses(scene).items():
        if not address:
            answer = client.get(scenes.guess(name))
            assert answer.status_code == 405, f"give {name} a row in tests/browser/scene.py"
    for name, address in pages_of(scene).items():
        answer = client.get(address)
        assert answer.status_code == 200, name
        assert answer["Content-Type"].startswith("text/html"), name


def fulfil(body: str, route: Route) -> None:
    route.fulfill(body=body, content_type="text/html")


def test_no_page_violates_a_rule_of_axe(
    live_server: LiveServer, page: Page, sign_in: SignIn, axe: Path
) -> None:
    scene = scenes.full()
    wrong: dict[str, list[str]] = {}
    request = RequestFactory().get("/broken/")
    made = {"broken": server_error(request), "old-form": csrf_failure(request)}
    for name, answer in made.items():
        page.route(f"**/{name}/", partial(fulfil, answer.content.decode()))
    nobody = {"log-in": "/log-in/", **{name: f"/{name}/" for name in made}}
    mine = pages_of(scene) | {"nothing": "/nothing/"}
    for addresses in (nobody, mine):
        for name, address in addresses.items():
            page.goto(live_server.url + address)
            if found := violations(page, axe):
                wrong[name] = found
        sign_in(scene.person)
    assert wrong == {}


def test_no_empty_page_violates_a_rule_of_axe(
    live_server: LiveServer, page: Page, sign_in: SignIn, axe: Path
) -> None:
    person = scenes.everybody(factories.contractor(area=None))
    sign_in(person)
    wrong: dict[str, list[str]] = {}
    for name, address in pages_of(scenes.Scene(person, {})).items():
        page.goto(live_server.url + address)
        if found := violations(page, axe):
            wrong[name] = found
    assert wrong == {}


def test_no_refused_form_violates_a_rule_of_axe(
    live_server: LiveServer, page: Page, sign_in: SignIn, axe: Path
) -> None:
    scene = scenes.full()
    sign_in(scene.person)
    addresses = scenes.addresses(scene)
    forms = {
        "payout-details": refused(":has([name=account])", account="12", password="wrong"),
        "residence": refused(":has([name=from_date])", from_date=""),
        "tax-form": refused(":has([name=tin])", name="Ray", country="usa", password="wrong"),
        "restrictions": refused("[action*=appeal]", text=" "),
        "review": refused(":has([name=outcome])"),
        "person": refused("[action$='/restrict/']", cause=""),
        "register-videos": refused(":has([name=prefix])", prefix=""),
        "thresholds": refused("", dark_below="ten"),
        "hold": refused(":has([name=case])", days="9"),
    }
    wrong: dict[str, list[str]] = {}
    for name, send in forms.items():
        page.goto(live_server.url + addresses[name])
        send(page)
        said = page.locator(".field-error, .error, .note.error, .messages .error")
        expect(said.first, name).to_be_visible()
        if found := violations(page, axe):
            wrong[name] = found
    assert wrong == {}


def test_everything_on_every_page_is_reached_by_tab_and_shows_it(
    live_server: LiveServer, page: Page, sign_in: SignIn
) -> None:
    scene = scenes.full()
    sign_in(scene.person)
    wrong: dict[str, list[str]] = {}
    pages = pages_of(scene)
    del pages["workbench"]  # a tool with keys of its own: tests of the workbench
    for name, address in pages.items():
        page.goto(live_server.url + address)
        wanted = page.evaluate(FOCUSABLE)
        most = 2 * len(wanted) + 12  # a date or a video has several stops inside

        def enough(stops: list[Any], all_of: int = len(wanted)) -> bool:
            # The browser's own controls come next: no trap.
            return len({n for n, _ in stops if n}) == all_of and any(not n for n, _ in stops)

        stops = tab_through(page, HERE, most, enough)
        reached = {int(n) for n, _ in stops if n}
        seen = {int(n) for n, shown in stops if n and shown}
        found = [f"not reached: {wanted[n]}" for n in range(len(wanted)) if n not in reached]
        found += [f"focus not shown: {wanted[n]}" for n in sorted(reached - seen)]
        if found:
            wrong[name] = found
    assert wrong == {}


def test_a_task_is_claimed_and_returned_by_keyboard_alone(
    live_server: LiveServer, page: Page, sign_in: SignIn
) -> None:
    project = factories.project()
    factories.open_tasks(project)
    person = factories.contractor()
    sign_in(person)

    def go_to(text: str) -> None:
        for _ in range(60):
            page.keyboard.press("Tab")
            told = "() => document.querySelector(':is(a, button):focus')?.textContent ?? ''"
            if text in page.evaluate(told):
                return
        raise AssertionError(f"never came to “{text}”")

    page.goto(f"{live_server.url}/work/")
    go_to("Read the guideline")
    page.keyboard.press("Enter")
    page.wait_for_url("**/guidelines/**")
    go_to("I have read version 1")
    page.keyboard.press("Enter")
    page.wait_for_url("**/work/")
    go_to("Claim the next task")
    page.keyboard.press("Enter")
    page.wait_for_url("**/work/assignments/**")
    page.goto(f"{live_server.url}/work/")
    expect(page.locator("time[data-until]")).to_have_text(re.compile(r"^(29|30):\d\d$"))
    go_to("Return")
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    page.keyboard.type("Too dark")
    page.keyboard.press("Enter")
    page.get_by_text("is given back").wait_for()
    ended = person.assignments.get()
    assert (ended.state, ended.end_reason) == ("returned", "Too dark")


def test_offline_is_told_and_what_was_typed_stays(
    live_server: LiveServer, page: Page, sign_in: SignIn
) -> None:
    person = factories.contractor()
    sign_in(person)
    page.goto(f"{live_server.url}/work/payout-details/")
    page.fill("#id_account", "DE89370400440532013000")
    page.context.set_offline(True)
    page.get_by_text("You are offline.").wait_for()
    page.fill("#id_password", "x")
    page.click("main button")
    assert page.input_value("#id_account") == "DE89370400440532013000"
    page.context.set_offline(False)
    page.get_by_text("You are offline.").wait_for(state="hidden")


def test_a_theme_shows_at_once_and_on_the_next_page(
    live_server: LiveServer, page: Page, sign_in: SignIn
) -> None:
    sign_in(factories.contractor())
    page.emulate_media(color_scheme="light")
    page.goto(f"{live_server.url}/work/payout-details/")
    ground = "() => getComputedStyle(document.body).backgroundColor"
    light = page.evaluate(ground)
    page.fill("#id_account", "typed")
    with page.expect_response("**/theme/"):
        page.get_by_role("button", name="Dark").click()
    dark = page.evaluate(ground)
    assert dark != light
    assert page.input_value("#id_account") == "typed"
    page.goto(f"{live_server.url}/work/")
    assert page.evaluate(ground) == dark


def test_a_filter_changes_the_list_without_leaving_the_page(
    live_server: LiveServer, page: Page, sign_in: SignIn
) -> None:
    scene = scenes.full()
    sign_in(scene.person)
    page.goto(f"{live_server.url}/projects/tasks/")
    rows = page.locator("#rows tbody tr")
    every = rows.count()
    page.evaluate("() => { window.same = true }")
    with page.expect_response("**/projects/tasks/?**"):
        page.select_option("#state", "open")
    page.wait_for_url("**state=open**")
    assert 0 < rows.count() < every
    assert page.evaluate("() => window.same")


def test_a_filter_keeps_the_keyboard_where_it_is_and_what_is_being_typed(
    live_server: LiveServer, page: Page, sign_in: SignIn
) -> None:
    scene = scenes.full()
    sign_in(scene.person)
    focused = "() => document.activeElement.id || document.activeElement.textContent"
    for address in ("/projects/tasks/", "/projects/submissions/", "/projects/reviews/"):
        page.goto(live_server.url + address)
        page.focus("#state")
        with page.expect_response(f"**{address}?**state=**"):
            page.keyboard.press("ArrowDown")
        page.wait_for_url("**state=**")
        assert page.evaluate(focused) == "state"
    page.goto(f"{live_server.url}/projects/tasks/")
    rows = page.locator("#rows tbody tr")
    every = rows.count()
    # A slow answer: meanwhile somebody goes on typing, and leaves the field for the button.
    held: list[Route] = []
    page.route("**/projects/tasks/?*state=open*", lambda route: held.append(route))
    with page.expect_request("**/projects/tasks/?**state=open**"):
        page.select_option("#state", "open")
    page.focus("#q")
    page.keyboard.type("Vid")
    assert held
    held.pop().continue_()
    page.wait_for_url("**state=open**")
    expect(rows).not_to_have_count(every)
    assert (page.input_value("#q"), page.evaluate(focused)) == ("Vid", "q")
    page.unroute_all()
    with page.expect_response("**/projects/tasks/?**q=Vid**"):
        page.keyboard.press("Tab")
    page.wait_for_url("**q=Vid**")
    assert page.evaluate(focused) == "Show"
