"""Nothing that was typed is lost: accidents of the tab, the line, the server and the lease.

Each test types on the real page, lets something go wrong, and compares the page's timeline with
the draft in the database, whole JSON with whole JSON.
"""

from __future__ import annotations

import contextlib
import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.contrib.staticfiles import finders
from django.core.files.storage import storages
from django.core.management import call_command
from playwright.sync_api import BrowserContext, Error, Page, Route, expect
from pytest_django import Settings
from pytest_django.live_server_helper import LiveServer

from tasks import services
from tasks.models import Assignment, Draft
from tests import factories
from tests.browser.people import SignIn
from tests.faults.conftest import broker, server_environment, web_server  # noqa: F401
from tests.faults.processes import WebServer
from videos import links
from videos.demo_clips import KINDS, write_clip

Json = dict[str, Any]
SAVED = "[data-save=saved]"
STATUS = "[data-save]"


@pytest.fixture
def claim(live_server: LiveServer, sign_in: SignIn) -> Assignment:
    """A live claim whose holder is signed in."""
    if finders.find("web/built/workbench.js") is None:
        pytest.skip("the workbench is not built; run scripts/web build")
    project = factories.project(cool_down_seconds=0, overlap=1)
    factories.open_tasks(project)
    assignment = factories.claimed(project)
    sign_in(assignment.contractor)
    return assignment


@pytest.fixture
def site(
    page: Page,
    claim: Assignment,
    web_server: WebServer,  # noqa: F811
    tmp_path: Path,
    settings: Settings,
) -> WebServer:
    """A web server of its own process, not started; who is signed in is signed in there, too."""
    # The live server finds the static files itself; a server serves what was collected.
    settings.STATIC_ROOT = web_server.environment["STATIC_ROOT"] = str(tmp_path / "static")
    call_command("collectstatic", interactive=False, link=True, verbosity=0)
    page.context.add_cookies(
        [
            {"name": cookie["name"], "value": cookie["value"], "url": web_server.url}
            for cookie in page.context.cookies()
        ]
    )
    return web_server


def work_on(page: Page, server: Any, assignment: Assignment) -> None:
    page.goto(f"{server.url}/work/assignments/{assignment.pk}/")
    is_ready(page)


def is_ready(page: Page) -> None:
    # By its id the element goes by the same name until the page is there.
    page.wait_for_function("() => window.workbench?.timeline !== undefined")
    # Chromium drops keys that come before the first picture.
    page.evaluate("() => new Promise(go => requestAnimationFrame(() => requestAnimationFrame(go)))")


def shown(page: Page) -> Json:
    """The timeline on the page."""
    found: Json = page.evaluate("() => JSON.parse(JSON.stringify(workbench.timeline.value))")
    return found


def stored(assignment: Assignment) -> Json:
    """The draft in the database, without the marks of who saved what."""
    draft = Draft.objects.get(task=assignment.task_id, contractor=assignment.contractor_id)
    return {name: value for name, value in draft.body.items() if name != "applied"}


def descriptions(timeline: Json) -> list[str]:
    return sorted(segment["description"] for segment in timeline["segments"])


def add(page: Page, hand: str, words: str) -> None:
    """A new segment of one hand from the frame on screen, typed as a person does."""
    page.keyboard.press({"left": "q", "right": "w", "none": "r"}[hand])
    page.keyboard.press("a")
    describe(page, words)


def describe(page: Page, words: str) -> None:
    page.keyboard.press("Enter")
    expect(page.locator("#wb-description")).to_be_focused()
    page.keyboard.type(words)
    # Escape would only close the suggestions where there are some.
    page.keyboard.press("Enter")
    expect(page.locator("#wb-description")).not_to_be_focused()


def screen(page: Page) -> None:
    """The first question about a video, answered: it is usable."""
    page.keyboard.press("1")
    page.wait_for_function("() => workbench.timeline.value.screening.verdict === 'usable'")


def crash(page: Page) -> None:
    """The renderer dies at once: no unload, no last request."""
    with page.expect_event("crash"), contextlib.suppress(Error):
        page.goto("chrome://crash")


def refuse_saves(page: Page) -> Callable[[], None]:
    """Nothing that this page saves gets through any more; call the answer to mend it."""

    def refuse(route: Route) -> None:
        if route.request.method == "PUT":
            route.abort("connectionreset")
        else:
            route.fallback()

    page.route("**/draft/", refuse)
    return lambda: page.unroute("**/draft/")


def expect_all_saved(page: Page, assignment: Assignment, words: list[str]) -> None:
    expect(page.locator(SAVED)).to_be_visible(timeout=15_000)
    assert descriptions(shown(page)) == sorted(words)
    assert stored(assignment) == shown(page)


