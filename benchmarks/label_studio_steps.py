"""How many keys, clicks and drags twenty segments take in Label Studio's timeline editor.

    label-studio start --username a@example.org --password ... --port 8080   # its own environment
    make bench ARGS="label_studio_steps --url http://127.0.0.1:8080 --email a@example.org \
        --password ... --clip clip.mp4 --fps 30"

Makes a project (`TimelineLabels`, and for each region hands and a description), imports the clip
and does in Chromium what a practised person does: sign in, open the task, cut twenty actions of ten
frames, hand them in. Each key, click and drag is counted where it is sent; letters of texts apart.
At the end the stored annotation must hold the twenty actions to the frame, else the count is worth
nothing. The same job here: `tests/browser/test_workbench.py`. Nothing but the given address is
spoken to. Chromium: CHROMIUM=/path, else `chromium` on the PATH.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
from collections import Counter
from pathlib import Path
from typing import Any

from playwright.sync_api import APIRequestContext, Page, Route, sync_playwright

TYPES = ("reach", "grasp", "move", "place", "cut", "pour", "stir", "wipe", "hold")
SEGMENTS, LENGTH = 20, 10
LABELS = "".join(f'<Label value="{name}"/>' for name in TYPES)
CONFIG = f"""<View>
  <TimelineLabels name="action" toName="video">{LABELS}</TimelineLabels>
  <Video name="video" value="$video" timelineHeight="120" framerate="%s"/>
  <Choices name="hands" toName="video" perRegion="true" required="true" choice="single">
    <Choice value="left"/><Choice value="right"/><Choice value="both"/><Choice value="none"/>
  </Choices>
  <TextArea name="text" toName="video" perRegion="true" required="true" rows="1"
    maxSubmissions="1"/>
