"""The queue over HTTP: who may do what, what it answers, and how many queries a list takes."""

from __future__ import annotations

from typing import Any

import pytest
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries
from rest_framework.test import APIClient

from contractors.models import Contractor
from tasks import services
from tasks.models import Assignment, Project, ProjectPace, Submission, Task
from tests import factories
from tests.factories import client_for

pytestmark = pytest.mark.django_db

WORK: dict[str, Any] = {
    "screening": {"verdict": "usable"},
    "segments": [
        {"start_frame": 0, "end_frame": 90, "hands": "right", "action_type": "pick_up",
         "description": "Pick up the cup"},
        {"start_frame": 90, "end_frame": 300, "hands": "both", "action_type": "pour",
         "description": "Pour water"},
    ],
}  # fmt: skip


@pytest.fixture
def project() -> Project:
    return factories.project(overlap=2)


def claim(client: APIClient, project: Project, **headers: str) -> Any:
    return client.post("/api/v1/assignments/", {"project": project.pk}, headers=headers)


def test_a_whole_task_over_http(project: Project) -> None:
    task = factories.open_tasks(project)[0]
    client = client_for(factories.worker(project))

    answer = claim(client, project)
    assert answer.status_code == 201
    body = answer.json()
    assert (body["task"], body["price_cents"], body["state"]) == (task.pk, 1600, "active")
    assert body["media"]["kind"] == "source"
    address = f"/api/v1/assignments/{body['id']}"

    assert client.post(f"{address}/renew/").status_code == 200
    saved = client.put(f"{address}/draft/", {"body": {"n": 1}}, headers={"If-Match": '"0"'})
    assert (saved.status_code, saved["ETag"]) == (200, '"1"')
    submitted = client.post(f"{address}/submissions/", WORK)
    assert submitted.status_code == 201
    assert submitted.json()["segments"] == WORK["segments"]
    over = client.get(f"{address}/").json()
    assert (over["state"], over["is_live"], over["media"]) == ("submitted", False, None)


def test_the_busy_routes_ask_the_database_little(
    project: Project, django_assert_num_queries: Any
) -> None:
    factories.open_tasks(project, 2)
    client = client_for(factories.worker(project))
    services.fund(actor=None, project=project, amount_cents=100_000, reason="Pilot")
    first = claim(client, project).json()  # works the person's verdict out

    with django_assert_num_queries(1):  # token, person, guards, pick, write
        second = claim(client, project)
    told = second.json()
    again = client.get(f"/api/v1/assignments/{told['id']}/").json()
    for signed_anew in (told, again):
        del signed_anew["media"], signed_anew["server_time"]
    assert (second.status_code, told) == (201, again)
    address = f"/api/v1/assignments/{first['id']}"
    client.put(f"{address}/draft/", {"body": {"n": 1}}, headers={"If-Match": '"0"'})
    with django_assert_num_queries(8):
        client.put(f"{address}/draft/", {"body": {"n": 2}}, headers={"If-Match": '"1"'})
    with django_assert_num_queries(1):
        assert client.post(f"{address}/submissions/", WORK).status_code == 201


def test_refusals_are_problems_with_a_reason(project: Project) -> None:
    factories.open_tasks(project)
    answer = claim(client_for(factories.worker(project, area="US-NY")), project)
    assert answer.status_code == 403
    assert answer["Content-Type"] == "application/problem+json"
    assert answer.json() == {
        "type": "/problems/not-eligible",
        "title": "This project can't take work from where you live.",
        "status": 403,
        "detail": answer.json()["detail"],
        "instance": "/api/v1/assignments/",
        "area": "US-NY",
    }
    assert "New York" in answer.json()["detail"]


def test_an_empty_queue_says_when_to_come_back(project: Project) -> None:
    answer = claim(client_for(factories.worker(project)), project)
    assert (answer.status_code, answer["Retry-After"]) == (404, "30")
    assert answer.json()["type"] == "/problems/queue-empty"
    assert answer.json()["out_of_reach"] == {}


def test_an_empty_queue_counts_what_is_out_of_reach_by_guard(project: Project) -> None:
    person = factories.worker(project)
    factories.open_tasks(project)
    mine = claim(client_for(person), project).json()
    client_for(person).post(f"/api/v1/assignments/{mine['id']}/return/")
    unread, closed, empty = factories.project(), factories.project(), factories.project()
    factories.open_tasks(unread, 2)
    factories.open_tasks(closed, 3)
    closed.needs_qualification = True
    closed.save(update_fields=["needs_qualification"])
    paused = factories.project()
    factories.open_tasks(paused)
    paused.state = Project.State.PAUSED
    paused.save(update_fields=["state"])
    assert empty.tasks.count() == 0
    answer = claim(client_for(person), project)
    assert answer.status_code == 404
    assert answer.json()["out_of_reach"] == {
        "already-worked-on": 1,
        "guideline-not-acknowledged": 2,
        "not-qualified": 3,
    }


