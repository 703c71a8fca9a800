"""Every command of the key map, pressed on the real page: each of its keys has its effect.

The list is the page's own, the one that the help shows: a command without a case here fails.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from playwright.sync_api import expect

from tests.browser.desk import CLIP_FRAMES, Desk, OpenTask, draft, row

# Three actions of the right hand, the middle one chosen at frame 90; nothing open, nothing plays.
THREE = draft(row(0, 60), row(60, 120, description="Stir"), row(120, 210, description="Wipe"))
MIDDLE = "s000060"
AS_IT_WAS = """async ([body, chosen, frame]) => {
  const wb = window.workbench;
  wb.player.setRate(1);
  await wb.player.pause();
  for (const open of ["comparing", "guidelineOpen", "changingVerdict"]) wb[open].value = false;
  wb.dialog.value = null;
  document.activeElement?.blur();
  const parts = (now, next) => {
    const of = list => Object.fromEntries(list.map(one => [one.id, one]));
    const [before, after] = [of(now), of(next)];
    for (const id in before) after[id] ??= null;
    for (const id in after) before[id] ??= null;
    return [before, after];
  };
  const now = wb.timeline.value;
  const [segments, flags] = [parts(now.segments, body.segments), parts(now.flags, body.flags)];
  const [before, after] = [0, 1].map(i => (
    {segments: segments[i], flags: flags[i], screening: [now, body][i].screening}));
  wb.do(() => ({edit: {id: crypto.randomUUID(), at: 0, label: "As it was", before, after}}));
  wb.select(chosen, false);
  wb.edge.value = "end";
  wb.view.look(0, wb.frameCount);
  await wb.seek(frame);
}"""


@dataclass
class Case:
    """What to do first, and what must be so after one press of the key."""

    then: Callable[[Desk], None]
    first: Callable[[Desk], None] = lambda desk: None
    frame: int = 90
    chosen: str | None = MIDDLE


def keys_of(desk: Desk, action: str) -> list[str]:
    """An action's keys as they can be pressed: "Shift+Mod+KeyZ" is Shift+Control+KeyZ."""
    keys = desk.page.evaluate("action => [...workbench.keymap.value.keysOf(action)]", action)
    return [key.replace("Mod", "Control") for key in keys]


def press(action: str, times: int = 1) -> Callable[[Desk], None]:
    return lambda desk: desk.press(*[keys_of(desk, action)[0]] * times)


def at(frame: int) -> Callable[[Desk], None]:
    return lambda desk: desk.at(frame)


def rate(wanted: float, playing: bool) -> Callable[[Desk], None]:
    def check(desk: Desk) -> None:
        desk.playing(playing)
        assert desk.page.evaluate("workbench.player.rate.value") == wanted

    return check


def frames(*wanted: tuple[int, int], shown: int | None = None) -> Callable[[Desk], None]:
    def check(desk: Desk) -> None:
        assert [s[:2] for s in desk.segments] == list(wanted)
        if shown is not None:
            desk.at(shown)

    return check


def chosen(index: int, frame: int) -> Callable[[Desk], None]:
    def check(desk: Desk) -> None:
        expect(desk.page.locator("tr[aria-selected=true]")).to_have_attribute(
            "aria-rowindex", str(index + 2)
        )
        desk.at(frame)

    return check


def labelled(**wanted: str) -> Callable[[Desk], None]:
    def check(desk: Desk) -> None:
        segment = next(s for s in desk.timeline["segments"] if s["id"] == MIDDLE)
        assert {name: segment[name] for name in wanted} == wanted

    return check


def typed(number: int) -> Callable[[Desk], None]:
    def check(desk: Desk) -> None:
        labelled(action_type=desk.page.evaluate(f"workbench.types[{number - 1}].key"))(desk)

    return check


def hand(name: str, other: str) -> Case:
    return Case(labelled(hands=name), first=lambda desk: press(other)(desk))


def dialog(title: str, focused: str) -> Callable[[Desk], None]:
    def check(desk: Desk) -> None:
        box = desk.page.get_by_role("dialog", name=title)
        expect(box).to_be_visible()
        expect(box.locator(focused)).to_be_focused()

    return check


