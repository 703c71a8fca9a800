"""Pure rules of tax figures: no database, no clock, and no tax advice.

They prepare what an accountant needs: who was paid how much in a year, and which form they gave.
"""

from __future__ import annotations

import re
from datetime import date

# Payments of a calendar year from which a US person is reported on form 1099-NEC, by the first
# year for which it holds: $600 through 2025, $2,000 from 2026 until somebody says otherwise
# (26 U.S.C. 6041A; raised by Public Law 119-21, section 70433).
REPORTING_THRESHOLDS_CENTS = {2000: 60_000, 2026: 200_000}
FIRST_YEAR = min(REPORTING_THRESHOLDS_CENTS)
LAST_YEAR = 2199
REPORTED_CURRENCY = "USD"

_EIN_PREFIXES_NOT_ISSUED = frozenset(
    f"{prefix:02d}" for prefix in (0, 7, 8, 9, 17, 18, 19, 28, 29, 49, 69, 70, 78, 79, 89, 96, 97)
)


def reporting_threshold_cents(year: int) -> int:
    """From how much on a year's payments to one US person are reported."""
    first = max(start for start in REPORTING_THRESHOLDS_CENTS if start <= year)
    return REPORTING_THRESHOLDS_CENTS[first]


def w8ben_expires_on(signed_on: date) -> date:
    """The last day on which a W-8BEN counts: the end of the third year after it was signed."""
    return date(signed_on.year + 3, 12, 31)


def tin_problem(kind: str, tin: str) -> str:
    """What is wrong with an identification number, in a sentence; empty when it can exist.

    Its shape only: whether it belongs to the person is for the tax office to say.
    """
    if kind == "foreign":
        shaped = re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9 ./-]{3,29}", tin)
        enough = len(re.sub(r"[^A-Za-z0-9]", "", tin)) >= 4
        return "" if shaped and enough else "Use 4 to 30 letters and digits."
    digits = tin.replace("-", "").replace(" ", "")
    if not re.fullmatch(r"[0-9]{9}", digits):
        return "It has nine digits."
    area, group, serial = digits[:3], digits[3:5], digits[5:]
    if kind == "ssn" and (area in ("000", "666") or area >= "900" or group == "00"):
        return "No Social Security number begins like that."
    if kind == "ssn" and serial == "0000":
        return "No Social Security number ends like that."
    if kind == "ein" and digits[:2] in _EIN_PREFIXES_NOT_ISSUED:
        return "No employer identification number begins like that."
    if kind == "itin" and not (area >= "900" and _is_itin_group(int(group))):
        return "An ITIN begins with 9; its middle digits are 50-65, 70-88, 90-92 or 94-99."
    return ""


def clean_tin(kind: str, tin: str) -> str:
    """The number as it is stored: US numbers as nine digits."""
    return tin.strip() if kind == "foreign" else re.sub(r"[^0-9]", "", tin)


def written_tin(kind: str, tin: str) -> str:
    """The number as people write it: 123-45-6789, 12-3456789."""
    if kind == "ein":
        return f"{tin[:2]}-{tin[2:]}"
    return f"{tin[:3]}-{tin[3:5]}-{tin[5:]}" if kind in ("ssn", "itin") else tin


def last_four(tin: str) -> str:
    """All of it that is shown."""
    return re.sub(r"[^A-Za-z0-9]", "", tin)[-4:]


def form_status(*, kind: str, expires_on: date | None, today: date) -> str:
    """`missing` (no kind), `expired` or `current`."""
    if not kind:
        return "missing"
    return "expired" if expires_on is not None and today > expires_on else "current"


def is_reported(*, kind: str, currency: str, paid_cents: int, year: int) -> bool:
    """Whether a year's payments reach the threshold for a 1099-NEC.

    Whoever gave no form is counted in: until they say that they are not a US person, nobody
    knows. A W-8BEN takes somebody out.
    """
    return (
        kind != "w8ben"
        and currency == REPORTED_CURRENCY
        and paid_cents >= reporting_threshold_cents(year)
    )


def _is_itin_group(group: int) -> bool:
    return 50 <= group <= 65 or 70 <= group <= 88 or 90 <= group <= 92 or 94 <= group <= 99
