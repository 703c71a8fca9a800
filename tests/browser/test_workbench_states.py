"""The workbench when something is different: nothing may be changed, much is magnified, one reacts
late, another device disagrees."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, Request, expect

from tests.browser.desk import CLIP_FRAMES, Desk, OpenTask, draft, row, tab_through
from tests.browser.test_workbench_focus import MARK
from tests.browser.test_workbench_pointer import drag


def changes_nothing(desk: Desk) -> None:
    """Every key there is, every field, a drag: the timeline stays and nothing is sent."""
    page = desk.page
    sent: list[str] = []

    def heard(request: Request) -> None:
        if request.method == "PUT" or request.url.endswith(("/submissions/", "/return/")):
            sent.append(f"{request.method} {request.url}")

    page.on("request", heard)
    before = desk.json
    page.evaluate("workbench.select('s000060')")
    keys = page.evaluate("workbench.keymap.value.changes() && [...workbench.keymap.value.actions]")
    assert len(keys) > 60
    for key, action in keys:
        if action == "extend":
            continue  # asks the server how things stand
        desk.press(key.replace("Mod", "Control"))
        page.evaluate(
            """() => {
              workbench.dialog.value = null;
              workbench.player.pause();
              document.activeElement.blur();
              workbench.select('s000060', false);
            }"""
        )
    assert desk.json == before
    for name in ("Start here", "End here", "Merge with next", "Delete", "Copy previous", "Flag",
                 "Split here", "New here", "Submit", "Return"):  # fmt: skip
        expect(page.get_by_role("button", name=name, exact=True)).to_be_disabled()
    expect(page.get_by_label("First frame", exact=True)).to_be_disabled()
    expect(page.locator("#wb-description")).to_have_attribute("readonly", "")
    drag(desk, "right", 120, 150)
    page.mouse.up()
    assert desk.json == before
    assert sent == []


def reached_by_tab(desk: Desk, button: Locator) -> None:
    button.evaluate("button => (window.wanted = button)")
    stops = tab_through(desk.page, "() => document.activeElement === window.wanted", 90, any)
    assert any(stops)


def given_back(desk: Desk) -> str:
    from tasks import services

    assert desk.assignment is not None
    services.return_task(assignment=desk.assignment)
    desk.page.reload()
    expect(desk.page.locator(".wb-picture")).to_contain_text("The video is no longer shown.")
    return "This task is no longer yours to change: Given back"


def expired(desk: Desk) -> str:
    from tasks import services
    from tests import factories

    assert desk.assignment is not None
    factories.age(desk.assignment, minutes=31)
    services.expire_leases()
    factories.age(desk.assignment, minutes=16)
    assert services.expire_leases()["expired"] == 1
    desk.press("x")
    return "Your time on this task is over."


def elsewhere(desk: Desk) -> str:
    second = desk.page.context.new_page()
    second.goto(desk.address)
    second.get_by_role("button", name="Edit here").click()
    expect(second.locator("[data-save=saved]")).to_be_visible()
    desk.page.bring_to_front()
    return "You are editing this task in another tab."


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("happens", [given_back, expired, elsewhere])
def test_what_is_not_mine_to_change_does_not_change(
    open_task: OpenTask, happens: Callable[[Desk], str]
) -> None:
    desk = open_task(body=draft(row(0, 60), row(60, 120), row(120, 210)))
    desk.saved()
    told = happens(desk)
    banner = desk.page.locator(".wb-banner")
    expect(banner).to_contain_text(told)
    changes_nothing(desk)
    if happens is elsewhere:
        way_out = banner.get_by_role("button", name="Edit here")
    else:
        expect(banner.get_by_role("button", name="Download my work")).to_be_visible()
        way_out = banner.get_by_role("button", name="Claim it again")
    reached_by_tab(desk, way_out)


@pytest.mark.django_db(transaction=True)
def test_a_difference_is_settled_by_keys_and_the_focus_is_not_lost(open_task: OpenTask) -> None:
    from tasks import services
    from tasks.models import Draft

    desk = open_task(body=draft(row(0, 60), row(60, 120), row(120, 210)))
    page = desk.page
    stored = Draft.objects.get()
    body = {**stored.body, "segments": [dict(s) for s in stored.body["segments"]]}
    body["segments"][0]["description"] = "Theirs"
    body["segments"][1]["action_type"] = "cut"
    assert desk.assignment is not None
    services.save_draft(assignment=desk.assignment, body=body, expected_revision=stored.revision)
    desk.press("ArrowDown", "Enter")
    desk.type("Mine")
    desk.press("Enter", "ArrowDown", "2")
    panel = page.locator(".wb-differences")
    expect(panel.locator("li")).to_have_count(2)
    expect(panel).to_contain_text("“Theirs” elsewhere, “Mine” here")
    assert [s[4] for s in desk.segments][:1] == ["Theirs"]  # the newer revision, until chosen
    theirs = panel.get_by_role("button", name="The other")
    theirs.first.focus()
    desk.press("Enter")
    expect(panel.locator("li")).to_have_count(1)
    mine = panel.get_by_role("button", name="Mine")
    page.locator(".wb-play").focus()
    reached_by_tab(desk, mine)
    mine.focus()
    desk.press("Enter")
    expect(panel).to_have_count(0)
    assert page.evaluate("document.activeElement !== document.body")
    desk.saved()
    chosen = page.evaluate("workbench.types[1].key")
    saved = Draft.objects.get().body["segments"]
    assert [(s["action_type"], s["description"]) for s in saved] == [
        ("pour", "Theirs"), (chosen, "Pour water"), ("pour", "Pour water"),
    ]  # fmt: skip


@pytest.mark.django_db(transaction=True)
def test_reaction_time_moves_cuts_during_playback_only(open_task: OpenTask) -> None:
    desk = open_task()
    page = desk.page
    desk.press("F1")
    lag = page.get_by_label("Reaction time (ms)")
    lag.fill("200")
    lag.press("Tab")
    desk.press("Escape")
    page.evaluate(
        """() => window.addEventListener("keydown", event => {
          if (event.code === "KeyS") window.shown = workbench.player.frame.value;
        }, {capture: true})"""
    )
    desk.press("s")  # at the first frame, paused
    desk.press("Space")
    page.wait_for_function("() => workbench.player.frame.value >= 30")
    desk.press("s", "Space")
    desk.playing(False)
    shown = page.evaluate("window.shown")
    assert shown >= 30
    assert [s[:2] for s in desk.segments] == [(0, shown - 6), (shown - 6, CLIP_FRAMES)]
    desk.press("End")
    desk.at(CLIP_FRAMES - 1)
    desk.press("s")  # paused: the frame on screen
    assert desk.segments[-1][:2] == (CLIP_FRAMES - 1, CLIP_FRAMES)
    desk.saved()
    page.reload()
    desk.ready()
    desk.press("F1")
    expect(lag).to_have_value("200")
    lag.fill("99999")
    lag.press("Tab")
    assert page.evaluate("workbench.settings.value.lagMs") == 1000


def magnified(page: Page, zoom: int, width: int = 1440, height: int = 900) -> None:
    """What the browser's own zoom does: fewer CSS pixels, each made of more."""
    metrics: dict[str, Any] = {
        "width": width // zoom, "height": height // zoom, "deviceScaleFactor": zoom,
        "mobile": False,
    }  # fmt: skip
    page.context.new_cdp_session(page).send("Emulation.setDeviceMetricsOverride", metrics)


