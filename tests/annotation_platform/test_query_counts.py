"""Lists that belong to a project take the same queries however many rows they have."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from reviews.models import Run
from reviews.services import set_rule, set_scoring, start_run
from tasks.models import Project
from tasks.services import publish_guideline, set_price, write_guideline
from tests import factories

pytestmark = pytest.mark.django_db


def add_price(project: Project) -> None:
    set_price(
        actor=None, project=project, price_cents=1700, screening_fee_cents=200, reason="Harder"
    )


def add_guideline(project: Project) -> None:
    draft = write_guideline(actor=None, project=project, title="Next", body="x", changelog="y")
    publish_guideline(actor=None, guideline=draft)


def add_rule(project: Project) -> None:
    set_rule(actor=None, project=project, parameters={"accept_s": 0.9}, reason="Pilot")


def add_scoring(project: Project) -> None:
    set_scoring(actor=None, project=project, parameters={}, reason="Pilot")


def add_run(project: Project) -> None:
    Run.objects.filter(project=project).update(state="cancelled", finished_at="2100-01-01T00:00Z")
    start_run(actor=None, project=project, kind="rescore")


LISTS: list[tuple[str, Callable[[Project], None], int]] = [
    # Token and person, the project, what is shown beside it, rows: whatever it is, it stays.
    ("price-versions", add_price, 5),
    ("guidelines", add_guideline, 5),
    ("decision-rules", add_rule, 5),
    ("scorings", add_scoring, 5),
    ("runs", add_run, 2),
]


@pytest.mark.parametrize(("path", "add", "queries"), LISTS, ids=[row[0] for row in LISTS])
def test_a_list_of_a_project(
    path: str, add: Callable[[Project], None], queries: int, django_assert_num_queries: Any
) -> None:
    project = factories.project()
    client = factories.client_for(factories.manager())
    lengths = []
    for _ in range(2):
        for _ in range(2):
            add(project)
        with django_assert_num_queries(queries):
            lengths.append(
                len(client.get(f"/api/v1/projects/{project.pk}/{path}/").json()["results"])
            )
    assert lengths[1] == lengths[0] + 2
