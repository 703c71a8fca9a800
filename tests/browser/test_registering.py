"""The page of a registration follows it by itself, and stops asking when it has ended."""

from __future__ import annotations

from playwright.sync_api import Page, Request, expect
from pytest_django.live_server_helper import LiveServer

from tests import factories
from tests.browser.people import SignIn
from videos import registrations


def test_the_page_follows_a_registration_and_stops_by_itself(
    live_server: LiveServer, page: Page, sign_in: SignIn
) -> None:
    manager = factories.manager()
    sign_in(manager)
    begun = registrations.begin(
        actor=manager, kind="manifest", name="m.csv", rows=[{"key": "gone.mp4"}, {"key": "../up"}]
    )
    address = f"{live_server.url}/videos/registrations/{begun.pk}/"
    page.clock.install()
    page.goto(f"{address}?state=refused")
    expect(page.get_by_text("0 of 2 rows done")).to_be_visible()
    expect(page.get_by_text("No row is like that.")).to_be_visible()
    page.get_by_role("button", name="Cancel").focus()

    with page.expect_response(f"{address}?state=refused"):  # the filter stays
        page.clock.run_for(2000)
    assert page.evaluate("() => document.activeElement.id") == "stop", "focus stays where it was"
    registrations.carry_out(begun.pk)
    page.clock.run_for(2000)
    expect(page.get_by_text("2 of 2 rows done")).to_be_visible()
    expect(page.get_by_text("gone.mp4 is not in storage.")).to_be_visible()
    expect(page.get_by_role("button", name="Cancel")).to_have_count(0)

    asked: list[Request] = []
    page.on("request", lambda request: asked.append(request))
    page.clock.run_for(20_000)
    assert asked == []
