"""The media half of the workbench's own page: picture, strips, the cut frame by frame."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from django.contrib.staticfiles import finders
from playwright.sync_api import Page, Route, expect
from pytest_django import Settings
from pytest_django.live_server_helper import LiveServer

from tests.browser.library import video_of
from tests.browser.people import SignIn
from videos.demo_clips import CELL, HEIGHT

if TYPE_CHECKING:
    from tasks.models import Assignment

# The number in the picture of the page's own <video>, or of a canvas.
READ = f"""element => {{
  const high = element.videoHeight || element.height, wide = element.videoWidth || element.width;
  const scale = high / {HEIGHT}, canvas = document.createElement("canvas");
  canvas.width = wide; canvas.height = high;
  const pen = canvas.getContext("2d");
  pen.drawImage(element, 0, 0);
  const lit = i => pen.getImageData(
    Math.round((i + 0.5) * {CELL} * scale), Math.round(high - {CELL} * scale / 2), 1, 1
  ).data[0] > 127;
  if (!lit(0) || lit(1)) return null;
  let number = 0;
  for (let bit = 0; bit < 16; bit++) number = number * 2 + Number(lit(2 + bit));
  return number;
}}"""


@pytest.fixture
def page(desk_page: Page) -> Page:
    return desk_page


@pytest.fixture
def claim(
    short_clip: Path, media_root: Path, live_server: LiveServer, page: Page, sign_in: SignIn
) -> Iterator[Callable[..., Assignment]]:
    """A real clip with sound that went through every stage; somebody claims it and is signed in."""
    from tasks import services as queue
    from tests import factories

    if finders.find("web/built/workbench.js") is None:
        pytest.skip("the workbench is not built; run scripts/web build")

    def make() -> Assignment:
        video = video_of(short_clip, ("proxy", "filmstrip", "peaks"))
        project = factories.project()
        drafts = queue.create_tasks(actor=None, project=project, videos=[video])
        queue.open_tasks(actor=None, tasks=drafts)
        assignment = factories.claimed(project)
        queue.save_draft(
            assignment=assignment,
            body={
                "version": 1,
                "segments": [
                    segment("a", 0, 20),
                    segment("b", 20, 50),
                ],
                "screening": {
                    "verdict": "usable", "reason": "", "note": "",
                    "start_frame": None, "end_frame": None,
                },
                "flags": [],
            },
            expected_revision=0,
        )  # fmt: skip
        sign_in(assignment.contractor, into=page.context)
        return assignment

    yield make
    page.goto("about:blank")  # nothing of it is under way when the tables are emptied


def segment(name: str, start: int, end: int) -> dict[str, object]:
    return {
        "id": name, "start_frame": start, "end_frame": end,
        "hands": "right", "action_type": "", "description": "",
    }  # fmt: skip


def picture_shows(page: Page, frame: int) -> None:
    counter = page.locator(f".picture-counter[data-frame='{frame}'][data-state='ready']")
    expect(counter).to_be_visible()
    assert page.locator(".picture video").evaluate(READ) == frame


def test_keys_show_the_frame_that_the_page_names(
    claim: Callable[..., Assignment], live_server: LiveServer, page: Page
) -> None:
    assignment = claim()
    page.goto(f"{live_server.url}/work/assignments/{assignment.pk}/")
    picture_shows(page, 0)
    for key, frame in [
        ("ArrowRight", 1), ("Shift+ArrowRight", 11), ("ArrowLeft", 10), ("Period", 11),
    ]:  # fmt: skip
        page.keyboard.press(key)
        picture_shows(page, frame)
    for _ in range(30):  # faster than any decoder
        page.keyboard.press("ArrowRight")
    picture_shows(page, 41)
    page.keyboard.press("Space")
    expect(page.locator(".picture-counter[data-playing='true']")).to_be_visible()
    page.keyboard.press("Space")
    expect(page.locator(".picture-counter[data-playing='false']")).to_be_visible()
    page.wait_for_function("() => !document.querySelector('.picture video').seeking")
    shown = page.locator(".picture-counter").get_attribute("data-frame")
    assert shown is not None
    picture_shows(page, int(shown))


def test_a_link_that_is_refused_is_replaced_and_one_that_stays_refused_is_told(
    claim: Callable[..., Assignment], live_server: LiveServer, page: Page
) -> None:
    assignment = claim()
    refused: list[str] = []

    def refuse_once(route: Route) -> None:
        if refused:
            route.fallback()
        else:
            refused.append(route.request.url)
            route.fulfill(status=403, body="expired")

    videos = re.compile(r"/media/[^/]+$")
    page.route(videos, refuse_once)
    page.goto(f"{live_server.url}/work/assignments/{assignment.pk}/")
    picture_shows(page, 0)
    assert len(refused) == 1
    page.keyboard.press("ArrowRight")
    picture_shows(page, 1)

    page.unroute(videos)
    page.route(videos, lambda route: route.fulfill(status=403, body="expired"))
    page.reload()
    expect(page.get_by_role("alert").get_by_text("can't be played")).to_be_visible(timeout=20_000)
    page.unroute(videos)
    page.get_by_role("button", name="Try the video again").click()
    picture_shows(page, 0)


def test_strips_and_the_cut_are_drawn_from_the_right_frames(
    claim: Callable[..., Assignment], live_server: LiveServer, page: Page
) -> None:
    assignment = claim()
    page.goto(f"{live_server.url}/work/assignments/{assignment.pk}/")
    picture_shows(page, 0)
    painted = """() => {
      const canvas = document.querySelector(".strips");
      if (!canvas) return [0, 0];
      const pen = canvas.getContext("2d");
      const share = (top, high) => {
        const data = pen.getImageData(0, top, canvas.width, high).data;
        let full = 0;
        for (let i = 3; i < data.length; i += 4) full += data[i] > 0;
        return full / (data.length / 4);
      };
      return [share(0, 36), share(36, 24)];
    }"""
    page.wait_for_function(f"({painted})()[0] > 0.99 && ({painted})()[1] > 0.05")

    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowUp")  # the first segment; its end is the chosen edge
    page.get_by_role("button", name="Compare the edge").click()
    cut = page.get_by_role("region", name="The cut, frame by frame")
    expect(cut).to_be_visible()
    expect(cut.locator("canvas.is-empty")).to_have_count(0)
    numbers = [canvas.evaluate(READ) for canvas in cut.locator("canvas").all()]
    # A's own last frame and the two before it; B's first frame and the two after it.
    assert sorted(numbers[:3]) == [17, 18, 19]
    assert numbers[0] == 19
    assert numbers[3:] == [20, 21, 22]
    box = cut.get_by_role("button", name="1 later").first.bounding_box()
    assert box is not None
    assert min(box["width"], box["height"]) >= 24


# Of the strip under the film: how many pixels of each column are painted, and in which colour.
SOUND = """() => {
  const canvas = document.querySelector(".strips");
  if (!canvas || canvas.height <= 36) return null;
  const high = canvas.height - 36, wide = canvas.width;
  const data = canvas.getContext("2d").getImageData(0, 36, wide, high).data;
  const tall = Array(wide).fill(0);
  for (let i = 0; i < wide * high; i++) if (data[4 * i + 3] === 255) tall[i % wide] += 1;
  const middle = 4 * (wide * (high / 2) + wide - 1);
  return [tall, `rgb(${[...data.slice(middle, middle + 3)].join(", ")})`];
}"""
COLOUR = "() => getComputedStyle(document.querySelector('.strips')).color"


def test_the_sound_is_drawn_under_the_frames_that_it_is_heard_with(
    claim: Callable[..., Assignment], live_server: LiveServer, page: Page
) -> None:
    assignment = claim()
    # A second of silence, a second of noise: 30 frames each.
    levels = bytes(50) + b"\xff" * 50
    heard = {"per_second": 50, "peaks": base64.b64encode(levels).decode()}
    links: list[str] = []

    def peaks(route: Route) -> None:
        links.append(route.request.url)
        route.fulfill(json=heard)

    def also_where(route: Route) -> None:
        document = route.fetch().json()
        assert document["media"]["peaks"]
        page.route(f"**{document['media']['peaks']}", peaks)
        route.fulfill(json=document)

    page.route(f"**/api/v1/assignments/{assignment.pk}/", also_where)
    page.emulate_media(color_scheme="light")
    page.goto(f"{live_server.url}/work/assignments/{assignment.pk}/")
    picture_shows(page, 0)

    def drawn(first: int, count: int) -> list[int]:
        page.evaluate(f"workbench.view.look({first}, {count})")
        page.evaluate("() => new Promise(ok => requestAnimationFrame(() => setTimeout(ok)))")
        page.wait_for_function(f"() => ({SOUND})() !== null")
        tall: list[int] = page.evaluate(SOUND)[0]
        return tall

    whole = drawn(0, 60)
    half = len(whole) // 2
    assert set(whole[: half - 1]) == {0}  # a hair on two rows: painted, and not opaque
    assert set(whole[half + 2 :]) == {24}
    assert set(drawn(0, 29)) == {0}
    assert set(drawn(31, 29)) == {24}
    two_thirds = drawn(20, 30)  # frames 20 to 49: silent to 29
    edge = two_thirds.index(24)
    assert abs(edge - len(two_thirds) / 3) <= len(two_thirds) / 60 + 1  # half a frame
    light = page.evaluate(SOUND)[1]
    assert light == page.evaluate(COLOUR)
    page.emulate_media(color_scheme="dark")
    page.wait_for_function(f"() => ({SOUND})()[1] === ({COLOUR})()")
    assert page.evaluate(SOUND)[1] != light
    assert len(links) == 1

    # Without sound the work goes on.
    heard.clear()
    page.reload()
    picture_shows(page, 0)
    expect(page.locator(".strips")).to_have_css("height", "36px")
    page.keyboard.press("ArrowRight")
    picture_shows(page, 1)


def test_media_elsewhere_is_allowed_from_there_and_from_nowhere_else(
    settings: Settings, db: None
) -> None:
    from django.test import Client

    from annotation_platform.settings import _media_storage
    from tests import factories

    project = factories.project()
    factories.open_tasks(project)
    assignment = factories.claimed(project)
    browser = Client()
    browser.force_login(assignment.contractor.user)
    own = browser.get(f"/work/assignments/{assignment.pk}/")["Content-Security-Policy"]
    assert "media-src" not in own  # default-src 'self' is enough
    settings.STORAGES = {
        **settings.STORAGES,
        "media": _media_storage("s3://KEY:SECRET@media.example.org/clips?scheme=https"),
    }
    policy = browser.get(f"/work/assignments/{assignment.pk}/")["Content-Security-Policy"]
    rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";"))
    for kind in ("media-src", "img-src", "connect-src"):
        assert rules[kind] == "'self' https://media.example.org"
    assert rules["default-src"] == "'self'"
    assert "unsafe-inline" not in policy
