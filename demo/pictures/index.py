"""The page that lists all pictures, and the one picture that no address leads to."""

from __future__ import annotations

import os
from pathlib import Path

from demo.pictures.shots import AREAS, Shot

WAYS = {"": "light", "dark": "dark", "narrow": "narrow"}
HEAD = """\
# Every page, in every state

Made by `make pictures` from a demo of its own; what is shown are demo people. Pages are named as in
`web/urls.py`. Choose a picture to see it whole.
"""


def write_index(folder: Path) -> None:
    """Write README.md beside the pictures."""
    (folder / "README.md").write_text(index())


def index() -> str:
    """The pictures by area and page, as Markdown."""
    parts = [HEAD]
    for area, shots in AREAS.items():
        parts.append(f"\n## {area}\n")
        pages: dict[str, list[Shot]] = {}
        for shot in shots:
            pages.setdefault(shot.page, []).append(shot)
        for page, states in pages.items():
            states.sort(key=lambda shot: shot.state != "")
            pictures = [_picture(shot, way, name) for shot in states for way, name in shot.files()]
            parts.append(f"\n**{page.replace('-', ' ')}**\n\n" + "\n".join(pictures) + "\n")
    return "".join(parts)


def _picture(shot: Shot, way: str, name: str) -> str:
    what = ", ".join(filter(None, (shot.page.replace("-", " "), shot.state.replace("-", " "))))
    said = f"{what}, {WAYS[way]}"
    width = 90 if way == "narrow" else 240
    return f'<a href="{name}"><img src="{name}" width="{width}" alt="{said}" title="{said}"></a>'


def broken_page() -> str:
    """What people see when the server fails (500): the template alone, as Django gives it."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "annotation_platform.settings")
    os.environ.setdefault("PLATFORM_TESTING", "1")
    import django
    from django.test import RequestFactory
    from django.views.defaults import server_error

    django.setup()
    return server_error(RequestFactory().get("/broken/")).content.decode()
