"""Tax: forms and their numbers, a year's figures by payment date, and taking them away."""

from __future__ import annotations

import csv
import io
from datetime import UTC, date, datetime
from typing import Any

import pytest
from cryptography.fernet import Fernet
from django.db import IntegrityError, connection

from contractors.models import Contractor
from events.models import Event
from payouts import queries, tax_rules
from payouts.encryption import decrypt
from payouts.models import Payout, TaxForm
from payouts.services import (
    return_payout,
    rotate_secrets,
    settle_payout,
    state_tax_form,
    write_files,
)
from tests import factories
from tests.payouts.scenes import Finance, check_deferred, payout_of
from tests.raw_sql import execute

pytestmark = pytest.mark.django_db

W9 = {
    "kind": "w9", "name": "Ada Lovelace", "address": "1 Main St, Austin TX", "country": "US",
    "tin_kind": "ssn", "tin": "123-45-6789", "signature": "Ada Lovelace",
    "password": factories.PASSWORD,
}  # fmt: skip
W8BEN = W9 | {"kind": "w8ben", "country": "CA", "tin_kind": "foreign", "tin": "046 454 286"}


# --- the rules --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("year", "cents"),
    [(2000, 60_000), (2024, 60_000), (2025, 60_000), (2026, 200_000), (2030, 200_000)],
)
def test_the_threshold_of_a_year(year: int, cents: int) -> None:
    assert tax_rules.reporting_threshold_cents(year) == cents


@pytest.mark.parametrize(
    ("signed_on", "expires_on"),
    [
        (date(2026, 1, 1), date(2029, 12, 31)),
        (date(2026, 12, 31), date(2029, 12, 31)),
        (date(2027, 1, 1), date(2030, 12, 31)),
    ],
)
def test_a_w8ben_counts_until_the_end_of_the_third_year(signed_on: date, expires_on: date) -> None:
    assert tax_rules.w8ben_expires_on(signed_on) == expires_on
    for day, status in ((expires_on, "current"), (expires_on.replace(year=2040), "expired")):
        assert tax_rules.form_status(kind="w8ben", expires_on=expires_on, today=day) == status


@pytest.mark.parametrize(
    ("kind", "tin", "good"),
    [
        ("ssn", "123-45-6789", True), ("ssn", "123456789", True), ("ssn", "12345678", False),
        ("ssn", "000-45-6789", False), ("ssn", "666-45-6789", False), ("ssn", "900-45-6789", False),
        ("ssn", "123-00-6789", False), ("ssn", "123-45-0000", False), ("ssn", "12a-45-6789", False),
        ("ssn", "١٢٣-45-6789", False),
        ("ein", "12-3456789", True), ("ein", "00-3456789", False), ("ein", "07-3456789", False),
        ("itin", "900-70-1234", True), ("itin", "999-99-9999", True),
        ("itin", "900-49-1234", False), ("itin", "900-66-1234", False),
        ("itin", "900-93-1234", False), ("itin", "123-70-1234", False),
        ("foreign", "046 454 286", True), ("foreign", "a", False), ("foreign", "- - - -", False),
        ("foreign", "x" * 31, False),
    ],
)  # fmt: skip
def test_numbers_that_can_exist(kind: str, tin: str, good: bool) -> None:
    assert (tax_rules.tin_problem(kind, tin) == "") is good


@pytest.mark.parametrize(
    ("kind", "currency", "cents", "year", "reported"),
    [
        ("w9", "USD", 59_999, 2025, False), ("w9", "USD", 60_000, 2025, True),
        ("w9", "USD", 199_999, 2026, False), ("w9", "USD", 200_000, 2026, True),
        ("", "USD", 200_000, 2026, True), ("w8ben", "USD", 200_000, 2026, False),
        ("w9", "CAD", 200_000, 2026, False),
    ],
)  # fmt: skip
def test_who_is_reported(kind: str, currency: str, cents: int, year: int, reported: bool) -> None:
    found = tax_rules.is_reported(kind=kind, currency=currency, paid_cents=cents, year=year)
    assert found is reported


# --- the contractor's form --------------------------------------------------------------------


def put(person: Contractor, body: dict[str, Any]) -> Any:
    return factories.client_for(person).put("/api/v1/tax-form/", body)


