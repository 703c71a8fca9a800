"""Take the pictures of the README from a running demo, after `make demo-story`.

    python docs/screenshots.py [--url http://127.0.0.1:8000] [--into docs/images]

Needs playwright and a Chromium: CHROMIUM=/usr/bin/chromium, or `playwright install chromium`.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from playwright.sync_api import Browser, Page, ViewportSize, sync_playwright

PASSWORD = "frame-by-frame"
SIZE: ViewportSize = {"width": 1280, "height": 900}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--url", default="http://127.0.0.1:8000")
    parser.add_argument("--into", type=Path, default=Path(__file__).parent / "images")
    parser.add_argument("--dark", action="store_true")
    parser.add_argument("--all", action="store_true", help="every page, not only the README's")
    arguments = parser.parse_args()
    arguments.into.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=os.environ.get("CHROMIUM") or None, args=["--no-sandbox"]
        )
        for name, email, address in shots(arguments.all):
            page = signed_in(browser, arguments.url, email, dark=arguments.dark)
            page.goto(arguments.url + address)
            if name == "home-contractor":
                hold_a_task(page)
            if name == "review":
                page.locator("tr", has_text="changes requested").first.locator("a").click()
            page.screenshot(path=arguments.into / f"{name}.png")
            sys.stdout.write(f"{arguments.into / name}.png\n")
            page.context.close()
        browser.close()
    return 0


def shots(everything: bool) -> list[tuple[str, str, str]]:
    """(file name, who is signed in, address)."""
    chosen = [
        ("home-contractor", "ada@demo.example", "/work/"),
        ("review", "reviewer@demo.example", "/reviews/"),
    ]
    if everything:
        chosen += [
            ("refused", "cleo@demo.example", "/work/"),
            ("results", "ben@demo.example", "/work/results/"),
            ("earnings", "ben@demo.example", "/work/earnings/"),
            ("desk", "reviewer@demo.example", "/reviews/?page=1"),
            ("projects", "manager@demo.example", "/projects/"),
            ("project", "manager@demo.example", "/projects/1/"),
            ("money", "finance@demo.example", "/money/"),
        ]
    return chosen


def signed_in(browser: Browser, url: str, email: str, *, dark: bool) -> Page:
    """A page of a browser of its own in which this person has logged in."""
    context = browser.new_context(
        viewport=SIZE,
        color_scheme="dark" if dark else "light",
    )
    page = context.new_page()
    page.goto(f"{url}/log-in/")
    page.fill("#id_username", email)
    page.fill("#id_password", PASSWORD)
    page.click("main button")
    page.wait_for_load_state("networkidle")
    return page


def hold_a_task(page: Page) -> None:
    """Read the guideline if need be, and claim the next task unless one is held already."""
    if page.locator("#claims + .scroll").count():
        return
    if page.get_by_text("Read the guideline").count():
        page.get_by_text("Read the guideline").first.click()
        page.get_by_text("I have read version").click()
    page.get_by_text("Claim the next task").first.click()


if __name__ == "__main__":
    sys.exit(main())