def shows(count: int) -> Callable[[Desk], None]:
    """How many frames the timeline shows."""

    def check(desk: Desk) -> None:
        assert desk.page.evaluate("workbench.view.range.value.count") == count

    return check


def focused(selector: str) -> Callable[[Desk], None]:
    return lambda desk: expect(desk.page.locator(selector)).to_be_focused()


def visible(selector: str, whether: bool = True) -> Callable[[Desk], None]:
    return lambda desk: expect(desk.page.locator(selector)).to_be_visible(visible=whether)


def plays_around_the_edge(desk: Desk) -> None:
    desk.playing(True)
    assert desk.page.evaluate("workbench.player.frame.value") < 120
    desk.playing(False)
    desk.at(149)  # a second on each side of frame 120


def loops(desk: Desk) -> None:
    desk.playing(True)
    desk.page.evaluate(
        """() => new Promise(back => {
          let before = -1;
          const look = () => {
            const frame = workbench.player.frame.value;
            if (frame < before) return back();
            before = frame;
            requestAnimationFrame(look);
          };
          look();
        })"""
    )
    assert 60 <= desk.page.evaluate("workbench.player.frame.value") < 120
    press("loop")(desk)
    desk.playing(False)


def split_and_keep(desk: Desk) -> None:
    press("split")(desk)
    frames((0, 60), (60, 90), (90, 120), (120, 210))(desk)


def split_and_take_back(desk: Desk) -> None:
    split_and_keep(desk)
    press("undo")(desk)
    frames((0, 60), (60, 120), (120, 210))(desk)


def flagged(desk: Desk) -> None:
    assert [(f["start_frame"], f["end_frame"]) for f in desk.timeline["flags"]] == [(60, 120)]
    focused("[data-flag] input[aria-label='What is wrong here']")(desk)


def in_the_text(desk: Desk) -> None:
    press("describe")(desk)
    focused("#wb-description")(desk)
    desk.type("Stir the soup")


def saved_and_next(desk: Desk) -> None:
    labelled(description="Stir the soup")(desk)
    chosen(2, 120)(desk)
    focused("#wb-description")(desk)


def nothing_is_saved_by_itself(desk: Desk) -> None:
    desk.saved()
    # The outbox waits a second: those timers never end, so that only the key can save.
    desk.page.evaluate(
        """() => {
          const real = window.setTimeout;
          window.setTimeout = (f, ms, ...rest) => (ms >= 900 ? 0 : real(f, ms, ...rest));
          window.timersAgain = () => (window.setTimeout = real);
        }"""
    )
    press("left")(desk)
    expect(desk.page.locator("[data-save]")).to_have_attribute("data-save", "pending")


def saved_at_once(desk: Desk) -> None:
    from tasks.models import Draft

    desk.saved()
    assert Draft.objects.get().body["segments"] == desk.timeline["segments"]
    desk.page.evaluate("void timersAgain()")


def ends_soon(desk: Desk) -> None:
    from tests import factories

    assert desk.assignment is not None
    desk.saved()
    factories.age(desk.assignment, minutes=27)
    # Opening the page would keep the task at once.
    desk.page.route("**/renew/", lambda route: route.fulfill(status=503))
    desk.page.reload()
    desk.ready()
    expect(desk.page.get_by_role("alert")).to_contain_text("Press X or this button to keep it")
    desk.page.unroute("**/renew/")


def kept(desk: Desk) -> None:
    assert desk.assignment is not None
    expect(desk.page.get_by_role("alert")).to_have_count(0)
    before = desk.assignment.lease_expires_at
    desk.assignment.refresh_from_db()
    assert before is not None
    assert desk.assignment.lease_expires_at is not None
    assert desk.assignment.lease_expires_at > before


def nothing_chosen(desk: Desk) -> None:
    expect(desk.page.locator("tr[aria-selected=true]")).to_have_count(0)
    assert desk.page.evaluate("workbench.selected.value") is None