def test_the_number_goes_in_and_never_comes_out() -> None:
    person = factories.contractor()
    mine = factories.client_for(person)
    assert mine.get("/api/v1/tax-form/").status_code == 404
    answer = mine.put("/api/v1/tax-form/", W9)
    assert answer.status_code == 200
    shown = mine.get("/api/v1/tax-form/").json()
    assert shown == answer.json()
    assert (shown["tin"], shown["status"]) == ("ending in 6789", "current")
    assert shown["expires_on"] is None
    stored = TaxForm.objects.get()
    assert decrypt(stored.tin) == b"123456789"
    with connection.cursor() as cursor:
        cursor.execute("SELECT to_jsonb(f)::text FROM payouts_taxform f")
        row = cursor.fetchone()[0]
    (event,) = Event.objects.filter(type="tax_form.stated")
    assert event.data == {"form": stored.pk, "kind": "w9", "tin": "ending in 6789"}
    for text in (answer.content.decode(), row, str(event.data)):
        assert "123-45-6789" not in text
        assert "123456789" not in text


def test_the_next_form_follows_the_one_before() -> None:
    person = factories.contractor()
    put(person, W9)
    assert put(person, W8BEN).json()["tin"] == "ending in 4286"
    first, second = TaxForm.objects.order_by("pk")
    assert (first.replaced_at is None, second.replaced_at is None) == (False, True)
    assert second.expires_on == tax_rules.w8ben_expires_on(second.signed_on)
    current = queries.current_tax_form(person.pk)
    assert current == second


@pytest.mark.parametrize(
    ("body", "status", "slug"),
    [
        (W9 | {"password": "wrong"}, 403, "fresh-sign-in-needed"),
        (W9 | {"tin": "000-45-6789"}, 400, "invalid-tax-form"),
        (W9 | {"tin": ""}, 400, "invalid-tax-form"),
        (W9 | {"tin": "", "tin_kind": ""}, 400, "invalid-tax-form"),
        (W9 | {"tin_kind": "foreign"}, 400, "invalid-tax-form"),
        (W9 | {"country": "CA"}, 400, "invalid-tax-form"),
        (W8BEN | {"country": "US"}, 400, "invalid-tax-form"),
        (W8BEN | {"tin_kind": "ein", "tin": "12-3456789"}, 400, "invalid-tax-form"),
        (W9 | {"signature": " "}, 400, "invalid-input"),
        (W9 | {"kind": "w4"}, 400, "invalid-input"),
        (W9 | {"country": "usa"}, 400, "invalid-input"),
    ],
)
def test_a_refused_form_is_not_stored_and_its_number_not_repeated(
    body: dict[str, Any], status: int, slug: str
) -> None:
    person = factories.contractor()
    answer = put(person, body)
    assert (answer.status_code, answer.json()["type"]) == (status, f"/problems/{slug}")
    assert "45-6789" not in answer.content.decode()
    assert not TaxForm.objects.exists()
    assert not Event.objects.filter(type="tax_form.stated").exists()


def test_guessing_passwords_is_slowed_down(settings: Any) -> None:
    # Nobody else counts in this cache, and nobody clears it.
    settings.CACHES = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}}
    person = factories.contractor()
    client = factories.client_for(person)
    wrong = W9 | {"password": "wrong"}
    codes = [client.put("/api/v1/tax-form/", wrong).status_code for _ in range(11)]
    assert codes == [403] * 10 + [429]
    assert client.get("/api/v1/tax-form/").status_code == 404  # reading is not guessing


def test_a_w8ben_without_a_number() -> None:
    person = factories.contractor()
    assert put(person, W8BEN | {"tin": "", "tin_kind": ""}).json()["tin"] == ""
    assert bytes(TaxForm.objects.get().tin) == b""


def test_numbers_are_encrypted_anew_with_the_other_secrets(settings: Any) -> None:
    old, new = Fernet.generate_key().decode(), Fernet.generate_key().decode()
    settings.FIELD_ENCRYPTION_KEYS = [old]
    put(factories.contractor(), W9)
    put(factories.contractor(), W8BEN | {"tin": "", "tin_kind": ""})
    settings.FIELD_ENCRYPTION_KEYS = [new, old]
    assert rotate_secrets() == 1
    settings.FIELD_ENCRYPTION_KEYS = [new]
    assert decrypt(TaxForm.objects.get(kind="w9").tin) == b"123456789"


