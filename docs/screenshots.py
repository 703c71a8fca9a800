"""Take the pictures of every page from a running demo, after `make demo-story`.

    python docs/screenshots.py [--url http://127.0.0.1:8000] [--into docs/images] [--only home,task]

Each page in light; those that people live in also in dark and on a narrow screen; empty pages and
the pages about errors. PNGs of few colours, so that the set stays small. Needs
playwright and a Chromium: CHROMIUM=/usr/bin/chromium, or `playwright install chromium`.
"""

from __future__ import annotations

import argparse
import io
import os
import re
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from PIL import Image
from playwright.sync_api import Browser, Page, ViewportSize, sync_playwright

PASSWORD = "frame-by-frame"
WIDE: ViewportSize = {"width": 1280, "height": 860}
NARROW: ViewportSize = {"width": 390, "height": 780}
COLOURS = 64
LARGEST_BYTES = 60_000
# A film has more colours than a page: fewer of them look wrong, and the README shows this one.
FILM_COLOURS, FILM_BYTES = 256, 200_000

ADA, BEN = "ada@demo.example", "ben@demo.example"
CLEO, SAM = "cleo@demo.example", "sam@demo.example"
REVIEWER, MANAGER = "reviewer@demo.example", "manager@demo.example"
FINANCE = "finance@demo.example"
# Key of the demo project's action type, and the description.
ACTIONS = (
    ("1", "Pick up the bowl of flour"),
    ("6", "Pour water into the bowl"),
    ("9", "Stir the dough with a spoon"),
    ("3", "Carry the dough to the board"),
    ("7", "Cut the dough in two"),
    ("8", "Wipe the board with a cloth"),
)


@dataclass(frozen=True)
class Shot:
    """One page: who looks, where, what is done first, and in which ways it is taken."""

    name: str
    email: str
    address: str
    first: Callable[[Page], None] | None = None
    ways: tuple[str, ...] = ("",)
    is_film: bool = False


def hold_a_task(page: Page) -> None:
    """Read the guideline if need be, and claim the next task unless one is held already."""
    if page.locator("#claims + .scroll").count():
        return
    if page.get_by_text("Read the guideline").count():
        page.get_by_text("Read the guideline").first.click()
        page.get_by_text("I have read version").click()
    if page.get_by_text("Claim the next task").count():
        page.get_by_text("Claim the next task").first.click()
        page.wait_for_load_state("networkidle")
        page.goto(page.url.split("/work/")[0] + "/work/")


def open_workbench(page: Page) -> None:
    """The claim in hand, in the workbench."""
    hold_a_task(page)
    page.get_by_role("link", name=re.compile("^Open")).first.click()
    page.locator(".wb-stage[data-state=ready]").wait_for()
    if not page.locator(".wb-list tr[data-segment]").count():
        cut(page)
    page.locator(".wb-list tr[data-segment]").nth(2).click()
    page.locator(".wb-save[data-save=saved]").wait_for()
    page.wait_for_timeout(1500)  # its picture, and the filmstrip


def cut(page: Page) -> None:
    """The demo video into six actions, by keys, as docs/workbench.md tells."""
    if page.get_by_text("Is this video fit to annotate?").count():
        page.keyboard.press("1")
    for n, (action, words) in enumerate(ACTIONS):
        for _ in range(4 if n else 0):
            page.keyboard.press("Shift+ArrowRight")
        page.locator(f".wb-frame [data-frame='{40 * n}']").wait_for()
        for key in ("s", action, "Enter"):
            page.keyboard.press(key)
        page.keyboard.type(words)
        page.keyboard.press("Enter")


def into(pattern: str) -> Callable[[Page], None]:
    """The first link in the list whose address is like that."""

    def go(page: Page) -> None:
        links = page.locator(f"main table a[href*='{pattern}'], main .results a")
        if links.count():
            links.first.click()
            page.wait_for_load_state("networkidle")

    return go


def changed_review(page: Page) -> None:
    """A review that asked for changes: it shows two timelines that differ."""
    rows = page.locator("tr", has_text="changes requested")
    (rows.first if rows.count() else page.locator("tbody tr").first).locator("a").first.click()
    page.wait_for_load_state("networkidle")


def wrong_password(page: Page) -> None:
    """The form of payout details, refused."""
    page.fill("#id_account", "12345678")
    page.fill("#id_password", "wrong")
    page.click("main form button[type=submit]")
    page.wait_for_load_state("networkidle")


def offline(page: Page) -> None:
    """What a page says when the connection is lost."""
    page.context.set_offline(True)
    page.get_by_text("You are offline.").wait_for()