def test_killed_tab_comes_back_with_everything(
    live_server: LiveServer, page: Page, context: BrowserContext, claim: Assignment
) -> None:
    work_on(page, live_server, claim)
    screen(page)
    add(page, "left", "Hold the loaf")
    expect_all_saved(page, claim, ["Hold the loaf"])
    refuse_saves(page)
    add(page, "right", "Cut the bread")
    expect(page.locator(STATUS)).to_contain_text("on this device")
    before = shown(page)
    assert descriptions(stored(claim)) == ["Hold the loaf"]
    crash(page)

    again = context.new_page()
    work_on(again, live_server, claim)
    assert shown(again) == before
    expect_all_saved(again, claim, ["Hold the loaf", "Cut the bread"])


def test_closed_tab_has_saved_what_was_still_being_typed(
    live_server: LiveServer, page: Page, context: BrowserContext, claim: Assignment
) -> None:
    work_on(page, live_server, claim)
    screen(page)
    add(page, "left", "Hold")
    expect_all_saved(page, claim, ["Hold"])
    page.keyboard.press("Enter")
    expect(page.locator("#wb-description")).to_be_focused()
    page.keyboard.type("Hold the loaf")
    page.goto("about:blank")  # a moment later, the field still has the focus

    again = context.new_page()
    work_on(again, live_server, claim)
    expect_all_saved(again, claim, ["Hold the loaf"])


def test_two_minutes_offline(
    live_server: LiveServer, page: Page, context: BrowserContext, claim: Assignment
) -> None:
    page.clock.install()
    work_on(page, live_server, claim)
    screen(page)
    page.clock.run_for(2000)
    expect(page.locator(SAVED)).to_be_visible()
    context.set_offline(True)
    add(page, "left", "Hold the loaf")
    page.clock.run_for(60_000)
    add(page, "right", "Cut the bread")
    page.clock.run_for(60_000)
    expect(page.locator("[data-save=offline]")).to_contain_text("No connection: ")
    expect(page.locator("[data-save=offline]")).to_contain_text("on this device")
    before = shown(page)
    assert stored(claim)["segments"] == []
    context.set_offline(False)
    page.clock.run_for(2000)
    expect_all_saved(page, claim, ["Hold the loaf", "Cut the bread"])
    assert shown(page) == before


def test_save_whose_answer_was_lost_is_not_done_twice(
    live_server: LiveServer, page: Page, claim: Assignment
) -> None:
    work_on(page, live_server, claim)
    lost: list[int] = []

    def lose(route: Route) -> None:
        if route.request.method == "PUT" and not lost:
            lost.append(route.fetch().status)  # it had its effect
            route.abort("connectionreset")
        else:
            route.fallback()

    page.route("**/draft/", lose)
    screen(page)
    add(page, "left", "Hold the loaf")
    expect_all_saved(page, claim, ["Hold the loaf"])
    assert lost == [200]
    assert page.locator(".wb-banner").count() == 0  # nobody needs to know


def test_server_is_killed_and_started_again(
    page: Page,
    claim: Assignment,
    site: WebServer,
) -> None:
    site.start()
    work_on(page, site, claim)
    screen(page)
    add(page, "left", "Hold the loaf")
    expect_all_saved(page, claim, ["Hold the loaf"])
    site.kill()
    add(page, "right", "Cut the bread")
    expect(page.locator("[data-save=offline]")).to_contain_text("on this device")
    before = shown(page)
    site.start()
    expect_all_saved(page, claim, ["Hold the loaf", "Cut the bread"])
    assert shown(page) == before


def test_two_tabs_only_one_edits_and_the_other_takes_over(
    live_server: LiveServer, page: Page, context: BrowserContext, claim: Assignment
) -> None:
    work_on(page, live_server, claim)
    screen(page)
    add(page, "left", "Hold the loaf")
    second = context.new_page()
    work_on(second, live_server, claim)
    expect(second.locator("[data-save=elsewhere]")).to_be_visible()
    add_refused = shown(second)
    second.keyboard.press("a")
    assert shown(second) == add_refused
    page.bring_to_front()
    describe(page, "Hold the big loaf")
    second.bring_to_front()
    second.get_by_role("button", name="Edit here").click()
    expect(page.locator("[data-save=elsewhere]")).to_be_attached()
    expect(second.locator(SAVED)).to_be_visible()
    assert descriptions(shown(second)) == ["Hold the big loaf"]
    add(second, "right", "Cut the bread")
    expect_all_saved(second, claim, ["Hold the big loaf", "Cut the bread"])
    second.close()
    # The first one edits again by itself, on what the second one left.
    expect(page.locator(SAVED)).to_be_attached()
    assert stored(claim) == shown(page)
    page.bring_to_front()
    add(page, "none", "Look at it")
    expect_all_saved(page, claim, ["Hold the big loaf", "Cut the bread", "Look at it"])


