"""What changed between two versions of a guideline, as data. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from difflib import SequenceMatcher

CONTEXT_LINES = 3


@dataclass(frozen=True)
class Line:
    """One line of a hunk. `before` and `after` are its numbers (from 1) where it stands."""

    kind: str  # kept | removed | added
    text: str
    before: int | None
    after: int | None


def changed_lines(before: str, after: str) -> list[list[Line]]:
    """The changes in hunks, each with up to `CONTEXT_LINES` kept lines around; none: no hunk."""
    old, new = before.splitlines(), after.splitlines()
    matcher = SequenceMatcher(a=old, b=new)
    hunks = []
    for group in matcher.get_grouped_opcodes(CONTEXT_LINES):
        hunk: list[Line] = []
        for tag, i1, i2, j1, j2 in group:
            if tag == "equal":
                pairs = zip(range(i1, i2), range(j1, j2), strict=True)
                hunk += [Line("kept", old[i], i + 1, j + 1) for i, j in pairs]
                continue
            hunk += [Line("removed", old[i], i + 1, None) for i in range(i1, i2)]
            hunk += [Line("added", new[j], None, j + 1) for j in range(j1, j2)]
        hunks.append(hunk)
    return hunks