</View>"""
RIGHT = "q"  # the hotkey that it gives to the second choice after nine labels and "left"

# Where frame `n` (from 1) is on the timeline: a frame is 16 px, the names take 150.
COLUMNS = """() => {
  const scroll = document.querySelector(".lsf-timeline-frames__scroll");
  const box = scroll.getBoundingClientRect();
  return {left: box.left + 150 - scroll.scrollLeft, from: box.left + 150, to: box.right,
    y: box.top + 12};
}"""
SEEKER = """() => {
  const box = document.querySelector(".lsf-seeker__track").getBoundingClientRect();
  return [box.left, box.width, box.top + box.height / 2];
}"""
COLUMN = 16


class Person:
    """Keys, clicks and drags of one person, counted by what they are for."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.counts: Counter[tuple[str, str]] = Counter()

    def key(self, what: str, key: str) -> None:
        self.counts[what, "keys"] += 1
        self.page.keyboard.press(key)

    def click(self, what: str, locator: Any) -> None:
        self.counts[what, "clicks"] += 1
        locator.click()

    def click_at(self, what: str, x: float, y: float) -> None:
        self.counts[what, "clicks"] += 1
        self.page.mouse.click(x, y)

    def drag(self, what: str, start: float, end: float, y: float) -> None:
        self.counts[what, "drags"] += 1
        self.page.mouse.move(start, y)
        self.page.mouse.down()
        self.page.mouse.move(end, y, steps=4)
        self.page.mouse.up()

    def settled(self, regions: int, chosen: int) -> None:
        """Waits as a person sees it: so many regions, so many of them chosen."""
        self.page.wait_for_function(
            """([regions, chosen]) => {
              const now = Htx.annotationStore.selected;
              return now.regions.length === regions && now.selectedRegions.length === chosen;
            }""",
            arg=[regions, chosen],
        )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("url", "email", "password", "clip"):
        parser.add_argument(f"--{name}", required=True)
    parser.add_argument("--fps", default="30")
    arguments = parser.parse_args()
    url = arguments.url.rstrip("/")
    chromium = os.environ.get("CHROMIUM") or shutil.which("chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        context = browser.new_context(viewport={"width": 1440, "height": 900})

        def only_there(route: Route) -> None:
            if route.request.url.startswith(url):
                route.fallback()
            else:
                route.abort()

        context.route("**/*", only_there)
        page = context.new_page()
        person = Person(page)
        page.goto(f"{url}/user/login/")
        person.click("sign in", page.locator("[name=email]"))
        page.keyboard.type(arguments.email)
        person.key("sign in", "Tab")
        page.keyboard.type(arguments.password)
        person.key("sign in", "Enter")
        page.wait_for_url(lambda address: "/user/login" not in address, wait_until="commit")
        project = make_project(context.request, url, Path(arguments.clip), arguments.fps)
        page.goto(f"{url}/projects/{project}/data")  # the address is a bookmark: not counted
        person.click("open the task", page.get_by_role("button", name="Label All Tasks"))
        page.wait_for_function("() => window.Htx?.annotationStore?.selected")
        page.wait_for_selector(".lsf-timeline-frames__scroll")
        choose_after_drawing(person)
        for number in range(SEGMENTS):
            cut(person, number)
        person.key("hand in", "Control+Enter")
        annotation = handed_in(page, context.request, url, project)
        browser.close()
    report(person.counts)
    wrong = differences(annotation)
    for line in wrong:
        sys.stdout.write(f"  WRONG {line}\n")
    return 1 if wrong else 0


def token(request: APIRequestContext) -> dict[str, str]:
    cookies = {c.get("name"): c.get("value") for c in request.storage_state()["cookies"]}
    return {"X-CSRFToken": cookies.get("csrftoken") or "", "Referer": "http://127.0.0.1/"}


def make_project(request: APIRequestContext, url: str, clip: Path, fps: str) -> int:
    data = {"title": "Twenty segments", "label_config": CONFIG % fps}
    made = request.post(f"{url}/api/projects/", data=data, headers=token(request))
    assert made.ok, made.text()
    project: int = made.json()["id"]
    file = {"name": clip.name, "mimeType": "video/mp4", "buffer": clip.read_bytes()}
    imported = request.post(
        f"{url}/api/projects/{project}/import",
        multipart={"file": file},  # type: ignore[dict-item]  # a file's payload
        headers=token(request),
    )
    assert imported.ok, imported.text()
    return project


def choose_after_drawing(person: Person) -> None:
    """The setting that saves a click for each region; it is kept, so it is counted apart."""
    page = person.page
    if page.evaluate("Htx.settings.selectAfterCreate"):
        return
    person.click("settings, once", page.get_by_label("Settings").last)
    choice = page.get_by_text("Select region after creating it", exact=True)
    person.click("settings, once", choice)
    person.key("settings, once", "Escape")
    choice.wait_for(state="hidden")


def cut(person: Person, number: int) -> None:
    page = person.page
    start, end = number * LENGTH + 1, (number + 1) * LENGTH  # counted from 1, both inside
    place = page.evaluate(COLUMNS)
    if place["left"] + start * COLUMN > place["to"]:  # a drag can end beyond it, not begin
        left, width, y = page.evaluate(SEEKER)
        frames = page.evaluate("Htx.annotationStore.selected.names.get('video').length")
        person.click_at("move the timeline", left + width * start / frames, y)
        page.wait_for_function(f"before => ({COLUMNS})().left !== before", arg=place["left"])
        place = page.evaluate(COLUMNS)
        assert place["from"] <= place["left"] + (start - 1) * COLUMN < place["to"], place
    person.key("type", str(number % len(TYPES) + 1))
    middle = place["left"] - COLUMN / 2
    person.drag("first and last frame", middle + start * COLUMN, middle + end * COLUMN, place["y"])
    person.settled(number + 1, 1)
    person.key("hands", RIGHT)
    person.click("description", page.locator("[name=text]"))
    page.keyboard.type(text(number))
    person.key("description", "Enter")
    person.key("be ready for the next", "Escape")
    person.settled(number + 1, 0)


def text(number: int) -> str:
    return f"Action {number + 1} of the cup"


def handed_in(page: Page, request: APIRequestContext, url: str, project: int) -> list[Any]:
    """The stored annotation's results."""
    for _ in range(40):
        tasks = request.get(f"{url}/api/projects/{project}/export?exportType=JSON").json()
        if tasks:
            result: list[Any] = tasks[0]["annotations"][0]["result"]
            return result
        page.wait_for_timeout(250)
    return []


def differences(result: list[Any]) -> list[str]:
    regions: dict[str, dict[str, Any]] = {}
    for part in result:
        region = regions.setdefault(part["id"], {})
        value = part["value"]
        region["frames"] = [(one["start"], one["end"]) for one in value["ranges"]]
        for name in ("timelinelabels", "choices", "text"):
            region.update({name: value[name]} if name in value else {})
    found = sorted(regions.values(), key=lambda region: region["frames"])
    wanted = [
        {
            "frames": [(number * LENGTH + 1, (number + 1) * LENGTH)],
            "timelinelabels": [TYPES[number % len(TYPES)]],
            "choices": ["right"],
            "text": [text(number)],
        }
        for number in range(SEGMENTS)
    ]
    if len(found) != len(wanted):
        return [f"{len(found)} regions"]
    return [
        f"{got} instead of {want}" for got, want in zip(found, wanted, strict=True) if got != want
    ]


def report(counts: Counter[tuple[str, str]]) -> None:
    sys.stdout.write(f"{'':24}{'keys':>6}{'clicks':>8}{'drags':>7}\n")
    for what in dict.fromkeys(what for what, _ in counts):
        keys, clicks, drags = (counts[what, kind] for kind in ("keys", "clicks", "drags"))
        sys.stdout.write(f"  {what:22}{keys:6}{clicks:8}{drags:7}\n")
    sys.stdout.write(f"  all: {counts.total()}\n")


if __name__ == "__main__":
    sys.exit(main())
