"""What a contractor sees: exactly their own, and the reasons the claim itself would give."""

from __future__ import annotations

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils.html import escape
from pytest_django import DjangoAssertNumQueries

from contractors.models import Contractor
from reviews.services.decisions import Grounds, decide_work
from tasks.models import Assignment, GuidelineAcknowledgement, Project
from tests import factories
from tests.web.browsers import LogIn
from web.views.contractor import PROJECTS_PER_PAGE

pytestmark = pytest.mark.django_db


def accepted(project: Project, person: Contractor) -> None:
    decide_work(
        submission=factories.submitted(factories.claimed(project, person)),
        outcome="accepted",
        actor=factories.reviewer(),
        grounds=Grounds(explanation="All cuts are exact."),
    )


def test_home_tells_what_one_holds_may_do_and_earned(log_in: LogIn) -> None:
    project = factories.project(name="Kitchen <actions>", live_claim_cap=3)
    factories.open_tasks(project, 4)
    ada, ben = factories.worker(project, name="Ada"), factories.worker(project, name="Ben")
    accepted(project, ada)
    accepted(project, ben)
    held = factories.claimed(project, ada)
    other = factories.claimed(project, ben)
    Assignment.objects.filter(pk=other.pk).update(price_cents=7777)

    page = log_in(ada).get("/work/").content.decode()

    assert "Kitchen &lt;actions&gt;" in page
    assert held.task.video.title in page
    assert f'datetime="{held.lease_expires_at:%Y-%m-%dT%H:%M}' in page
    assert "You can work on this project." in page
    assert "All cuts are exact." in page
    assert '<p class="total">$16.00</p>' in page  # one of two accepted works is hers
    assert "<dt>Not decided yet</dt><dd>$16.00</dd>" in page
    assert "77.77" not in page
    assert "Texas" in page


@pytest.mark.parametrize(
    ("area", "reason"),
    [
        ("US-CA", "Residents of California can't work on this project."),
        ("US-NY", "Residents of New York can't work on this project."),
        ("US", "We only know that you live in the United States"),
        (None, "We don't know where you live yet."),
    ],
)
def test_who_may_not_claim_reads_why_and_gets_no_button(
    area: str | None, reason: str, log_in: LogIn
) -> None:
    project = factories.project()
    factories.open_tasks(project)
    person = factories.worker(project, area=area)
    browser = log_in(person)
    page = browser.get("/work/").content.decode()
    assert escape(reason) in page
    assert "Claim the next task" not in page
    answer = browser.post("/work/claim/", {"project": project.pk}, follow=True)
    assert answer.redirect_chain == [("/work/", 302)]
    assert 'class="error"' in answer.content.decode()
    assert Assignment.objects.count() == 0


def test_claiming_takes_one_task_and_an_empty_queue_is_told(log_in: LogIn) -> None:
    project = factories.project()
    (task,) = factories.open_tasks(project)
    person = factories.worker(project)
    browser = log_in(person)
    answer = browser.post("/work/claim/", {"project": project.pk})
    claim = Assignment.objects.get(task=task)
    assert answer["Location"] == f"/work/assignments/{claim.pk}/"
    page = browser.get("/work/").content.decode()
    assert f'href="/work/assignments/{claim.pk}/"' in page
    assert "No task is free for you right now." in page
    assert "Claim the next task" not in page
    browser.post("/work/claim/", {"project": project.pk})
    assert list(Assignment.objects.values_list("task", "contractor")) == [(task.pk, person.pk)]
    for nonsense in ("", "0", "x", "9" * 30):
        assert browser.post("/work/claim/", {"project": nonsense}).status_code == 404


def test_the_guideline_is_read_and_acknowledged_once_and_only_the_version_shown(
    log_in: LogIn,
) -> None:
    project = factories.project()
    factories.open_tasks(project)
    person = factories.contractor()
    browser = log_in(person)
    assert "Read the guideline" in browser.get("/work/").content.decode()
    address = f"/work/guidelines/{project.pk}/"
    page = browser.get(address).content.decode()
    assert "<h2>Cut on contact</h2>" in page
    assert "I have read version 1" in page

    stale = browser.post(address, {"version": "0"}).content.decode()
    assert "A newer version came out meanwhile" in stale
    assert not GuidelineAcknowledgement.objects.exists()

    browser.post(address, {"version": "1"})
    browser.post(address, {"version": "1"})
    noted = GuidelineAcknowledgement.objects.get()
    assert (noted.contractor_id, noted.guideline.version) == (person.pk, 1)
    assert "Claim the next task" in browser.get("/work/").content.decode()


def test_results_and_earnings_show_every_line_with_its_reason(log_in: LogIn) -> None:
    project = factories.project()
    factories.open_tasks(project, 2)
    ada, ben = factories.worker(project), factories.worker(project)
    for person in (ada, ada, ben):
        accepted(project, person)
    results = log_in(ada).get("/work/results/").content.decode()
    assert results.count("All cuts are exact.") == 2
    earnings = log_in(ada).get("/work/earnings/").content.decode()
    assert earnings.count("Price version 1, $16.00, was pinned when you claimed the task") == 2
    assert '<p class="total">$32.00</p>' in earnings


def test_lists_are_paged_and_rows_cost_no_queries(
    log_in: LogIn, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    project = factories.project(live_claim_cap=100)
    factories.open_tasks(project, 29)
    person = factories.worker(project)
    accepted(project, person)
    browser = log_in(person)
    few = {
        "/work/results/": 6,  # session, user, contractor; count, submissions, decisions
        "/work/earnings/": 8,  # …; count, payables; two sums, the way of paying
    }
    for address, queries in few.items():
        with django_assert_num_queries(queries):
            browser.get(address)
    for _ in range(25):
        accepted(project, person)
    for _ in range(3):
        factories.claimed(project, person)
    for address, queries in few.items():
        with django_assert_num_queries(queries):
            page = browser.get(address).content.decode()
        assert "Page 1 of 2" in page
        second = browser.get(address, {"page": "2"}).content.decode()
        assert second.count("All cuts are exact.") == 1
        assert browser.get(address, {"page": "nonsense"}).status_code == 200


def test_home_asks_the_guards_of_each_project_on_the_page_and_nothing_per_row(
    log_in: LogIn,
) -> None:
    project = factories.project(live_claim_cap=10)
    factories.open_tasks(project, 8)
    person = factories.worker(project)
    browser = log_in(person)

    def cost() -> int:
        with CaptureQueriesContext(connection) as captured:
            browser.get("/work/")
        return len(captured)

    accepted(project, person)
    factories.claimed(project, person)
    one = cost()
    accepted(project, person)
    factories.claimed(project, person)
    factories.claimed(project, person)
    assert cost() == one
    policy = project.policy
    for _ in range(PROJECTS_PER_PAGE + 2):
        factories.worker(factories.project(policy=policy))
    full = cost()
    factories.project(policy=policy)
    assert cost() == full  # the page is full
    assert full < one + 20 * (PROJECTS_PER_PAGE - 1)
