"""Every dialog and panel by Tab: each control is reached, Escape closes, the focus goes back."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.desk import Desk, OpenTask, draft, row, tab_through
from tests.browser.test_workbench_keys import keys_of

# Whatever can be operated inside, marked one by one; the answer is how many there are.
MARK = """box => {
  for (const old of document.querySelectorAll("[data-walk]")) delete old.dataset.walk;
  const all = "a[href], button, input, select, textarea, [role=slider], [tabindex='0']";
  const there = [...box.querySelectorAll(all)].filter(
    one => !one.disabled && one.checkVisibility() && one.tabIndex >= 0);
  there.forEach((one, i) => (one.dataset.walk = String(i)));
  return there.length;
}"""
WHERE = """() => {
  const now = document.activeElement, dialog = document.querySelector("dialog");
  return [now.dataset.walk ?? "", !dialog || now === document.body || dialog.contains(now)];
}"""
PROBLEMS = draft(
    row(0, 60), row(60, 63, description=""), row(110, 150, action_type=""), row(150, 210)
)


def walk(page: Page, box: Locator, *, at_least: int) -> None:
    """Tab until everything in the box had the focus; out of an open dialog it never goes."""
    expect(box).to_be_visible()
    count = box.evaluate(MARK)
    assert count >= at_least
    every = {str(number) for number in range(count)}

    def left(stops: list[Any]) -> set[str]:
        return every - {name for name, _ in stops}

    # A panel is somewhere on the page.
    stops = tab_through(
        page, WHERE, count + 80, lambda stops: not left(stops), ask_every=16 if count > 16 else 1
    )
    assert all(inside for _, inside in stops), "the focus went behind the dialog"
    assert left(stops) == set(), box.evaluate(
        "(box, left) => left.map(i => box.querySelector(`[data-walk='${i}']`).outerHTML)",
        sorted(left(stops)),
    )


def button(desk: Desk, name: str) -> Locator:
    return desk.page.locator(".wb").get_by_role("button", name=name, exact=True)


def opened_by(desk: Desk, opener: Locator) -> None:
    opener.focus()
    desk.press("Enter")


DIALOGS = (
    ("Keys", "help", "Keys and settings", 60),
    ("Submit", "submit", "Submit this task", 6),
    ("Return", None, "Give this task back?", 4),
    ("Go to frame", "goTo", "Go to frame", 3),
)


@pytest.mark.django_db(transaction=True)
def test_each_dialog_by_tab_and_escape_gives_the_focus_back(open_task: OpenTask) -> None:
    desk = open_task(body=PROBLEMS)
    for opener, key, title, controls in DIALOGS:
        gives_the_focus_back(desk, opener, key, title, controls)


def gives_the_focus_back(
    desk: Desk, opener: str, key: str | None, title: str, controls: int
) -> None:
    page = desk.page
    dialog = page.get_by_role("dialog", name=title)
    by = page.locator(".wb-frame") if key == "goTo" else button(desk, opener)
    opened_by(desk, by)
    walk(page, dialog, at_least=controls)
    desk.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)
    expect(by).to_be_focused()
    if key is not None:  # opened by its key while nothing has the focus
        by.evaluate("button => button.blur()")
        desk.press(*keys_of(desk, key))
        expect(dialog).to_be_visible()
        desk.press("Escape")
        expect(page.get_by_role("dialog")).to_have_count(0)
        assert page.evaluate("document.activeElement === document.body")
    # Closed by its own button, too.
    opened_by(desk, by)
    dialog.get_by_role("button", name="Close", exact=True).focus()
    desk.press("Enter")
    expect(by).to_be_focused()


@pytest.mark.django_db(transaction=True)
def test_escape_leaves_the_moving_of_a_key_before_it_leaves_the_help(open_task: OpenTask) -> None:
    desk = open_task(body=PROBLEMS)
    page = desk.page
    desk.press("F1")
    split = page.locator("[data-action=split] button")
    split.focus()
    desk.press("Enter")
    expect(split).to_have_text("Press a key…")
    desk.press("Escape")
    expect(split).to_have_text("S ")
    expect(page.get_by_role("dialog")).to_be_visible()
    desk.press("Enter", "Tab")  # no trap: Tab goes on
    expect(split).to_have_text("S ")
    expect(split).not_to_be_focused()
    desk.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)
    assert keys_of(desk, "split") == ["KeyS"]


@pytest.mark.django_db(transaction=True)
def test_guideline_and_comparison_by_tab_and_escape(open_task: OpenTask) -> None:
    desk = open_task(body=PROBLEMS)
    page = desk.page
    guideline = button(desk, "Guideline")
    opened_by(desk, guideline)
    panel = page.locator(".wb-guideline")
    expect(panel.locator("h2")).to_be_focused()
    walk(page, panel, at_least=2)
    desk.press("Escape")
    expect(panel).to_have_count(0)
    expect(guideline).to_be_focused()

    page.evaluate("document.activeElement.blur()")
    desk.press("ArrowDown", "ArrowUp")  # the first action; its end is the chosen edge
    compare = button(desk, "Compare the edge")
    opened_by(desk, compare)
    cut = page.get_by_role("region", name="The cut, frame by frame")
    page.evaluate("document.querySelector('.wb-back').focus()")
    walk(page, cut, at_least=13)  # four pictures, eight nudges, the way out
    desk.press("Escape")
    expect(cut).to_have_count(0)
    assert page.evaluate("document.activeElement !== document.body")
    assert desk.page.evaluate("workbench.chosenIndex.value") == 0  # Escape closed one thing
    # From the button that opened it, without going in.
    opened_by(desk, compare)
    expect(cut).to_be_visible()
    desk.press("Escape")
    expect(cut).to_have_count(0)
    expect(compare).to_be_focused()


@pytest.mark.django_db(transaction=True)
def test_the_verdict_by_keys_and_by_tab(open_task: OpenTask) -> None:
    desk = open_task(screened=False)
    page = desk.page
    panel = page.locator(".wb-screening")
    walk(page, panel, at_least=3)
    page.evaluate("document.activeElement.blur()")
    reason = page.get_by_label("What is wrong")
    desk.press("2")
    expect(reason).to_be_focused()  # what is asked next
    desk.press("ArrowDown", "Escape")
    expect(panel).to_have_count(0)
    assert desk.timeline["screening"]["verdict"] == "usable_with_issues"
    assert desk.timeline["screening"]["reason"] == "blurred"
    desk.press("Space")  # the keys are the page's again
    desk.playing(True)
    desk.press("Space", "s")
    desk.playing(False)

    change = button(desk, "Change")
    opened_by(desk, change)
    expect(panel.get_by_role("button", name="Usable, with issues")).to_be_focused()
    button(desk, "Use the flagged or chosen range").focus()
    desk.press("Enter")
    walk(page, panel, at_least=9)
    panel.get_by_role("button", name="Whole video").focus()
    desk.press("Escape")  # in a text it leaves the text first
    expect(panel).to_have_count(0)
    expect(change).to_be_focused()
    opened_by(desk, change)
    panel.get_by_role("button", name="Usable", exact=True).focus()
    desk.press("Enter")
    expect(panel).to_have_count(0)
    expect(change).to_be_focused()
    assert desk.timeline["screening"]["verdict"] == "usable"


@pytest.mark.django_db(transaction=True)
def test_keys_about_a_segment_ask_for_none_when_none_is_chosen(open_task: OpenTask) -> None:
    desk = open_task(body=PROBLEMS)
    page = desk.page
    for key in ("Enter", "0", "Control+Enter"):
        page.evaluate("workbench.selected.value = null")
        desk.press(key)
        assert page.evaluate("workbench.selected.value") is None or key == "Control+Enter"
    page.evaluate("document.activeElement.blur()")
    desk.press("Escape", "Enter")
    expect(page.locator(".wb-live")).to_contain_text("No segment chosen")
    desk.press("ArrowDown")
    expect(page.locator("#wb-description")).to_be_visible()
    assert page.evaluate("document.activeElement === document.body")  # not asked for any more


@pytest.mark.django_db(transaction=True)
def test_what_works_while_typing(open_task: OpenTask) -> None:
    from tasks.models import Draft

    desk = open_task(body=draft(row(0, 60), row(60, 120), row(120, 210)))
    page = desk.page
    text = page.locator("#wb-description")
    desk.press("ArrowDown", "ArrowDown")
    desk.at(60)  # backwards needs some way to go
    desk.press("Enter")
    rates: list[Any] = []
    for key, playing in (("Alt+l", True), ("Alt+k", False), ("Alt+j", True), ("Alt+k", False)):
        desk.press(key)
        desk.playing(playing)
        rates.append(page.evaluate("workbench.player.rate.value"))
        expect(text).to_be_focused()
    assert rates[0] == 1
    assert rates[2] == -1
    expect(text).to_have_value("Pour water")
    desk.type("Fill the jug")
    desk.press("Control+s")
    desk.saved()
    expect(text).to_be_focused()
    desk.type(" again")
    desk.press("Control+Shift+Enter")
    dialog = page.get_by_role("dialog", name="Submit this task")
    expect(dialog).to_be_visible()
    desk.press("Escape")
    expect(text).to_be_focused()
    desk.press("Control+Enter")
    assert page.evaluate("workbench.chosenIndex.value") == 2
    expect(text).to_be_focused()
    expect(text).to_have_value("Pour water")
    assert [s[4] for s in desk.segments] == ["Pour water", "Fill the jug again", "Pour water"]
    desk.saved()
    assert Draft.objects.get().body["segments"] == desk.timeline["segments"]
