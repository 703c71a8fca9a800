"""Which task a claim brings, by the order that the project wants."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import IntegrityError

from reviews.services import score_task
from tasks import guards, services
from tasks.models import Assignment, Project, Task
from tasks.services import fast_claim
from tests import factories
from tests.factories import client_for
from tests.raw_sql import execute
from tests.reviews.scene import CLOSE, FAR, GOOD

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def fresh_marks() -> None:
    fast_claim.low_water.forget()


def queue(order: str, tasks: int = 3, **settings: Any) -> tuple[Project, list[Task]]:
    project = factories.project(
        **{"overlap": 3, "queue_order": order, "live_claim_cap": 9, **settings}
    )
    return project, factories.open_tasks(project, tasks)


def brought(project: Project, claims: int) -> list[int]:
    """The tasks that newcomers get, one after the other."""
    return [factories.claimed(project).task_id for _ in range(claims)]


def test_by_age_the_oldest_is_filled_first() -> None:
    project, (one, two, three) = queue("age")
    assert brought(project, 7) == [one.pk] * 3 + [two.pk] * 3 + [three.pk]


def test_breadth_first_every_task_gets_one_before_any_gets_two() -> None:
    project, (one, two, three) = queue("breadth_first")
    assert brought(project, 7) == [one.pk, two.pk, three.pk] * 2 + [one.pk]


def test_depth_first_what_is_begun_is_finished() -> None:
    project, (one, two, three) = queue("depth_first")
    held = factories.claimed(project)
    services.return_task(assignment=held)
    Task.objects.filter(pk=two.pk).update(held_slots=1)
    Assignment.objects.create(
        **{
            field.attname: getattr(held, field.attname)
            for field in Assignment._meta.concrete_fields
            if field.attname not in ("id", "task_id")
        },
        task=two,
    )
    fast_claim.low_water.forget()
    assert brought(project, 6) == [two.pk] * 2 + [one.pk] * 3 + [three.pk]


@pytest.mark.parametrize("quick", [False, True], ids=["guards", "fast"])
def test_depth_first_sees_what_somebody_else_began_at_once(quick: bool) -> None:
    """The mark of where the last search ended must not hide it."""
    project, (one, two, three) = queue("depth_first", overlap=2)
    first, second, third = (factories.worker(project) for _ in range(3))
    if quick:
        for person in (first, second, third):
            list(guards.refusals(person, project))
    assert factories.claimed(project, first).task_id == one.pk
    assert factories.claimed(project, first).task_id == two.pk
    assert factories.claimed(project, second).task_id == one.pk
    assert factories.claimed(project, second).task_id == two.pk
    assert factories.claimed(project, third).task_id == three.pk
    assert factories.claimed(project, second).task_id == three.pk


def test_a_priority_outweighs_any_order() -> None:
    for order in ("age", "breadth_first", "depth_first", "uncertainty"):
        project, (_, _, three) = queue(order)
        Task.objects.filter(pk=three.pk).update(priority=1)
        assert brought(project, 3) == [three.pk] * 3, order


def test_what_agreed_least_goes_first() -> None:
    project, tasks = queue("uncertainty", 3, overlap=3, live_claim_cap=9)
    _, middling, far = tasks
    for task, works in ((middling, (GOOD, CLOSE)), (far, (GOOD, FAR))):
        Task.objects.filter(pk=task.pk).update(priority=9)
        for work in works:
            factories.submitted(factories.claimed(project), work)
        Task.objects.filter(pk=task.pk).update(priority=0)
        fast_claim.low_water.forget()
        score_task(task.pk)
    far.refresh_from_db()
    middling.refresh_from_db()
    assert far.uncertainty is not None
    assert middling.uncertainty is not None
    assert far.uncertainty > 500 > middling.uncertainty > 0
    assert brought(project, 3) == [far.pk, middling.pk, tasks[0].pk]


def test_a_change_reaches_the_tasks_that_are_there_in_batches() -> None:
    project, tasks = queue("age", 5)
    client = client_for(factories.manager())
    answer = client.patch(f"/api/v1/projects/{project.pk}/", {"queue_order": "breadth_first"})
    assert answer.json()["queue_order"] == "breadth_first"
    project.refresh_from_db()
    assert project.queue_order_applied == "age"
    (new,) = factories.open_tasks(project)
    new.refresh_from_db()
    assert new.queue_order == "breadth_first"
    assert [services.spread_queue_order(batch=2) for _ in range(4)] == [2, 2, 1, 0]
    project.refresh_from_db()
    assert project.queue_order_applied == "breadth_first"
    assert set(Task.objects.values_list("queue_order", flat=True)) == {"breadth_first"}
    assert brought(project, 2) == [tasks[0].pk, tasks[1].pk]


def test_an_unknown_order_is_refused() -> None:
    project, _ = queue("age")
    client = client_for(factories.manager())
    answer = client.patch(f"/api/v1/projects/{project.pk}/", {"queue_order": "random"})
    assert answer.status_code == 400
    with pytest.raises(IntegrityError, match="task_queue_order_is_known"):
        execute("UPDATE tasks_task SET queue_order = 'random'")


@pytest.mark.parametrize("priority", [-(2**15), 2**15 - 1])
def test_no_priority_is_too_big_for_the_rank(priority: int) -> None:
    _, (task,) = queue("uncertainty", 1)
    Task.objects.update(priority=priority, uncertainty=0)
    task.refresh_from_db()
    assert task.rank == -1024 * priority + 1000
