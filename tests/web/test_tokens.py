"""The colours of the design system, read as text is read: by contrast (WCAG 2.2)."""

from __future__ import annotations

import math
import re
from itertools import combinations
from pathlib import Path

import pytest

ON_SHEETS = ("text", "muted", "accent", "accent-strong", "good", "bad", "warn")
SHEETS = ("ground", "card", "sunken")
TEXTS = [
    *((text, sheet) for text in ON_SHEETS for sheet in SHEETS),
    *((name, f"{name}-ground") for name in ("good", "bad", "warn")),
    ("text", "accent-soft"),
    ("text", "warn-ground"),
    ("text", "bad-ground"),
    ("text", "good-ground"),
    ("accent-text", "accent"),
    ("accent-text", "accent-strong"),
    ("bar-text", "bar"),
    ("bar-muted", "bar"),
    *(("on-colour", f"c{n}") for n in range(8)),
]
EDGES = [("line", "card"), ("focus", "card"), ("focus", "ground"), ("bar-accent", "bar")]


def themes(project_root: Path) -> dict[str, dict[str, str]]:
    text = (project_root / "web" / "static" / "web" / "tokens.css").read_text()
    blocks = re.findall(r"(:root[^{\n]*) \{([^}]*)\}", text)
    colours = [
        dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6});", body)) for _, body in blocks if "#" in body
    ]
    return dict(zip(("light", "system dark", "chosen dark"), colours, strict=True))


def contrast(one: str, other: str) -> float:
    """WCAG 2.2's contrast ratio of two `#rrggbb`."""

    def luminance(colour: str) -> float:
        channels = [int(colour[n : n + 2], 16) / 255 for n in (1, 3, 5)]
        linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    darker, lighter = sorted((luminance(one), luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


def apart(one: str, other: str) -> float:
    """How different two colours look: a hundred times their distance in Oklab (Ottosson 2020)."""

    def oklab(colour: str) -> tuple[float, float, float]:
        channels = [int(colour[n : n + 2], 16) / 255 for n in (1, 3, 5)]
        r, g, b = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels)
        long = (0.4122214708 * r + 0.5363325363 * g + 0.0514459929 * b) ** (1 / 3)
        middle = (0.2119034982 * r + 0.6806995451 * g + 0.1073969566 * b) ** (1 / 3)
        short = (0.0883024619 * r + 0.2817188376 * g + 0.6299787005 * b) ** (1 / 3)
        return (
            0.2104542553 * long + 0.7936177850 * middle - 0.0040720468 * short,
            1.9779984951 * long - 2.4285922050 * middle + 0.4505937099 * short,
            0.0259040371 * long + 0.7827717662 * middle - 0.8086757660 * short,
        )

    return 100 * math.dist(oklab(one), oklab(other))


def test_dark_is_the_same_whether_the_system_or_the_person_wants_it(project_root: Path) -> None:
    found = themes(project_root)
    assert found["system dark"] == found["chosen dark"]
    assert set(found["light"]) == set(found["chosen dark"])


@pytest.mark.parametrize("theme", ["light", "chosen dark"])
def test_text_and_edges_can_be_read(project_root: Path, theme: str) -> None:
    colours = themes(project_root)[theme]
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    faint = {
        (text, ground): round(contrast(colours[text], colours[ground]), 2)
        for pairs, wanted in ((TEXTS, 4.5), (EDGES, 3))
        for text, ground in pairs
        if contrast(colours[text], colours[ground]) < wanted
    }
    assert faint == {}


@pytest.mark.parametrize("theme", ["light", "chosen dark"])
def test_action_types_are_told_apart_by_their_colours(project_root: Path, theme: str) -> None:
    """ "Move" and "Cut" were 2.8 apart, both brown. On the sheets they are seen as well."""
    colours = themes(project_root)[theme]
    assert apart("#000000", "#ffffff") == pytest.approx(100, abs=0.01)
    types = [f"c{n}" for n in range(8)]
    alike = {
        (one, other): round(apart(colours[one], colours[other]), 1)
        for one, other in combinations(types, 2)
        if apart(colours[one], colours[other]) < 10
    }
    assert alike == {}
    sunk = {name for name in types if apart(colours[name], colours["sunken"]) < 6}
    assert sunk == set()
