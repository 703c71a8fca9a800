"""A browser that looks at pages as different people, in three ways, and keeps small pictures."""

from __future__ import annotations

import io
import os
import shutil
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from PIL import Image
from playwright.sync_api import Browser, Page, StorageState, ViewportSize, sync_playwright
from playwright.sync_api import Error as BrowserError

from demo.accounts import PASSWORD
from demo.pictures.shots import Shot

WIDE: ViewportSize = {"width": 1280, "height": 860}
NARROW: ViewportSize = {"width": 390, "height": 780}
# A page is taken whole, up to this height.
TALLEST = {"": 1800, "dark": 1800, "narrow": 2400}
FILM_QUALITY = 78


class Camera:
    """Takes the pictures of shots from the platform at `url`.

    Attributes:
        failed: the names of the pictures that could not be taken.
    """

    def __init__(self, browser: Browser, url: str, broken: str = "") -> None:
        self.browser = browser
        self.url = url
        self.broken = broken
        self.failed: list[str] = []
        self._states: dict[str, StorageState] = {}  # logged in once each: that is throttled
        self._shrinking = ThreadPoolExecutor(2)

    def take(self, shot: Shot, folder: Path) -> Iterator[Path]:
        """Write the shot's pictures into `folder`, one for each way; it may be tried twice."""
        names = dict(shot.files())
        for attempt in (1, 2):
            try:
                pictures = self._taken(shot)
            except BrowserError as error:
                sys.stderr.write(f"{shot.name}: {error.message}\n")
                if attempt == 2:
                    self.failed.extend(names.values())
            else:
                yield from self._written(pictures, names, folder, has_film=shot.has_film)
                return

    def _written(
        self, pictures: dict[str, bytes], names: dict[str, str], folder: Path, *, has_film: bool
    ) -> Iterator[Path]:
        shrink = partial(small, has_film=has_film)  # the costly half; two at a time
        for way, picture in zip(
            pictures, self._shrinking.map(shrink, pictures.values()), strict=True
        ):
            path = folder / names[way]
            path.write_bytes(picture)
            yield path

    def _taken(self, shot: Shot) -> dict[str, bytes]:
        """The shot in each of its ways: the page is opened once, and then looked at differently."""
        page = self._page(shot.email)
        try:
            self._look(page, shot)
            pictures = {way: _whole(page, way) for way in shot.ways}
            if shot.after is not None:
                shot.after(page)
            return pictures
        finally:
            page.unroute_all(behavior="ignoreErrors")
            page.context.close()

    def _look(self, page: Page, shot: Shot) -> None:
        page.route("**/broken/", lambda route: route.fulfill(
            status=500, content_type="text/html", body=self.broken
        ))  # fmt: skip
        if shot.first is not None:
            shot.first(page)
        page.goto(self.url + shot.address)
        page.wait_for_load_state("networkidle")
        if shot.then is not None:
            shot.then(page)
        page.evaluate("document.fonts.ready")
        page.evaluate(_FILMS)

    def _page(self, email: str) -> Page:
        """A page in a browser of its own in which this person has logged in."""
        context = self.browser.new_context(
            viewport=WIDE,
            color_scheme="light",
            reduced_motion="reduce",
            storage_state=self._states.get(email),
            timezone_id="America/Chicago",
            locale="en-US",
        )
        context.set_default_timeout(15_000)
        page = context.new_page()
        if email and email not in self._states:
            page.goto(f"{self.url}/log-in/")
            page.fill("#id_username", email)
            page.fill("#id_password", PASSWORD)
            page.click("main button")
            page.wait_for_url("**/*")
            page.wait_for_load_state("networkidle")
            self._states[email] = context.storage_state()
        return page


@contextmanager
def camera(url: str, broken: str = "") -> Iterator[Camera]:
    """A camera in a Chromium: CHROMIUM=/path, the one on the PATH, or `playwright install`."""
    installed = os.environ.get("CHROMIUM") or shutil.which("chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=installed, args=["--no-sandbox"])
        try:
            yield Camera(browser, url, broken)
        finally:
            browser.close()


# Every film shows its first picture, or says why not; a few seconds at most.
_FILMS = """
() => Promise.race([
  new Promise((resolve) => setTimeout(resolve, 4000)),
  Promise.all([...document.querySelectorAll('video[controls]')].map((film) => new Promise((ok) => {
    if (film.readyState >= 2 || film.error) return ok();
    film.preload = 'auto';
    film.addEventListener('loadeddata', ok);
    film.addEventListener('error', ok);
  }))),
])
"""


# Two frames later what hears of a new size or theme has drawn itself anew.
_DRAWN = """
() => new Promise((ok) => requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(ok))))
"""


def _whole(page: Page, way: str) -> bytes:
    """The page from top to bottom, up to `TALLEST`, in this theme and width."""
    size = NARROW if way == "narrow" else WIDE
    width, least = size["width"], size["height"]
    page.emulate_media(color_scheme="dark" if way == "dark" else "light", reduced_motion="reduce")
    page.set_viewport_size(size)
    page.evaluate(_DRAWN)
    tall = int(page.evaluate("document.documentElement.scrollHeight"))
    page.set_viewport_size({"width": width, "height": max(least, min(tall, TALLEST[way]))})
    page.evaluate(_DRAWN)
    page.wait_for_timeout(100)
    return page.screenshot(animations="disabled", caret="hide")


def small(png: bytes, *, has_film: bool) -> bytes:
    """The picture as WebP: to the pixel, or a film's frame with a little loss."""
    out = io.BytesIO()
    how = {"quality": FILM_QUALITY} if has_film else {"lossless": True, "quality": 90}
    Image.open(io.BytesIO(png)).convert("RGB").save(out, "WEBP", method=6, **how)
    return out.getvalue()
