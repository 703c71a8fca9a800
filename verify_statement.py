#!/usr/bin/env python3
"""Check downloaded statements of account (JSON). Needs Python 3.8 or newer and nothing else.

    python verify_statement.py statement-1.json statement-2.json

Recomputes every line's balance and digest, the sums, the statement's hash, and, for several
statements of one person, that each takes up where the one before it ended. Prints what is wrong
and where; the exit status is 0 when everything is right, 1 when not, 2 when a file can't be read.

A line's digest is the SHA-256 of the digest of the line before it (64 hex digits; zeros before
the first) followed by the line itself without its digest, as JSON with sorted keys, no spaces
and non-ASCII characters as they are, in UTF-8. The statement's hash is the SHA-256 of its header
without the hash, written the same way; the header holds the last line's digest and the hash of
the statement before it, so a later statement vouches for all earlier ones. Compare the last hash
with the one that your earnings page shows.
"""

from __future__ import annotations

import hashlib
import json
import sys
from typing import Any

START = "0" * 64


def canonical(value: Any) -> bytes:
    """The one way in which a value is written: digests are taken over these bytes."""
    return json.dumps(
        value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
    ).encode("utf-8")


def digest_line(previous: str, line: dict[str, Any]) -> str:
    """The digest of a line that follows one with the digest `previous`."""
    body = {key: value for key, value in line.items() if key != "sha256"}
    return hashlib.sha256(previous.encode("ascii") + canonical(body)).hexdigest()


def digest_header(header: dict[str, Any]) -> str:
    """The hash of a statement."""
    body = {key: value for key, value in header.items() if key != "hash"}
    return hashlib.sha256(canonical(body)).hexdigest()


def check_lines(header: dict[str, Any], lines: list[dict[str, Any]]) -> list[str]:
    """What is wrong with the lines, in words."""
    wrong = []
    balance, previous = header["opening_cents"], START
    for number, line in enumerate(lines, start=1):
        if line["number"] != number:
            wrong.append(f"line {number}: is numbered {line['number']!r}")
        if type(line["amount_cents"]) is not int or line["amount_cents"] == 0:
            return [*wrong, f"line {number}: the amount is not a whole number of cents"]
        balance += line["amount_cents"]
        if line["balance_cents"] != balance:
            wrong.append(
                f"line {number}: the balance is {line['balance_cents']!r}, "
                f"the lines add up to {balance}"
            )
            balance = line["balance_cents"]
        if digest_line(previous, line) != line["sha256"]:
            wrong.append(f"line {number}: its content does not match its digest")
        previous = line["sha256"]
    if header["closing_cents"] != balance:
        wrong.append(
            f"header: closing_cents is {header['closing_cents']!r}, the lines end at {balance!r}"
        )
    if header["line_count"] != len(lines):
        wrong.append(f"header: line_count is {header['line_count']!r}, there are {len(lines)}")
    if header["lines_sha256"] != previous:
        wrong.append("header: lines_sha256 does not match the last line's digest")
    return wrong


def check(content: bytes) -> tuple[dict[str, Any] | None, list[str]]:
    """(header, what is wrong) of one statement's bytes; the header is None when unreadable."""
    try:
        document = json.loads(content.decode("utf-8"))
        header, lines = document["statement"], document["lines"]
        wrong = check_lines(header, lines)
        if digest_header(header) != header["hash"]:
            wrong.append("header: its content does not match its hash")
        expected = canonical(document)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        return None, [f"not a statement: {type(error).__name__} {error}"]
    if not wrong and content.rstrip(b"\n") != expected:
        length = min(len(content), len(expected))
        same = next((i for i in range(length) if content[i] != expected[i]), length)
        wrong.append(f"byte {same}: the file is not written as a statement is")
    return header, wrong


def check_chain(before: dict[str, Any], after: dict[str, Any]) -> list[str]:
    """What is wrong between two statements that should follow each other."""
    wrong = [
        f"{field} differs from the statement before"
        for field in ("contractor", "currency")
        if before[field] != after[field]
    ]
    if after["sequence"] != before["sequence"] + 1:
        wrong.append(f"sequence {after['sequence']!r} follows {before['sequence']!r}")
    if after["opening_cents"] != before["closing_cents"]:
        wrong.append(
            f"opens at {after['opening_cents']}, the one before closed at {before['closing_cents']}"
        )
    if after["previous_hash"] != before["hash"]:
        wrong.append("previous_hash is not the hash of the statement before")
    return wrong


def main(paths: list[str]) -> int:
    """Check the files in turn; returns the exit status."""
    if not paths:
        print(__doc__)
        return 2
    status = 0
    before: dict[str, Any] | None = None
    for path in paths:
        try:
            with open(path, "rb") as file:
                content = file.read()
        except OSError as error:
            print(f"{path}: {error}")
            return 2
        header, wrong = check(content)
        if header is not None and before is not None and not wrong:
            wrong = check_chain(before, header)
        for line in wrong:
            print(f"{path}: WRONG: {line}")
        if wrong:
            status = 1
        elif header is not None:
            print(
                f"{path}: right: statement {header['sequence']}, {header['line_count']} lines, "
                f"{header['opening_cents']} -> {header['closing_cents']} cents "
                f"{header['currency']}, hash {header['hash']}"
            )
        before = header or before
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
