"""The database knows the same moves as the code."""

from __future__ import annotations

import re

import pytest
from django.db import IntegrityError, connection

from annotation_platform.states import Machine
from reviews import services
from reviews.models import Review, Run
from reviews.services.reviewing import Findings
from reviews.transitions import REVIEW, RUN
from tests import factories
from tests.reviews.scene import FAR, GOOD, handed_in

pytestmark = pytest.mark.django_db
MODELS = [(REVIEW, Review), (RUN, Run)]


@pytest.mark.parametrize(("machine", "model"), MODELS, ids=["review", "run"])
def test_model_and_database_have_the_machine(machine: Machine, model: type[Review | Run]) -> None:
    assert set(model.State.values) == set(machine.states)
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT prosrc FROM pg_proc WHERE proname = %s", [f"{model._meta.db_table}_only_moves"]
        )
        source = cursor.fetchone()[0]
    assert sorted(re.findall(r"'(\w+)>(\w+)'", source)) == machine.moves


def test_a_decided_review_is_not_opened_again() -> None:
    task, _ = handed_in(GOOD, FAR)
    services.score_task(task.pk)
    reviewer = factories.reviewer()
    review = services.claim_next_review(reviewer=reviewer)
    services.decide(
        reviewer=reviewer,
        review=review,
        findings=Findings(outcome="accepted"),
    )
    with connection.cursor() as cursor, pytest.raises(IntegrityError, match="decided to queued"):
        cursor.execute(
            "UPDATE reviews_review SET state = 'queued', reviewer_id = NULL, claimed_at = NULL, "
            "decided_at = NULL WHERE id = %s",
            [review.pk],
        )
