from __future__ import annotations

import re
from pathlib import Path

import pytest
from django.db import connection

from annotation_platform.states import Machine, as_markdown, machines
from tasks.models import Assignment, Submission, Task
from tasks.transitions import ASSIGNMENT, SUBMISSION, TASK
from tests import factories
from videos.models import Registration, Upload
from videos.transitions import REGISTRATION, UPLOAD

MODELS = [
    (TASK, Task),
    (ASSIGNMENT, Assignment),
    (SUBMISSION, Submission),
    (REGISTRATION, Registration),
    (UPLOAD, Upload),
]
IDS = [machine.name for machine, _ in MODELS]


def test_the_page_is_what_the_code_says(project_root: Path) -> None:
    page = (project_root / "docs" / "states.md").read_text()
    assert page == as_markdown(), "run `python manage.py draw_states`"


@pytest.mark.parametrize("machine", list(machines()), ids=lambda machine: machine.name)
def test_every_move_is_between_known_states_and_every_state_is_reached(machine: Machine) -> None:
    named = {t.source for t in machine.transitions} | {t.target for t in machine.transitions}
    assert named - {""} == set(machine.states)


@pytest.mark.parametrize(("machine", "model"), MODELS, ids=IDS)
def test_the_model_has_the_machines_states(
    machine: Machine, model: type[Task | Assignment | Submission | Registration | Upload]
) -> None:
    assert set(model.State.values) == set(machine.states)


@pytest.mark.django_db
@pytest.mark.parametrize(("machine", "model"), MODELS, ids=IDS)
def test_the_database_knows_the_same_moves(
    machine: Machine, model: type[Task | Assignment | Submission | Registration | Upload]
) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT prosrc FROM pg_proc WHERE proname = %s", [f"{model._meta.db_table}_only_moves"]
        )
        source = cursor.fetchone()[0]
    assert sorted(re.findall(r"'(\w+)>(\w+)'", source)) == machine.moves


@pytest.mark.django_db
def test_the_database_refuses_a_move_that_is_not_in_the_machine() -> None:
    task = factories.open_tasks(factories.project())[0]
    with connection.cursor() as cursor, pytest.raises(Exception, match="open to adjudicating"):
        cursor.execute("UPDATE tasks_task SET state = 'adjudicating' WHERE id = %s", [task.pk])
