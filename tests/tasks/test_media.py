"""What the holder of a claim gets to see and hear, and nobody else."""

from __future__ import annotations

from typing import Any

import pytest
from django.db.models import F
from django.utils.dateparse import parse_datetime

from annotation_platform.clock import database_now
from reviews import services
from tests import factories
from tests.factories import client_for, made_from
from tests.reviews.scene import GOOD, MIDDLING, handed_in
from videos.models import Video, VideoJob

pytestmark = pytest.mark.django_db

WHOLE = {"url", "kind", "zero_seconds", "expires_at", "filmstrip", "peaks", "large"}


def test_the_holder_gets_links_to_all_that_was_made() -> None:
    project = factories.project()
    factories.open_tasks(project)
    assignment = factories.claimed(project)
    address = f"/api/v1/assignments/{assignment.pk}/"
    client = client_for(assignment.contractor)
    before = client.get(address).json()["media"]
    assert set(before) == WHOLE
    assert (before["kind"], before["filmstrip"], before["peaks"], before["large"]) == (
        "source", None, None, None,
    )  # fmt: skip

    made_from(assignment.task.video)
    media = client.get(address).json()["media"]
    assert media["kind"] == "proxy"
    expires = parse_datetime(media["expires_at"])
    assert expires is not None
    assert 3500 < (expires - database_now()).total_seconds() <= 3601
    assert media["filmstrip"]["frames"] == [0, 30]
    links = [media["url"], media["peaks"], *media["filmstrip"]["sheets"]]
    assert len(set(links)) == 3
    assert all(link.startswith("/api/v1/media/") for link in links)
    assert client.get(f"{address}media/").json().keys() == WHOLE
    index = client.get(f"{address}filmstrip.vtt/")
    assert index["Content-Type"].startswith("text/vtt")
    assert index.content.count(b"#xywh=") == 2


def test_nobody_else_and_nobody_afterwards() -> None:
    project = factories.project()
    factories.open_tasks(project)
    assignment = factories.claimed(project)
    made_from(assignment.task.video)
    address = f"/api/v1/assignments/{assignment.pk}/"
    others: list[tuple[Any, int]] = [
        (factories.worker(project), 404),
        (factories.reviewer(), 404),
        (None, 401),
    ]
    for path in ("media/", "filmstrip.vtt/"):
        for person, status in others:
            assert client_for(person).get(address + path).status_code == status
        assert client_for(factories.manager()).get(address + path).status_code == 200
    factories.submitted(assignment)
    client = client_for(assignment.contractor)
    assert client.get(address).json()["media"] is None
    for path in ("media/", "filmstrip.vtt/"):
        refused = client.get(address + path)
        assert (refused.status_code, refused.json()["type"]) == (409, "/problems/lease-over")
    assert client.post(f"{address}media/").status_code == 409
    assert not VideoJob.objects.filter(stage="large").exists()


def test_media_cost_one_query_more_than_the_claim(django_assert_num_queries: Any) -> None:
    project = factories.project()
    factories.open_tasks(project)
    assignment = factories.claimed(project)
    address = f"/api/v1/assignments/{assignment.pk}/media/"
    client = client_for(assignment.contractor)
    client.get(address)
    made_from(assignment.task.video)
    with django_assert_num_queries(3):  # who asks, the claim, the jobs
        client.get(address)


def test_the_large_proxy_is_made_once_for_whoever_asks() -> None:
    project = factories.project()
    factories.open_tasks(project)
    assignment = factories.claimed(project)
    client = client_for(assignment.contractor)
    address = f"/api/v1/assignments/{assignment.pk}/media/"
    small = client.post(address)
    assert (small.status_code, small.json()["type"]) == (409, "/problems/nothing-larger")
    Video.objects.update(width=F("width") * 4, height=F("height") * 4)
    for _ in range(2):
        asked = client.post(address)
        assert asked.status_code == 202
        assert asked.json()["large"] == {"state": "waiting", "url": None}
    job = VideoJob.objects.get(stage="large")
    VideoJob.objects.filter(pk=job.pk).update(
        state="done", finished_at=database_now(), result={"files": {"large.mp4": "artefacts/l.mp4"}}
    )
    large = client.post(address).json()["large"]
    assert large["state"] == "done"
    assert large["url"].startswith("/api/v1/media/")


def test_the_reviewer_gets_the_same_while_they_hold_the_review() -> None:
    task, _ = handed_in(GOOD, MIDDLING)
    services.score_task(task.pk)
    made_from(task.video)
    client, other = client_for(factories.reviewer()), client_for(factories.reviewer())
    body = client.post("/api/v1/reviews/", {}).json()
    assert set(body["media"]) == WHOLE
    assert body["media"]["filmstrip"]["frames"] == [0, 30]
    address = f"/api/v1/reviews/{body['id']}/"
    paths = ("media/", "filmstrip.vtt/", "frame-times/")
    assert [client.get(address + path).status_code for path in paths] == [200] * 3
    assert [other.get(address + path).status_code for path in paths] == [404] * 3
    client.post(f"{address}release/")
    assert client.get(f"{address}media/").status_code in (404, 409)
    assert client.get(f"{address}filmstrip.vtt/").status_code in (404, 409)
