"""Ending a live claim pays for what was saved, to the cent, and gives the rest back."""

from __future__ import annotations

from typing import Any

import pytest

from events.models import Event
from payouts.models import Payable
from payouts.rules import release_pay
from payouts.services import release_claim
from tasks import queries
from tasks.models import Assignment, Project
from tasks.problems import AlreadySubmitted
from tasks.rules import covered_frames, draft_spans
from tasks.services import fund, record_decision, save_draft
from tests import factories
from tests.payouts.scenes import check_deferred

pytestmark = pytest.mark.django_db


@pytest.fixture
def project() -> Project:
    made = factories.project(overlap=1, max_overlap=1, live_claim_cap=5)
    fund(actor=None, project=made, amount_cents=5000, reason="Pilot")
    made.refresh_from_db()
    return made


def claimed(project: Project, *spans: tuple[int, int], frames: int = 300) -> Assignment:
    """A claim whose saved draft has segments over these frames."""
    factories.open_tasks(project, frames=frames)
    claim = factories.claimed(project)
    rows = [{"start_frame": start, "end_frame": end} for start, end in spans]
    save_draft(assignment=claim, body={"segments": rows}, expected_revision=0)
    return claim


def budget(project: Project) -> tuple[int, int, int]:
    """(free, reserved, spent) in cents."""
    found = queries.budget(project)
    return found.free_cents, found.reserved_cents, found.spent_cents


# --- the rule ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("spans", "frames", "covered"),
    [
        ([], 10, 0),
        ([(0, 10)], 10, 10),
        ([(0, 5), (3, 8)], 10, 8),  # both hands at once count once
        ([(3, 8), (0, 5)], 10, 8),
        ([(0, 10), (2, 3)], 10, 10),
        ([(8, 99)], 10, 2),
        ([(-5, 2)], 10, 2),
        ([(5, 5), (7, 6)], 10, 0),
        ([(0, 1), (9, 10)], 10, 2),
    ],
)
def test_each_covered_frame_counts_once(
    spans: list[tuple[int, int]], frames: int, covered: int
) -> None:
    assert covered_frames(spans, frames) == covered


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"segments": None},
        {"segments": [None, 1, "x", {}, {"start_frame": "0", "end_frame": 5}]},
        {"segments": [{"start_frame": True, "end_frame": 5}]},
    ],
)
def test_a_draft_may_hold_anything(body: dict[str, Any]) -> None:
    assert draft_spans(body) == []


@pytest.mark.parametrize(
    ("price", "saved", "whole", "share", "cents"),
    [
        (1600, 0, 300, None, 0),
        (1600, 300, 300, None, 1600),
        (1600, 100, 300, None, 533),
        (1600, 200, 300, None, 1067),  # the two thirds: together exactly the price
        (1600, 1, 1_000_000, None, 1),
        (1600, 150, 300, 2500, 800),  # a smaller share never lowers it
        (1600, 150, 300, 7500, 1200),
        (1600, 0, 300, 10_000, 1600),
        (1600, 0, 300, 0, 0),
        (1601, 1, 2, None, 801),
    ],
)
def test_what_a_release_pays(
    price: int, saved: int, whole: int, share: int | None, cents: int
) -> None:
    assert release_pay(price, saved=saved, whole=whole, share_basis_points=share) == cents


# --- the service ------------------------------------------------------------------------------


def test_saved_work_is_paid_and_the_rest_is_free_again(project: Project) -> None:
    claim = claimed(project, (0, 60), (60, 100))
    assert budget(project) == (3400, 1600, 0)
    manager = factories.manager()

    released, earning = release_claim(actor=manager, assignment=claim, reason="The video is wrong.")

    check_deferred()
    assert (released.state, released.end_reason) == ("released", "The video is wrong.")
    assert earning is not None
    assert (earning.kind, earning.amount_cents, earning.price_version_id, earning.actor) == (
        "partial", 533, claim.price_version_id, manager,
    )  # fmt: skip
    assert earning.reason == "The video is wrong. (Saved: 100 of 300 frames.)"
    assert budget(project) == (4467, 0, 533)
    events = Event.objects.filter(type__in=["assignment.released", "payable.accrued"])
    assert [(event.type, event.actor) for event in events.order_by("pk")] == [
        ("assignment.released", manager),
        ("payable.accrued", manager),
    ]
    assert events[0].data == {"reason": "The video is wrong.", "pay_cents": 533}


