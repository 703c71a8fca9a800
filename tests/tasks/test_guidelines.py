"""Versions of the instructions: what each changed, and what was made under it."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import IntegrityError
from hypothesis import given
from hypothesis import strategies as st

from reviews.services import score_task
from tasks import problems, services
from tasks.guideline_changes import changed_lines
from tasks.models import Guideline, Project
from tests import factories
from tests.factories import client_for
from tests.raw_sql import execute
from tests.reviews.scene import GOOD, MIDDLING, handed_in

FIRST = "# Cut on contact\n\nUse both hands for both hands.\nName the object.\n"
SECOND = "# Cut on contact\n\nUse both hands for both hands.\nName the object and its colour.\n"


def next_version(project: Project, body: str = SECOND, title: str = "Kitchen") -> Guideline:
    draft = services.write_guideline(
        actor=None, project=project, title=title, body=body, changelog="Colours"
    )
    return services.publish_guideline(actor=None, guideline=draft)


def test_changes_are_lines_with_their_numbers() -> None:
    (hunk,) = changed_lines(FIRST, SECOND)
    assert [(line.kind, line.before, line.after) for line in hunk] == [
        ("kept", 1, 1),
        ("kept", 2, 2),
        ("kept", 3, 3),
        ("removed", 4, None),
        ("added", None, 4),
    ]
    assert changed_lines(FIRST, FIRST) == []


def test_changes_far_apart_are_hunks_of_their_own() -> None:
    lines = [f"{n}" for n in range(40)]
    changed = ["x", *lines[1:39], "y"]
    first, last = changed_lines("\n".join(lines), "\n".join(changed))
    assert [line.text for line in first] == ["0", "x", "1", "2", "3"]
    assert [line.text for line in last] == ["36", "37", "38", "39", "y"]


TEXT = st.lists(st.sampled_from(["a", "b", "c", ""]), max_size=12).map("\n".join)


@given(TEXT, TEXT)
def test_the_added_lines_rebuild_the_new_version(before: str, after: str) -> None:
    """Patch the old lines with the hunks: the new ones come out."""
    old, new = before.splitlines(), after.splitlines()
    rebuilt: list[str] = []
    at = 0
    for hunk in changed_lines(before, after):
        starts = [line.before for line in hunk if line.before is not None]
        # A hunk without lines of the old version starts where its first new line stands.
        start = starts[0] - 1 if starts else at
        rebuilt += old[at:start]
        rebuilt += [line.text for line in hunk if line.kind != "removed"]
        at = start + len(starts)
    assert rebuilt + old[at:] == new


@pytest.mark.django_db
class TestOverHttp:
    def test_what_a_version_changed(self) -> None:
        project = factories.project(guideline=False)
        one = next_version(project, FIRST, "Kitchens")
        two = next_version(project)
        three = next_version(project, SECOND + "Skip the end.\n")
        client = client_for(factories.contractor())
        told = client.get(f"/api/v1/guidelines/{two.pk}/changes/").json()
        hunks = told.pop("hunks")
        assert told == {
            "before": 1, "after": 2, "changelog": "Colours", "title_before": "Kitchens",
            "title_after": "Kitchen",
        }  # fmt: skip
        assert hunks[0][3:] == [
            {"kind": "removed", "text": "Name the object.", "before": 4, "after": None},
            {"kind": "added", "text": "Name the object and its colour.", "before": None,
             "after": 4},
        ]  # fmt: skip
        since = client.get(f"/api/v1/guidelines/{three.pk}/changes/", {"since": 1}).json()
        assert (since["before"], since["after"]) == (1, 3)
        assert [line["text"] for line in since["hunks"][0] if line["kind"] == "added"] == [
            "Name the object and its colour.",
            "Skip the end.",
        ]
        first = client.get(f"/api/v1/guidelines/{one.pk}/changes/").json()
        assert first["before"] is None
        assert {line["kind"] for line in first["hunks"][0]} == {"added"}

    @pytest.mark.parametrize("since", ["4", "0", "x", "-1", "²"])
    def test_a_version_that_nobody_can_see_is_not_found(self, since: str) -> None:
        project = factories.project()
        two = next_version(project)
        services.write_guideline(actor=None, project=project, title="v3", body="x", changelog="y")
        client = client_for(factories.contractor())
        address = f"/api/v1/guidelines/{two.pk}/changes/"
        assert client.get(address, {"since": since}).status_code == 404
        assert client.get(address, {"since": "3"}).status_code == 404, "not published"
        assert client_for(None).get(address).status_code == 401

    def test_which_submissions_were_made_under_a_version(
        self, django_assert_num_queries: Any
    ) -> None:
        project = factories.project(overlap=1, live_claim_cap=9)
        factories.open_tasks(project, 4)
        one = project.guidelines.get()
        person = factories.worker(project)
        early = factories.submitted(factories.claimed(project, person))
        pinned = factories.claimed(project, person)
        two = next_version(project)
        services.acknowledge_guideline(contractor=person, guideline=two)
        late = factories.submitted(pinned)
        new = factories.submitted(factories.claimed(project, person))
        client = client_for(factories.manager())
        other = factories.project()
        factories.open_tasks(other)
        elsewhere = factories.submitted(factories.claimed(other))

        def ids(address: str, **query: Any) -> list[int]:
            return [row["id"] for row in client.get(address, query).json()["results"]]

        with django_assert_num_queries(4):  # token and person, guideline, rows, segments
            under = ids(f"/api/v1/guidelines/{one.pk}/submissions/")
        assert under == [late.pk, early.pk], "the version pinned at the claim, not at the hand-in"
        assert ids(f"/api/v1/guidelines/{two.pk}/submissions/") == [new.pk]
        listed = "/api/v1/submissions/"
        assert ids(listed, assignment__guideline=one.pk) == [late.pk, early.pk]
        version_one = ids(listed, assignment__guideline__version=1)
        assert version_one == [elsewhere.pk, late.pk, early.pk]
        assert ids(
            listed, assignment__guideline__version=1, assignment__task__project=project.pk
        ) == [late.pk, early.pk]
        own = client_for(person).get(listed, {"assignment__guideline": two.pk}).json()["results"]
        assert [row["id"] for row in own] == [new.pk]
        for stranger in (person.user, factories.reviewer()):
            answer = client_for(stranger).get(f"/api/v1/guidelines/{one.pk}/submissions/")
            assert answer.status_code == 403

    def test_the_reviewer_sees_the_version_of_the_claim(self) -> None:
        _, submissions = handed_in(GOOD, MIDDLING)
        project = submissions[0].assignment.task.project
        next_version(project, "# Another way")
        score_task(submissions[0].assignment.task_id)
        review = client_for(factories.reviewer()).post("/api/v1/reviews/").json()
        assert (review["guideline"]["version"], review["guideline"]["body"]) == (
            1, "# Cut on contact",
        )  # fmt: skip

    @pytest.mark.parametrize(
        "sql",
        [
            "UPDATE tasks_guideline SET body = 'Another way' WHERE version = 1",
            "UPDATE tasks_guideline SET published_at = NULL WHERE version = 1",
            "DELETE FROM tasks_guideline WHERE version = 1",
        ],
    )
    def test_a_published_version_is_never_rewritten(self, sql: str) -> None:
        project = factories.project()
        with pytest.raises(problems.GuidelinePublished):
            services.publish_guideline(actor=None, guideline=project.guidelines.get())
        two = services.write_guideline(
            actor=None, project=project, title="v2", body="x", changelog="y"
        )
        assert two.version == 2
        with pytest.raises(IntegrityError, match="is published"):
            execute(sql)
        execute("UPDATE tasks_guideline SET body = 'y' WHERE version = 2")
        assert project.guidelines.get(version=1).body == "# Cut on contact"