def test_another_device_saved_meanwhile(
    live_server: LiveServer, page: Page, claim: Assignment
) -> None:
    work_on(page, live_server, claim)
    screen(page)
    add(page, "left", "Hold")
    expect_all_saved(page, claim, ["Hold"])
    draft = Draft.objects.get(task=claim.task_id)
    body = json.loads(json.dumps(draft.body))
    body["segments"][0] |= {"description": "Hold the loaf", "action_type": "hold"}
    body["segments"].append(body["segments"][0] | {"id": "theirs", "hands": "right"})
    services.save_draft(assignment=claim, body=body, expected_revision=draft.revision)

    describe(page, "Hold the cake")
    differences = page.locator(".wb-differences")
    expect(differences).to_contain_text("“Hold the loaf” elsewhere, “Hold the cake” here")
    assert [
        (s["id"] == "theirs", s["action_type"], s["description"]) for s in shown(page)["segments"]
    ] == [(False, "hold", "Hold the loaf"), (True, "hold", "Hold the loaf")]
    differences.get_by_role("button").first.click()  # mine
    expect_all_saved(page, claim, ["Hold the cake", "Hold the loaf"])


def expire(assignment: Assignment) -> None:
    """The lease runs out, and the grace after it."""
    factories.age(assignment, minutes=31)
    assert services.expire_leases()["grace"] == 1
    factories.age(assignment, minutes=16)
    assert services.expire_leases()["expired"] == 1
    assignment.refresh_from_db()


def test_expired_lease_keeps_the_work_and_the_same_person_takes_it_again(
    live_server: LiveServer, page: Page, claim: Assignment
) -> None:
    work_on(page, live_server, claim)
    screen(page)
    add(page, "left", "Hold the loaf")
    expect_all_saved(page, claim, ["Hold the loaf"])
    mend = refuse_saves(page)
    add(page, "right", "Cut the bread")
    expect(page.locator(STATUS)).to_contain_text("on this device")
    before = shown(page)
    expire(claim)
    mend()
    page.keyboard.press("x")  # extend: too late
    expect(page.locator("[data-save=lost]")).to_be_visible()
    page.keyboard.press("a")
    assert shown(page) == before  # read-only
    with page.expect_download() as download:
        page.get_by_role("button", name="Download").click()
    assert json.loads(download.value.path().read_text())["timeline"] == before

    with page.expect_navigation():
        page.get_by_role("button", name="Claim").click()
    is_ready(page)
    again = Assignment.objects.exclude(pk=claim.pk).get(contractor=claim.contractor)
    assert page.url.endswith(f"/work/assignments/{again.pk}/")
    expect_all_saved(page, again, ["Hold the loaf", "Cut the bread"])
    assert shown(page) == before
    add(page, "none", "Look")
    expect_all_saved(page, again, ["Hold the loaf", "Cut the bread", "Look"])


def test_claim_that_is_over_when_it_is_opened_gives_the_work_back(
    live_server: LiveServer, page: Page, context: BrowserContext, claim: Assignment
) -> None:
    work_on(page, live_server, claim)
    screen(page)
    refuse_saves(page)
    add(page, "left", "Hold the loaf")
    expect(page.locator(STATUS)).to_contain_text("on this device")
    before = shown(page)
    expire(claim)
    crash(page)

    page = context.new_page()
    mend = refuse_saves(page)
    work_on(page, live_server, claim)
    expect(page.locator("[data-save=lost]")).to_contain_text("on this device")
    assert shown(page) == before
    page.keyboard.press("a")
    assert shown(page) == before  # read-only
    with page.expect_download() as download:
        page.get_by_role("button", name="Download").click()
    assert json.loads(download.value.path().read_text())["timeline"] == before
    mend()
    with page.expect_navigation():
        page.get_by_role("button", name="Claim").click()
    is_ready(page)
    again = Assignment.objects.exclude(pk=claim.pk).get(contractor=claim.contractor)
    assert page.url.endswith(f"/work/assignments/{again.pk}/")
    expect_all_saved(page, again, ["Hold the loaf"])
    assert shown(page) == before


