"""What is done on a page before its picture is taken."""

from __future__ import annotations

import re
from collections.abc import Callable

from playwright.sync_api import Page, Route

Step = Callable[[Page], None]

# Key of the demo project's action type, and the description.
ACTIONS = (
    ("1", "Pick up the bowl of flour"),
    ("6", "Pour water into the bowl"),
    ("9", "Stir the dough with a spoon"),
    ("3", "Carry the dough to the board"),
    ("7", "Cut the dough in two"),
    ("8", "Wipe the board with a cloth"),
)


def in_turn(*steps: Step) -> Step:
    """One step after the other."""

    def go(page: Page) -> None:
        for step in steps:
            step(page)

    return go


def settled(page: Page) -> None:
    """Everything that the page asked for is there."""
    page.wait_for_load_state("networkidle")


def into(pattern: str, *, row: str = "") -> Step:
    """Follow the first link whose address is like that, in a row with that text."""

    def go(page: Page) -> None:
        link = f"a[href*='{pattern}']"
        found = page.locator(f"main :not(.subnav) > {link}")
        if row:
            found = page.locator("main :is(tr, li, .offer)", has_text=row).locator(link)
        found.first.click()
        settled(page)

    return go


def to_a_live_claim(page: Page) -> None:
    """From the list of tasks to the page that ends a claim on one of them."""
    site = page.url.split("/projects/")[0]
    for state in ("open", "filled"):
        for number in (1, 2, 3):
            page.goto(f"{site}/projects/tasks/?state={state}&page={number}")
            links = page.locator("main td a[href^='/projects/tasks/']").all()
            for address in [link.get_attribute("href") for link in links]:
                page.goto(f"{site}{address}")
                ending = page.locator("main a[href$='/release/']")
                if ending.count():
                    ending.first.click()
                    settled(page)
                    return
    raise LookupError("nobody works on any of these tasks")


def on_with(text: str) -> Step:
    """Follow the first link with this text."""

    def go(page: Page) -> None:
        page.locator("main a", has_text=text).first.click()
        settled(page)

    return go


def refused(form: str, **values: str) -> Step:
    """Send this form with these values, whatever the browser itself would say about them."""

    def go(page: Page) -> None:
        found = page.locator(f"main form{form}").first
        with page.expect_navigation():
            found.evaluate(_SEND, values)
        settled(page)

    return go


_SEND = """
(form, values) => {
  form.noValidate = true;
  for (const [name, value] of Object.entries(values)) form.elements[name].value = value;
  setTimeout(() => form.requestSubmit());
}
"""


def opened(text: str) -> Step:
    """Open what a page keeps folded."""
    return lambda page: page.locator("main summary", has_text=text).first.click()


def offline(page: Page) -> None:
    """What a page says when the connection is lost."""
    page.context.set_offline(True)
    page.get_by_text("You are offline.").wait_for()


def old_form(page: Page) -> None:
    """A form from before one logged in anew: its token is not the cookie's."""
    refused("", csrfmiddlewaretoken="x" * 64)(page)


def typed_too_often(page: Page) -> None:
    """More wrong passwords than anybody may try in a minute."""
    while not page.get_by_text("Too many attempts").count():
        refused("", username="nobody@demo.example", password="wrong")(page)


# --- the workbench ----------------------------------------------------------------------------


def hold_a_task(page: Page) -> None:
    """Read the guideline if need be, and claim the next task unless one is held already."""
    if page.locator("#claims + .scroll").count():
        return
    if page.get_by_text("Read the guideline").count():
        page.get_by_text("Read the guideline").first.click()
        page.get_by_text("I have read version").click()
    if page.get_by_text("Claim the next task").count():
        page.get_by_text("Claim the next task").first.click()
        settled(page)
        page.goto(page.url.split("/work/")[0] + "/work/")


def to_the_task(page: Page) -> None:
    """The claim in hand, in the workbench; not waited for."""
    hold_a_task(page)
    page.get_by_role("link", name=re.compile("^Open")).first.click()


def at_the_task(page: Page) -> None:
    """The claim in hand, with its first picture."""
    to_the_task(page)
    page.locator(".wb-stage[data-state=ready]").wait_for()


def cut(page: Page) -> None:
    """The demo video in six actions, by keys, as docs/workbench.md tells; unless it is."""
    at_the_task(page)
    if not page.locator(".wb-list tr[data-segment]").count():
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
    page.locator(".wb-list tr[data-segment]").nth(2).click()
    page.locator(".wb-save[data-save=saved]").wait_for()
    page.wait_for_timeout(1500)  # its picture, and the filmstrip


def keys(*pressed: str, until: str) -> Step:
    """Keys on the workbench, until this text is there."""

    def go(page: Page) -> None:
        for key in pressed:
            page.keyboard.press(key)
        page.get_by_text(until).first.wait_for()
        page.wait_for_timeout(800)

    return go


def unfinished(page: Page) -> None:
    """A description taken away: hand-in tells what is to be mended."""
    page.locator(".wb-describe textarea").fill("")
    page.keyboard.press("Escape")
    page.keyboard.press("Shift+Control+Enter")
    page.locator("dialog[open]").wait_for()
    page.wait_for_timeout(500)


def put_back(page: Page) -> None:
    """Undo what `unfinished` took away, and let it be saved."""
    page.keyboard.press("Escape")
    page.keyboard.press("Control+z")
    page.locator(".wb-save[data-save=saved]").wait_for()


def saved_here(page: Page) -> None:
    """An edit while the line is cut: it is on this device."""
    page.context.set_offline(True)
    page.keyboard.press("]")
    page.locator(".wb-save:not([data-save=saved])").wait_for()
    page.wait_for_timeout(1500)


def second_tab(page: Page) -> None:
    """The same claim in another tab of the same browser takes the pen."""
    other = page.context.new_page()
    other.goto(page.url)
    other.get_by_role("button", name="Edit here").click()
    page.bring_to_front()
    page.get_by_text("in another tab").first.wait_for()
    page.wait_for_timeout(1000)


def routed(pattern: str, answer: Callable[[Route], None]) -> Step:
    """Requests like this are answered so."""

    def go(page: Page) -> None:
        page.route(pattern, answer)

    return go


def never_answered(pattern: str) -> Step:
    """Requests like this hang, as on a bad line."""

    def hang(route: Route) -> None:
        """No answer, ever."""

    return routed(pattern, hang)


def no_video(page: Page) -> None:
    """The video's file can't be had."""

    def answer(route: Route) -> None:
        if route.request.resource_type == "media":
            route.fulfill(status=404, body="")
        else:
            route.continue_()

    page.route("**/media/**", answer)


def broken(pattern: str, status: int = 500) -> Step:
    """Requests like this fail."""
    return routed(pattern, lambda route: route.fulfill(status=status, body=""))


def seen(text: str) -> Step:
    """Until the page says so."""
    return lambda page: page.get_by_text(text).first.wait_for(timeout=40_000)


def pause(milliseconds: float) -> Step:
    """Time for what has no sign of its own."""
    return lambda page: page.wait_for_timeout(milliseconds)
