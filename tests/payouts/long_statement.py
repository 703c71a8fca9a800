"""A statement of any length without a database."""

from __future__ import annotations

from typing import Any

import verify_statement


def long_statement(count: int) -> bytes:
    """The bytes of a right statement with so many lines."""
    lines: list[dict[str, Any]] = []
    balance, previous = 0, verify_statement.START
    for number in range(1, count + 1):
        balance += 1600
        line: dict[str, Any] = {
            "number": number,
            "at": "2026-11-16T12:00:00+00:00",
            "kind": "earn",
            "amount_cents": 1600,
            "balance_cents": balance,
            "transaction": number,
            "text": "$16.00: Your submission was accepted. Price version 1, $16.00, was pinned.",
        }
        line["sha256"] = previous = verify_statement.digest_line(previous, line)
        lines.append(line)
    header: dict[str, Any] = {
        "contractor": 1, "currency": "USD", "sequence": 1, "period_end": "2026-11-23",
        "opening_cents": 0, "closing_cents": balance, "line_count": len(lines),
        "lines_sha256": previous, "previous_hash": "",
    }  # fmt: skip
    header["hash"] = verify_statement.digest_header(header)
    return verify_statement.canonical({"statement": header, "lines": lines})
