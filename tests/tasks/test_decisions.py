from __future__ import annotations

import pytest
from django.db.models.functions import Now

from tasks import problems, services
from tasks.models import Submission, Task
from tests import factories

pytestmark = pytest.mark.django_db


def decide(submission: Submission, outcome: str) -> None:
    services.record_decision(submission=submission, outcome=outcome, actor=None)


def state(task: Task) -> tuple[str, int]:
    task.refresh_from_db()
    return task.state, task.held_slots


def test_a_task_is_completed_when_all_its_work_is_accepted() -> None:
    project = factories.project(overlap=2)
    task = factories.open_tasks(project)[0]
    submissions = [factories.submitted(factories.claimed(project)) for _ in range(2)]
    decide(submissions[0], "accepted")
    assert state(task) == ("filled", 2)
    decide(submissions[1], "accepted_with_fixes")
    assert state(task) == ("completed", 2)
    assert {s.assignment.state for s in task_submissions(task)} == {"closed"}


def task_submissions(task: Task) -> list[Submission]:
    return list(Submission.objects.filter(assignment__task=task).select_related("assignment"))


@pytest.mark.parametrize("outcome", ["rejected", "paid_unused"])
def test_work_that_is_not_used_frees_its_slot(outcome: str) -> None:
    project = factories.project(overlap=1)
    task = factories.open_tasks(project)[0]
    submission = factories.submitted(factories.claimed(project))
    decide(submission, outcome)
    assert state(task) == ("open", 0)
    replacement = factories.claimed(project)
    assert (replacement.task_id, replacement.slot) == (task.pk, 0)


def test_changes_can_be_asked_for_twice_and_keep_the_slot() -> None:
    project = factories.project(overlap=1)
    task = factories.open_tasks(project)[0]
    assignment = factories.claimed(project)
    for expected_round in (1, 2):
        submission = factories.submitted(assignment)
        assert submission.round == expected_round
        decide(submission, "changes_requested")
        assignment.refresh_from_db()
        assert assignment.state == "rework"
        assert state(task) == ("filled", 1)
    third = factories.submitted(assignment)
    with pytest.raises(problems.NoRoundsLeft):
        decide(third, "changes_requested")
    decide(third, "accepted")
    assert state(task) == ("completed", 1)


def test_a_decision_is_made_once() -> None:
    project = factories.project()
    factories.open_tasks(project)
    submission = factories.submitted(factories.claimed(project))
    decide(submission, "accepted")
    with pytest.raises(problems.AlreadyDecided):
        decide(submission, "rejected")
    submission.refresh_from_db()
    assert submission.state == "accepted"


def test_overlap_is_raised_up_to_the_maximum_and_opens_the_task_again() -> None:
    project = factories.project(overlap=1, max_overlap=2)
    task = factories.open_tasks(project)[0]
    factories.submitted(factories.claimed(project))
    services.raise_overlap(task=task)
    assert state(task) == ("open", 1)
    assert task.overlap == 2
    assert factories.claimed(project).slot == 1
    with pytest.raises(problems.WrongTaskState):
        services.raise_overlap(task=task)


def test_pausing_stops_new_claims_only() -> None:
    project = factories.project(overlap=2)
    task = factories.open_tasks(project)[0]
    live = factories.claimed(project)
    manager = factories.manager()
    services.pause_task(actor=manager, task=task, reason="Wrong guideline")
    with pytest.raises(problems.QueueEmpty):
        factories.claimed(project)
    decide(factories.submitted(live), "accepted")
    services.resume_task(actor=manager, task=task)
    assert state(task) == ("open", 1)


def test_a_task_in_work_is_not_cancelled_and_an_idle_one_is() -> None:
    project = factories.project(overlap=2)
    task = factories.open_tasks(project)[0]
    live = factories.claimed(project)
    manager = factories.manager()
    with pytest.raises(problems.WrongTaskState):
        services.cancel_task(actor=manager, task=task, reason="Not wanted")
    services.return_task(assignment=live)
    services.cancel_task(actor=manager, task=task, reason="Not wanted")
    assert state(task) == ("cancelled", 0)


def test_opening_needs_a_guideline_and_a_readable_video_and_is_all_or_none() -> None:
    bare = factories.project(guideline=False)
    draft = services.create_tasks(actor=None, project=bare, videos=[factories.video()])
    with pytest.raises(problems.ProjectNotReady):
        services.open_tasks(actor=None, tasks=draft)

    project = factories.project()
    broken = factories.video()
    type(broken).objects.filter(pk=broken.pk).update(state="retired", retired_at=Now())
    drafts = services.create_tasks(actor=None, project=project, videos=[factories.video(), broken])
    with pytest.raises(problems.VideoNotReady):
        services.open_tasks(actor=None, tasks=drafts)
    assert {task.state for task in Task.objects.all()} == {"draft"}