def test_why_lists_every_guard_that_fails(project: Project) -> None:
    stranger = factories.contractor(area="US-CA", state="offered")
    answer = client_for(stranger).get(f"/api/v1/projects/{project.pk}/why/").json()
    assert answer["may_claim"] is False
    assert [refusal["type"].rsplit("/")[-1] for refusal in answer["refusals"]] == [
        "account-not-active",
        "not-eligible",
        "guideline-not-acknowledged",
    ]
    factories.open_tasks(project)
    fine = client_for(factories.worker(project)).get(f"/api/v1/projects/{project.pk}/why/").json()
    assert fine == {"may_claim": True, "refusals": []}


def test_the_same_idempotency_key_claims_once(project: Project) -> None:
    factories.open_tasks(project, 2)
    client = client_for(factories.worker(project))
    first = claim(client, project, **{"Idempotency-Key": "k1"})
    again = claim(client, project, **{"Idempotency-Key": "k1"})
    assert (first.status_code, again.status_code) == (201, 201)
    assert again.json() == first.json()
    assert again["Idempotency-Replayed"] == "true"
    assert Assignment.objects.count() == 1
    other = factories.project()
    clash = claim(client, other, **{"Idempotency-Key": "k1"})
    assert (clash.status_code, clash.json()["type"]) == (422, "/problems/idempotency-key-reused")


def test_a_timeline_is_refused_segment_by_segment(project: Project) -> None:
    factories.open_tasks(project)
    client = client_for(factories.worker(project))
    address = f"/api/v1/assignments/{claim(client, project).json()['id']}/submissions/"
    bad = {**WORK, "segments": [{**WORK["segments"][0], "end_frame": 301}]}
    answer = client.post(address, bad)
    assert answer.status_code == 422
    error = answer.json()["errors"][0]
    assert (error["segment"], error["code"], error["pointer"]) == (
        1, "past_the_end", "/segments/0/end_frame",
    )  # fmt: skip
    assert not Submission.objects.exists()


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"hands": "third"}, "/segments/0/hands"),
        ({"start_frame": "soon"}, "/segments/0/start_frame"),
        ({"start_frame": None}, "/segments/0/start_frame"),
    ],
)
def test_a_malformed_segment_is_located(
    project: Project, change: dict[str, Any], pointer: str
) -> None:
    factories.open_tasks(project)
    client = client_for(factories.worker(project))
    address = f"/api/v1/assignments/{claim(client, project).json()['id']}/submissions/"
    answer = client.post(address, {**WORK, "segments": [{**WORK["segments"][0], **change}]})
    assert answer.status_code == 400
    assert answer.json()["errors"][0]["pointer"] == pointer


def test_a_stale_draft_is_412_with_the_newer_revision(project: Project) -> None:
    factories.open_tasks(project)
    client = client_for(factories.worker(project))
    address = f"/api/v1/assignments/{claim(client, project).json()['id']}/draft/"
    assert client.put(address, {"body": {}}).status_code == 428
    client.put(address, {"body": {"n": 1}}, headers={"If-Match": '"0"'})
    stale = client.put(address, {"body": {"n": 2}}, headers={"If-Match": '"0"'})
    assert (stale.status_code, stale["ETag"]) == (412, '"1"')
    assert stale.json()["draft"] == {"n": 1}
    assert client.get(address).json()["body"] == {"n": 1}


HOLDER_CALLS = [
    ("get", ""), ("post", "renew/"), ("get", "draft/"), ("put", "draft/"),
    ("post", "submissions/"), ("post", "return/"), ("post", "reclaim/"),
]  # fmt: skip


@pytest.mark.parametrize(("method", "path"), HOLDER_CALLS)
def test_nobody_reaches_anothers_claim(project: Project, method: str, path: str) -> None:
    factories.open_tasks(project)
    assignment = factories.claimed(project)
    address = f"/api/v1/assignments/{assignment.pk}/{path}"
    for stranger in (factories.worker(project), factories.reviewer()):
        answer = getattr(client_for(stranger), method)(address, WORK)
        assert answer.status_code in (403, 404)
    assert getattr(client_for(None), method)(address, WORK).status_code == 401
    if path:  # a manager may look at a claim, but not act as its holder
        assert getattr(client_for(factories.manager()), method)(address, WORK).status_code == 403
    assignment.refresh_from_db()
    assert assignment.state == "active"
    assert not Submission.objects.exists()


