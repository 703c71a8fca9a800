"""The timeline by pointer: edges are dragged, snap, and stop at what is in their way."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import expect

from tests.browser.desk import CLIP_FRAMES, Desk, OpenTask, draft, row

LANES = {"left": 33, "right": 59, "none": 85}  # middle of each lane, px under the canvas's top


def point(desk: Desk, frame: float, lane: str) -> tuple[float, float]:
    """Where a frame begins in a lane; the whole video is shown."""
    box = desk.page.locator(".wb-canvas > canvas").first.bounding_box()
    assert box is not None
    x, y = box["x"] + box["width"] * frame / CLIP_FRAMES, box["y"] + LANES[lane]
    # A pointer can only go where the window is, and the timeline in it.
    there = "([x, y]) => document.elementFromPoint(x, y)?.tagName"
    assert desk.page.evaluate(there, [min(x, box["x"] + box["width"] - 1), y]) == "CANVAS"
    return x, y


def drag(desk: Desk, lane: str, start: float, end: float) -> None:
    mouse = desk.page.mouse
    mouse.move(*point(desk, start, lane))
    mouse.down()
    mouse.move(*point(desk, end, lane), steps=4)


def ranges(desk: Desk) -> list[tuple[Any, Any, Any]]:
    return [s[:3] for s in desk.segments]


@pytest.mark.django_db(transaction=True)
def test_an_edge_is_dragged_to_the_frame_and_undone_as_one_step(open_task: OpenTask) -> None:
    desk = open_task(body=draft(row(0, 60), row(60, 120)))
    before = desk.json
    drag(desk, "right", 120, 150)
    assert desk.json == before  # nothing is changed before it is let go
    desk.at(149)  # the last frame inside is shown meanwhile
    desk.page.mouse.up()
    assert ranges(desk) == [(0, 60, "right"), (60, 150, "right")]
    expect(desk.page.locator("tr[aria-selected=true]")).to_have_attribute("aria-rowindex", "3")
    desk.press("Control+z")
    assert desk.json == before
    # A cut that two share moves as one; with the setting off it stops at the neighbour.
    drag(desk, "right", 60, 45)
    desk.page.mouse.up()
    assert ranges(desk) == [(0, 45, "right"), (45, 120, "right")]
    desk.page.get_by_label("Move touching edges together").uncheck()
    drag(desk, "right", 45.2, 30)  # the chosen one's own start
    desk.page.mouse.up()
    assert ranges(desk) == [(0, 45, "right"), (45, 120, "right")]
    desk.saved()


@pytest.mark.django_db(transaction=True)
def test_a_dragged_edge_snaps_and_with_alt_it_does_not(open_task: OpenTask) -> None:
    desk = open_task(body=draft(row(0, 80), row(0, 120, id="other", hands="left")))
    drag(desk, "right", 80, 119.4)  # one frame before the other hand's edge
    desk.page.mouse.up()
    assert ranges(desk) == [(0, 120, "left"), (0, 120, "right")]
    desk.press("Control+z")
    desk.page.keyboard.down("Alt")
    drag(desk, "right", 80, 119.4)
    desk.page.mouse.up()
    desk.page.keyboard.up("Alt")
    assert ranges(desk) == [(0, 119, "right"), (0, 120, "left")]


@pytest.mark.django_db(transaction=True)
def test_a_dragged_edge_stops_at_neighbours_and_at_its_other_edge(open_task: OpenTask) -> None:
    desk = open_task(body=draft(row(20, 60), row(90, 120), row(150, 210, hands="both")))
    drag(desk, "right", 60, 140)
    desk.page.mouse.up()
    assert ranges(desk)[0] == (20, 90, "right")
    desk.press("Control+z")
    drag(desk, "right", 120, 200)  # both hands are in the lane, too
    desk.page.mouse.up()
    assert ranges(desk)[1] == (90, 150, "right")
    drag(desk, "right", 20, 100)
    desk.page.mouse.up()
    assert ranges(desk)[0] == (59, 60, "right")
    drag(desk, "left", 150, 40)  # a cut that touches in the right lane: its start is in the way
    desk.page.mouse.up()
    assert ranges(desk) == [(59, 60, "right"), (90, 91, "right"), (91, 210, "both")]


@pytest.mark.django_db(transaction=True)
def test_a_click_seeks_and_chooses_and_the_wheel_moves_and_zooms(open_task: OpenTask) -> None:
    desk = open_task(body=draft(row(0, 60), row(90, 150)))
    page = desk.page
    page.mouse.click(*point(desk, 100.5, "right"))
    desk.at(100)
    assert page.evaluate("workbench.chosenIndex.value") == 1
    page.mouse.click(*point(desk, 70.5, "right"))  # nothing is there
    desk.at(70)
    assert page.evaluate("workbench.selected.value") is None
    page.mouse.move(*point(desk, 105, "none"))
    page.keyboard.down("Control")
    page.mouse.wheel(0, -100)
    page.keyboard.up("Control")
    page.wait_for_function("() => workbench.view.range.value.count === 168")  # .8 of 210
    first = page.evaluate("workbench.view.range.value.first")
    assert 15 <= first <= 27  # frame 105 stays where it is
    page.mouse.wheel(0, 5000)
    page.wait_for_function(
        "() => workbench.view.range.value.first === 42"
    )  # to the end, not beyond


@pytest.mark.django_db(transaction=True)
def test_a_number_being_typed_stays_with_its_segment(open_task: OpenTask) -> None:
    """A click on another segment ends the typing first."""
    desk = open_task(body=draft(row(0, 60), row(90, 150)))
    page = desk.page
    desk.press("ArrowDown")
    page.get_by_label("Last frame", exact=True).fill("69")
    page.mouse.click(*point(desk, 120, "right"))
    assert page.evaluate("workbench.chosenIndex.value") == 1
    assert ranges(desk) == [(0, 70, "right"), (90, 150, "right")]
