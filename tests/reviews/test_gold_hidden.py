"""Gold is hidden: no answer to a contractor tells it from any other task."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from django.urls import URLPattern, URLResolver, get_resolver
from rest_framework.test import APIClient

from reviews import services
from tasks.models import Assignment
from tasks.services import record_decision
from tests import factories
from tests.factories import client_for
from tests.reviews.scene import gold

pytestmark = pytest.mark.django_db


def routes(patterns: Any, prefix: str = "") -> Iterator[str]:
    """Every address of the API as a template, with {} for each value in it."""
    for pattern in patterns:
        text = prefix + str(pattern.pattern)
        if isinstance(pattern, URLResolver):
            yield from routes(pattern.url_patterns, text)
        elif isinstance(pattern, URLPattern):
            yield text


def readable(ids: set[int]) -> list[str]:
    """Every GET address under the API, with each known id in each place."""
    found = []
    for route in routes(get_resolver().url_patterns):
        template = re.sub(r"\(\?P<[^>]+>[^)]*\)|<[^>]+>", "{}", route)
        template = template.replace("^", "").replace("$", "").replace("\\Z", "")
        if not template.startswith("api/v1/") or "{}/?" in template or "\\." in template:
            continue
        places = template.count("{}")
        if places == 0:
            found.append(f"/{template}")
        elif places == 1:
            found += [f"/{template.format(pk)}" for pk in sorted(ids)]
    return found


VOLATILE = {"server_time", "url", "sheets", "expires_at"}


def steady(answer: Any) -> Any:
    """An answer without what differs between any two requests."""
    if isinstance(answer, dict):
        return {k: "…" if k in VOLATILE else steady(v) for k, v in answer.items()}
    if isinstance(answer, list):
        return [steady(each) for each in answer]
    return answer


def everything(client: APIClient, ids: set[int]) -> dict[str, Any]:
    seen: dict[str, Any] = {}
    for address in readable(ids):
        answer = client.get(address)
        kind = answer.headers.get("Content-Type", "")
        body = steady(answer.json()) if "json" in kind and "schema" not in address else None
        seen[address] = (answer.status_code, kind, body)
    return seen


def test_no_answer_to_a_contractor_changes_when_their_task_is_gold() -> None:
    """At each stage: everything they can read, before the task is gold and after."""
    project = factories.project(overlap=1)
    factories.open_tasks(project)
    person = factories.worker(project)
    client = client_for(person)
    claim = client.post("/api/v1/assignments/", {"project": project.pk}).json()
    assignment = Assignment.objects.get(pk=claim["id"])
    ids = {assignment.pk, assignment.task_id, project.pk, person.pk, assignment.guideline_id}
    seen_ok: set[str] = set()

    def unchanged() -> None:
        ids.update(assignment.submissions.values_list("pk", flat=True))
        before = everything(client, ids)
        with transaction.atomic():
            gold(assignment.task)
            for submission in assignment.submissions.all():
                assert services.score_gold(submission.pk) is not None
            after = everything(client, ids)
            transaction.set_rollback(True)
        assert {a: before[a] for a in before if before[a] != after[a]} == {}
        seen_ok.update(a for a, (status, *_) in before.items() if status == 200)

    unchanged()
    submission = factories.submitted(assignment)
    unchanged()
    record_decision(submission=submission, outcome="changes_requested", actor=factories.reviewer())
    unchanged()
    for address in (
        "/api/v1/assignments/",
        f"/api/v1/assignments/{assignment.pk}/",
        f"/api/v1/assignments/{assignment.pk}/draft/",
        f"/api/v1/submissions/{submission.pk}/",
        f"/api/v1/projects/{project.pk}/",
        f"/api/v1/projects/{project.pk}/why/",
        "/api/v1/offers/",
        "/api/v1/projects/",
    ):
        assert address in seen_ok, "the walk must reach it"
    assert not [address for address in seen_ok if "gold" in address]


def test_claim_and_submit_of_gold_answer_like_any_other() -> None:
    project = factories.project(overlap=1, live_claim_cap=9)
    one, two = factories.open_tasks(project, 2)
    gold(two)
    client = client_for(factories.worker(project))
    answers: list[list[Any]] = []
    for task in (one, two):
        claim = client.post("/api/v1/assignments/", {"project": project.pk})
        assert claim.json()["task"] == task.pk
        address = f"/api/v1/assignments/{claim.json()['id']}"
        work = {
            "screening": {"verdict": "usable"},
            "segments": [{"start_frame": 0, "end_frame": 90, "hands": "right",
                          "action_type": "pick_up", "description": "Pick up"}],
        }  # fmt: skip
        counts: list[int] = []
        steps: list[Any] = [claim]
        calls: list[Any] = [
            ("post", "renew/", None, {}),
            ("put", "draft/", {"body": {"n": 1}}, {"If-Match": '"0"'}),
            ("post", "submissions/", work, {}),
            ("get", "", None, {}),
        ]
        for method, path, body, headers in calls:
            with CaptureQueriesContext(connection) as captured:
                answer = getattr(client, method)(f"{address}/{path}", body, headers=headers)
            steps.append(answer)
            counts.append(len(captured))
        answers.append(
            [[(s.status_code, sorted(s.headers), sorted(s.json())) for s in steps], counts]
        )
    assert answers[0] == answers[1]
