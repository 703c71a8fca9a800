"""The pictures of the pages: none is missing, none is of a page that is no more."""

from __future__ import annotations

from pathlib import Path

import pytest
from django.test import Client
from django.urls import URLPattern

from annotation_platform.urls import urlpatterns as all_patterns
from demo.pictures.index import index
from demo.pictures.shots import (
    BOTH,
    ERROR_PAGES,
    EVERY_WAY,
    LIGHT_ENOUGH,
    NEVER_EMPTY,
    NO_PAGES,
    NOT_OURS,
    SHOTS,
)
from tests import factories
from tests.browser import scene as scenes
from web.urls import urlpatterns

NAMES = {str(pattern.name) for pattern in urlpatterns if isinstance(pattern, URLPattern)}
TAKEN = {shot.page for shot in SHOTS}
LARGEST_BYTES = 8_000_000


@pytest.mark.django_db
def test_every_page_has_its_pictures() -> None:
    assert NO_PAGES.keys() <= NAMES
    assert not NO_PAGES.keys() & TAKEN
    assert TAKEN - {*ERROR_PAGES.values(), "too-many"} == TAKEN & NAMES
    client = Client()
    client.force_login(scenes.everybody(factories.contractor()).user)
    for name in NAMES - TAKEN - NO_PAGES.keys():
        # Whatever is left only takes POST: it is no page of its own.
        assert client.get(scenes.guess(name)).status_code == 405, f"take pictures of {name}"


def test_other_floors_have_no_pages_of_their_own() -> None:
    found = {str(p.name) for p in all_patterns if isinstance(p, URLPattern)}
    assert found == NOT_OURS.keys()


def test_every_page_is_taken_light_dark_and_narrow() -> None:
    usual = {shot.page: shot.ways for shot in SHOTS if not shot.state}
    assert usual == dict.fromkeys(TAKEN, EVERY_WAY)


def test_every_state_is_taken_light_and_dark() -> None:
    """Empty, refused, read-only and broken ones, too; the few that are not say why."""
    ways = {shot.name: shot.ways for shot in SHOTS if shot.state}
    assert {name for name, taken in ways.items() if not {*BOTH} <= {*taken}} == LIGHT_ENOUGH.keys()
    assert all("" in taken for taken in ways.values())


def test_every_page_that_can_be_empty_is_taken_empty() -> None:
    empty = {shot.page for shot in SHOTS if shot.state in ("empty", "none-found")}
    assert TAKEN & NAMES - empty == NEVER_EMPTY.keys()


def test_every_error_has_its_page_and_pictures(project_root: Path) -> None:
    templates = {path.stem for path in (project_root / "web" / "templates").glob("*.html")}
    assert templates == ERROR_PAGES.keys()
    assert set(ERROR_PAGES.values()) <= TAKEN


def test_the_pictures_are_there_and_listed(project_root: Path) -> None:
    folder = project_root / "docs" / "images"
    files = [name for shot in SHOTS for _, name in shot.files()]
    assert len(files) == len(set(files))
    assert {path.name for path in folder.iterdir()} == {*files, "README.md"}, "make pictures"
    assert (folder / "README.md").read_text() == index(), "make pictures"
    assert sum(path.stat().st_size for path in folder.iterdir()) <= LARGEST_BYTES
