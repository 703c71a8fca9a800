"""The reviewer's desk: counts, one's own reviews, two timelines on one axis, no names."""

from __future__ import annotations

import re

import pytest
from pytest_django import DjangoAssertNumQueries

from reviews.models import Review
from reviews.services import claim_next_review, score_task
from tests import factories
from tests.reviews.scene import FAR, GOOD, handed_in, paid_cents
from tests.web.browsers import LogIn

pytestmark = pytest.mark.django_db


def waiting_reviews() -> None:
    """One task whose two annotators disagree: two reviews wait."""
    task, _ = handed_in(GOOD, FAR)
    score_task(task.pk)


def test_taking_the_next_review_opens_it(log_in: LogIn) -> None:
    waiting_reviews()
    reviewer = factories.reviewer()
    browser = log_in(reviewer)
    page = browser.get("/reviews/").content.decode()
    assert "<dt>Decisions</dt><dd>2</dd>" in page
    answer = browser.post("/reviews/next/")
    taken = Review.objects.get(reviewer=reviewer)
    assert (taken.state, answer["Location"]) == ("claimed", f"/reviews/{taken.pk}/")
    again = browser.post("/reviews/next/")
    assert again["Location"] == f"/reviews/{taken.pk}/"
    page = browser.get("/reviews/").content.decode()
    assert "<dt>Decisions</dt><dd>1</dd>" in page
    assert f"Go on with review {taken.pk}" in page
    assert "Take the next review" not in page


def test_nothing_to_review_is_told(log_in: LogIn) -> None:
    browser = log_in(factories.reviewer())
    assert "Take the next review" not in browser.get("/reviews/").content.decode()
    page = browser.post("/reviews/next/", follow=True).content.decode()
    assert "No review is waiting for you right now." in page


def test_both_timelines_are_drawn_to_scale_with_score_and_diagnosis_and_no_name(
    log_in: LogIn,
) -> None:
    waiting_reviews()
    reviewer = factories.reviewer()
    review = claim_next_review(reviewer=reviewer)
    page = log_in(reviewer).get(f"/reviews/{review.pk}/").content.decode()

    svg = page[page.index('<svg class="timelines"') : page.rindex("</svg>")]
    titles = re.findall(r"<title>(.*?)</title>", svg)
    assert titles == [
        "1. [0, 90) right, pick_up: Pick up the cup (only here)",
        "2. [90, 200) both, pour: Pour water into the cup (only here)",
        "3. [200, 300) right, put_down: Put the cup down (only here)",
        "1. [120, 260) left, cut: Cut a tomato (only here)",
    ]
    boxes = re.findall(r'<rect x="([\d.]+)" y="[\d.]+" width="([\d.]+)"', svg)
    scale = (1000 - 34 - 14) / 300
    assert boxes == [
        (str(round(34 + start * scale, 2)), str(round((end - start) * scale, 2)))
        for start, end in ((0, 90), (90, 200), (200, 300), (120, 260))
    ]
    assert "Agreement is " in page
    assert "What differs in A" in page
    work = [review.submission.assignment.contractor.user]
    work += [s.assignment.contractor.user for s in type(review.submission).objects.all()]
    for person in work:
        assert person.email not in page
        assert person.name not in page


def test_others_reviews_are_not_there(log_in: LogIn) -> None:
    waiting_reviews()
    mine = claim_next_review(reviewer=factories.reviewer())
    stranger = log_in(factories.reviewer())
    answer = stranger.get(f"/reviews/{mine.pk}/")
    assert answer.status_code == 404
    assert "what was here is not yours to see" in answer.content.decode()
    assert f"/reviews/{mine.pk}/" not in stranger.get("/reviews/").content.decode()
    queued = Review.objects.exclude(pk=mine.pk).get()
    assert stranger.get(f"/reviews/{queued.pk}/").status_code == 404


def test_query_counts(log_in: LogIn, django_assert_num_queries: DjangoAssertNumQueries) -> None:
    waiting_reviews()
    reviewer = factories.reviewer()
    review = claim_next_review(reviewer=reviewer)
    browser = log_in(reviewer)
    # session, user; clock and counts of the queue; the held one; count, reviews
    with django_assert_num_queries(7):
        browser.get("/reviews/")
    # session, user; the review, its video's jobs; submissions, segments; scores; the clock
    with django_assert_num_queries(8):
        browser.get(f"/reviews/{review.pk}/")


