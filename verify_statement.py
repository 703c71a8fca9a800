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


def check_line(
    number: int, line: Any, balances: set[Any], digests: set[str]
) -> tuple[list[str], set[Any], set[str]]:
    """What is wrong with one line, and what the next one may take up from it.

    A wrong line offers two beginnings, what it says and what it should have said, so that the
    lines after it are judged by themselves.
    """
    try:
        amount, balance, digest = line["amount_cents"], line["balance_cents"], line["sha256"]
        wrong = [f"is numbered {line['number']!r}"] if line["number"] != number else []
        expected = {digest_line(previous, line) for previous in digests}
    except (KeyError, TypeError, ValueError, AttributeError):
        told = line if isinstance(line, dict) else {}
        balance, digest = told.get("balance_cents"), told.get("sha256")
        return (
            ["is not a line of a statement"],
            {balance} if type(balance) is int else set(),
            {digest} if isinstance(digest, str) else set(),
        )
    if type(amount) is not int or amount == 0:
        wrong.append("the amount is not a whole number of cents")
        sums: set[Any] = set()
    else:
        sums = {before + amount for before in balances if type(before) is int}
        if type(balance) is not int or (sums and balance not in sums):
            added = " or ".join(map(str, sorted(sums))) or "nothing"
            wrong.append(f"the balance is {balance!r}, the lines add up to {added}")
    if digests and digest not in expected:
        wrong.append("its content does not match its digest")
    elif not digests:
        wrong.append("cannot be checked: the line before it has no digest")
    told_and_right = expected | ({digest} if isinstance(digest, str) else set())
    return wrong, sums | {balance}, told_and_right if wrong else {digest}


def check_lines(header: dict[str, Any], lines: list[Any], header_is_right: bool) -> list[str]:
    """What is wrong with the lines, in words."""
    wrong: list[str] = []
    balances: set[Any] = {header.get("opening_cents")} if header_is_right else set()
    digests = {START}
    for number, line in enumerate(lines, start=1):
        found, balances, digests = check_line(number, line, balances, digests)
        wrong += [f"line {number}: {what}" for what in found]
    closing, last = header.get("closing_cents"), header.get("lines_sha256")
    if balances and closing not in balances:
        wrong.append(
            f"header: closing_cents is {closing!r}, the lines end at "
            + " or ".join(sorted(map(repr, balances)))
        )
    if header.get("line_count") != len(lines):
        wrong.append(f"header: line_count is {header.get('line_count')!r}, there are {len(lines)}")
    if digests and last not in digests:
        wrong.append("header: lines_sha256 does not match the last line's digest")
    return wrong


def place_of(content: bytes, byte: int | None = None) -> str:
    """Where in the file a byte is, or, without one, where it stops being a statement."""
    text = content.decode("latin-1")  # one character per byte: the structure is ASCII
    decoder = json.JSONDecoder()
    start, number = len('{"lines":['), 0
    if not text.startswith('{"lines":['):
        return "the beginning (byte 0)"
    while True:
        number += 1
        if number > 1 and text[start : start + 1] == '"' != text[start + 1 : start + 2]:
            return f"line {number - 1} (before byte {start})"  # cut short by a brace
        try:
            _, end = decoder.raw_decode(text, start)
        except ValueError:
            return f"line {number} (from byte {start})"
        if byte is not None and byte <= end:
            return f"line {number} (byte {byte})"
        if text[end : end + 1] == "]":
            break
        if text[end : end + 1] != ",":
            return f"line {number} (at its end, byte {end})"
        start = end + 1
    return f"header (after byte {end})" if byte is None else f"header (byte {byte})"


def check(content: bytes) -> tuple[dict[str, Any] | None, list[str]]:
    """(header, what is wrong) of one statement's bytes; the header is None when unreadable."""
    content = content[:-1] if content.endswith(b"\n") else content
    try:
        document = json.loads(content.decode("utf-8"))
        header, lines = document["statement"], document["lines"]
        if not isinstance(header, dict) or not isinstance(lines, list):
            raise ValueError("no header or no lines")
    except UnicodeDecodeError as error:
        return None, [f"{place_of(content, error.start)}: not UTF-8"]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        return None, [f"{place_of(content)}: not a statement: {type(error).__name__} {error}"]
    try:
        header_is_right = digest_header(header) == header.get("hash")
    except ValueError:
        header_is_right = False
    wrong = [] if header_is_right else ["header: its content does not match its hash"]
    wrong += check_lines(header, lines, header_is_right)
    if not wrong:
        expected = canonical(document)
        if content != expected:
            length = min(len(content), len(expected))
            same = next((i for i in range(length) if content[i] != expected[i]), length)
            wrong.append(f"{place_of(content, same)}: not written as a statement is")
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
