"""What is beside the picture: what it is worth, how far one is, the guideline, words; and what a
reader of the screen hears of it."""

from __future__ import annotations

import pytest
from django.utils import timezone
from playwright.sync_api import expect

from tests.browser.desk import CLIP_FRAMES, OpenTask, draft, row


@pytest.mark.django_db(transaction=True)
def test_pay_pace_progress_and_the_guideline_of_the_claim(open_task: OpenTask) -> None:
    from tasks import services
    from tasks.models import ProjectPace
    from tests import factories

    project = factories.project(guideline=False)

    def publish(title: str, body: str) -> None:
        written = services.write_guideline(
            actor=None, project=project, title=title, body=body, changelog="Other words"
        )
        services.publish_guideline(actor=None, guideline=written)

    publish("Kitchen", "Say **Wipe the board**, or `Wash the bowl`.")
    ProjectPace.objects.create(
        project=project,
        samples=9,
        median_active_ms=2_000_000,
        cents_per_hour=2880,
        measured_at=timezone.now(),
    )
    rows = row(0, 60, description="Wash a spoon"), row(60, 120), row(120, 189, description="")
    desk = open_task(project=project, body=draft(*rows))
    page = desk.page
    publish("Garage", "Say **Weld the door**.")
    page.reload()  # newer rules are for newer claims
    desk.ready()
    bar = page.locator(".wb-header")
    expect(bar.get_by_text("$16.00", exact=True)).to_be_visible()
    expect(bar).to_contain_text("median 33:20, you 0:00")
    expect(bar).to_contain_text("90 %, 3 segments")  # 189 of 210 frames
    expect(bar.locator("progress")).to_have_attribute("value", "90")
    desk.press("h")
    panel = page.locator(".wb-guideline")
    expect(panel.locator("h2")).to_contain_text("Kitchen")
    expect(panel.locator("strong")).to_have_text("Wipe the board")
    desk.press("Escape")

    # Completion: this timeline's own words, newest first, then those that the guideline marks.
    page.evaluate("document.activeElement.blur()")
    desk.press("ArrowDown", "ArrowDown", "ArrowDown", "Enter")
    text = page.locator("#wb-description")
    offered = page.get_by_role("listbox", name="Suggestions").get_by_role("option")
    desk.press("ArrowDown")
    expect(offered).to_have_text(["Pour water", "Wash a spoon"])
    desk.type("w")
    expect(offered.nth(2)).to_have_text("Wipe the board")
    words = offered.all_text_contents()
    assert words[:4] == ["Pour water", "Wash a spoon", "Wipe the board", "Wash the bowl"]
    assert "Weld the door" not in words
    desk.press("ArrowDown", "ArrowDown", "ArrowDown", "Enter")
    expect(text).to_have_value("Wipe the board")
    desk.press("Enter")
    assert desk.segments[2][4] == "Wipe the board"
    desk.saved()


@pytest.mark.django_db(transaction=True)
def test_a_reader_hears_where_one_is_and_nothing_while_it_plays(open_task: OpenTask) -> None:
    desk = open_task(
        body=draft(row(0, 90), row(60, 150, hands="left", action_type=""), row(90, CLIP_FRAMES))
    )
    page = desk.page
    expect(page.locator(".wb-canvas > canvas:not([aria-hidden=true])")).to_have_count(0)
    slider = page.get_by_role("slider", name="Position")
    pour = page.evaluate("workbench.typeName('pour')")
    none = page.evaluate("workbench.typeName('')")
    expect(slider).to_have_attribute("aria-valuetext", f"Frame 0 of 209, Segment 1, {pour}, 0:00")
    page.evaluate("workbench.seek(75)")
    expect(slider).to_have_attribute("aria-valuenow", "75")
    expect(slider).to_have_attribute(
        "aria-valuetext",
        f"Frame 75 of 209, Segment 1, {pour}; Segment 2, {none}, 0:02",
    )
    table = page.get_by_role("table", name="Segments")
    expect(table.get_by_role("row")).to_have_count(4)  # its head, and three
    expect(table.get_by_role("columnheader")).to_have_count(7)

    said = page.locator(".wb-live [role=status]")
    shown = page.locator(".wb-live [aria-hidden=true]")
    desk.press("ArrowDown")
    expect(said).to_contain_text("Segment")
    # K held with J or L steps; that is no playback.
    page.evaluate("workbench.seek(20)")
    desk.at(20)
    page.keyboard.down("k")
    desk.press("l", "l")
    desk.at(22)
    desk.press("j")
    desk.at(21)
    page.keyboard.up("k")
    desk.playing(False)
    desk.press("Space")
    desk.playing(True)
    desk.press("e")  # a label while it plays: shown, and not said
    expect(shown).not_to_be_empty()
    expect(said).to_be_empty()
    desk.press("Space")
    desk.playing(False)
    expect(said).not_to_be_empty()
