"""The page of a bank's report, while a worker follows it and afterwards."""

from __future__ import annotations

from pathlib import Path

from playwright.sync_api import Page, expect
from pytest_django.live_server_helper import LiveServer

from payouts.services import follow_report, take_report, write_files
from tests.browser.axe import violations
from tests.browser.people import SignIn
from tests.browser.test_pages_axe import axe as axe
from tests.payouts.scenes import Finance, payout_of, report_of


def test_it_tells_how_far_it_is_until_it_is_done(
    live_server: LiveServer, page: Page, sign_in: SignIn, axe: Path
) -> None:
    finance = Finance()
    payees = [finance.payee(1600) for _ in range(2)]
    run = finance.approved()
    write_files(run=run)
    content = report_of(*((payout_of(person), "paid") for person in payees)) + b"AP-x,1.00,USD,paid"
    report = take_report(actor=finance.preparer, run=run, name="bank.csv", content=content)
    sign_in(finance.approver)
    page.goto(f"{live_server.url}/money/reports/{report.pk}/")
    page.get_by_role("button", name="Follow the report: move 2 payouts").click()
    expect(page.get_by_text("0 of 3 lines done")).to_be_visible()
    assert violations(page, axe) == []
    assert follow_report(report.pk, seconds=0)
    expect(page.get_by_text("1 of 3 lines done")).to_be_visible()
    expect(page.get_by_text("Unexpected")).to_have_count(0)
    assert not follow_report(report.pk)
    expect(page.get_by_role("heading", name="Followed")).to_be_visible()
    expect(page.get_by_role("heading", name="Unexpected: not in this run 1")).to_be_visible()
    expect(page.get_by_role("progressbar")).to_have_count(0)
    assert violations(page, axe) == []
