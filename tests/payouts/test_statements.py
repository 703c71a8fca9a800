"""Statements: every cent once, chained, and checkable by anybody."""

from __future__ import annotations

import json
import random
import re
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction

import verify_statement
from contractors.models import Contractor
from payouts import documents
from payouts.models import Statement
from payouts.services import cancel_run, make_statements
from payouts.services.statements import canonical, last_monday
from tests.payouts.long_statement import long_statement
from tests.payouts.scenes import Finance, balances, check_deferred

LATER = datetime(2100, 1, 1, tzinfo=UTC)

pytestmark = pytest.mark.django_db


@pytest.fixture
def finance() -> Finance:
    return Finance()


@pytest.fixture
def ada(finance: Finance) -> Contractor:
    """Two statements: three earnings; then a payout, its cancellation and a further earning."""
    person = finance.payee(1600, 200, 1600)
    assert make_statements(period_end=LATER) == 1
    cancel_run(actor=finance.preparer, run=finance.locked(), reason="No")
    finance.earn(person, 50)
    check_deferred()
    assert make_statements(period_end=LATER) == 1
    return person


def statements(person: Contractor) -> list[Statement]:
    return list(Statement.objects.filter(contractor=person).order_by("sequence"))


def test_every_cent_is_stated_once(ada: Contractor) -> None:
    first, second = statements(ada)
    assert (first.opening_cents, first.closing_cents, first.line_count) == (0, 3400, 3)
    assert (second.opening_cents, second.closing_cents, second.line_count) == (3400, 3450, 3)
    lines = json.loads(second.document)["lines"]
    assert [(line["kind"], line["amount_cents"]) for line in lines] == [
        ("reserve", -3400),
        ("fail", 3400),
        ("earn", 50),
    ]
    assert second.closing_cents == balances(ada)[0]
    assert make_statements(period_end=LATER) == 0
    assert json.loads(first.document)["lines"][0]["text"] == "$16.00: A bonus. Work"


def test_what_happened_after_the_period_waits(finance: Finance) -> None:
    finance.payee(1600)
    assert make_statements(period_end=datetime(2000, 1, 3, tzinfo=UTC)) == 0
    assert not Statement.objects.exists()


def test_weeks_end_on_monday() -> None:
    sunday = datetime(2026, 11, 22, 23, 59, tzinfo=UTC)
    assert last_monday(sunday) == datetime(2026, 11, 16, tzinfo=UTC)
    assert last_monday(sunday + timedelta(minutes=1)) == datetime(2026, 11, 23, tzinfo=UTC)


def save(person: Contractor, folder: Path) -> list[Path]:
    paths = []
    for statement in statements(person):
        path = folder / f"{statement.sequence}.json"
        path.write_bytes(documents.as_json(statement))
        paths.append(path)
    return paths


def verify(*paths: Path) -> tuple[int, str]:
    """The script as a contractor runs it: alone, without this project or any package."""
    script = Path(verify_statement.__file__)
    done = subprocess.run(
        [sys.executable, "-I", "-S", str(script), *map(str, paths)],
        capture_output=True, text=True, check=False, cwd=paths[0].parent,
    )  # fmt: skip
    return done.returncode, done.stdout + done.stderr


def test_the_script_finds_them_right(ada: Contractor, tmp_path: Path) -> None:
    status, said = verify(*save(ada, tmp_path))
    assert status == 0, said
    assert said.count("right: statement") == 2
    assert statements(ada)[1].hash in said


def named(wrong: list[str]) -> set[str]:
    """The places that are called wrong: `line 2`, `header`, `the beginning`."""
    found = {re.match(r"line \d+|header|the beginning", text) for text in wrong}
    assert None not in found, wrong
    innocent = {text.split(":")[0] for text in wrong if "cannot be checked" in text}
    return {match.group() for match in found if match} - innocent


@pytest.mark.parametrize(
    "change", [lambda b: b ^ 1, lambda b: b ^ 0x80, lambda b: 0x7D, lambda b: 0x22]
)
def test_any_changed_byte_is_found_and_its_place_named(ada: Contractor, change: Any) -> None:
    """Every byte of a statement in turn becomes another one: its neighbour, one that is not
    UTF-8, a brace, a quote."""
    content = documents.as_json(statements(ada)[0])
    assert verify_statement.check(content)[1] == []
    for position, byte in enumerate(content):
        if change(byte) == byte:
            continue
        changed = content[:position] + bytes([change(byte)]) + content[position + 1 :]
        _, wrong = verify_statement.check(changed)
        assert named(wrong) == {place(content, position)}, (position, changed, wrong)


