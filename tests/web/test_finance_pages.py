"""Finance's pages: runs, reports, holds, lost answers, tax; for finance only."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from annotation_platform.clock import database_now
from events.models import Event
from payouts.models import BankReport, Hold, Payable, Payout, PayoutRun, ProviderEvent, TaxForm
from payouts.services import follow_report, settle_payout, state_tax_form, write_files
from tests import factories
from tests.payouts.scenes import Finance, leave_witness, payout_of, report_of, states
from tests.payouts.test_tax import W8BEN, W9
from tests.web.browsers import LogIn

pytestmark = pytest.mark.django_db


@pytest.fixture
def finance() -> Finance:
    return Finance()


@pytest.fixture
def desk(finance: Finance, log_in: LogIn) -> Client:
    return log_in(finance.approver)


def read(browser: Client, address: str) -> str:
    answer = browser.get(address)
    assert answer.status_code == 200, answer.content
    return answer.content.decode()


def send(browser: Client, address: str, /, **body: object) -> str:
    """Post a form and read the page that it leads to."""
    answer = browser.post(address, body, follow=True)
    assert answer.status_code == 200, answer.content
    return answer.content.decode()


# --- who may ----------------------------------------------------------------------------------


def test_only_finance_opens_them(finance: Finance, log_in: LogIn, client: Client) -> None:
    person, other = finance.payee(1600), finance.payee(300, method=False)
    hold = Hold.objects.create(
        payable=Payable.objects.get(contractor=other), case="1", reason="x",
        placed_by=finance.preparer, placed_at=database_now(),
        ends_at=database_now() + timedelta(days=1),
    )  # fmt: skip
    run = finance.approved()
    write_files(run=run)
    payout = payout_of(person)
    report = BankReport.objects.create(
        run=run, name="r.csv", content=report_of((payout, "paid")).decode(), sha256="0" * 64,
        row_count=1, uploaded_by=finance.preparer,
    )  # fmt: skip
    pages = [
        "/money/runs/", f"/money/runs/{run.pk}/", f"/money/runs/{run.pk}/files/file/",
        f"/money/reports/{report.pk}/", f"/money/payouts/{payout.pk}/", "/money/waiting/",
        "/money/events/", "/money/earnings/", f"/money/earnings/{hold.payable_id}/hold/",
        "/money/holds/", "/money/tax/", "/money/tax/export/",
    ]  # fmt: skip
    forms = [
        "/money/runs/prepare/", f"/money/runs/{run.pk}/lock/", f"/money/runs/{run.pk}/approve/",
        f"/money/runs/{run.pk}/send/", f"/money/runs/{run.pk}/cancel/",
        f"/money/runs/{run.pk}/reports/", f"/money/reports/{report.pk}/",
        f"/money/payouts/{payout.pk}/decide/", f"/money/earnings/{hold.payable_id}/hold/",
        f"/money/holds/{hold.pk}/end/", "/money/tax/export/full/",
    ]  # fmt: skip
    events = Event.objects.count()
    for address in pages:
        assert client.get(address).url.startswith("/log-in/")  # type: ignore[attr-defined]
    for who in (person, factories.reviewer(), finance.manager):
        browser = log_in(who)
        assert {browser.get(address).status_code for address in pages} == {403}
        assert {browser.post(address).status_code for address in forms} == {403}
    assert Event.objects.count() == events
    browser = log_in(finance.approver)
    assert {browser.get(address).status_code for address in pages} == {200}
    for address in forms[:3]:
        assert browser.get(address).status_code == 405


def test_forms_need_their_token(finance: Finance) -> None:
    finance.payee(1600)
    browser = Client(enforce_csrf_checks=True)
    browser.force_login(finance.approver)
    assert browser.post("/money/runs/prepare/").status_code == 403
    assert not PayoutRun.objects.exists()


# --- a run ------------------------------------------------------------------------------------


def test_a_run_from_first_to_last(finance: Finance, desk: Client, log_in: LogIn) -> None:
    ada, bob = finance.payee(1600, 300), finance.payee(500)
    preparer = log_in(finance.preparer)
    page = send(preparer, "/money/runs/prepare/", currency="usd")
    run = PayoutRun.objects.get()
    assert "Lock 2 payouts, $24.00" in page
    assert "They match." in page
    page = send(preparer, f"/money/runs/{run.pk}/lock/")
    assert "somebody else approves it" in page
    assert "Approve 2 payouts" not in page
    assert "approved by somebody other" in send(
        preparer, f"/money/runs/{run.pk}/approve/", payout_count=2, total_cents=2400
    )

    page = read(desk, f"/money/runs/{run.pk}/")
    assert "Approve 2 payouts, $24.00" in page
    wrong = send(desk, f"/money/runs/{run.pk}/approve/", payout_count=2, total_cents=2399)
    assert "The totals do not match" in wrong
    run.refresh_from_db()
    assert run.state == "locked"
    page = send(desk, f"/money/runs/{run.pk}/approve/", payout_count=2, total_cents=2400)
    assert '<span class="state approved">approved</span>' in page
    page = send(desk, f"/money/runs/{run.pk}/send/")
    assert f'href="/money/runs/{run.pk}/files/file/"' in page
    file = desk.get(f"/money/runs/{run.pk}/files/file/")
    assert file.content.count(b"\r\n") == 3
    assert desk.get(f"/money/runs/{run.pk}/files/nacha/").status_code == 404
    assert desk.get(f"/money/runs/{run.pk}/files/stripe/").status_code == 404

    upload = SimpleUploadedFile(
        "bank.csv",
        report_of((payout_of(ada), "paid")) + b"AP-x,1.00,USD,paid\r\n",
        content_type="text/csv",
    )
    page = send(desk, f"/money/runs/{run.pk}/reports/", report=upload)
    report = BankReport.objects.get()
    assert "Follow the report: move 1 payout<" in page
    assert "AP-x" in page
    assert payout_of(bob).our_reference in page  # missing
    assert payout_of(ada).state == "submitted"
    page = send(desk, f"/money/reports/{report.pk}/")
    assert "0 of 2 lines done" in page
    assert 'hx-trigger="every 2s"' in page
    assert "Follow the report" not in page
    assert "AP-x" not in page  # nothing that looks finished
    assert "being followed, 0 of 2 lines" in read(desk, f"/money/runs/{run.pk}/")
    assert payout_of(ada).state == "submitted"
    assert not follow_report(report.pk)  # a worker
    page = read(desk, f"/money/reports/{report.pk}/")
    assert "All 2 lines, for " in page
    assert "<dt>Settled</dt><dd>1</dd>" in page
    assert "<li>line 3: AP-x is not in this run</li>" in page
    assert "hx-trigger" not in page
    assert ", followed<" in read(desk, f"/money/runs/{run.pk}/")
    assert [payout_of(person).state for person in (ada, bob)] == ["settled", "submitted"]
    assert "followed already" in send(desk, f"/money/reports/{report.pk}/")

    page = read(desk, f"/money/payouts/{payout_of(bob).pk}/")
    assert "Decide by hand" in page
    decide = f"/money/payouts/{payout_of(bob).pk}/decide/"
    assert "Say how you know" in send(desk, decide, outcome="failed")
    assert "Choose what became of it" in send(desk, decide, outcome="sent", note="x")
    send(desk, decide, outcome="failed", note="The bank's letter of today.")
    assert states(bob) == [(500, "accrued")]


def test_a_run_whose_totals_differ_lists_the_differences(finance: Finance, desk: Client) -> None:
    finance.payee(1600)
    run = finance.locked()
    PayoutRun.objects.filter(pk=run.pk).update(total_cents=1601)
    page = read(desk, f"/money/runs/{run.pk}/")
    assert "The totals differ" in page
    assert "ledger: 1 payout, $16.00, instead of 1, $16.01" in page
    assert "Approve 1 payout" not in page


def test_a_cancelled_run_needs_a_reason(finance: Finance, desk: Client) -> None:
    person = finance.payee(1600)
    run = finance.locked()
    assert "Say why" in send(desk, f"/money/runs/{run.pk}/cancel/", reason=" ")
    assert states(person) == [(1600, "batched")]
    page = send(desk, f"/money/runs/{run.pk}/cancel/", reason="Wrong week")
    assert "waits for the next run" in page
    assert states(person) == [(1600, "accrued")]
    assert "Nobody has anything" not in page
    assert "cancelled" in read(desk, "/money/runs/?state=cancelled")
    assert f"Run {run.pk}<" not in read(desk, "/money/runs/?state=approved")


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [("r.csv", b"nonsense", "can&#x27;t be read"), ("r.csv", b"", "can&#x27;t be read")],
)
def test_a_file_that_is_no_report(
    finance: Finance, desk: Client, name: str, content: bytes, said: str
) -> None:
    finance.payee(1600)
    run = finance.approved()
    upload = SimpleUploadedFile(name, content)
    assert said in send(desk, f"/money/runs/{run.pk}/reports/", report=upload)
    assert "Choose the bank" in send(desk, f"/money/runs/{run.pk}/reports/")
    assert not BankReport.objects.exists()


def test_a_lost_answer_waits_for_a_person(finance: Finance, desk: Client) -> None:
    person = finance.payee(1600, rail="stripe", account="acct_1234")
    finance.approved()
    payout = payout_of(person)
    payout.attempts.create(
        number=1, idempotency_key="key-1", request=b"{}", request_sha256="0" * 64,
        first_sent_at=database_now(), detail="Timeout",
    )  # fmt: skip
    with connection.cursor() as cursor:
        cursor.execute("UPDATE payouts_payout SET state = 'sending'")
        cursor.execute("UPDATE payouts_payout SET state = 'unknown', needs_person = true")
    assert "needs you" in read(desk, "/money/waiting/")
    page = read(desk, f"/money/payouts/{payout.pk}/")
    assert "<code>key-1</code>" in page
    assert "Timeout" in page
    decide = f"/money/payouts/{payout.pk}/decide/"
    assert "Give the provider" in send(desk, decide, outcome="sent", note="Dashboard")
    assert payout_of(person).state == "unknown"
    send(desk, decide, outcome="sent", provider_reference="tr_1", note="Dashboard")
    assert (payout_of(person).state, payout_of(person).provider_reference) == ("submitted", "tr_1")
    assert "No answer was lost" in read(desk, "/money/waiting/")


def test_what_a_restored_backup_does_not_know_is_named(finance: Finance, desk: Client) -> None:
    person = finance.payee(1600, 200)
    run = finance.approved()
    payout, kept = payout_of(person), Payable.objects.filter(contractor=person).earliest("pk")
    leave_witness("file", {payout.our_reference: 1700})
    write_files(run=run)
    assert "needs you" in read(desk, "/money/waiting/")
    page = read(desk, f"/money/payouts/{payout.pk}/")
    assert "$17.00 was paid under this reference already" in page
    assert f'name="earning" value="{kept.pk}"' in page
    decide = f"/money/payouts/{payout.pk}/decide/"
    body = {"outcome": "found", "earning": [kept.pk], "note": "In the bank's books"}
    assert "name the project" in send(desk, decide, **body)
    assert payout_of(person).pk == payout.pk
    page = send(desk, decide, **body, project=finance.project.pk)
    assert "$17.00 to" in page
    assert states(person) == [(1600, "batched"), (200, "accrued"), (100, "batched")]


def test_provider_events(finance: Finance, desk: Client) -> None:
    ProviderEvent.objects.create(provider="stripe", event_id="evt_1", kind="transfer.created")
    ProviderEvent.objects.create(
        provider="stripe", event_id="evt_2", kind="transfer.created", handled_at=database_now()
    )
    assert {"evt_1", "evt_2"} <= set(read(desk, "/money/events/").replace("<", ">").split(">"))
    page = read(desk, "/money/events/?only=unhandled")
    assert "evt_1" in page
    assert "evt_2" not in page


# --- holds ------------------------------------------------------------------------------------


def test_a_hold_from_the_earning_to_its_end(finance: Finance, desk: Client) -> None:
    person = finance.payee(1600)
    finance.payee(700)
    page = read(desk, f"/money/earnings/?state=accrued&who={person.user.email[:20]}")
    payable = Payable.objects.get(contractor=person)
    assert f'href="/money/earnings/{payable.pk}/hold/"' in page
    address = f"/money/earnings/{payable.pk}/hold/"
    page = send(desk, address, case="F-1", reason="", days=9)
    assert page.count('class="field-error"') == 2
    assert not Hold.objects.exists()
    page = send(desk, address, case="F-1", reason="The name differs.", days=7)
    assert "$16.00 is held" in page
    assert "The name differs." in page
    assert states(person) == [(1600, "held")]
    page = send(desk, f"/money/holds/{Hold.objects.get().pk}/end/")
    assert "Nothing is held" in page
    assert states(person) == [(1600, "accrued")]
    assert "F-1" in read(desk, "/money/holds/?show=all")
    assert "held before" in send(desk, address, case="F-2", reason="Again", days=1)


# --- tax --------------------------------------------------------------------------------------


def test_a_year_and_its_export(finance: Finance, desk: Client) -> None:
    today = database_now().astimezone(UTC).date()
    ada, bob = finance.payee(100_000, 100_000), finance.payee(1600)
    state_tax_form(contractor=ada, **W9)
    write_files(run=finance.approved())
    for person in (ada, bob):
        settle_payout(payout_id=payout_of(person).pk)
    settled_at = datetime(today.year, 1, 2, tzinfo=UTC)
    Payout.objects.update(settled_at=settled_at)
    page = read(desk, "/money/tax/")
    assert "$2,000.00" in page
    assert "ending in 6789" in page
    assert "123-45-6789" not in page
    for only, there, not_there in (("lacks", bob, ada), ("over", ada, bob)):
        page = read(desk, f"/money/tax/?year={today.year}&only={only}")
        assert there.user.email in page
        assert not_there.user.email not in page
    assert "Nobody is like that" in read(desk, "/money/tax/?only=over-lacks")
    assert "Nobody was paid in" in read(desk, f"/money/tax/?year={today.year - 1}")
    masked = desk.get(f"/money/tax/export/?year={today.year}")
    assert b"ending in 6789" in masked.content
    full = {"year": today.year, "reason": "1099s"}
    assert "password is not right" in send(desk, "/money/tax/export/full/", **full, password="no")
    assert "what the full numbers are for" in send(
        desk, "/money/tax/export/full/", year=today.year, password=factories.PASSWORD
    )
    assert not Event.objects.filter(type="tax_year.exported").exists()
    taken = desk.post("/money/tax/export/full/", full | {"password": factories.PASSWORD})
    assert b"123-45-6789" in taken.content
    assert Event.objects.filter(type="tax_year.exported", actor=finance.approver).count() == 1


def test_a_contractor_gives_the_form(log_in: LogIn) -> None:
    person = factories.contractor()
    browser = log_in(person)
    assert "No form yet." in read(browser, "/work/tax-form/")
    page = send(browser, "/work/tax-form/", **W8BEN)
    assert "ending in 4286" in page
    assert "046 454 286" not in page
    wrong = browser.post("/work/tax-form/", W9 | {"country": "us"})
    assert wrong.status_code == 400
    assert b"123-45-6789" not in wrong.content
    assert "does not look right" in send(browser, "/work/tax-form/", **W9 | {"tin": "1"})
    assert "password is not right" in send(browser, "/work/tax-form/", **W9 | {"password": "x"})
    assert TaxForm.objects.count() == 1
    for who in (factories.finance(), factories.manager(), factories.reviewer()):
        assert log_in(who).get("/work/tax-form/").status_code == 403


# --- lists ------------------------------------------------------------------------------------


def test_lists_are_paged_and_cost_the_same_however_long(
    finance: Finance, desk: Client, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    def more(number: int) -> PayoutRun:
        people = [finance.payee(1600) for _ in range(number)]
        held = finance.payee(500)
        Hold.objects.create(
            payable=Payable.objects.get(contractor=held), case="1", reason="x",
            placed_by=finance.preparer, placed_at=database_now(),
            ends_at=database_now() + timedelta(days=1),
        )  # fmt: skip
        Payable.objects.filter(contractor=held).update(state="held")
        run = finance.approved()
        write_files(run=run)
        for person in people:
            settle_payout(payout_id=payout_of(person).pk)
        return run

    lists = [
        ("/money/runs/", 4),  # session, user; count, runs
        ("/money/earnings/", 4),
        ("/money/holds/", 4),
        # … the run; three totals; states; count, payouts; files, reports
        ("/money/runs/{run}/", 11),
        # … the clock; count, people, their forms
        ("/money/tax/", 6),
        # … payout; attempts; count, items
        ("/money/payouts/{payout}/", 6),
    ]
    for number in (1, 27):
        run = more(number)
        payout = run.payouts.order_by("pk")[0]
        for address, queries in lists:
            with django_assert_num_queries(queries):
                page = read(desk, address.format(run=run.pk, payout=payout.pk))
            if number == 27 and address in (
                "/money/earnings/",
                "/money/tax/",
                "/money/runs/{run}/",
            ):
                assert "Page 1 of 2" in page, address
                assert "page=2" in page
