"""The right frame, by its pixels: clips with numbered frames through the real pipeline and page.

Each frame of a clip carries its number as a barcode. The clip is registered, probed and made into
a proxy as any upload is; a real browser plays the proxy through the API's signed link, and the
number is read back from what the <video> element shows.
"""

from __future__ import annotations

import random
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as django_settings
from playwright.sync_api import Page, Route
from pytest_django.live_server_helper import LiveServer

from tests.browser.library import through_the_pipeline
from tests.browser.people import SignIn
from videos.demo_clips import KINDS, TICKS, Kind, frame_ticks, write_clip

WORKBENCH = Path(django_settings.BASE_DIR) / "web/workbench"
MICROSECOND = 1e-6
SIZE = (320, 180)

Seen = dict[str, Any]
Open = Callable[..., None]


@pytest.fixture(scope="session")
def harness(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The player alone, bundled: tests/playerHarness.ts."""
    wheel = Path(django_settings.BASE_DIR) / ".venv/node/bin/node"
    node = shutil.which("node") or (str(wheel) if wheel.exists() else None)
    if node is None or not (WORKBENCH / "node_modules/esbuild").exists():
        pytest.skip("the workbench's packages are not installed; run scripts/web build")
    bundle = tmp_path_factory.mktemp("harness") / "harness.js"
    subprocess.run(
        [node, "node_modules/esbuild/bin/esbuild", "tests/playerHarness.ts", "--bundle",
         "--format=iife", "--target=chrome111", "--log-level=warning", f"--outfile={bundle}"],
        cwd=WORKBENCH, check=True, timeout=60,
    )  # fmt: skip
    return bundle.read_text()


@pytest.fixture
def page(desk_page: Page) -> Page:
    return desk_page


@pytest.fixture
def open_clip(
    live_server: LiveServer,
    page: Page,
    sign_in: SignIn,
    harness: str,
    media_root: Path,
    tmp_path: Path,
) -> Open:
    """Puts a clip through the pipeline, claims its task, opens it; checks what was opened."""
    from tasks import services as queue
    from tests import factories

    def open_it(kind: Kind, seconds: float) -> None:
        path = tmp_path / f"{kind.name}.mp4"
        write_clip(path, kind, seconds=seconds, size=SIZE)
        video = through_the_pipeline(path, ("proxy",))
        project = factories.project()
        drafts = queue.create_tasks(actor=None, project=project, videos=[video])
        queue.open_tasks(actor=None, tasks=drafts)
        assignment = factories.claimed(project)
        sign_in(assignment.contractor, into=page.context)

        def empty(route: Route) -> None:
            route.fulfill(body="<!DOCTYPE html><body></body>", content_type="text/html")

        page.route("**/only-the-player/", empty)
        page.goto(f"{live_server.url}/only-the-player/")
        page.evaluate(harness)
        opened = page.evaluate(f"harness.open({assignment.pk})")
        count = len(frame_ticks(kind, seconds))
        assert opened == {"frames": count, "kind": "proxy"}

    return open_it


def expect_exact(seen: list[Seen], kind: Kind, seconds: float, wanted: list[int]) -> None:
    """Every picture, number and time is that of the frame which was asked for."""
    ticks = frame_ticks(kind, seconds)
    assert [one["frame"] for one in seen] == wanted
    assert [one["shown"] for one in seen] == wanted
    assert [one["number"] for one in seen] == [frame + kind.hidden for frame in wanted]
    for one, frame in zip(seen, wanted, strict=True):
        true = (ticks[frame] - ticks[0]) / TICKS
        assert abs(one["table"] - true) < MICROSECOND
        assert abs(one["media"] - true) <= MICROSECOND  # the browser rounds to microseconds


@pytest.mark.parametrize(
    ("name", "seconds"),
    [("ntsc", 1.5), ("variable", 1.5), ("late", 1), ("edited", 1), ("fast", 1), ("single", 1)],
)
def test_every_step_and_200_random_seeks_show_the_right_frame(
    open_clip: Open,
    page: Page,
    name: str,
    seconds: float,
    record_property: Callable[[str, object], None],
) -> None:
    kind = KINDS[name]
    open_clip(kind, seconds)
    count = len(frame_ticks(kind, seconds))
    forwards, backwards = list(range(1, count)), list(range(count - 2, -1, -1))
    expect_exact(page.evaluate("harness.stepThrough(1)"), kind, seconds, forwards)
    expect_exact(page.evaluate("harness.stepThrough(-1)"), kind, seconds, backwards)
    dice = random.Random(name)
    jumps = [dice.randrange(count) for _ in range(200 if count > 1 else 20)]
    seen = page.evaluate("frames => harness.seekEach(frames)", jumps)
    expect_exact(seen, kind, seconds, jumps)
    record_property("seek_ms", [round(one["ms"], 1) for one in seen])  # for --junit-xml; no target


@pytest.mark.parametrize("name", ["ntsc", "variable"])
def test_pausing_bursts_and_ranges_end_on_the_right_frame(
    open_clip: Open, page: Page, name: str
) -> None:
    kind, seconds = KINDS[name], 3
    open_clip(kind, seconds)
    count = len(frame_ticks(kind, seconds))
    dice = random.Random(name)
    for rate in (0.5, 1, 2):
        for _ in range(2):
            start = dice.randrange(10, 30)
            seen = page.evaluate(
                "([rate, from, to]) => harness.playAndPause(rate, from, to)",
                [rate, start, start + dice.randrange(4, 12)],
            )
            # What the screen showed when the key was pressed, or what it drew meanwhile.
            assert seen["frame"] <= seen["shown"] <= seen["frame"] + 2
            expect_exact([seen | {"frame": seen["shown"]}], kind, seconds, [seen["shown"]])
    for _ in range(3):
        frames = [dice.randrange(count) for _ in range(30)]
        seen = page.evaluate("frames => harness.burst(frames)", frames)
        expect_exact([seen], kind, seconds, [frames[-1]])
    for start, end in ((20, 27), (40, 41), (count - 6, count)):
        seen = page.evaluate("([start, end]) => harness.playRange(start, end)", [start, end])
        expect_exact([seen], kind, seconds, [end - 1])
