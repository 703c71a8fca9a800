from __future__ import annotations

from pathlib import Path

from annotation_platform.api.page import as_markdown


def test_the_page_is_what_the_code_says(project_root: Path) -> None:
    page = (project_root / "docs" / "api.md").read_text()
    assert page == as_markdown(), "run `python manage.py draw_api`"
