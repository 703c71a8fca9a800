"""A task on a real clip, open in the workbench of a signed-in contractor."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from playwright.sync_api import Page, expect

if TYPE_CHECKING:
    from tasks.models import Assignment, Project, Task

OpenTask = Callable[..., "Desk"]
CLIP_FRAMES = 210  # of the fixture `clip`: 7 s at 30 per second


def row(start: int, end: int, **changes: Any) -> dict[str, Any]:
    return {
        "id": f"s{start:06}",
        "start_frame": start,
        "end_frame": end,
        "hands": "right",
        "action_type": "pour",
        "description": "Pour water",
    } | changes


def draft(*rows: dict[str, Any]) -> dict[str, Any]:
    screening = {
        "verdict": "usable",
        "reason": "",
        "note": "",
        "start_frame": None,
        "end_frame": None,
    }
    return {"version": 1, "segments": list(rows), "screening": screening, "flags": []}


def task_on(path: Path, project: Project) -> Task:
    """An open task on this file, which went through registering, probing and the proxy."""
    from tasks import services as queue
    from tests.browser.library import video_of

    drafts = queue.create_tasks(actor=None, project=project, videos=[video_of(path)])
    (task,) = queue.open_tasks(actor=None, tasks=drafts)
    return task


def tab_through(
    page: Page,
    look: str,
    most: int,
    enough: Callable[[list[Any]], bool],
    *,
    ask_every: int = 16,
) -> list[Any]:
    """Presses Tab up to `most` times; what `look` (a function in JavaScript) says at each stop.

    The page itself looks, when the next Tab is about to leave: asking it from here after each press
    would cost as much again. Now and then `enough` is asked whether that was all.
    """
    page.evaluate(
        f"""() => {{
          const look = {look};
          window.stops = [];
          if (window.leaving) removeEventListener("keydown", window.leaving, {{capture: true}});
          window.leaving = event => {{ if (event.key === "Tab") window.stops.push(look()); }};
          addEventListener("keydown", window.leaving, {{capture: true}});
        }}"""
    )
    seen: list[Any] = []
    for number in range(most):
        page.keyboard.press("Tab")
        if (number + 1) % ask_every == 0 or number + 1 == most:
            seen = page.evaluate(f"[...window.stops, ({look})()]")
            if enough(seen):
                break
    return seen


@dataclass
class Desk:
    """The page as its user has it: by keys. Counts them; letters of texts apart."""

    page: Page
    address: str
    assignment: Assignment | None = None
    keys: int = 0
    letters: int = 0
    pressed: list[str] = field(default_factory=list)

    def press(self, *keys: str) -> None:
        for key in keys:
            self.page.keyboard.press(key)
            self.pressed.append(key)
        self.keys += len(keys)

    def type(self, text: str) -> None:
        self.page.keyboard.type(text)
        self.letters += len(text)

    def ready(self) -> None:
        """Waits until the first picture is there."""
        expect(self.page.locator(".wb")).to_be_visible()
        expect(self.page.locator(".wb-stage")).to_have_attribute("data-state", "ready")

    def playing(self, whether: bool) -> None:
        wanted = "true" if whether else "false"
        expect(self.page.locator(".wb-stage")).to_have_attribute("data-playing", wanted)

    def at(self, frame: int) -> None:
        """Waits until this frame is on screen."""
        expect(self.page.locator(".wb-frame [data-frame]")).to_have_attribute(
            "data-frame", str(frame)
        )

    @property
    def timeline(self) -> Any:
        return self.page.evaluate("workbench.timeline.value")

    @property
    def json(self) -> str:
        """The timeline to the letter."""
        found: str = self.page.evaluate("JSON.stringify(workbench.timeline.value)")
        return found

    @property
    def segments(self) -> list[tuple[Any, ...]]:
        names = ("start_frame", "end_frame", "hands", "action_type", "description")
        return [tuple(row[name] for name in names) for row in self.timeline["segments"]]

    def saved(self) -> None:
        expect(self.page.locator(".wb-save")).to_have_attribute("data-save", "saved")
