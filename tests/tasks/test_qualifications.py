"""Who may work on a project that asks for qualified people."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import IntegrityError

from events.models import Event
from tasks import problems, services
from tasks.models import Qualification
from tests import factories
from tests.factories import client_for
from tests.raw_sql import execute

pytestmark = pytest.mark.django_db


def test_a_qualification_opens_the_project_and_its_end_closes_it() -> None:
    project = factories.project(needs_qualification=True, live_claim_cap=5)
    factories.open_tasks(project, 2)
    person = factories.worker(project)
    manager = factories.manager()
    client = client_for(manager)
    address = f"/api/v1/projects/{project.pk}/qualifications/"
    with pytest.raises(problems.NotQualified):
        factories.claimed(project, person)

    made = client.post(address, {"contractor": person.pk, "reason": "Passed the trial"})
    assert made.status_code == 201
    live = factories.claimed(project, person)
    again = client.post(address, {"contractor": person.pk, "reason": "Twice"})
    assert again.json()["id"] == made.json()["id"]

    ended = client.post(f"{address}{made.json()['id']}/end/", {"reason": "Trial was copied"})
    assert (ended.status_code, ended.json()["end_reason"]) == (200, "Trial was copied")
    over = client.post(f"{address}{made.json()['id']}/end/", {"reason": "Again"})
    assert (over.status_code, over.json()["type"]) == (409, "/problems/qualification-over")
    with pytest.raises(problems.NotQualified):
        factories.claimed(project, person)
    assert services.renew_lease(assignment=live).state == "active"
    assert factories.submitted(live).state == "submitted"
    told = Event.objects.filter(type__startswith="qualification.").order_by("pk")
    assert [(e.type, e.actor_id, e.data["reason"]) for e in told] == [
        ("qualification.granted", manager.pk, "Passed the trial"),
        ("qualification.ended", manager.pk, "Trial was copied"),
    ]


def test_the_list_is_of_one_project(django_assert_num_queries: Any) -> None:
    project, other = factories.project(), factories.project()
    one, two = factories.contractor(), factories.contractor()
    for person, of in ((one, project), (two, project), (one, other)):
        services.grant_qualification(actor=None, contractor=person, project=of, reason="Quiz")
    services.end_qualification(
        actor=None, qualification=Qualification.objects.get(contractor=two), reason="Over"
    )
    client = client_for(factories.manager())
    address = f"/api/v1/projects/{project.pk}/qualifications/"
    with django_assert_num_queries(2):  # token and person, rows
        rows = client.get(address).json()["results"]
    assert [row["contractor"] for row in rows] == [two.pk, one.pk]
    in_force = client.get(address, {"ended_at__isnull": "true"}).json()["results"]
    assert [row["contractor"] for row in in_force] == [one.pk]
    for stranger in (factories.reviewer(), factories.finance(), one.user):
        assert client_for(stranger).get(address).status_code == 403
        assert client_for(stranger).post(address, {}).status_code == 403
    assert client_for(None).get(address).status_code == 401


def test_the_database_keeps_one_in_force() -> None:
    project, person = factories.project(), factories.contractor()
    services.grant_qualification(actor=None, contractor=person, project=project, reason="Quiz")
    with pytest.raises(IntegrityError, match="qualification_one_in_force"):
        execute(
            "INSERT INTO tasks_qualification (contractor_id, project_id, reason, end_reason) "
            "SELECT contractor_id, project_id, 'Again', '' FROM tasks_qualification"
        )
