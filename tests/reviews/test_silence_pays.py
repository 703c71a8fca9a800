"""What nobody decides in time is paid."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db.models import F

from reviews import services
from reviews.models import Decision, Review
from reviews.services.reviewing import Findings
from tasks.models import Submission
from tests import factories
from tests.reviews.scene import (
    GOOD,
    REJECTION,
    handed_in,
    in_review,
    paid_cents,
    states,
    take,
)

pytestmark = pytest.mark.django_db


def grow_old(submission: Submission, days: int) -> None:
    Submission.objects.filter(pk=submission.pk).update(
        submitted_at=F("submitted_at") - timedelta(days=days)
    )


def test_what_nobody_decided_in_time_is_paid_and_its_data_stays_reviewable() -> None:
    _, submissions = in_review()
    reviewer = factories.reviewer()
    review = take(reviewer, submissions[0])
    grow_old(submissions[0], 7)
    grow_old(submissions[1], 6)
    assert services.auto_accept() == {"accepted": 1, "failed": 0}
    assert states(submissions) == ["auto_accepted", "in_review"]
    assert [paid_cents(s) for s in submissions] == [[1600], []]
    assert services.auto_accept() == {"accepted": 0, "failed": 0}

    review.refresh_from_db()
    assert (review.kind, review.state) == ("sample", "claimed")
    services.decide(
        reviewer=reviewer, review=review, findings=Findings(outcome="paid_unused", text="Late.")
    )
    assert states(submissions) == ["auto_accepted", "in_review"]
    assert [d.about for d in Decision.objects.order_by("pk")] == ["work", "data"]


def test_an_unfinished_rejection_falls_at_the_deadline() -> None:
    _, submissions = in_review()
    reviewer = factories.reviewer()
    services.decide(reviewer=reviewer, review=take(reviewer), findings=REJECTION)
    grow_old(submissions[0], 8)
    services.auto_accept()
    assert states(submissions) == ["auto_accepted", "in_review"]
    assert Review.objects.get(kind="concurrence").state == "superseded"


def test_work_without_a_second_annotator_is_paid_at_the_deadline() -> None:
    _, (submission,) = handed_in(GOOD)
    grow_old(submission, 7)
    assert services.auto_accept() == {"accepted": 1, "failed": 0}
    assert paid_cents(submission) == [1600]
