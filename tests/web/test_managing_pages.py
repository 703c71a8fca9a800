"""Projects, their figures and their money, in page after page at the same cost."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from django.contrib.auth.models import Permission
from pytest_django import DjangoAssertNumQueries

from annotation_platform.clock import database_now
from contractors.models import Restriction
from contractors.services import appeal
from payouts.models import Payable
from reviews.services import score_task
from reviews.services.decisions import Grounds, decide_work
from tasks.models import Project, ProjectPace
from tasks.services import fund, save_draft
from tests import factories
from tests.reviews.scene import FAR, GOOD, handed_in
from tests.web.browsers import LogIn

pytestmark = pytest.mark.django_db


def some_work(name: str = "Kitchen") -> Project:
    """Two tasks: one accepted piece of work, one claim in hand, one task with nobody."""
    project = factories.project(name=name)
    factories.open_tasks(project, 2)
    work = factories.submitted(factories.claimed(project))
    decide_work(
        submission=work,
        outcome="accepted",
        actor=factories.reviewer(),
        grounds=Grounds(explanation="Good."),
    )
    factories.claimed(project)
    return project


def cells(page: str, row: str) -> list[str]:
    """The texts of the cells of the first table row that contains `row`."""
    found = next(r for r in re.findall(r"<tr.*?</tr>", page, re.DOTALL) if row in r)
    return [re.sub(r"<.*?>|\s", "", c) for c in re.findall(r"<td.*?>(.*?)</td>", found, re.DOTALL)]


def test_projects_with_tasks_by_state_and_throughput(log_in: LogIn) -> None:
    some_work()
    page = log_in(factories.manager()).get("/projects/").content.decode()
    # draft, open, filled, adjudicating, completed, unusable, paused, cancelled
    assert cells(page, "Kitchen") == ["0", "1", "1", "0", "0", "0", "0", "0"]
    # claimed, submitted, accepted, earnings, paid; reserved, earned, paid out
    assert cells(page, "14 days") == ["2", "1", "1", "1", "0", "$32.00", "$16.00", "$0.00"]
    assert 'href="/api/docs/"' in page
    assert 'href="/admin/"' not in page


def test_the_admin_is_linked_for_those_who_may_enter_it(log_in: LogIn) -> None:
    manager = factories.manager()
    manager.is_staff = True
    manager.save()
    manager.user_permissions.set(Permission.objects.filter(codename="view_project"))
    browser = log_in(manager)
    assert 'href="/admin/"' in browser.get("/projects/").content.decode()
    assert browser.get("/admin/").status_code == 200


def test_one_project(log_in: LogIn) -> None:
    project = some_work()
    some_work("Another")
    page = log_in(factories.manager()).get(f"/projects/{project.pk}/").content.decode()
    assert "$16.00 (version 1)" in page
    assert "<dt>Earned</dt><dd>$16.00</dd>" in page
    assert "<dt>Reserved on undecided claims</dt><dd>$16.00</dd>" in page
    assert cells(page, "14 days")[0] == "2"
    assert page.count('class="state filled"') == 1
    assert log_in(factories.finance()).get(f"/projects/{project.pk}/").status_code == 403
    assert log_in(factories.manager()).get("/projects/999999/").status_code == 404


def test_a_project_s_budget_and_how_long_it_lasts(log_in: LogIn) -> None:
    project = some_work()
    manager = factories.manager()
    page = log_in(manager).get(f"/projects/{project.pk}/").content.decode()
    assert "Never funded" in page
    fund(actor=manager, project=project, amount_cents=5000, reason="Pilot")
    page = log_in(manager).get(f"/projects/{project.pk}/").content.decode()
    # 1,600 are held; 3,400 are free, two days at 1,600 a day
    runs_out = (database_now() + timedelta(days=2)).strftime("%Y-%m-%d")
    assert "<dt>Free for new claims</dt><dd>$34.00</dd>" in page
    assert f'<time datetime="{runs_out}">' in page
    assert "at $16.00 a day" in page


def test_money_by_project_and_currency(log_in: LogIn) -> None:
    some_work()
    factories.project(name="Idle")
    page = log_in(factories.finance()).get("/money/").content.decode()
    # reserved, earned, paid out, owed
    assert cells(page, "Kitchen") == ["$16.00", "$16.00", "$0.00", "$16.00"]
    assert cells(page, "Idle") == ["\N{EN DASH}"] * 4


def test_lists_are_paged_and_cost_the_same_however_long(
    log_in: LogIn, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    project = some_work()
    manager, finance = log_in(factories.manager()), log_in(factories.finance())
    pages = [
        # session, user; count, projects, task counts; the clock, five of the report
        (manager, "/projects/", 11),
        # session, user; project; price, guideline; two of money, two of the budget; clock, five;
        # count, tasks
        (manager, f"/projects/{project.pk}/", 17),
        # session, user; count, projects, two sums; the clock, five of the report
        (finance, "/money/", 12),
    ]
    for browser, address, queries in pages:
        with django_assert_num_queries(queries):
            browser.get(address)
    factories.open_tasks(project, 26)
    for _ in range(26):
        factories.project(policy=project.policy)
    for browser, address, queries in pages:
        with django_assert_num_queries(queries):
            page = browser.get(address).content.decode()
        assert "Page 1 of 2" in page, address


def test_tasks_are_filtered_by_state_project_number_and_title(log_in: LogIn) -> None:
    kitchen, garage = some_work("Kitchen"), some_work("Garage")
    browser = log_in(factories.manager())
    held = kitchen.tasks.get(state="open")

    def listed(query: str) -> set[int]:
        page = browser.get(f"/projects/tasks/?{query}").content.decode()
        return {int(pk) for pk in re.findall(r'href="/projects/tasks/(\d+)/"', page)}

    ids = {it: set(it.tasks.values_list("pk", flat=True)) for it in (kitchen, garage)}
    assert listed("") == ids[kitchen] | ids[garage]
    assert listed(f"project={garage.pk}") == ids[garage]
    assert listed(f"project={kitchen.pk}&state=open") == {held.pk}
    assert listed(f"q={held.pk}") >= {held.pk}
    assert listed(f"q={held.video.title}&project={kitchen.pk}") == {held.pk}
    assert listed("state=nonsense&project=x") == ids[kitchen] | ids[garage]
    assert listed("q=no+such+title") == set()


def test_a_task_shows_its_timelines_who_made_them_and_what_was_decided(log_in: LogIn) -> None:
    task, (one, two) = handed_in(GOOD, FAR)
    score_task(task.pk)
    page = log_in(factories.manager()).get(f"/projects/tasks/{task.pk}/").content.decode()
    svg = page[page.index('<svg class="timelines"') : page.rindex("</svg>")]
    assert len(re.findall(r"<title>", svg)) == 4
    assert "In A" in page
    assert "In B" in page
    for submission in (one, two):
        person = submission.assignment.contractor
        assert f'href="/projects/contractors/{person.pk}/"' in page
    annotator = one.assignment.contractor.user
    annotator.roles = ["contractor", "manager"]
    annotator.save()
    assert log_in(annotator).get(f"/projects/tasks/{task.pk}/").status_code == 404


def test_submissions_and_reviews_are_filtered(log_in: LogIn) -> None:
    task, (one, _) = handed_in(GOOD, FAR)
    score_task(task.pk)
    browser = log_in(factories.manager())

    def states(address: str) -> list[str]:
        page = browser.get(address).content.decode()
        return re.findall(r'<td><span class="state (\w+)">', page)

    assert states("/projects/submissions/") == ["in_review", "in_review"]
    assert states("/projects/submissions/?state=accepted") == []
    email = one.assignment.contractor.user.email
    assert states(f"/projects/submissions/?q={email}") == ["in_review"]
    assert states(f"/projects/submissions/?project={task.project_id}") == ["in_review"] * 2
    assert states("/projects/submissions/?project=999999") == []
    assert states("/projects/reviews/?kind=decision&state=queued") == ["queued", "queued"]
    assert states("/projects/reviews/?kind=sample") == []


def test_an_applicant_is_led_to_work_step_by_step_or_declined(log_in: LogIn) -> None:
    person = factories.contractor(state="applied")
    browser = log_in(factories.manager())
    address = f"/projects/contractors/{person.pk}/"
    for step, state in (
        ("interview", "interviewing"),
        ("quiz", "quizzing"),
        ("offer", "offered"),
        ("activate", "active"),
    ):
        assert f'action="{address}{step}/"' in browser.get(address).content.decode()
        browser.post(f"{address}{step}/")
        person.refresh_from_db()
        assert person.state == state
    page = browser.post(f"{address}quiz/", follow=True).content.decode()
    assert 'class="error"' in page
    other = factories.contractor(state="applied")
    decline = f"/projects/contractors/{other.pk}/decline/"
    browser.post(decline, {"decline-reason": ""})
    other.refresh_from_db()
    assert other.state == "applied"
    browser.post(decline, {"decline-reason": "No time"})
    other.refresh_from_db()
    assert other.state == "declined"


def test_a_restriction_is_set_appealed_answered_by_another_and_lifted(log_in: LogIn) -> None:
    person = factories.contractor()
    first, second = factories.manager(), factories.manager()
    address = f"/projects/contractors/{person.pk}/"
    refused = log_in(first).post(f"{address}restrict/", {"cause": "", "scope": "all"})
    assert refused.status_code == 422
    assert not Restriction.objects.exists()
    log_in(first).post(f"{address}restrict/", {"cause": "Copied", "scope": "all"})
    it = Restriction.objects.get()
    assert (it.cause, it.scope, it.created_by, it.ends_at) == ("Copied", "all", first, None)
    appeal(restriction=it, text="It was mine", actor=person.user)
    answer = {"answer": "So it was", "overturn": "yes"}
    log_in(first).post(f"/projects/restrictions/{it.pk}/answer/", answer)
    it.refresh_from_db()
    assert it.appeal_state == "open"
    log_in(second).post(f"/projects/restrictions/{it.pk}/answer/", answer)
    it.refresh_from_db()
    assert (it.appeal_state, it.appeal_answer, it.lifted_by) == ("overturned", "So it was", second)

    log_in(first).post(f"{address}restrict/", {"cause": "Again", "scope": "all"})
    it = Restriction.objects.latest("pk")
    log_in(second).post(f"/projects/restrictions/{it.pk}/lift/", {"reason": ""})
    it.refresh_from_db()
    assert it.lifted_at is None
    log_in(second).post(f"/projects/restrictions/{it.pk}/lift/", {"reason": "A mistake"})
    it.refresh_from_db()
    assert it.lifted_by == second


def test_what_an_hour_pays_and_the_warning_below_the_floor(log_in: LogIn) -> None:
    project = factories.project(floor_cents_per_hour=2000)
    browser = log_in(factories.manager())
    address = f"/projects/{project.pk}/"
    assert "five measured claims are needed" in browser.get(address).content.decode()
    pace = ProjectPace.objects.create(
        project=project,
        samples=9,
        median_active_ms=3_600_000,
        cents_per_hour=1600,
        measured_at=database_now(),
    )
    page = browser.get(address).content.decode()
    assert "1 h 0 min" in page
    assert "Below the floor of $20.00 an hour" in page
    ProjectPace.objects.filter(pk=pace.pk).update(median_active_ms=1_800_000, cents_per_hour=3200)
    page = browser.get(address).content.decode()
    assert "$32.00" in page
    assert "Below the floor" not in page


def test_managers_lists_cost_the_same_however_long(
    log_in: LogIn, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    task, _ = handed_in(GOOD, FAR)
    score_task(task.pk)
    browser = log_in(factories.manager())
    costs = {
        "/projects/tasks/": 5,  # session, user; projects; count, tasks
        "/projects/submissions/": 5,
        "/projects/reviews/": 5,
        "/projects/contractors/": 4,
        # session, user; task; submissions, segments; scores; count, claims; decisions
        f"/projects/tasks/{task.pk}/": 9,
    }
    for address, queries in costs.items():
        with django_assert_num_queries(queries):
            browser.get(address)
    for _ in range(13):
        more, _ = handed_in(GOOD, FAR, project=task.project)
        score_task(more.pk)
    factories.open_tasks(task.project, 13)
    for address, queries in costs.items():
        with django_assert_num_queries(queries):
            page = browser.get(address).content.decode()
        if str(task.pk) not in address:
            assert "Page 1 of 2" in page, address


# --- ending a claim -----------------------------------------------------------------------------


def test_a_manager_ends_a_live_claim_and_pays_for_what_was_saved(log_in: LogIn) -> None:
    project = factories.project(name="Kitchen")
    factories.open_tasks(project, frames=300)
    claim = factories.claimed(project)
    half = {"segments": [{"start_frame": 0, "end_frame": 150}]}
    save_draft(assignment=claim, body=half, expected_revision=0)
    browser, address = log_in(factories.manager()), f"/projects/claims/{claim.pk}/release/"
    assert f'href="{address}"' in browser.get(f"/projects/tasks/{claim.task_id}/").content.decode()
    page = browser.get(address).content.decode()
    assert "$8.00 <small>of $16.00 is paid now" in page
    assert "covers 150 of 300 frames" in page

    for body in ({}, {"reason": " "}, {"reason": "Off the brief", "percent": "101"}):
        assert 'class="field-error"' in browser.post(address, body).content.decode()
    claim.refresh_from_db()
    assert (claim.state, Payable.objects.count()) == ("active", 0)

    body = {"reason": "Off the brief", "percent": "20"}  # less than was saved: no less is paid
    page = browser.post(address, body, follow=True).content.decode()
    assert "its saved work is paid" in page
    assert f'href="{address}"' not in page
    claim.refresh_from_db()
    earning = Payable.objects.get()
    assert (claim.state, claim.end_reason) == ("released", "Off the brief")
    assert (earning.kind, earning.amount_cents, earning.contractor_id) == (
        "partial", 800, claim.contractor_id,
    )  # fmt: skip
    assert browser.get(address).status_code == 404
    assert browser.post(address, body).status_code == 404
    assert Payable.objects.count() == 1


def test_ending_a_claim_is_for_managers_who_do_not_work_on_it(log_in: LogIn) -> None:
    project = factories.project()
    factories.open_tasks(project)
    claim = factories.claimed(project)
    address, body = f"/projects/claims/{claim.pk}/release/", {"reason": "Mine now"}
    for person in (factories.reviewer(), factories.finance(), claim.contractor.user):
        assert log_in(person).post(address, body).status_code == 403
    himself = claim.contractor.user
    himself.roles = ["contractor", "manager"]
    himself.save(update_fields=["roles"])
    assert log_in(himself).post(address, body).status_code == 404
    claim.refresh_from_db()
    assert (claim.state, Payable.objects.count()) == ("active", 0)