def test_expired_lease_that_somebody_else_took(
    live_server: LiveServer, page: Page, claim: Assignment
) -> None:
    work_on(page, live_server, claim)
    screen(page)
    refuse_saves(page)
    add(page, "left", "Hold the loaf")
    expect(page.locator(STATUS)).to_contain_text("on this device")
    before = shown(page)
    expire(claim)
    project = claim.task.project
    other = factories.claimed(project)
    assert other.task_id == claim.task_id
    page.keyboard.press("x")
    expect(page.locator("[data-save=lost]")).to_contain_text("on this device")
    page.get_by_role("button", name="Claim").click()
    expect(page.locator(".wb-live-bad")).to_be_visible()  # somebody else has its place
    assert Assignment.objects.filter(contractor=claim.contractor).count() == 1
    with page.expect_download() as download:
        page.get_by_role("button", name="Download").click()
    kept = json.loads(download.value.path().read_text())
    assert kept["timeline"] == before
    assert [edit["revision"] for edit in kept["edits"]][-1] == 0  # not on the server
    # The other person's work is their own.
    assert Draft.objects.filter(task=claim.task_id, contractor=other.contractor_id).count() == 0


def test_expired_media_link_is_replaced_under_the_work(
    live_server: LiveServer, page: Page, claim: Assignment, settings: Settings, tmp_path: Path
) -> None:
    backend = "django.core.files.storage.FileSystemStorage"
    media = {"BACKEND": backend, "OPTIONS": {"location": str(tmp_path / "media")}}
    settings.STORAGES = {**settings.STORAGES, "media": media}
    write_clip(tmp_path / "clip.mp4", KINDS["regular"], seconds=10)
    with (tmp_path / "clip.mp4").open("rb") as clip:
        assert storages["media"].save(claim.task.video.key, clip) == claim.task.video.key
    stale = links.media_url(claim.task.video, user=claim.contractor.user, seconds=-10)

    def stale_at_first(route: Route) -> None:
        answer = route.fetch()
        body = answer.json()
        body["media"]["url"] = stale
        route.fulfill(response=answer, json=body)

    page.route(f"**/api/v1/assignments/{claim.pk}/", stale_at_first)
    with (
        page.expect_response(lambda r: r.url.endswith(stale)) as refused,
        page.expect_response(f"**/api/v1/assignments/{claim.pk}/media/") as renewed,
    ):
        work_on(page, live_server, claim)
    assert refused.value.status == 403
    screen(page)
    add(page, "left", "Hold the loaf")
    fresh = renewed.value.json()["url"]
    assert fresh != stale
    page.wait_for_function("url => workbench.player.source.value === url", arg=fresh)
    expect(page.locator(".wb-stage")).to_have_attribute("data-state", "ready")
    expect_all_saved(page, claim, ["Hold the loaf"])


def test_refused_database_is_said_and_saves_at_once(
    live_server: LiveServer, page: Page, claim: Assignment
) -> None:
    page.add_init_script(
        "IDBFactory.prototype.open = () => { throw new DOMException('no', 'SecurityError'); }"
    )
    page.clock.install()
    work_on(page, live_server, claim)
    expect(page.locator(STATUS)).to_contain_text("This browser keeps nothing on this device.")
    page.clock.pause_at("2030-01-01")  # no timer of a second or more fires from here on
    screen(page)
    page.clock.run_for(50)
    expect_all_saved(page, claim, [])
    mend = refuse_saves(page)
    page.keyboard.press("q")
    page.keyboard.press("a")
    page.clock.run_for(50)
    expect(page.locator(STATUS)).to_contain_text("1 change not saved yet")
    mend()
    page.clock.run_for(2000)
    expect_all_saved(page, claim, [""])


@pytest.mark.nightly
@pytest.mark.parametrize("seed", range(3))
def test_chaos_the_server_dies_again_and_again_while_somebody_works(
    page: Page,
    claim: Assignment,
    site: WebServer,
    seed: int,
) -> None:
    dice = random.Random(seed)
    site.start()
    work_on(page, site, claim)
    screen(page)
    add(page, "left", "word 0")
    words = "word 0"
    for number in range(1, 25):
        if dice.random() < 0.2:
            site.kill()
        elif site.process is None and dice.random() < 0.5:
            site.start()
        words = f"word {number}"
        describe(page, words)
        for _ in range(dice.randrange(4)):
            page.keyboard.press(dice.choice(["[", "ControlOrMeta+z", "Shift+ControlOrMeta+z", "t"]))
        if site.process is not None and dice.random() < 0.2:
            before = shown(page)
            page.reload()
            is_ready(page)
            assert shown(page) == before
            page.keyboard.press("ArrowUp")
    if site.process is None:
        site.start()
    before = shown(page)
    expect(page.locator(SAVED)).to_be_visible(timeout=70_000)
    assert shown(page) == before
    assert stored(claim) == before