NO_PLACES = {"evidence-TOTAL_FORMS": "3", "evidence-INITIAL_FORMS": "0"}


def test_accepting_decides_and_pays(log_in: LogIn) -> None:
    waiting_reviews()
    reviewer = factories.reviewer()
    review = claim_next_review(reviewer=reviewer)
    browser = log_in(reviewer)
    address = f"/reviews/{review.pk}/"
    page = browser.get(address).content.decode()
    assert set(re.findall(r'name="outcome" value="(\w+)"', page)) == {
        "accepted",
        "accepted_with_fixes",
        "changes_requested",
        "paid_unused",
        "unusable_confirmed",
        "rejected",
    }
    answer = browser.post(address, NO_PLACES | {"outcome": "accepted", "text": "Well cut."})
    assert answer["Location"] == "/reviews/"
    review.refresh_from_db()
    assert (review.state, review.findings["outcome"]) == ("decided", "accepted")
    assert paid_cents(review.submission) == [1600]
    page = browser.get(address).content.decode()
    assert "Decided: accepted" in page
    assert 'name="outcome"' not in page
    again = browser.post(address, NO_PLACES | {"outcome": "accepted"})
    assert again.status_code == 422
    assert paid_cents(review.submission) == [1600]


def test_changes_and_rejections_say_what_they_lack_and_write_nothing(log_in: LogIn) -> None:
    waiting_reviews()
    reviewer = factories.reviewer()
    review = claim_next_review(reviewer=reviewer)
    browser = log_in(reviewer)
    address = f"/reviews/{review.pk}/"
    for outcome, lacks in (
        ("", ["This field is required."]),
        ("changes_requested", ["at least one frame range"]),
        (
            "rejected",
            [
                "A rejection needs one of these reasons",
                "Name the clause",
                "in at least 100 characters",
                "at least one frame range",
            ],
        ),
    ):
        answer = browser.post(address, NO_PLACES | {"outcome": outcome, "text": "No."})
        assert answer.status_code == 422
        for sentence in lacks:
            assert sentence in answer.content.decode()
    review.refresh_from_db()
    assert (review.state, review.findings) == ("claimed", {})

    place = {
        "evidence-0-start_frame": "10",
        "evidence-0-end_frame": "20",
        "evidence-0-text": "The cup is not there yet.",
    }
    wrong = browser.post(
        address,
        NO_PLACES | place | {"outcome": "changes_requested", "evidence-0-end_frame": "9999"},
    )
    assert "The video has 300 frames." in wrong.content.decode()
    browser.post(
        address,
        NO_PLACES
        | place
        | {
            "outcome": "rejected",
            "reason_code": "empty_or_random",
            "guideline_clause": "2",
            "text": "x" * 100,
        },
    )
    review.refresh_from_db()
    assert review.findings["evidence"] == [
        {"start_frame": 10, "end_frame": 20, "text": "The cup is not there yet."}
    ]
    second = Review.objects.get(kind="concurrence")
    assert (second.of, second.state) == (review, "queued")
    assert paid_cents(review.submission) == []


def test_a_review_is_kept_longer_or_given_back(log_in: LogIn) -> None:
    waiting_reviews()
    reviewer = factories.reviewer()
    review = claim_next_review(reviewer=reviewer)
    browser = log_in(reviewer)
    Review.objects.filter(pk=review.pk).update(lease_expires_at=review.claimed_at)
    browser.post(f"/reviews/{review.pk}/keep/")
    review.refresh_from_db()
    assert review.lease_expires_at is not None
    assert review.claimed_at is not None
    assert review.lease_expires_at > review.claimed_at
    stranger = log_in(factories.reviewer())
    assert stranger.post(f"/reviews/{review.pk}/release/").status_code == 404
    browser.post(f"/reviews/{review.pk}/release/")
    review.refresh_from_db()
    assert (review.state, review.reviewer) == ("queued", None)
    assert browser.post(f"/reviews/{review.pk}/release/").status_code == 404


def test_own_reviews_are_filtered(log_in: LogIn) -> None:
    waiting_reviews()
    reviewer = factories.reviewer()
    review = claim_next_review(reviewer=reviewer)
    browser = log_in(reviewer)
    link = f'<a href="/reviews/{review.pk}/">{review.pk}</a>'
    assert link in browser.get("/reviews/?state=claimed&kind=decision").content.decode()
    assert link not in browser.get("/reviews/?state=decided").content.decode()
    assert link in browser.get("/reviews/?state=nonsense").content.decode()
