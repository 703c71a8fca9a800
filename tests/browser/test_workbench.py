"""The workbench by keyboard: a whole task from log-in to the ledger, and what keys may not do."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as django_settings
from playwright.sync_api import Page, expect
from pytest_django.live_server_helper import LiveServer

from tests.browser.axe import violations
from tests.browser.desk import CLIP_FRAMES, Desk, OpenTask, draft, row, tab_through, task_on

AXE = Path(django_settings.BASE_DIR) / "web/workbench/node_modules/axe-core/axe.min.js"


def whole_task(live_server: LiveServer, page: Page, path: Path, *, segments: int) -> Desk:
    """From the log-in to "Handed in" with nothing but keys; then scored against a colleague."""
    from payouts.models import LedgerTransaction, Payable
    from reviews import services as reviews
    from tasks import services
    from tasks.models import Submission
    from tests import factories
    from timelines.segment import Hands, Segment

    project = factories.project()
    task = task_on(path, project)
    person = factories.worker(project)
    count = task.video.frame_count
    assert count is not None
    step = 10
    assert count >= segments * step

    page.goto(f"{live_server.url}/log-in/")
    desk = Desk(page, live_server.url)
    desk.type(person.user.email)
    desk.press("Tab")
    desk.type(factories.PASSWORD)
    desk.press("Enter")
    claim = page.get_by_role("button", name="Claim the next task")
    expect(claim).to_be_visible()
    for _ in range(40):
        if claim.evaluate("button => button === document.activeElement"):
            break
        desk.press("Tab")
    desk.press("Enter")
    desk.ready()
    desk.press("1")  # the video is usable
    for number in range(segments):
        desk.at(number * step)
        desk.press("s", str(number % 9 + 1), "Enter")
        desk.type(f"Action {number + 1} of the cup")
        desk.press("Enter")
        if number + 1 < segments:
            desk.press("Shift+ArrowRight")
    desk.press("Control+Shift+Enter")
    expect(page.get_by_role("button", name="Submit for $16.00")).to_be_focused()
    desk.press("Enter")
    expect(page.get_by_role("heading", name="Handed in")).to_be_visible()

    submission = Submission.objects.get(assignment__contractor=person)
    keys = project.action_type_keys
    wanted = [
        (
            number * step,
            count if number + 1 == segments else (number + 1) * step,
            int(Hands.RIGHT),
            keys[number % 9],
            f"Action {number + 1} of the cup",
        )
        for number in range(segments)
    ]
    names = ("start_frame", "end_frame", "hands", "action_type", "description")
    assert list(submission.segments.order_by("position").values_list(*names)) == wanted

    colleague = factories.claimed(project)
    services.submit(
        assignment=colleague,
        segments=[Segment(a, b, kind, Hands(hands), text) for a, b, hands, kind, text in wanted],
        screening_verdict="usable",
    )
    reviews.score_task(task.pk)
    submission.refresh_from_db()
    assert submission.state == "accepted"
    paid = Payable.objects.filter(assignment=submission.assignment_id)
    assert list(paid.values_list("amount_cents", flat=True)) == [1600]
    assert LedgerTransaction.objects.count() == 2  # an earning for each of the two people
    return desk


@pytest.mark.django_db(transaction=True)
def test_twenty_segments_by_keyboard_alone_from_log_in_to_the_ledger(
    live_server: LiveServer,
    page: Page,
    clip: Path,
    media_root: Path,
    record_property: Any,
) -> None:
    desk = whole_task(live_server, page, clip, segments=20)
    record_property("keys", desk.keys)
    record_property("letters", desk.letters)
    print(f"20 segments: {desk.keys} keys, {desk.letters} letters typed")  # noqa: T201  # pytest -rP
    # docs/workbench.md counts with these; Tab presses of the home page may change.
    assert desk.keys - desk.pressed.count("Tab") == 3 + 20 * 4 + 19 + 2


@pytest.mark.django_db(transaction=True)
def test_the_same_on_a_real_clip(
    live_server: LiveServer, page: Page, media_root: Path, shared_data: Path, tmp_path: Path
) -> None:
    path = tmp_path / "cutting_banana.mp4"
    shutil.copyfile(shared_data / "video/homes/cutting_banana.mp4", path)
    whole_task(live_server, page, path, segments=3)


@pytest.mark.django_db(transaction=True)
def test_letters_in_a_description_move_nothing_and_alt_letters_play(open_task: OpenTask) -> None:
    desk = open_task(body=draft(row(0, 90), row(90, 210)))
    desk.press("ArrowDown")
    before = desk.segments
    desk.press("Enter")
    desk.type("jkl sio/[] 123 qwer mfgn")
    desk.playing(False)
    desk.at(0)
    desk.press("Alt+l")
    desk.playing(True)
    desk.press("Alt+k")
    desk.playing(False)
    desk.press("Enter")
    assert [s[:4] for s in desk.segments] == [s[:4] for s in before]
    assert [s[4] for s in desk.segments] == ["jkl sio/[] 123 qwer mfgn", "Pour water"]


@pytest.mark.django_db(transaction=True)
def test_a_moved_key_works_its_old_one_not_and_a_taken_one_is_refused(open_task: OpenTask) -> None:
    desk = open_task()
    page = desk.page
    desk.press("F1")
    split = page.locator("[data-action=split] button")
    split.focus()
    desk.press("Enter", "m")
    expect(page.locator(".wb-told")).to_contain_text("M is taken by “Merge with the next”")
    desk.press("v")
    expect(page.locator(".wb-told")).to_contain_text("is now V")
    desk.press("Escape")
    desk.press("s")
    assert desk.segments == []
    desk.press("v")
    assert [s[:2] for s in desk.segments] == [(0, CLIP_FRAMES)]
    desk.saved()
    page.reload()
    desk.ready()
    assert page.evaluate("workbench.keymap.value.actionOf('KeyV')") == "split"
    desk.press("F1")
    page.get_by_label("Use single keys").uncheck()
    desk.press("Escape", "Shift+ArrowRight")
    desk.at(10)
    desk.press("v")
    assert len(desk.segments) == 1  # single keys are off
    page.get_by_role("button", name="Split here").click()  # the button stays
    assert [s[:2] for s in desk.segments] == [(0, 10), (10, CLIP_FRAMES)]


@pytest.mark.django_db(transaction=True)
def test_undo_and_redo_give_back_the_same_json_and_it_is_saved(open_task: OpenTask) -> None:
    from tasks.models import Draft

    desk = open_task()
    steps = [
        ("s",), ("1",), ("Shift+ArrowRight",), ("s",), ("c",), ("e",), ("]",), ("Shift+[",),
        ("t",), ("[",), ("ArrowUp",), ("m",), ("f", "Escape"), ("Delete",), ("a",), ("i",),
    ]  # fmt: skip
    seen = [desk.json]
    for keys in steps:
        desk.press(*keys)
        if keys == ("Shift+ArrowRight",):
            desk.at(10)
        if (now := desk.json) != seen[-1]:
            seen.append(now)
    assert len(seen) >= 9
    for wanted in reversed(seen[:-1]):
        desk.press("Control+z")
        assert desk.json == wanted
    for wanted in seen[1:]:
        desk.press("Control+Shift+z")
        assert desk.json == wanted
    desk.saved()
    stored = Draft.objects.get().body
    assert stored["segments"] == desk.timeline["segments"]
    assert stored["flags"] == desk.timeline["flags"]


@pytest.mark.django_db(transaction=True)
def test_refusals_of_the_server_are_located_and_one_key_goes_there(open_task: OpenTask) -> None:
    from tasks.models import Submission

    desk = open_task(body=draft(row(0, 90), row(90, 210)))
    page = desk.page
    problem = {
        "type": "/problems/invalid-timeline",
        "title": "The timeline can't be submitted as it is.",
        "status": 422,
        "errors": [
            {
                "pointer": "/segments/1/start_frame",
                "code": "overlap_same_hand",
                "detail": "Segment 2 starts at frame 120, too early.",
                "segment": 2,
                "frame": 120,
            }
        ],
    }
    page.route(
        "**/submissions/",
        lambda route: route.fulfill(status=422, json=problem, content_type="application/json"),
    )
    desk.press("Control+Shift+Enter", "Enter")
    place = page.get_by_role("button", name="Segment 2 starts at frame 120, too early.")
    expect(place).to_be_visible()
    place.focus()
    desk.press("Enter")
    desk.at(120)
    expect(page.locator(".wb-dialog")).to_have_count(0)
    assert page.evaluate("workbench.chosenIndex.value") == 1
    assert Submission.objects.count() == 0


@pytest.mark.django_db(transaction=True)
def test_problems_are_told_before_the_server_sees_them(open_task: OpenTask) -> None:
    desk = open_task(
        body=draft(row(0, 90), row(90, 93, description=""), row(150, 210, action_type=""))
    )
    page = desk.page
    desk.press("n")
    desk.at(90)
    assert page.evaluate("workbench.chosenIndex.value") == 1
    desk.press("n", "n", "n")
    assert page.evaluate("workbench.chosenIndex.value") == 2
    desk.press("Control+Shift+Enter")
    dialog = page.get_by_role("dialog")
    for text in (
        "Segment 2 has no description.",
        "Segment 3 has no action type.",
        "Segment 2 is only 3 frames long.",
        "Nothing is marked from frame 93 to frame 149.",
    ):
        expect(dialog.get_by_role("button", name=text)).to_be_visible()
    expect(dialog.get_by_role("button", name="Submit for")).to_be_disabled()


@pytest.mark.django_db(transaction=True)
def test_the_bar_tells_what_is_left_and_keeps_to_one_line(open_task: OpenTask) -> None:
    desk = open_task()
    page = desk.page
    bar = page.locator(".wb-header")
    for keys, told in (
        ((), "Nothing cut yet"),
        (("s",), "2 to mend"),
        (("1", "Enter"), "1 to mend"),
    ):
        desk.press(*keys)
        expect(bar.locator(".wb-chip")).to_have_text(told)
    desk.type("Pour water")
    desk.press("Enter")
    expect(bar.locator(".wb-chip")).to_have_text("No problems")
    # The longest words that each part may have to say.
    page.evaluate(
        """() => {
          for (const [part, words] of [
            [".wb-title span", "Makes the bread and then washes everything up in the kitchen"],
            [".wb-save span", "No connection: 112 changes on this device"],
            [".wb-lease span", "11:59:59 left"],
            [".wb-progress > span", "100 %, 1500 segments"],
            [".wb-chip", "1500 to mend"],
            [".wb-worth > span", "median 10:12:03, you 11:02:03"],
          ]) document.querySelector(`.wb-header ${part}`).textContent = words;
        }"""
    )
    for width in (1440, 1280):
        page.set_viewport_size({"width": width, "height": 800})
        box = bar.bounding_box()
        assert box is not None
        assert box["height"] < 48
        assert bar.evaluate("bar => bar.scrollWidth <= bar.clientWidth")
        submit = page.get_by_role("button", name="Submit", exact=True).bounding_box()
        assert submit is not None
        assert submit["x"] + submit["width"] <= width


@pytest.mark.django_db(transaction=True)
def test_unusable_is_handed_in_with_its_reason(open_task: OpenTask) -> None:
    from tasks.models import Submission

    desk = open_task(screened=False)
    page = desk.page
    desk.press("3")
    page.get_by_label("What is wrong").select_option("frozen")
    desk.press("Control+Shift+Enter")
    expect(page.get_by_role("button", name="Submit for $16.00")).to_be_focused()
    desk.press("Enter")
    expect(page.get_by_role("heading", name="Handed in")).to_be_visible()
    submission = Submission.objects.get()
    assert (submission.screening_verdict, submission.screening) == (
        "unusable",
        {"reason": "frozen"},
    )


@pytest.mark.django_db(transaction=True)
def test_giving_back_keeps_the_draft(open_task: OpenTask) -> None:
    from tasks.models import Draft

    other = open_task()
    page = other.page
    other.press("s")
    page.get_by_role("button", name="Return", exact=True).click()
    page.get_by_role("dialog").get_by_label("Note").fill("Too long for me")
    page.get_by_role("button", name="Give it back").click()
    expect(page.get_by_role("heading", name="Given back")).to_be_visible()
    assert other.assignment is not None
    other.assignment.refresh_from_db()
    assert other.assignment.state == "returned"
    assert len(Draft.objects.get(contractor=other.assignment.contractor_id).body["segments"]) == 1


@pytest.mark.django_db(transaction=True)
def test_five_hundred_segments_keep_list_and_timeline_in_step(open_task: OpenTask) -> None:
    hands = ("left", "right", "none")
    rows = [row(i, i + 1, id=f"{hand}{i:04}", hands=hand) for i in range(167) for hand in hands]
    desk = open_task(body=draft(*rows[:500]))
    page = desk.page
    expect(page.locator(".wb-list table")).to_have_attribute("aria-rowcount", "501")
    assert page.locator("[data-segment]").count() < 80  # only what is in sight is in the page
    page.evaluate("workbench.select(workbench.timeline.value.segments[400].id)")
    chosen = page.locator(".wb-list tr[aria-selected=true]")
    expect(chosen).to_be_in_viewport()
    expect(chosen).to_have_attribute("aria-rowindex", "402")
    desk.at(desk.timeline["segments"][400]["start_frame"])
    desk.press("ArrowDown")
    expect(chosen).to_have_attribute("aria-rowindex", "403")


@pytest.mark.django_db(transaction=True)
def test_everything_can_be_reached_by_tab_and_nothing_traps(open_task: OpenTask) -> None:
    desk = open_task(body=draft(row(0, 90), row(90, 210)))
    page = desk.page
    desk.press("ArrowDown", "f", "Escape", "h")
    wanted: set[str] = set(
        page.evaluate(
            """() => {
                const all = 'a[href], button, input, select, textarea, [role=slider]';
                const seen = [...document.querySelectorAll(all)].filter(
                    e => !e.disabled && e.offsetParent !== null && e.tabIndex >= 0);
                seen.forEach((e, i) => (e.dataset.walk = String(i)));
                return seen.map(e => e.dataset.walk);
            }"""
        )
    )
    assert len(wanted) > 40
    small = page.evaluate(
        """() => [...document.querySelectorAll('[data-walk]')].filter(e => {
            const box = (e.closest('label.wb-inline') ?? e).getBoundingClientRect();
            return box.width < 24 || box.height < 24;
        }).map(e => e.outerHTML.slice(0, 120))"""
    )
    assert small == []
    page.evaluate("document.activeElement.blur()")
    here = "() => document.activeElement?.dataset.walk ?? ''"
    stops = tab_through(page, here, len(wanted) + 10, lambda stops: wanted <= set(stops))
    assert wanted - set(stops) == set()
    # Each action of the help has a key, and each that has no key of its own has a button.
    desk.press("F1")
    for action in page.locator(".wb-keys li").all():
        assert action.locator("kbd").count() >= 1


@pytest.mark.django_db(transaction=True)
def test_axe_finds_nothing(open_task: OpenTask) -> None:
    if not AXE.exists():
        pytest.skip("axe-core is not installed; run scripts/web build")
    desk = open_task(body=draft(row(0, 90), row(90, 210, description="")))
    page = desk.page

    def looked_at() -> None:
        assert violations(page, AXE) == []

    looked_at()
    desk.press("ArrowDown", "f", "Escape", "h")  # a segment's fields, a flag, the guideline
    looked_at()
    for keys in (["F1"], ["Escape", "Control+Shift+Enter"], ["Escape", "g"]):
        desk.press(*keys)
        expect(page.get_by_role("dialog")).to_be_visible()
        looked_at()
    desk.press("Escape")
    page.set_viewport_size({"width": 600, "height": 900})
    looked_at()
    assert page.evaluate("document.documentElement.scrollWidth") <= 600