CASES = {
    "play": Case(rate(1, True)),
    "back": Case(rate(-1, True)),
    "stop": Case(rate(1, False), first=press("forward", 2)),
    "forward": Case(rate(1, True)),
    "slower": Case(rate(0.75, False)),
    "faster": Case(rate(1.25, False)),
    "stepBack": Case(at(89)),
    "stepForward": Case(at(91)),
    "jumpBack": Case(at(80)),
    "jumpForward": Case(at(100)),
    "secondsBack": Case(at(30), frame=180),
    "secondsForward": Case(at(180), frame=30),
    "goTo": Case(dialog("Go to frame", "input")),
    "previous": Case(chosen(0, 0)),
    "next": Case(chosen(2, 120)),
    "firstFrame": Case(at(60)),
    "lastFrame": Case(at(119)),
    "split": Case(frames((0, 60), (60, 90), (90, 120), (120, 210))),
    "add": Case(frames((0, 60), (60, 120), (90, 210), (120, 210))),
    "setStart": Case(frames((0, 90), (90, 120), (120, 210))),
    "setEnd": Case(frames((0, 60), (60, 91), (91, 210))),
    "chooseEdge": Case(at(60)),
    "nudgeBack": Case(frames((0, 60), (60, 119), (119, 210), shown=118)),
    "nudgeForward": Case(frames((0, 60), (60, 121), (121, 210), shown=120)),
    "pushBack": Case(frames((0, 60), (60, 115), (115, 210), shown=114)),
    "pushForward": Case(frames((0, 60), (60, 125), (125, 210), shown=124)),
    "playEdge": Case(plays_around_the_edge, first=press("faster", 4)),
    "loop": Case(loops, first=press("faster", 4)),
    "compare": Case(visible("section.compare")),
    **{f"type{number}": Case(typed(number)) for number in range(1, 10)},
    "types": Case(focused(".wb-fields select")),
    "left": hand("left", "both"),
    "right": hand("right", "left"),
    "both": hand("both", "left"),
    "none": hand("none", "left"),
    "describe": Case(focused("#wb-description")),
    "saveNext": Case(saved_and_next, first=in_the_text),
    "copy": Case(labelled(action_type="pour", description="Pour water")),
    "merge": Case(frames((0, 60), (60, 210))),
    "delete": Case(frames((0, 60), (120, 210))),
    "flag": Case(flagged),
    "problem": Case(chosen(2, 120), first=lambda desk: as_it_was(desk, untold(2))),
    "undo": Case(frames((0, 60), (60, 120), (120, 210)), first=split_and_keep),
    "redo": Case(frames((0, 60), (60, 90), (90, 120), (120, 210)), first=split_and_take_back),
    "zoomIn": Case(shows(105)),
    "zoomOut": Case(shows(CLIP_FRAMES), first=press("zoomIn")),
    "zoomFit": Case(shows(CLIP_FRAMES), first=press("zoomIn")),
    "extend": Case(kept, first=ends_soon),
    "guideline": Case(focused(".wb-guideline h2")),
    "save": Case(saved_at_once, first=nothing_is_saved_by_itself),
    "submit": Case(dialog("Submit this task", ".wb-primary")),
    "help": Case(dialog("Keys and settings", "button >> nth=0")),
    "leave": Case(nothing_chosen),
}


def untold(index: int) -> dict[str, Any]:
    """The same, but one action has no description."""
    body: dict[str, Any] = {**THREE, "segments": [dict(s) for s in THREE["segments"]]}
    body["segments"][index]["description"] = ""
    return body


def as_it_was(desk: Desk, body: dict[str, Any], case: Case | None = None) -> None:
    case = case or Case(lambda desk: None)
    desk.page.evaluate(AS_IT_WAS, [body, case.chosen, case.frame])
    desk.at(case.frame)
    expect(desk.page.get_by_role("dialog")).to_have_count(0)


@pytest.mark.django_db(transaction=True)
def test_each_key_of_the_help_does_what_it_says(open_task: OpenTask) -> None:
    desk = open_task(body=THREE)
    page = desk.page
    press("help")(desk)
    listed = [li.get_attribute("data-action") or "" for li in page.locator(".wb-keys li").all()]
    assert sorted(listed) == sorted(CASES)
    page.get_by_role("button", name="Close", exact=True).press("Enter")
    failures = []
    for action in listed:
        for key in keys_of(desk, action):
            case = CASES[action]
            try:
                as_it_was(desk, THREE, case)
                case.first(desk)
                desk.press(key)
                case.then(desk)
            except AssertionError as error:
                failures.append(f"{action} ({key}): {error}")
    assert failures == []