def test_nothing_saved_is_not_paid(project: Project) -> None:
    claim = claimed(project)
    _, earning = release_claim(actor=factories.manager(), assignment=claim, reason="x")
    assert earning is None
    assert not Payable.objects.exists()
    assert budget(project) == (5000, 0, 0)


def test_a_manager_can_pay_more_but_not_less(project: Project) -> None:
    half, all_of_it = claimed(project, (0, 150)), claimed(project, (0, 150))
    _, less = release_claim(
        actor=factories.manager(), assignment=half, reason="x", share_basis_points=1
    )
    _, more = release_claim(
        actor=factories.manager(), assignment=all_of_it, reason="x", share_basis_points=10_000
    )
    assert less is not None
    assert more is not None
    assert (less.amount_cents, more.amount_cents) == (800, 1600)
    assert budget(project) == (2600, 0, 2400)


def test_what_was_handed_in_before_the_rework_is_saved_work(project: Project) -> None:
    claim = claimed(project, (0, 10))
    record_decision(submission=factories.submitted(claim), outcome="changes_requested", actor=None)
    claim.refresh_from_db()
    assert claim.state == "rework"
    _, earning = release_claim(actor=factories.manager(), assignment=claim, reason="x")
    assert earning is not None
    assert earning.amount_cents == 1600
    assert budget(project) == (3400, 0, 1600)


def test_what_is_handed_in_is_decided_and_not_released(project: Project) -> None:
    claim = claimed(project, (0, 150))
    factories.submitted(claim)
    with pytest.raises(AlreadySubmitted):
        release_claim(actor=factories.manager(), assignment=claim, reason="x")
    assert not Payable.objects.exists()
    assert budget(project) == (3400, 1600, 0)


# --- the API ----------------------------------------------------------------------------------


def test_over_the_api_the_contractor_reads_the_reason(project: Project) -> None:
    claim = claimed(project, (0, 150))
    boss = factories.client_for(factories.manager())
    address = f"/api/v1/assignments/{claim.pk}/release/"
    body = {"reason": "Filmed without consent.", "share_basis_points": 7500}
    first = boss.post(address, body, headers={"Idempotency-Key": "a"})
    again = boss.post(address, body, headers={"Idempotency-Key": "a"})
    assert (first.status_code, first.json()["paid_cents"]) == (200, 1200)
    assert first.json() == again.json()
    late = boss.post(address, body)
    assert (late.status_code, late.json()["type"]) == (409, "/problems/lease-over")

    mine = factories.client_for(claim.contractor)
    (line,) = mine.get("/api/v1/earnings/").json()["results"]
    assert line["id"] == first.json()["earning"]
    assert line["why"] == (
        "$12.00: Your claim was ended early; the work you had saved is paid. Price version 1, "
        f"$16.00, was pinned when you claimed the task on {claim.claimed_at:%Y-%m-%d}. "
        "Filmed without consent. (Saved: 150 of 300 frames.)"
    )
    assert mine.get(f"/api/v1/assignments/{claim.pk}/").json()["end_reason"] == body["reason"]


@pytest.mark.parametrize("wrong", [{"reason": ""}, {"share_basis_points": 10_001}, {"share_basis_points": -1}])  # fmt: skip # noqa: E501
def test_a_wrong_release_changes_nothing(project: Project, wrong: dict[str, Any]) -> None:
    claim = claimed(project, (0, 150))
    boss = factories.client_for(factories.manager())
    answer = boss.post(f"/api/v1/assignments/{claim.pk}/release/", {"reason": "x"} | wrong)
    assert answer.status_code == 400
    claim.refresh_from_db()
    assert (claim.state, Payable.objects.count()) == ("active", 0)