def test_the_holder_gets_the_frame_times_and_nobody_else(project: Project) -> None:
    factories.open_tasks(project, frames=300)
    assignment = factories.claimed(project)
    address = f"/api/v1/assignments/{assignment.pk}/frame-times/"
    table = client_for(assignment.contractor).get(address).json()
    assert (table["frame_count"], table["time_base"], table["first"]) == (300, [1, 30], 0)
    assert table["runs"] == [[1, 299]]
    assert client_for(factories.worker(project)).get(address).status_code == 404


def test_the_brief_has_the_pinned_guideline_and_the_pace_for_the_holder_only(
    project: Project, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    factories.open_tasks(project)
    assignment = factories.claimed(project)
    address = f"/api/v1/assignments/{assignment.pk}/brief/"
    newer = services.write_guideline(
        actor=None, project=project, title="Newer", body="# New", changelog="All of it"
    )
    services.publish_guideline(actor=None, guideline=newer)
    holder = client_for(assignment.contractor)
    fresh = holder.get(address).json()
    assert fresh["project_name"] == project.name
    assert fresh["guideline"]["id"] == assignment.guideline_id
    assert fresh["guideline"]["body"] == "# Cut on contact"
    assert (fresh["active_seconds"], fresh["median_active_seconds"]) == (0.0, None)
    assert fresh["cents_per_hour"] is None

    factories.age(assignment, seconds=60)
    services.heartbeat(assignment=assignment, events=3)
    ProjectPace.objects.create(
        project=project,
        samples=9,
        median_active_ms=1_800_000,
        cents_per_hour=3200,
        measured_at=timezone.now(),
    )
    with django_assert_num_queries(2):  # the token, the claim
        measured = holder.get(address).json()
    assert 60 <= measured["active_seconds"] < 70
    assert measured["median_active_seconds"] == 1800.0
    assert measured["cents_per_hour"] == 3200  # $16.00 in half an hour
    for other in (factories.worker(project), factories.manager()):
        assert client_for(other).get(address).status_code in (403, 404)


def test_nobody_reads_anothers_submission(project: Project) -> None:
    factories.open_tasks(project)
    submission = factories.submitted(factories.claimed(project))
    address = f"/api/v1/submissions/{submission.pk}/"
    stranger = client_for(factories.worker(project))
    assert stranger.get(address).status_code == 404
    assert stranger.get("/api/v1/submissions/").json()["results"] == []
    assert client_for(factories.manager()).get(address).status_code == 200


MANAGER_CALLS = [
    ("post", "/api/v1/projects/"), ("patch", "/api/v1/projects/{project}/"),
    ("post", "/api/v1/projects/{project}/price-versions/"),
    ("post", "/api/v1/projects/{project}/guidelines/"),
    ("post", "/api/v1/guidelines/{guideline}/publish/"),
    ("get", "/api/v1/tasks/"), ("post", "/api/v1/tasks/"), ("get", "/api/v1/tasks/{task}/"),
    ("post", "/api/v1/tasks/{task}/pause/"), ("post", "/api/v1/tasks/{task}/cancel/"),
    ("post", "/api/v1/assignments/{assignment}/release/"),
]  # fmt: skip


@pytest.mark.parametrize(("method", "address"), MANAGER_CALLS)
def test_what_managers_do_is_closed_to_others(project: Project, method: str, address: str) -> None:
    task = factories.open_tasks(project)[0]
    assignment = factories.claimed(project)
    url = address.format(
        project=project.pk,
        task=task.pk,
        assignment=assignment.pk,
        guideline=assignment.guideline_id,
    )
    for person in (assignment.contractor, factories.reviewer(), factories.finance()):
        assert getattr(client_for(person), method)(url, {"reason": "x"}).status_code == 403
    assert getattr(client_for(None), method)(url).status_code == 401


def test_a_manager_sets_a_project_up() -> None:
    client = client_for(factories.manager())
    policy = factories.policy()
    made = client.post("/api/v1/projects/", {"name": "Kitchens", "policy": policy.pk}).json()
    assert (made["price_cents"], made["overlap"], made["currency"]) == (1600, 2, "USD")
    guideline = client.post(
        f"/api/v1/projects/{made['id']}/guidelines/",
        {"title": "G", "body": "# Cut", "changelog": "First"},
    ).json()
    assert client.post(f"/api/v1/guidelines/{guideline['id']}/publish/").status_code == 200
    video = factories.video()
    tasks = client.post(
        "/api/v1/tasks/", {"project": made["id"], "videos": [video.pk], "open": True}
    )
    assert [task["state"] for task in tasks.json()] == ["open"]
    repriced = client.post(
        f"/api/v1/projects/{made['id']}/price-versions/",
        {"price_cents": 1800, "screening_fee_cents": 200, "reason": "Longer videos"},
    )
    assert (repriced.status_code, repriced.json()["number"]) == (201, 2)
    assert client.get(f"/api/v1/projects/{made['id']}/").json()["price_cents"] == 1800


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"overlap": 3, "max_overlap": 2}, "/max_overlap"),
        ({"lease_seconds": 10}, "/lease_seconds"),
        ({"action_types": [{"key": "a"}]}, "/action_types"),
        ({"live_claim_cap": 0}, "/live_claim_cap"),
    ],
)
def test_settings_that_cannot_work_are_refused(
    project: Project, change: dict[str, Any], pointer: str
) -> None:
    answer = client_for(factories.manager()).patch(f"/api/v1/projects/{project.pk}/", change)
    assert answer.status_code == 400
    assert [error["pointer"] for error in answer.json()["errors"]] == [pointer]


