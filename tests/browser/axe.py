"""axe-core against a page as it is now, in both themes."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any

from playwright.sync_api import Page

# What a theme can change: the rest of the page is the same in the other one.
COLOURS = ["color-contrast", "link-in-text-block"]


@lru_cache(maxsize=1)
def _source(path: Path) -> str:
    return path.read_text()


def violations(page: Page, axe: Path) -> list[str]:
    """What axe-core has against the page: all its rules in light, those about colours in dark."""
    told = []
    if not page.evaluate("() => 'axe' in window"):
        page.evaluate(_source(axe))  # the page's policy does not bind the tester
    for theme, only in (("light", None), ("dark", COLOURS)):
        page.emulate_media(color_scheme=theme)  # type: ignore[arg-type]  # a tuple of literals
        found: list[dict[str, Any]] = page.evaluate(
            """async only => (await axe.run(document, {
              resultTypes: ["violations"], ...(only && {runOnly: only}),
            })).violations""",
            only,
        )
        for rule in found:
            for node in rule["nodes"]:
                why = " ".join(check["message"] for check in node["any"])
                told.append(f"{theme}: {rule['id']}: {node['html'][:160]} {why}")
    return told