def place(content: bytes, position: int) -> str:
    """Which part of a statement's bytes a position is in; commas belong to the line before."""
    if position < content.index(b"{", 1):
        return "the beginning"
    if position > content.index(b'],"statement":'):
        return "header"
    started = content[: position + 1].count(b"{") - 1  # its own brace may be the byte
    return f"line {started}"


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (lambda d: d["lines"][1].update(amount_cents=300), "line 2: the balance is 1800"),
        (lambda d: d["lines"][1].update(text="no"), "line 2: its content does not match"),
        (lambda d: d["lines"].pop(1), "line 2: is numbered 3"),
        (lambda d: d["lines"].pop(), "header: closing_cents is 3400"),
        (lambda d: d["statement"].update(contractor=1), "header: its content does not match"),
        (lambda d: d["statement"].update(opening_cents=100), "header: its content does not match"),
    ],
)
def test_what_was_changed_is_named(ada: Contractor, change: Any, named: str) -> None:
    document = json.loads(documents.as_json(statements(ada)[0]))
    change(document)
    _, wrong = verify_statement.check(canonical(document))
    assert any(line.startswith(named) for line in wrong), wrong


def test_a_forged_statement_breaks_the_chain(ada: Contractor, tmp_path: Path) -> None:
    """Even with every digest made anew: the statement after it does not follow."""
    first, second = save(ada, tmp_path)
    document = json.loads(first.read_bytes())
    previous, balance = verify_statement.START, 0
    for line in document["lines"]:
        line["amount_cents"] -= 1
        balance += line["amount_cents"]
        line["balance_cents"] = balance
        line["sha256"] = previous = verify_statement.digest_line(previous, line)
    document["statement"].update(closing_cents=balance, lines_sha256=previous)
    document["statement"]["hash"] = verify_statement.digest_header(document["statement"])
    first.write_bytes(canonical(document))

    assert verify(first)[0] == 0
    status, said = verify(first, second)
    assert status == 1
    assert "opens at 3400, the one before closed at 3397" in said
    assert "previous_hash is not the hash of the statement before" in said


def test_a_changed_byte_among_ten_thousand_lines_is_named(tmp_path: Path) -> None:
    """How long it takes is printed by `python -m benchmarks.ledger`."""
    content = long_statement(10_000)
    path = tmp_path / "long.json"
    path.write_bytes(content)

    status, said = verify(path)
    assert status == 0, said

    draw = random.Random(5)
    for position in [draw.randrange(len(content)) for _ in range(20)]:
        changed = bytearray(content)
        changed[position] ^= draw.choice([1, 2, 0x10, 0x80])
        _, wrong = verify_statement.check(bytes(changed))
        assert named(wrong) == {place(content, position)}, (position, wrong)
    path.write_bytes(changed)
    status, said = verify(path)
    assert status == 1
    assert f"WRONG: {place(content, position)}" in said


def test_a_cut_file_is_wrong(ada: Contractor) -> None:
    content = documents.as_json(statements(ada)[0])
    for length in range(len(content)):
        assert verify_statement.check(content[:length])[1], length


def test_csv_and_pdf_say_the_same(ada: Contractor) -> None:
    statement = statements(ada)[0]
    rows = documents.as_csv(statement).decode().split("\r\n")
    assert rows[0].startswith("number,at,kind,amount_cents,balance_cents,")
    assert [row.split(",")[3] for row in rows[1:4]] == ["1600", "200", "1600"]
    pdf = documents.as_pdf(statement)
    assert pdf.startswith(b"%PDF-")
    assert documents.as_pdf(statement) == pdf


@pytest.mark.parametrize(
    "change",
    ["UPDATE payouts_statement SET closing_cents = 0", "DELETE FROM payouts_statement",
     "UPDATE payouts_statemententry SET statement_id = 1", "DELETE FROM payouts_statemententry"],
)  # fmt: skip
def test_statements_never_change(ada: Contractor, change: str) -> None:
    with (
        pytest.raises(IntegrityError, match="append-only"),
        transaction.atomic(),
        connection.cursor() as cursor,
    ):
        cursor.execute(change)


@pytest.mark.parametrize(
    "values", ["4, 3450, '{hash}'", "3, 3449, '{hash}'", "3, 3450, 'something else'"]
)
def test_a_statement_that_does_not_follow_is_refused(ada: Contractor, values: str) -> None:
    last = statements(ada)[-1]
    with (
        pytest.raises(IntegrityError, match="does not follow statement 2"),
        transaction.atomic(),
        connection.cursor() as cursor,
    ):
        cursor.execute(
            "INSERT INTO payouts_statement (contractor_id, currency, sequence, opening_cents, "
            "previous_hash, closing_cents, line_count, lines_sha256, hash, document, period_end) "
            f"VALUES ({ada.pk}, 'USD', {values.format(hash=last.hash)}, 0, 1, '', 'h', '', now())"
        )
