"""A real Chromium against a live server.

The browser is the one that is installed: CHROMIUM=/path, else the first on the PATH. Where there
is none, these tests are skipped with that reason.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Condition, Thread, current_thread, main_thread
from typing import TYPE_CHECKING, Any

import pytest
from django.conf import settings as django_settings
from django.contrib.staticfiles import finders
from django.core.signals import request_finished, request_started
from django.test import Client
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Error, Page
from pytest_django import Settings

from tests.browser.desk import CLIP_FRAMES, Desk, OpenTask, task_on
from videos.demo_clips import KINDS, write_clip

if TYPE_CHECKING:  # models can be imported only once Django is set up
    from pytest_django.live_server_helper import LiveServer

    from contractors.models import Contractor, User
    from tasks.models import Project
    from tests.browser.people import SignIn

# Playwright's synchronous API runs an event loop in the test's thread; the ORM is used from the
# same thread, never from a coroutine.
os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "1"

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


@pytest.fixture(scope="session")
def browser_type_launch_args(browser_type_launch_args: dict[str, Any]) -> dict[str, Any]:
    chosen = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)
    if chosen is None:
        pytest.skip("no Chromium on the PATH; install one or set CHROMIUM=/path/to/chromium")
    quiet = ["--disable-background-networking", "--disable-component-update", "--disable-sync"]
    return browser_type_launch_args | {
        "executable_path": chosen,
        "args": [
            "--no-first-run",
            "--disable-gpu",
            "--disable-quic",
            "--autoplay-policy=no-user-gesture-required",
            *quiet,
            *(["--no-sandbox"] if os.geteuid() == 0 else []),
        ],
    }


@pytest.fixture(autouse=True)
def nothing_under_way(request: pytest.FixtureRequest) -> Iterator[None]:
    """A page that closes still sends what it has; tables that are emptied under that deadlock."""
    if "live_server" not in request.fixturenames:
        yield
        return
    request.getfixturevalue("live_server")  # stands longer than this
    changed = Condition()
    under_way: set[Thread] = set()

    def begins(**_: Any) -> None:
        with changed:
            under_way.add(current_thread())

    def ends(**_: Any) -> None:
        with changed:
            under_way.discard(current_thread())
            changed.notify_all()

    request_started.connect(begins)
    request_finished.connect(ends)
    yield
    with changed:
        changed.wait_for(lambda: not under_way - {main_thread()}, timeout=5)
    request_started.disconnect(begins)
    request_finished.disconnect(ends)


@pytest.fixture
def sign_in(live_server: LiveServer, request: pytest.FixtureRequest) -> SignIn:
    """Gives this browser the session of a person, as if they had logged in."""

    def enter(person: User | Contractor, into: BrowserContext | None = None) -> None:
        into = into or request.getfixturevalue("context")
        client = Client()
        client.force_login(getattr(person, "user", person))  # type: ignore[arg-type]
        cookie = client.cookies[django_settings.SESSION_COOKIE_NAME]
        into.add_cookies([{"name": cookie.key, "value": cookie.value, "url": live_server.url}])

    return enter


@contextmanager
def nothing_goes_wrong(page: Page) -> Iterator[None]:
    """An uncaught error or a blocked script or style fails the test."""
    wrong: list[str] = []

    def broke(error: Error) -> None:
        wrong.append(str(error))

    def heard(message: ConsoleMessage) -> None:
        if "Content Security Policy" in message.text:
            wrong.append(message.text)

    page.on("pageerror", broke)
    page.on("console", heard)
    yield
    page.remove_listener("pageerror", broke)
    page.remove_listener("console", heard)
    assert wrong == []


@pytest.fixture
def page(page: Page) -> Iterator[Page]:
    """A page of this test's own in a browser of its own."""
    with nothing_goes_wrong(page):
        yield page


@pytest.fixture(scope="session")
def window(browser: Browser, browser_context_args: dict[str, Any]) -> Iterator[Page]:
    context = browser.new_context(**browser_context_args)
    yield context.new_page()
    context.close()


@pytest.fixture
def desk_page(window: Page) -> Iterator[Page]:
    """The page of `open_task`: one for all tests, as it was at first for each. Opening a browser
    of its own costs as much as most tests do in it; whatever one keeps is by person, and each test
    has a new one."""
    with nothing_goes_wrong(window):
        yield window
    window.unroute_all(behavior="ignoreErrors")
    for other in window.context.pages:
        if other != window:
            other.close()
    window.context.clear_cookies()
    window.set_viewport_size({"width": 1280, "height": 720})
    window.emulate_media(color_scheme="light")


@pytest.fixture(scope="session")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("clip") / "regular.mp4"
    write_clip(path, KINDS["regular"], seconds=CLIP_FRAMES / 30, size=(320, 180))
    return path


@pytest.fixture(scope="session")
def short_clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("short") / "clip.mp4"
    write_clip(path, KINDS["regular"], seconds=2)
    return path


@pytest.fixture(scope="session")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("library")


@pytest.fixture
def media_root(library: Path, settings: Settings) -> Path:
    """Media of the whole session: clips are made once (library.py)."""
    backend = "django.core.files.storage.FileSystemStorage"
    settings.STORAGES = {
        **settings.STORAGES,
        "media": {"BACKEND": backend, "OPTIONS": {"location": str(library)}},
    }
    return library


@pytest.fixture
def open_task(
    live_server: LiveServer, desk_page: Page, sign_in: SignIn, clip: Path, media_root: Path
) -> Iterator[OpenTask]:
    """Opens a claimed task in the workbench; `body` is its draft, `screened` answers first, `page`
    is another one than that of all these tests."""
    from tasks import services
    from tests import factories

    if finders.find("web/built/workbench.js") is None:
        pytest.skip("the workbench is not built; run scripts/web build")
    opened: list[Page] = []

    def open_it(
        *,
        body: dict[str, Any] | None = None,
        screened: bool = True,
        page: Page = desk_page,
        project: Project | None = None,
    ) -> Desk:
        opened.append(page)
        project = project or factories.project()
        task_on(clip, project)
        assignment = factories.claimed(project)
        if body is not None:
            services.save_draft(assignment=assignment, body=body, expected_revision=0)
        sign_in(assignment.contractor, into=page.context)
        address = f"{live_server.url}/work/assignments/{assignment.pk}/"
        page.goto(address)
        desk = Desk(page, address, assignment)
        desk.ready()
        if screened and body is None:
            desk.press("1")
        return desk

    yield open_it
    # Nothing of the page may still be under way when the tables are emptied.
    ending = "window.workbench && workbench.sync.flush().then(() => workbench.sync.dispose())"
    for page in opened:
        page.evaluate(ending)
        page.goto("about:blank")
