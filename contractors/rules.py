"""Who may work where: places, and the policy's answer to a place. Pure; no database, no clock."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from functools import cache
from typing import Any, Literal

import pycountry

Effect = Literal["allow", "deny"]
Outcome = Literal["allow", "deny", "unknown"]

APPEAL_DAYS = 14
APPEAL_ANSWER_DAYS = 5  # working days

# A US territory has two ISO codes: its own and one under US. They are the same place, and no row
# about the US covers it: a territory is denied until a row names it, in either spelling.
_TERRITORIES = ("AS", "GU", "MP", "PR", "UM", "VI")
_TWINS = {f"US-{code}": code for code in _TERRITORIES} | {
    code: f"US-{code}" for code in _TERRITORIES
}

_NAMES = {
    "US": "the United States",
    "VI": "the U.S. Virgin Islands",
    "US-VI": "the U.S. Virgin Islands",
    "UM": "the U.S. Minor Outlying Islands",
    "US-UM": "the U.S. Minor Outlying Islands",
    "US-WA": "Washington (the state)",
    "US-DC": "Washington, D.C.",
    "US-GA": "Georgia (the US state)",
    "CA-QC": "Québec, Canada",
    "GB": "the United Kingdom",
    "NL": "the Netherlands",
    "PH": "the Philippines",
}


@dataclass(frozen=True)
class Decision:
    """The policy's answer to one place.

    `matched_area` is the row that decided, None when no row did (denied by default, or unknown).
    `reason` is a sentence for the contractor.
    """

    outcome: Outcome
    area: str | None
    matched_area: str | None
    reason: str

    @property
    def allowed(self) -> bool:
        return self.outcome == "allow"

    def as_json(self) -> dict[str, str | None]:
        """Plain JSON, to be pinned on a claim."""
        return asdict(self)


@dataclass(frozen=True)
class Place:
    """A place that can be declared: its full ISO 3166 code and a name that tells it apart."""

    code: str
    name: str


def decide(rows: Iterable[tuple[str, str]], area: str | None) -> Decision:
    """Answer whether somebody who lives in `area` may work under a policy.

    Arguments:
        rows: the policy version's (area, "allow" | "deny"), one per area.
        area: the full ISO 3166 code of the residence (`US-TX`, `CA-QC`), or None when unknown.

    The most specific row wins; what no row matches is denied. A residence that is too coarse (a
    country alone that has subdivisions, or an area inside which the policy distinguishes) is
    never answered by the row of its country: it is denied if it would be denied anywhere inside,
    and unknown otherwise. Unknown means no claim.
    """
    if area is None:
        return Decision(
            "unknown", None, None, "We don't know where you live yet. Declare your residence first."
        )
    if not is_area(area):
        return Decision(
            "unknown", area, None, f"We don't know the place {area}. Declare your residence again."
        )
    effects = dict(rows)
    chain = _chain(area)
    matched = next((step for step in chain if step in effects), None)
    twin = _TWINS.get(area)
    if twin is not None and effects.get(area) != effects.get(twin) == "deny":
        matched = twin  # both spellings are named and disagree: the careful one wins
    outcome: Outcome = "allow" if matched is not None and effects[matched] == "allow" else "deny"

    inside = [row for row in effects if row not in chain and area in _chain(row)]
    if _has_subdivisions(area) or inside:
        possible = {outcome} | {effects[row] for row in inside}
        if possible != {"deny"}:
            return Decision(
                "unknown",
                area,
                None,
                f"We only know that you live in {name(area)}, and the answer depends on where in "
                "it. Declare your residence with its state or province.",
            )
    if outcome == "allow":
        reason = f"Residents of {name(area)} can work on this project."
    else:
        reason = f"Residents of {name(area)} can't work on this project."
    return Decision(outcome, area, matched, reason)


def is_area(code: str) -> bool:
    """Whether `code` is an ISO 3166-1 alpha-2 or a full ISO 3166-2 code, in capitals.

    Full codes only: a lookup of "CA" by subdivision would answer with Canada's provinces.
    """
    if code != code.upper():
        return False  # pycountry ignores case
    if "-" in code:
        return _subdivision(code) is not None
    return len(code) == 2 and _country(code) is not None


def is_complete(area: str) -> bool:
    """Whether a residence says all it can: False for a country alone that has subdivisions."""
    return not _has_subdivisions(area)


@cache
def name(code: str) -> str:
    """A name for a sentence: "California", "Ontario, Canada", "Washington, D.C."."""
    if code in _NAMES:
        return _NAMES[code]
    country = _country(code[:2])
    country_name = getattr(country, "common_name", None) or getattr(country, "name", code[:2])
    if "-" not in code:
        return str(country_name)
    subdivision = _subdivision(code)
    if subdivision is None:
        return code
    return subdivision.name if code.startswith("US-") else f"{subdivision.name}, {country_name}"


def find_places(text: str, *, limit: int = 20) -> list[Place]:
    """Places whose name or code matches what somebody typed; never guesses between two.

    Accents and case do not matter (`quebec` finds Québec). "Washington" finds both the state and
    the capital, "CA" both Canada and California: the person picks. Whole-name and whole-code
    matches first, then the United States and Canada, then the rest by code.
    """
    wanted = _folded(text)
    if not wanted:
        return []
    found: list[tuple[int, int, str]] = []
    for code, folded in _all_places():
        code_parts = {code.lower(), code.partition("-")[2].lower()}
        if wanted in code_parts or wanted == folded:
            rank = 0
        elif folded.startswith(wanted):
            rank = 1
        elif wanted in folded:
            rank = 2
        else:
            continue
        found.append((rank, {"US": 0, "CA": 1}.get(code[:2], 2), code))
    return [Place(code, name(code)) for _, _, code in sorted(found)[:limit]]


def _subdivision(code: str) -> Any:
    return pycountry.subdivisions.get(code=code)  # type: ignore[no-untyped-call]


def _country(code: str) -> Any:
    return pycountry.countries.get(alpha_2=code)


def working_days_between(start: datetime, end: datetime) -> int:
    """How many of the days after `start`'s day, up to and with `end`'s, are Monday to Friday."""
    days = (end.date() - start.date()).days
    return sum((start + timedelta(days=n)).weekday() < 5 for n in range(1, days + 1))


@cache
def _chain(area: str) -> tuple[str, ...]:
    """The areas that contain `area`, itself first, most specific first, its country last."""
    steps = [area]
    if area in _TWINS:
        return (area, _TWINS[area])
    country, _, rest = area.partition("-")
    if rest:
        subdivision = _subdivision(area)
        # FR-69 lies in FR-ARA: the code does not say so, the standard does.
        while subdivision is not None and subdivision.parent_code:
            steps.append(subdivision.parent_code)
            subdivision = _subdivision(subdivision.parent_code)
        steps += _chain(country) if country in _TWINS else [country]
    return tuple(steps)


@cache
def _has_subdivisions(area: str) -> bool:
    """A country alone that the standard divides (UM counts under both of its codes)."""
    country = _TWINS[area] if area.startswith("US-") and area in _TWINS else area
    parts = pycountry.subdivisions.get(country_code=country)  # type: ignore[no-untyped-call]
    return len(country) == 2 and bool(parts)


@cache
def _all_places() -> tuple[tuple[str, str], ...]:
    # One place, one code: a territory is offered as US-PR only.
    codes = [country.alpha_2 for country in pycountry.countries if country.alpha_2 not in _TWINS]
    codes += [subdivision.code for subdivision in pycountry.subdivisions]
    return tuple((code, _folded(name(code).removeprefix("the "))) for code in codes)


def _folded(text: str) -> str:
    """Lower case without accents and outer space."""
    parts = unicodedata.normalize("NFKD", text.strip().casefold())
    return "".join(part for part in parts if not unicodedata.combining(part))
