"""What people take away: a statement as JSON (to verify), CSV (to calculate) or PDF (to file), and
a year's figures for tax as CSV."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterable
from typing import Any

from fpdf import FPDF

from payouts.models import Statement, TaxForm
from payouts.queries import TaxLine
from payouts.rules import money

CSV_COLUMNS = (
    "number", "at", "kind", "amount_cents", "balance_cents", "project", "task", "video",
    "assignment", "submission", "decision", "decided_at", "price_version", "price_cents", "payout",
    "transaction", "text", "sha256",
)  # fmt: skip
TAX_COLUMNS = (
    "year", "contractor", "name", "email", "currency", "paid", "payouts", "threshold_reached",
    "form", "form_status", "form_name", "address", "country", "signed_on", "expires_on",
    "tin_kind", "tin",
)  # fmt: skip
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def as_json(statement: Statement) -> bytes:
    """The bytes that `verify_statement.py` checks."""
    return statement.document.encode()


def as_csv(statement: Statement) -> bytes:
    """One row per line. A text that a spreadsheet would run is quoted with an apostrophe."""
    out = io.StringIO(newline="")
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(CSV_COLUMNS)
    for line in _document(statement)["lines"]:
        writer.writerow([_cell(line.get(column)) for column in CSV_COLUMNS])
    return out.getvalue().encode()


def tax_csv(
    lines: Iterable[TaxLine], *, number_of: Callable[[TaxForm], str] | None = None
) -> bytes:
    """One row per contractor; amounts with two decimals.

    Arguments:
        number_of: gives the full identification number; without it the column is masked.
    """
    out = io.StringIO(newline="")
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(TAX_COLUMNS)
    for line in lines:
        form = line.form
        units, cents = divmod(line.paid_cents, 100)
        row: list[object] = [
            line.year, line.contractor, line.name, line.email, line.currency,
            f"{units}.{cents:02d}", line.payout_count, "yes" if line.reported else "no",
        ]  # fmt: skip
        if form is None:
            row += ["", line.form_status, *[""] * 7]
        else:
            number = number_of(form) if number_of else form.masked_tin
            row += [
                form.kind, line.form_status, form.name, form.address, form.country,
                form.signed_on, form.expires_on, form.tin_kind, number,
            ]  # fmt: skip
        writer.writerow([_cell(value) for value in row])
    return out.getvalue().encode()


def as_pdf(statement: Statement) -> bytes:
    """A4 pages: the sums, the lines, and the hash at the foot of each page."""
    document = _document(statement)
    header, lines = document["statement"], document["lines"]
    pdf = _Pages(header["hash"])
    pdf.set_creation_date(statement.created_at)  # the same statement gives the same file
    pdf.add_page()
    pdf.set_font("Helvetica", "B", 14)
    pdf.cell(0, 10, f"Statement of account {header['sequence']}", new_x="LMARGIN", new_y="NEXT")
    pdf.set_font("Helvetica", size=9)
    currency = header["currency"]
    for label, value in (
        ("Contractor", str(header["contractor"])),
        ("Until", header["period_end"][:10]),
        ("Opening balance", money(header["opening_cents"], currency)),
        ("Closing balance", money(header["closing_cents"], currency)),
    ):
        pdf.cell(40, 5, label)
        pdf.cell(0, 5, value, new_x="LMARGIN", new_y="NEXT")
    pdf.ln(4)
    for line in lines:
        pdf.set_font("Helvetica", size=8)
        pdf.cell(12, 4, str(line["number"]))
        pdf.cell(28, 4, line["at"][:16].replace("T", " "))
        pdf.cell(22, 4, money(line["amount_cents"], currency), align="R")
        pdf.cell(24, 4, money(line["balance_cents"], currency), align="R")
        pdf.multi_cell(0, 4, _latin(line.get("text", line["kind"])), new_x="LMARGIN", new_y="NEXT")
    return bytes(pdf.output())


class _Pages(FPDF):
    def __init__(self, digest: str) -> None:
        super().__init__()
        self._digest = digest
        self.set_auto_page_break(True, margin=15)

    def footer(self) -> None:
        self.set_y(-10)
        self.set_font("Courier", size=6)
        self.cell(0, 5, f"{self._digest}  page {self.page_no()}")


def _document(statement: Statement) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(statement.document)
    return document


def _cell(value: object) -> object:
    if isinstance(value, str) and value.startswith(_FORMULA):
        return f"'{value}"
    return "" if value is None else value


def _latin(text: str) -> str:
    """The built-in fonts know Latin-1; what they lack becomes a question mark."""
    return text.encode("latin-1", "replace").decode("latin-1")
