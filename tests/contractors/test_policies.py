"""Policy versions: what is in effect when, and that nothing published is edited."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest
from django.db import Error, connection

from annotation_platform.clock import database_now
from contractors import problems, rules, services
from contractors.models import EligibilityPolicy, EligibilityPolicyVersion, EligibilityRow
from contractors.queries import current_policy_version, decide_for
from events.models import Event
from tests import factories, raw_sql

pytestmark = pytest.mark.django_db

TEXAS_ONLY = [("US-TX", "allow")]
CANADA_ONLY = [("CA", "allow")]


def number(policy: EligibilityPolicy, hours: float) -> int | None:
    version = current_policy_version(policy, database_now() + timedelta(hours=hours))
    return None if version is None else version.number


def test_the_default_policy_is_made_once_and_says_what_the_project_says() -> None:
    policy = services.default_policy()
    assert services.default_policy() == policy
    assert EligibilityPolicyVersion.objects.count() == 1
    version = current_policy_version(policy)
    assert version is not None
    rows = [(row.area, row.effect) for row in version.rows.all()]
    outcomes = {
        area: rules.decide(rows, area).outcome
        for area in ("US-TX", "CA-QC", "US-CA", "US-NY", "US-CT", "US-WA", "US-DC", "US", "CA")
    }
    assert outcomes == {
        "US-TX": "allow",
        "CA-QC": "allow",
        "US-CA": "deny",
        "US-NY": "deny",
        "US-CT": "deny",
        "US-WA": "deny",
        "US-DC": "deny",
        "US": "unknown",
        "CA": "unknown",
    }
    for code in ("PR", "GU", "VI", "AS", "MP", "UM"):
        assert rules.decide(rows, code).outcome == "deny"
        assert rules.decide(rows, f"US-{code}").outcome == "deny"


def test_a_version_is_in_effect_from_its_instant_on() -> None:
    policy = services.create_policy(name="P", rows=TEXAS_ONLY, actor=None)
    later = database_now() + timedelta(hours=2)
    services.publish_policy_version(policy=policy, rows=CANADA_ONLY, effective_at=later, actor=None)
    assert [number(policy, hours) for hours in (-1, 0, 1.9, 2.1)] == [None, 1, 1, 2]
    assert decide_for(policy, "US-TX").outcome == "allow"


def test_publishing_replaces_what_was_scheduled_before_it() -> None:
    policy = services.create_policy(name="P", rows=TEXAS_ONLY, actor=None)
    later = database_now() + timedelta(hours=2)
    services.publish_policy_version(policy=policy, rows=CANADA_ONLY, effective_at=later, actor=None)
    services.publish_policy_version(policy=policy, rows=[], actor=None)
    assert [number(policy, hours) for hours in (0.001, 3)] == [3, 3]
    assert decide_for(policy, "US-TX").outcome == "deny"


def test_a_policy_without_a_version_denies() -> None:
    policy = EligibilityPolicy.objects.create(name="empty")
    assert current_policy_version(policy) is None
    assert decide_for(policy, "US-TX").outcome == "deny"
    assert decide_for(policy, None).outcome == "unknown"


def test_publishing_writes_who_what_and_why() -> None:
    boss = factories.manager()
    policy = services.create_policy(name="P", rows=TEXAS_ONLY, reason="start", actor=boss)
    created, published = Event.objects.order_by("id")
    assert (created.type, published.type) == ("policy.created", "policy.version_published")
    assert {created.actor_id, published.actor_id} == {boss.pk}
    assert published.subject_id == policy.pk
    assert published.data["rows"] == [["US-TX", "allow"]]
    assert (published.data["number"], published.data["reason"]) == (1, "start")


@pytest.mark.parametrize(
    "rows", [[("us", "allow")], [("US", "Allow")], [("US", "allow"), ("US", "deny")]]
)
def test_bad_rows_leave_nothing(rows: list[tuple[str, str]]) -> None:
    with pytest.raises(problems.PolicyRowsInvalid):
        services.create_policy(name="P", rows=rows, actor=None)
    assert EligibilityPolicy.objects.count() == 0
    assert Event.objects.count() == 0


@pytest.mark.django_db(transaction=True)
def test_versions_published_at_once_get_numbers_of_their_own() -> None:
    policy = services.create_policy(name="P", rows=TEXAS_ONLY, actor=None)
    barrier = threading.Barrier(4)
    failures: list[BaseException] = []

    def publish() -> None:
        try:
            barrier.wait(timeout=10)
            services.publish_policy_version(policy=policy, rows=CANADA_ONLY, actor=None)
        except BaseException as error:
            failures.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=publish) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    numbers = EligibilityPolicyVersion.objects.order_by("number").values_list("number", flat=True)
    assert list(numbers) == [1, 2, 3, 4, 5]


# --- The database by itself ------------------------------------------------------------------

ATTACKS = [
    "UPDATE contractors_eligibilityrow SET effect = 'allow'",
    "DELETE FROM contractors_eligibilityrow",
    "TRUNCATE contractors_eligibilityrow",
    "UPDATE contractors_eligibilitypolicyversion SET effective_at = now() - interval '1 year'",
    "DELETE FROM contractors_eligibilitypolicyversion",
    "TRUNCATE contractors_eligibilitypolicyversion CASCADE",
    "INSERT INTO contractors_eligibilityrow (version_id, area, effect) "
    "SELECT id, 'US-NY', 'allow' FROM contractors_eligibilitypolicyversion",
]


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("attack", ATTACKS)
def test_raw_sql_cannot_change_what_was_published(attack: str) -> None:
    factories.policy((("US", "deny"),))
    with pytest.raises(Error, match=r"append-only|is published"):
        raw_sql.execute(raw_sql.AS_IN_PRODUCTION, attack)
    assert list(EligibilityRow.objects.values_list("area", "effect")) == [("US", "deny")]


@pytest.mark.parametrize(
    ("area", "effect", "constraint"),
    [
        ("US", "allow", "eligibility_row_one_per_area"),
        ("usa", "allow", "eligibility_row_area_is_iso_3166"),
        ("CA", "maybe", "eligibility_row_effect_known"),
    ],
)
def test_raw_sql_cannot_write_malformed_rows(area: str, effect: str, constraint: str) -> None:
    version = factories.policy((("US", "deny"),)).versions.get()
    with pytest.raises(Error, match=constraint):
        raw_sql.execute(
            "INSERT INTO contractors_eligibilityrow (version_id, area, effect) VALUES (%s, %s, %s)",
            parameters=(version.pk, area, effect),
        )