def test_the_database_keeps_what_was_signed() -> None:
    person = factories.contractor()
    put(person, W9)
    for change in ("name = 'Bob'", "tin = ''", "signed_on = signed_on - 1"):
        with pytest.raises(IntegrityError, match="what was signed never changes"):
            execute(f"UPDATE payouts_taxform SET {change}")
    with pytest.raises(IntegrityError, match="append-only"):
        execute("DELETE FROM payouts_taxform")
    execute("UPDATE payouts_taxform SET replaced_at = now()")
    with pytest.raises(IntegrityError, match="what was signed never changes"):
        execute("UPDATE payouts_taxform SET replaced_at = NULL")
    again = (
        "INSERT INTO payouts_taxform (contractor_id, kind, name, address, country, tin_kind, tin,"
        " tin_last4, signature, signed_on, expires_on) VALUES (%s, %s, 'A', 'B', %s, %s, 'x', %s,"
        " 'A', '2026-01-01', %s)"
    )
    kind = "tax_form_says_what_its_kind_asks"
    for row, rule in (
        (("w9", "CA", "ssn", "6789", None), kind),
        (("w9", "US", "foreign", "6789", None), kind),
        (("w9", "US", "ssn", "6789", "2029-12-31"), kind),
        (("w8ben", "US", "ssn", "6789", "2029-12-31"), kind),
        (("w8ben", "CA", "", "", None), kind),
        (("w9", "US", "ssn", "", None), "tax_form_number_and_its_end_go_together"),
        (("w8ben", "CA", "", "", "2025-12-31"), "tax_form_expires_after_it_was_signed"),
    ):
        with pytest.raises(IntegrityError, match=rule):
            execute(again, parameters=(person.pk, *row))
    execute(again, parameters=(person.pk, "w9", "US", "ssn", "6789", None))
    with pytest.raises(IntegrityError, match="tax_form_one_current_per_contractor"):
        execute(again, parameters=(person.pk, "w9", "US", "ssn", "6789", None))


# --- the year ---------------------------------------------------------------------------------


@pytest.fixture
def finance() -> Finance:
    return Finance()


def paid(finance: Finance, *cents: int, at: datetime, form: dict[str, Any] | None = None) -> Any:
    """A contractor who was paid these amounts together, and the payout settled then."""
    person = finance.payee(*cents)
    if form is not None:
        state_tax_form(contractor=person, **form)
    write_files(run=finance.approved())
    settle_payout(payout_id=payout_of(person).pk)
    Payout.objects.filter(pk=payout_of(person).pk).update(settled_at=at)
    return person


def year(finance: Finance, query: str = "", of: int = 2026) -> list[tuple[str, int, str, bool]]:
    """(name's email, cents, form status, reported) of each line."""
    client = factories.client_for(finance.approver)
    rows = client.get(f"/api/v1/tax-years/{of}/{query}").json()["results"]
    return [(row["email"], row["paid_cents"], row["form_status"], row["reported"]) for row in rows]