def test_a_manager_cannot_open_what_is_not_ready(project: Project) -> None:
    bare = factories.project(guideline=False)
    answer = client_for(factories.manager()).post(
        "/api/v1/tasks/", {"project": bare.pk, "videos": [factories.video().pk], "open": True}
    )
    assert (answer.status_code, answer.json()["type"]) == (409, "/problems/project-not-ready")
    assert not Task.objects.exists()


def test_an_unpublished_guideline_is_for_managers_only(project: Project) -> None:
    draft = services.write_guideline(
        actor=None, project=project, title="v2", body="x", changelog="y"
    )
    address = f"/api/v1/guidelines/{draft.pk}/"
    assert client_for(factories.contractor()).get(address).status_code == 404
    assert client_for(factories.manager()).get(address).status_code == 200


LISTS = {
    "/api/v1/assignments/": 2,  # token and person, rows
    "/api/v1/submissions/": 3,  # … and their segments
    "/api/v1/projects/": 4,  # … prices, guidelines
}


@pytest.mark.parametrize("address", LISTS)
def test_a_list_takes_the_same_queries_however_long(
    project: Project, address: str, django_assert_num_queries: Any
) -> None:
    person = factories.worker(project)
    Project.objects.update(live_claim_cap=50)
    project.refresh_from_db()
    for count in (1, 4):
        for _ in factories.open_tasks(project, count):
            factories.submitted(factories.claimed(project, person))
        factories.project()
        client = client_for(person)
        with django_assert_num_queries(LISTS[address]):
            rows = client.get(address).json()["results"]
        assert rows


def test_live_claims_of_one_person(
    project: Project, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    person, other = factories.worker(project), factories.worker(project)
    Project.objects.update(live_claim_cap=9)
    project.refresh_from_db()
    factories.open_tasks(project, 4)
    live = factories.claimed(project, person)
    factories.submitted(factories.claimed(project, person))
    services.return_task(assignment=factories.claimed(project, person))
    theirs = factories.claimed(project, other)
    over = set(person.assignments.exclude(pk=live.pk).values_list("pk", flat=True))
    mine, every = client_for(person), client_for(factories.manager())

    def found(client: APIClient, **asked: Any) -> set[int]:
        rows = client.get("/api/v1/assignments/", asked).json()["results"]
        return {row["id"] for row in rows}

    with django_assert_num_queries(2):  # token and person, rows
        assert found(mine, is_live="true", contractor=person.pk) == {live.pk}
    assert found(mine, is_live="false") == over
    assert found(mine, contractor=other.pk) == set()  # not theirs to see
    assert found(every, is_live="true") == {live.pk, theirs.pk}
    assert found(every, is_live="true", contractor=person.pk) == {live.pk}
    assert mine.get("/api/v1/assignments/", {"contractor": "x"}).status_code == 400


def test_the_task_list_takes_three_queries(
    project: Project, django_assert_num_queries: Any
) -> None:
    factories.open_tasks(project, 5)
    client = client_for(factories.manager())
    with django_assert_num_queries(3):  # token and person, the filter's project, rows
        rows = client.get("/api/v1/tasks/", {"project": project.pk}).json()["results"]
    assert len(rows) == 5


def test_a_list_is_paged(project: Project) -> None:
    tasks = factories.open_tasks(project, 3)
    client = client_for(factories.manager())
    first = client.get("/api/v1/tasks/?page_size=2").json()
    second = client.get(first["next"]).json()
    assert [row["id"] for row in first["results"] + second["results"]] == [
        task.pk for task in reversed(tasks)
    ]
    assert second["next"] is None


def test_a_contractor_acknowledges_and_then_claims(project: Project) -> None:
    factories.open_tasks(project)
    person: Contractor = factories.contractor()
    client = client_for(person)
    refused = claim(client, project)
    assert refused.json()["type"] == "/problems/guideline-not-acknowledged"
    address = f"/api/v1/guidelines/{refused.json()['guideline']}/acknowledge/"
    assert [client.post(address).status_code for _ in range(2)] == [204, 204]
    assert claim(client, project).status_code == 201
