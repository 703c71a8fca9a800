"""`contractors.rules`: the policy's answer to a place."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contractors import rules
from contractors.rules import decide

PROJECT_POLICY = [
    ("US", "allow"),
    ("US-CA", "deny"),
    ("US-NY", "deny"),
    ("US-CT", "deny"),
    ("US-WA", "deny"),
    ("US-DC", "deny"),
    ("CA", "allow"),
]
TERRITORIES = ["PR", "GU", "VI", "AS", "MP", "UM"]


@pytest.mark.parametrize(
    ("area", "outcome", "matched"),
    [
        ("US-TX", "allow", "US"),
        ("US-GA", "allow", "US"),
        ("US-CA", "deny", "US-CA"),
        ("US-NY", "deny", "US-NY"),
        ("US-CT", "deny", "US-CT"),
        ("US-WA", "deny", "US-WA"),
        ("US-DC", "deny", "US-DC"),
        ("CA-QC", "allow", "CA"),
        ("CA-ON", "allow", "CA"),
        ("MX-BCN", "deny", None),
        ("GE", "deny", None),
        ("ES-CA", "deny", None),
    ],
)
def test_the_longest_matching_row_wins(area: str, outcome: str, matched: str | None) -> None:
    decision = decide(PROJECT_POLICY, area)
    assert (decision.outcome, decision.area, decision.matched_area) == (outcome, area, matched)
    assert decision.allowed == (outcome == "allow")


def test_order_of_rows_does_not_matter() -> None:
    assert decide(reversed(PROJECT_POLICY), "US-CA").outcome == "deny"
    assert decide(reversed(PROJECT_POLICY), "US-TX").outcome == "allow"


def test_nothing_is_allowed_by_default() -> None:
    assert decide([], "US-TX").outcome == "deny"
    assert decide([("US-TX", "allow")], "US-OK").outcome == "deny"


@pytest.mark.parametrize("area", ["US", "CA"])
def test_a_country_alone_is_unknown_and_never_answered_by_its_row(area: str) -> None:
    decision = decide(PROJECT_POLICY, area)
    assert decision.outcome == "unknown"
    assert not decision.allowed
    assert "state or province" in decision.reason


def test_a_country_alone_is_unknown_even_when_only_parts_of_it_are_allowed() -> None:
    assert decide([("US", "deny"), ("US-TX", "allow")], "US").outcome == "unknown"
    assert decide([("US-TX", "allow")], "US").outcome == "unknown"


def test_a_country_alone_is_denied_when_every_part_of_it_is() -> None:
    assert decide(PROJECT_POLICY, "FR").outcome == "deny"
    assert decide([("US", "deny"), ("US-CA", "deny")], "US").outcome == "deny"


def test_a_country_without_subdivisions_is_a_whole_residence() -> None:
    assert decide([("HK", "allow")], "HK").outcome == "allow"


def test_no_residence_is_unknown() -> None:
    decision = decide(PROJECT_POLICY, None)
    assert (decision.outcome, decision.matched_area) == ("unknown", None)
    assert "Declare your residence" in decision.reason


@pytest.mark.parametrize("area", ["US-XX", "us-tx", "", "USA", "XX"])
def test_a_code_that_does_not_exist_is_unknown(area: str) -> None:
    assert decide(PROJECT_POLICY, area).outcome == "unknown"


@pytest.mark.parametrize("code", TERRITORIES)
def test_us_territories_are_denied_in_both_spellings(code: str) -> None:
    assert decide(PROJECT_POLICY, code).outcome == "deny"
    assert decide(PROJECT_POLICY, f"US-{code}").outcome == "deny"
    assert decide([("US", "allow")], f"US-{code}").outcome == "deny"


def test_islands_of_the_us_minor_outlying_islands_are_denied_too() -> None:
    assert decide([("US", "allow")], "UM-81").outcome == "deny"


@pytest.mark.parametrize("row", ["PR", "US-PR"])
@pytest.mark.parametrize("area", ["PR", "US-PR"])
def test_somebody_may_say_otherwise_in_either_spelling(row: str, area: str) -> None:
    decision = decide([*PROJECT_POLICY, (row, "allow")], area)
    assert (decision.outcome, decision.matched_area) == ("allow", row)


@pytest.mark.parametrize("area", ["PR", "US-PR"])
@pytest.mark.parametrize("denied", ["PR", "US-PR"])
def test_when_the_two_spellings_disagree_the_careful_one_wins(area: str, denied: str) -> None:
    allowed = {"PR": "US-PR", "US-PR": "PR"}[denied]
    decision = decide([(denied, "deny"), (allowed, "allow")], area)
    assert (decision.outcome, decision.matched_area) == ("deny", denied)


def test_a_region_between_country_and_department_counts() -> None:
    rows = [("FR", "allow"), ("FR-ARA", "deny")]
    assert decide(rows, "FR-69").matched_area == "FR-ARA"
    assert decide(rows, "FR-69").outcome == "deny"
    assert decide(rows, "FR-75C").outcome == "allow"


def test_a_region_is_too_coarse_when_a_row_distinguishes_inside_it() -> None:
    assert decide([("FR", "allow"), ("FR-69", "deny")], "FR-ARA").outcome == "unknown"
    assert decide([("FR", "allow"), ("FR-69", "allow")], "FR-BRE").outcome == "allow"


@pytest.mark.parametrize(
    ("area", "reason"),
    [
        ("US-CA", "Residents of California can't work on this project."),
        ("US-WA", "Residents of Washington (the state) can't work on this project."),
        ("US-DC", "Residents of Washington, D.C. can't work on this project."),
        ("CA-QC", "Residents of Québec, Canada can work on this project."),
        ("US-VI", "Residents of the U.S. Virgin Islands can't work on this project."),
        ("GE", "Residents of Georgia can't work on this project."),
        ("US-GA", "Residents of Georgia (the US state) can work on this project."),
    ],
)
def test_the_reason_says_the_place_in_words(area: str, reason: str) -> None:
    assert decide(PROJECT_POLICY, area).reason == reason


def test_the_decision_can_be_pinned_as_json() -> None:
    assert decide(PROJECT_POLICY, "US-NY").as_json() == {
        "outcome": "deny",
        "area": "US-NY",
        "matched_area": "US-NY",
        "reason": "Residents of New York can't work on this project.",
    }


SUBDIVISIONS = [code for code, _ in rules._all_places() if "-" in code]
ROWS = st.dictionaries(
    st.sampled_from(["US", "CA", "FR", "PR", *SUBDIVISIONS]), st.sampled_from(["allow", "deny"])
)


@given(rows=ROWS, area=st.sampled_from(["US", "CA", "FR", *SUBDIVISIONS]))
def test_allowed_only_by_an_allowing_row_that_contains_the_place(
    rows: dict[str, str], area: str
) -> None:
    decision = decide(rows.items(), area)
    if decision.allowed:
        assert decision.matched_area is not None
        assert rows[decision.matched_area] == "allow"
        assert decision.matched_area in rules._chain(area)
        assert len(area) > 2
    if rows.get(area) == "deny" and len(area) > 2:
        assert not decision.allowed


@pytest.mark.parametrize("code", ["US", "CA", "PR", "US-CA", "US-DC", "CA-QC", "GB-ENG", "FR-69"])
def test_full_codes_are_areas(code: str) -> None:
    assert rules.is_area(code)


@pytest.mark.parametrize(
    "code",
    ["us", "us-ca", "USA", "US-", "-CA", "", "QC", "TX", "XX", "US-XX", "California", "US CA"],
)
def test_anything_else_is_not(code: str) -> None:
    assert not rules.is_area(code)


def test_ca_is_canada_and_never_california() -> None:
    assert rules.name("CA") == "Canada"
    assert rules.name("US-CA") == "California"
    assert decide([("CA", "allow")], "US-CA").outcome == "deny"


def codes(text: str) -> list[str]:
    return [place.code for place in rules.find_places(text)]


@pytest.mark.parametrize("text", ["Québec", "quebec", "QUEBEC", " Que\u0301bec "])
def test_quebec_is_found_with_and_without_its_accent(text: str) -> None:
    assert codes(text) == ["CA-QC"]


def test_washington_is_ambiguous() -> None:
    assert codes("washington") == ["US-DC", "US-WA"]
    assert codes("Washington, D.C.") == ["US-DC"]


def test_ca_offers_both_california_and_canada() -> None:
    assert codes("ca")[:2] == ["US-CA", "CA"]


def test_a_territory_is_offered_under_one_code() -> None:
    assert codes("puerto rico") == ["US-PR"]


def test_nothing_typed_finds_nothing() -> None:
    assert codes("  ") == []


def test_the_number_of_places_is_bounded() -> None:
    assert len(rules.find_places("a", limit=7)) == 7


def test_completeness() -> None:
    assert not rules.is_complete("US")
    assert not rules.is_complete("CA")
    assert rules.is_complete("US-TX")
    assert rules.is_complete("PR")
