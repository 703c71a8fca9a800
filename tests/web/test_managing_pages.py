"""Projects, their figures and their money, in page after page at the same cost."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from django.contrib.auth.models import Permission
from pytest_django import DjangoAssertNumQueries

from annotation_platform.clock import database_now
from reviews.services.decisions import Grounds, decide_work
from tasks.models import Project
from tasks.services import fund
from tests import factories
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