# Where the focus is, and whether it can be seen there: in the window, under nothing else.
SEEN = """() => {
  const now = document.activeElement, box = now.getBoundingClientRect();
  const at = document.elementFromPoint(
    box.left + box.width / 2, Math.max(0, box.top) + Math.min(box.height, 12) / 2);
  const mine = now.matches("[role=slider], body") || now.contains(at)
    || now.closest("label")?.contains(at) || at?.contains(now) && at !== document.body;
  return [now.dataset.walk ?? "", mine || now.outerHTML.slice(0, 90)];
}"""


def all_reached(every: set[str], stops: list[Any]) -> bool:
    return every <= {name for name, _ in stops}


@pytest.mark.django_db(transaction=True)
def test_magnified_everything_is_there_and_works(page: Page, open_task: OpenTask) -> None:
    """At 200 % and at 400 %: there the window is 360 by 225 of the page's pixels."""
    rows = row(0, 60), row(60, 120), row(120, 210, description="")
    desk = open_task(body=draft(*rows), page=page)
    before = desk.json
    for zoom in (2, 4):
        magnified(page, zoom)
        assert page.evaluate("devicePixelRatio") == zoom
        desk.press("ArrowDown", "ArrowDown")
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        canvas = page.locator(".wb-canvas > canvas").first
        page.wait_for_function(
            "zoom => (c => c.width === Math.round(c.clientWidth * zoom))"
            "(document.querySelector('.wb-canvas > canvas'))",
            arg=zoom,
        )
        # Each control by Tab; none is under another when it has the focus.
        every = {str(n) for n in range(page.locator(".wb").evaluate(MARK))}
        assert len(every) > 40
        stops = tab_through(page, SEEN, len(every) + 10, partial(all_reached, every))
        assert all_reached(every, stops)
        assert [seen for _, seen in stops if seen is not True] == []
        # Keys and the pointer do what they did.
        page.evaluate("document.activeElement.blur()")
        desk.press("g")
        expect(page.get_by_role("dialog")).to_be_in_viewport()
        desk.type("90")
        desk.press("Enter")
        desk.at(90)
        desk.press("s")
        assert [s[:2] for s in desk.segments] == [(0, 60), (60, 90), (90, 120), (120, 210)]
        for edge in (60, 50):  # wherever on the page one came from
            page.evaluate("edge => scrollTo(0, edge === 60 ? 0 : 1e6)", edge)
            canvas.scroll_into_view_if_needed()
            drag(desk, "right", edge, edge - 10)
            page.mouse.up()
            assert [s[:2] for s in desk.segments][:2] == [(0, edge - 10), (edge - 10, 90)]
        desk.press("Control+z", "Control+z", "Control+z")
        assert desk.json == before