EVERY_WAY = ("", "dark", "narrow")
SHOTS = (
    Shot("workbench", ADA, "/work/", open_workbench, ("", "dark"), is_film=True),
    Shot("home-contractor", ADA, "/work/", hold_a_task, EVERY_WAY),
    Shot("home-refused", CLEO, "/work/"),
    Shot("home-offline", ADA, "/work/", offline),
    Shot("results", BEN, "/work/results/"),
    Shot("result", BEN, "/work/results/", into("/results/"), ("", "dark")),
    Shot("earnings", BEN, "/work/earnings/", None, ("", "narrow")),
    Shot("statements", BEN, "/work/statements/"),
    Shot("payout-details-error", BEN, "/work/payout-details/", wrong_password),
    Shot("residence", SAM, "/work/residence/?q=washington"),
    Shot("restrictions-empty", ADA, "/work/restrictions/"),
    Shot("guideline", ADA, "/work/guidelines/1/"),
    Shot("results-empty", CLEO, "/work/results/"),
    Shot("reviews", REVIEWER, "/reviews/"),
    Shot("review", REVIEWER, "/reviews/", changed_review, ("", "dark")),
    Shot("projects", MANAGER, "/projects/", None, ("", "dark")),
    Shot("project", MANAGER, "/projects/1/", None, ("", "narrow")),
    Shot("tasks", MANAGER, "/projects/tasks/"),
    Shot("tasks-empty", MANAGER, "/projects/tasks/?q=nothing"),
    Shot("task", MANAGER, "/projects/tasks/?state=completed", into("/tasks/"), ("", "dark")),
    Shot("submissions", MANAGER, "/projects/submissions/"),
    Shot("all-reviews", MANAGER, "/projects/reviews/"),
    Shot("contractors", MANAGER, "/projects/contractors/"),
    Shot("contractor", MANAGER, "/projects/contractors/", into("/contractors/")),
    Shot("videos", MANAGER, "/videos/"),
    Shot("money", FINANCE, "/money/"),
    Shot("refused", ADA, "/money/"),
    Shot("nothing-here", ADA, "/nothing/", None, ("", "dark")),
    Shot("log-in", "", "/log-in/", None, EVERY_WAY),
)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--url", default="http://127.0.0.1:8000")
    parser.add_argument("--into", type=Path, default=Path(__file__).parent / "images")
    parser.add_argument("--only", default="", help="names, separated by commas")
    arguments = parser.parse_args()
    arguments.into.mkdir(parents=True, exist_ok=True)
    wanted = set(filter(None, arguments.only.split(",")))
    total = 0
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=os.environ.get("CHROMIUM") or None, args=["--no-sandbox"]
        )
        for shot in SHOTS:
            if wanted and shot.name not in wanted:
                continue
            for name, picture in taken(browser, arguments.url, shot):
                path = arguments.into / f"{name}.png"
                path.write_bytes(picture)
                total += len(picture)
                sys.stdout.write(f"{len(picture) / 1000:5.0f} kB  {path}\n")
        browser.close()
    sys.stdout.write(f"{total / 1e6:.1f} MB\n")
    return 0


def taken(browser: Browser, url: str, shot: Shot) -> Iterator[tuple[str, bytes]]:
    """(file name, PNG) in each of the shot's ways."""
    for way in shot.ways:
        page = signed_in(browser, url, shot.email, way)
        answer = page.goto(url + shot.address)
        if answer is not None and answer.status == 404 and shot.name != "nothing-here":
            sys.stderr.write(f"{shot.address} is not there: no picture\n")
            page.context.close()
            continue
        if shot.first is not None:
            shot.first(page)
        yield "-".join(filter(None, (shot.name, way))), small(page.screenshot(), shot.is_film)
        page.context.close()


def small(png: bytes, is_film: bool) -> bytes:
    """The picture with as many colours as its size allows."""
    whole = Image.open(io.BytesIO(png)).convert("RGB")
    colours, most = (FILM_COLOURS, FILM_BYTES) if is_film else (COLOURS, LARGEST_BYTES)
    while True:
        out = io.BytesIO()
        few = whole.quantize(colours, method=Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE)
        few.save(out, "PNG", optimize=True)
        if out.tell() <= most or colours <= 8:
            return out.getvalue()
        colours //= 2


_states: dict[str, object] = {}  # logged in once per person: the log-in is throttled


def signed_in(browser: Browser, url: str, email: str, way: str) -> Page:
    """A page of a browser of its own in which this person has logged in."""
    context = browser.new_context(
        viewport=NARROW if way == "narrow" else WIDE,
        color_scheme="dark" if way == "dark" else "light",
        storage_state=_states.get(email),  # type: ignore[arg-type]
    )
    page = context.new_page()
    if email and email not in _states:
        page.goto(f"{url}/log-in/")
        page.fill("#id_username", email)
        page.fill("#id_password", PASSWORD)
        page.click("main button")
        page.wait_for_load_state("networkidle")
        _states[email] = context.storage_state()
    return page


if __name__ == "__main__":
    sys.exit(main())