def test_a_year_by_payment_date(finance: Finance) -> None:
    last_second = datetime(2026, 12, 31, 23, 59, 59, tzinfo=UTC)
    ada = paid(finance, 100_000, 99_999, at=last_second, form=W9)
    bob = paid(finance, 100_000, 100_000, at=datetime(2026, 1, 1, tzinfo=UTC), form=W9)
    eve = paid(finance, 100_000, 100_000, at=last_second)
    dan = paid(finance, 100_000, 100_000, at=last_second, form=W8BEN)
    fay = paid(finance, 60_000, at=datetime(2025, 12, 31, 23, 59, 59, tzinfo=UTC), form=W9)
    back = paid(finance, 100_000, at=last_second)
    back_payout = payout_of(back)
    return_payout(payout_id=back_payout.pk, reason="No such account.")

    def line(person: Any, cents: int, status: str, reported: bool) -> tuple[str, int, str, bool]:
        return (person.user.email, cents, status, reported)

    assert year(finance) == [
        line(ada, 199_999, "current", False),
        line(bob, 200_000, "current", True),
        line(eve, 200_000, "missing", True),
        line(dan, 200_000, "current", False),
    ]
    assert year(finance, of=2025) == [line(fay, 60_000, "current", True)]
    assert year(finance, "?over_threshold=true") == [
        line(bob, 200_000, "current", True),
        line(eve, 200_000, "missing", True),
    ]
    assert year(finance, "?lacks_form=true") == [line(eve, 200_000, "missing", True)]
    assert year(finance, "?currency=CAD") == []
    check_deferred()  # a table with pending checks is not altered
    with connection.cursor() as cursor:  # years pass
        cursor.execute("ALTER TABLE payouts_taxform DISABLE TRIGGER tax_form_guard")
        cursor.execute(
            "UPDATE payouts_taxform SET signed_on = '2020-05-05', expires_on = '2023-12-31'"
            " WHERE kind = 'w8ben'"
        )
    assert year(finance, "?lacks_form=true") == [
        line(eve, 200_000, "missing", True),
        line(dan, 200_000, "expired", False),
    ]
    assert queries.paid_in_years(fay.pk) == [(2025, "USD", 60_000)]
    assert queries.paid_in_years(back.pk) == []


def test_years_that_there_are(finance: Finance) -> None:
    client = factories.client_for(finance.approver)
    for path in ("1999/", "99999/", "1999/export/"):
        assert client.get(f"/api/v1/tax-years/{path}").status_code == 404
    wrong = client.get("/api/v1/tax-years/2026/?currency=dollars")
    assert (wrong.status_code, wrong.json()["errors"][0]["pointer"]) == (400, "/currency")


def test_the_list_takes_four_queries_however_long(
    finance: Finance, django_assert_num_queries: Any
) -> None:
    client = factories.client_for(finance.approver)
    for number in (1, 3):
        for _ in range(2):
            paid(finance, 1600, at=datetime(2026, 5, 5, tzinfo=UTC), form=W9)
        # Who asks; the clock; the people; their forms.
        with django_assert_num_queries(4):
            rows = client.get("/api/v1/tax-years/2026/").json()["results"]
        assert len(rows) == (2 if number == 1 else 4)
    page = client.get("/api/v1/tax-years/2026/?page_size=3").json()
    assert len(client.get(page["next"]).json()["results"]) == 1


# --- taking it away ---------------------------------------------------------------------------


def read(answer: Any) -> list[dict[str, str]]:
    assert answer.status_code == 200
    assert answer["Cache-Control"] == "private, no-store"
    return list(csv.DictReader(io.StringIO(answer.content.decode())))


def test_the_export_is_masked_unless_somebody_says_why(finance: Finance) -> None:
    settled_at = datetime(2026, 5, 5, tzinfo=UTC)
    paid(finance, 100_000, 100_000, 50, at=settled_at, form=W9 | {"name": "=cmd()"})
    paid(finance, 1600, at=settled_at)
    client = factories.client_for(finance.approver)
    address = "/api/v1/tax-years/2026/export/"

    masked = read(client.get(address))

    columns = ("paid", "tin", "threshold_reached", "form_status")
    assert [tuple(row[column] for column in columns) for row in masked] == [
        ("2000.50", "ending in 6789", "yes", "current"),
        ("16.00", "", "no", "missing"),
    ]
    assert masked[0]["form_name"] == "'=cmd()"  # a spreadsheet runs nothing
    refused = client.post(address, {"password": "wrong", "reason": "1099s"})
    assert (refused.status_code, refused.json()["type"]) == (403, "/problems/fresh-sign-in-needed")
    assert client.post(address, {"password": factories.PASSWORD}).status_code == 400
    assert not Event.objects.filter(type="tax_year.exported").exists()
    full = read(client.post(address, {"password": factories.PASSWORD, "reason": "1099s"}))
    assert [row["tin"] for row in full] == ["123-45-6789", ""]
    (event,) = Event.objects.filter(type="tax_year.exported")
    assert (event.actor, event.data) == (finance.approver, {"year": 2026, "reason": "1099s"})
