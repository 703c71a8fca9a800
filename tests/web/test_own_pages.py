"""What contractors do on pages beside claiming: return, come back, appeal, move, be paid."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from pytest_django import DjangoAssertNumQueries

from annotation_platform.clock import database_now
from contractors.models import Residence, Restriction
from contractors.services import restrict
from payouts.models import PayoutMethod, Statement
from payouts.services import make_statements
from reviews.services import score_task
from reviews.services.decisions import Grounds, decide_work
from tasks import services
from tasks.models import Assignment, Draft
from tests import factories
from tests.reviews.scene import FAR, GOOD, handed_in
from tests.web.browsers import LogIn

pytestmark = pytest.mark.django_db


def test_a_claim_is_given_back_with_its_reason_and_its_draft_comes_back(log_in: LogIn) -> None:
    project = factories.project()
    (task,) = factories.open_tasks(project)
    claim = factories.claimed(project)
    services.save_draft(assignment=claim, body={"segments": []}, expected_revision=0)
    browser = log_in(claim.contractor)
    assert (
        f'action="/work/assignments/{claim.pk}/return/"' in browser.get("/work/").content.decode()
    )

    browser.post(f"/work/assignments/{claim.pk}/return/", {"reason": "Too dark"})
    claim.refresh_from_db()
    assert (claim.state, claim.end_reason) == ("returned", "Too dark")
    page = browser.get("/work/").content.decode()
    assert f'action="/work/assignments/{claim.pk}/reclaim/"' in page
    assert "Drafts kept for you" in page

    answer = browser.post(f"/work/assignments/{claim.pk}/reclaim/")
    again = Assignment.objects.get(task=task, state="active")
    assert answer["Location"] == f"/work/assignments/{again.pk}/"
    page = browser.get("/work/").content.decode()
    assert "Drafts kept for you" not in page
    assert Draft.objects.get().revision == 1


def test_nobody_returns_or_reclaims_for_somebody_else(log_in: LogIn) -> None:
    project = factories.project()
    factories.open_tasks(project)
    claim = factories.claimed(project)
    browser = log_in(factories.worker(project))
    for way in ("return", "reclaim"):
        assert browser.post(f"/work/assignments/{claim.pk}/{way}/").status_code == 404
        assert browser.get(f"/work/assignments/{claim.pk}/{way}/").status_code == 405
    claim.refresh_from_db()
    assert claim.state == "active"


def test_a_draft_of_a_task_that_takes_no_work_any_more_is_not_offered(log_in: LogIn) -> None:
    project = factories.project()
    (task,) = factories.open_tasks(project)
    claim = factories.claimed(project)
    services.save_draft(assignment=claim, body={"segments": []}, expected_revision=0)
    services.return_task(assignment=claim)
    services.cancel_task(actor=factories.manager(), task=task, reason="Not wanted")
    assert "Drafts kept" not in log_in(claim.contractor).get("/work/").content.decode()


def test_what_changed_in_the_guideline_is_told_against_the_version_one_read(log_in: LogIn) -> None:
    project = factories.project()
    person = factories.worker(project)
    newer = services.write_guideline(
        actor=None,
        project=project,
        title="Kitchen actions",
        body="# Cut on contact\n\n<script>alert(1)</script> [x](javascript:alert(1))",
        changelog="Contact counts & nothing else",
    )
    browser = log_in(person)
    address = f"/work/guidelines/{project.pk}/"
    assert "What changed" not in browser.get(address).content.decode()  # not published yet
    services.publish_guideline(actor=None, guideline=newer)
    page = browser.get(address).content.decode()
    assert "What changed since version 1" in page
    assert "Contact counts &amp; nothing else" in page
    assert '<li class="added"><span class="sr">added: </span>&lt;script&gt;' in page
    assert "<script>alert" not in page
    assert 'href="javascript' not in page
    browser.post(address, {"version": "2"})
    assert "What changed" not in browser.get(address).content.decode()


def test_a_result_tells_each_segment_what_differs_and_only_after_the_decision(
    log_in: LogIn,
) -> None:
    task, (mine, other) = handed_in(FAR, GOOD)
    score_task(task.pk)
    person = mine.assignment.contractor
    address = f"/work/results/{mine.pk}/"
    page = log_in(person).get(address).content.decode()
    assert "Nobody has decided yet" in page
    assert "Agreement is" not in page
    decide_work(
        submission=mine,
        outcome="paid_unused",
        actor=factories.reviewer(),
        grounds=Grounds(explanation="In good faith."),
    )
    page = log_in(person).get(address).content.decode()
    assert "In good faith." in page
    assert "Agreement is" in page
    assert page.count('<small class="warn">') == 1  # segment 1 is extra
    assert "What the other timeline has and yours lacks" in page
    assert "$16.00" in page
    assert log_in(other.assignment.contractor).get(address).status_code == 404


def test_residence_is_searched_chosen_and_kept_as_history(log_in: LogIn) -> None:
    project = factories.project()
    person = factories.contractor(area=None)
    browser = log_in(person)
    page = browser.get("/work/residence/?q=washington").content.decode()
    assert {"US-WA", "US-DC"} <= set(re.findall(r'name="area" value="([A-Z-]+)"', page))
    part = browser.get("/work/residence/places/?q=texas").content.decode()
    assert 'value="US-TX"' in part
    assert "<html" not in part

    refused = browser.post("/work/residence/", {"area": "XX", "from_date": "2024-01-01"})
    assert refused.status_code == 422
    assert not Residence.objects.exists()
    browser.post("/work/residence/", {"area": "US-TX", "from_date": "2024-01-01"})
    browser.post("/work/residence/", {"area": "US-CA", "from_date": "2025-03-01"})
    assert list(Residence.objects.order_by("pk").values_list("area", flat=True)) == [
        "US-TX",
        "US-CA",
    ]
    page = browser.get("/work/residence/").content.decode()
    assert "Residents of California can&#x27;t work on this project." in page
    assert project.policy.name in page
    assert "Texas" in page
    refused = browser.post("/work/residence/", {"area": "US-TX", "from_date": "2020-01-01"})
    assert refused.status_code == 422
    assert "a move must be after that" in refused.content.decode()


def test_a_restriction_shows_its_cause_and_takes_one_appeal(log_in: LogIn) -> None:
    project = factories.project(name="Kitchen")
    person = factories.worker(project)
    it = restrict(
        contractor=person,
        cause="Copied work",
        actor=factories.manager(),
        scope=str(project.pk),
        evidence="Submission 7",
        ends_at=database_now() + timedelta(days=3),
    )
    browser = log_in(person)
    home = browser.get("/work/").content.decode()
    assert 'href="/work/restrictions/"' in home
    assert "See why, and appeal" in home
    page = browser.get("/work/restrictions/").content.decode()
    assert all(part in page for part in ("Copied work", "Submission 7", "Kitchen", "in force"))
    empty = browser.post(f"/work/restrictions/{it.pk}/appeal/", {"text": ""})
    assert empty.status_code == 422
    browser.post(f"/work/restrictions/{it.pk}/appeal/", {"text": "It was mine"})
    it.refresh_from_db()
    assert (it.appeal_state, it.appeal_text) == ("open", "It was mine")
    page = browser.get("/work/restrictions/").content.decode()
    assert "It was mine" in page
    assert "/appeal/" not in page
    stranger = log_in(factories.contractor())
    assert stranger.post(f"/work/restrictions/{it.pk}/appeal/", {"text": "x"}).status_code == 404
    assert Restriction.objects.count() == 1


def test_payout_details_need_the_password_and_are_never_echoed(log_in: LogIn) -> None:
    person = factories.contractor()
    browser = log_in(person)
    sent = {"rail": "file", "account": "DE89370400440532013000", "routing": "COBADEFF"}
    for password in ("wrong", ""):
        answer = browser.post("/work/payout-details/", sent | {"password": password})
        page = answer.content.decode()
        assert answer.status_code == 422
        assert "DE8937" not in page
        assert "COBADEFF" not in page
        assert '<option value="file" selected>' in page
    assert not PayoutMethod.objects.exists()
    browser.post("/work/payout-details/", sent | {"password": factories.PASSWORD})
    page = browser.get("/work/payout-details/").content.decode()
    assert "ending in 3000" in page
    assert "payouts wait until" not in page
    changed = sent | {"account": "DE89370400440532013001", "password": factories.PASSWORD}
    browser.post("/work/payout-details/", changed)
    page = browser.get("/work/payout-details/").content.decode()
    assert "ending in 3001" in page
    assert "payouts wait until" in page


def test_a_statement_is_downloaded_and_verified_with_the_program_beside_it(
    log_in: LogIn, tmp_path: Path
) -> None:
    project = factories.project()
    factories.open_tasks(project)
    work = factories.submitted(factories.claimed(project))
    decide_work(
        submission=work,
        outcome="accepted",
        actor=factories.reviewer(),
        grounds=Grounds(explanation="Good."),
    )
    make_statements(period_end=datetime(2100, 1, 4, tzinfo=UTC))
    statement = Statement.objects.get()
    browser = log_in(statement.contractor)
    page = browser.get("/work/statements/").content.decode()
    for kind in ("pdf", "csv", "json"):
        assert f'href="/work/statements/{statement.pk}.{kind}"' in page
    assert f"<code>{statement.hash}</code>" in page  # what the verifier prints is compared with it
    pdf = browser.get(f"/work/statements/{statement.pk}.pdf")
    assert pdf.content.startswith(b"%PDF")
    assert browser.get(f"/work/statements/{statement.pk}.xls").status_code == 404
    document = tmp_path / "statement.json"
    document.write_bytes(browser.get(f"/work/statements/{statement.pk}.json").content)
    assert json.loads(document.read_text())["statement"]["hash"] == statement.hash
    program = tmp_path / "verify_statement.py"
    program.write_bytes(b"".join(browser.get("/work/statements/verify_statement.py")))
    done = subprocess.run([sys.executable, program, document], capture_output=True, check=False)
    assert done.returncode == 0
    stranger = log_in(factories.contractor())
    assert stranger.get(f"/work/statements/{statement.pk}.json").status_code == 404
    assert f"/{statement.pk}.json" not in stranger.get("/work/statements/").content.decode()


def test_lists_cost_the_same_however_long(
    log_in: LogIn, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    project = factories.project()
    person = factories.worker(project)
    browser = log_in(person)
    costs = {
        "/work/statements/": 3,  # session, user; count (none: no rows asked for)
        "/work/payout-details/": 6,  # …; contractor; the method; the clock; count
        "/work/restrictions/": 5,  # …; contractor; count (none), the clock
        # …; contractor; today's; projects, the policy's version and rows; the clock; count, rows
        "/work/residence/": 10,
    }
    for address, queries in costs.items():
        with django_assert_num_queries(queries):
            browser.get(address)
    for number in range(28):
        restrict(contractor=person, cause=f"Cause {number}", actor=None, scope=str(project.pk))
    # and the rows, and the names of their projects
    with django_assert_num_queries(costs["/work/restrictions/"] + 2):
        page = browser.get("/work/restrictions/").content.decode()
    assert "Page 1 of 2" in page
