"""What managers do over HTTP, and that nobody else can."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest
from pytest_django import DjangoAssertNumQueries

from annotation_platform.clock import database_now
from contractors import services
from contractors.models import Contractor, EligibilityPolicy, EligibilityPolicyVersion
from events.models import Event
from tests import factories
from tests.factories import client_for

pytestmark = pytest.mark.django_db

ROWS = [{"area": "US", "effect": "allow"}, {"area": "US-CA", "effect": "deny"}]


@pytest.mark.parametrize("role", ["contractor", "reviewer", "finance"])
def test_only_managers_get_in(role: str) -> None:
    target = factories.contractor()
    policy = factories.policy()
    client = client_for(factories.user(role))
    for path in (
        "contractors/",
        f"contractors/{target.pk}/",
        f"contractors/{target.pk}/restrictions/",
        "eligibility-policies/",
        f"eligibility-policies/{policy.pk}/",
        f"eligibility-policies/{policy.pk}/versions/",
        f"eligibility-policies/{policy.pk}/check/?area=US-TX",
    ):
        assert client.get(f"/api/v1/{path}").status_code == 403, path
    for path in (
        f"contractors/{target.pk}/activate/",
        f"contractors/{target.pk}/restrictions/",
        "eligibility-policies/",
        f"eligibility-policies/{policy.pk}/versions/",
    ):
        assert client.post(f"/api/v1/{path}", {}).status_code == 403, path


# --- Contractors ------------------------------------------------------------------------------


def test_the_list_shows_the_area_of_today(
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    people = [factories.contractor(area=area) for area in ("US-TX", "CA-QC", None)]
    people.append(factories.contractor(area="US-OK", since=date(2020, 1, 1)))
    services.declare_residence(
        contractor=people[3], area="US-CA", from_date=date(2024, 1, 1), actor=None
    )
    client = client_for(factories.manager())
    with django_assert_num_queries(2):  # token, contractors with their users and areas
        rows = client.get("/api/v1/contractors/").json()["results"]
    assert [(row["id"], row["area"]) for row in rows] == [
        (people[3].pk, "US-CA"),
        (people[2].pk, None),
        (people[1].pk, "CA-QC"),
        (people[0].pk, "US-TX"),
    ]


def test_filters() -> None:
    texan = factories.contractor(area="US-TX", name="Ada Lovelace")
    quebecer = factories.contractor(area="CA-QC", state="applied")
    client = client_for(factories.manager())

    def ids(**query: Any) -> list[int]:
        answer = client.get("/api/v1/contractors/", query)
        return [row["id"] for row in answer.json()["results"]]

    assert ids(state="applied") == [quebecer.pk]
    assert ids(state=["applied", "active"]) == [quebecer.pk, texan.pk]
    assert ids(area="US") == [texan.pk]
    assert ids(area="US-TX") == [texan.pk]
    assert ids(area="CA") == [quebecer.pk]
    assert ids(area="U") == []
    assert ids(q="lovelace") == [texan.pk]
    assert ids(q=quebecer.user.email.upper()) == [quebecer.pk]
    assert client.get("/api/v1/contractors/", {"state": "nonsense"}).status_code == 400


def test_pages_follow_the_cursor() -> None:
    people = [factories.contractor().pk for _ in range(5)]
    client = client_for(factories.manager())
    seen: list[int] = []
    url = "/api/v1/contractors/?page_size=2"
    while url:
        page = client.get(url).json()
        seen += [row["id"] for row in page["results"]]
        url = page["next"]
        factories.contractor()  # added at the head while somebody reads: moves nothing
    assert seen == sorted(people, reverse=True)


def test_the_detail_has_the_whole_history(
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    person = factories.contractor(area="US-TX", since=date(2020, 1, 1))
    services.declare_residence(
        contractor=person, area="US-CA", from_date=date(2024, 1, 1), actor=None
    )
    client = client_for(factories.manager())
    with django_assert_num_queries(3):
        shown = client.get(f"/api/v1/contractors/{person.pk}/").json()
    assert [(row["area"], row["from_date"], row["until_date"]) for row in shown["residences"]] == [
        ("US-CA", "2024-01-01", None),
        ("US-TX", "2020-01-01", "2024-01-01"),
    ]


def test_the_way_to_active() -> None:
    person = services.register_contractor(email="new@example.org", password="x" * 12)
    client = client_for(factories.manager())
    seen = []
    for step in ("start-interview", "start-quiz", "make-offer", "activate"):
        early = client.post(f"/api/v1/contractors/{person.pk}/activate/")
        if step != "activate":
            assert early.json()["type"] == "/problems/wrong-contractor-state"
            assert early.status_code == 409
            answer = client.post(f"/api/v1/contractors/{person.pk}/{step}/")
        else:
            answer = early
        assert answer.status_code == 200
        seen.append(answer.json()["state"])
    assert seen == ["interviewing", "quizzing", "offered", "active"]
    person.refresh_from_db()
    assert person.activated_at is not None
    assert list(Event.objects.order_by("id").values_list("type", flat=True)) == [
        "contractor.applied",
        "contractor.interviewing",
        "contractor.quizzing",
        "contractor.offered",
        "contractor.activated",
    ]


def test_declining_needs_a_reason() -> None:
    person = factories.contractor(state="quizzing")
    client = client_for(factories.manager())
    path = f"/api/v1/contractors/{person.pk}/decline/"
    assert client.post(path, {}).status_code == 400
    assert client.post(path, {"reason": "No answer for a month."}).json()["state"] == "declined"
    assert Event.objects.get().data["reason"] == "No answer for a month."
    assert client.post(path, {"reason": "Again."}).status_code == 409


def test_a_contractor_who_works_cannot_be_declined() -> None:
    person = factories.contractor()
    answer = client_for(factories.manager()).post(
        f"/api/v1/contractors/{person.pk}/decline/", {"reason": "x"}
    )
    assert answer.status_code == 409
    assert Contractor.objects.get().state == "active"


@pytest.mark.parametrize("pk", ["0", "999999", "99999999999999999999999", "x"])
def test_who_does_not_exist_is_not_found(pk: str) -> None:
    client = client_for(factories.manager())
    answer = client.get(f"/api/v1/contractors/{pk}/")
    assert (answer.status_code, answer.json()["type"]) == (404, "/problems/not-found")


# --- Policies ---------------------------------------------------------------------------------


def test_making_a_policy() -> None:
    boss = factories.manager()
    body = {"name": "US only", "rows": ROWS, "reason": "start"}
    answer = client_for(boss).post("/api/v1/eligibility-policies/", body)
    assert answer.status_code == 201, answer.content
    policy = EligibilityPolicy.objects.get()
    latest = answer.json()["latest_version"]
    assert latest["rows"] == ROWS
    assert (latest["number"], latest["reason"], latest["created_by"]) == (1, "start", boss.pk)
    assert answer.json()["id"] == policy.pk
    assert (
        client_for(boss).get(f"/api/v1/eligibility-policies/{policy.pk}/").json() == answer.json()
    )


def test_two_policies_of_one_name_clash_by_name() -> None:
    factories.policy(name="US only")
    answer = client_for(factories.manager()).post(
        "/api/v1/eligibility-policies/", {"name": "US only", "rows": ROWS}
    )
    assert (answer.status_code, answer.json()["type"]) == (409, "/problems/policy-name-taken")
    assert EligibilityPolicy.objects.count() == 1
    assert Event.objects.count() == 0


@pytest.mark.parametrize(
    ("rows", "pointer"),
    [
        ([{"area": "California", "effect": "deny"}], "/rows/0/area"),
        ([{"area": "US", "effect": "allow"}, {"area": "us-ca", "effect": "deny"}], "/rows/1/area"),
        ([{"area": "US", "effect": "maybe"}], "/rows/0/effect"),
        ([{"area": "US", "effect": "allow"}, {"area": "US", "effect": "deny"}], "/rows/0/area"),
        ([{"area": "US"}], "/rows/0/effect"),
    ],
)
def test_bad_rows_are_located(rows: Any, pointer: str) -> None:
    policy = factories.policy()
    answer = client_for(factories.manager()).post(
        f"/api/v1/eligibility-policies/{policy.pk}/versions/", {"rows": rows}
    )
    assert answer.status_code == 400
    assert pointer in {error["pointer"] for error in answer.json()["errors"]}
    assert EligibilityPolicyVersion.objects.count() == 1


def test_publishing_the_next_version_with_a_key_happens_once() -> None:
    policy = factories.policy()
    client = client_for(factories.manager())
    path = f"/api/v1/eligibility-policies/{policy.pk}/versions/"
    body = {"rows": [{"area": "CA", "effect": "allow"}], "reason": "Canada only"}
    answers = [client.post(path, body, headers={"Idempotency-Key": "k"}) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [201, 201]
    assert answers[0].json() == answers[1].json()
    assert answers[0].json()["number"] == 2
    assert [row["number"] for row in client.get(path).json()["results"]] == [2, 1]


def test_a_version_in_the_past_is_refused() -> None:
    policy = factories.policy()
    past = (database_now() - timedelta(minutes=1)).isoformat()
    answer = client_for(factories.manager()).post(
        f"/api/v1/eligibility-policies/{policy.pk}/versions/", {"rows": [], "effective_at": past}
    )
    assert (answer.status_code, answer.json()["type"]) == (409, "/problems/policy-in-the-past")


@pytest.mark.parametrize(
    ("area", "outcome", "matched"),
    [
        ("US-TX", "allow", "US"),
        ("US-CA", "deny", "US-CA"),
        ("US", "unknown", None),
        ("CA", "unknown", None),
        ("PR", "deny", None),
        ("", "unknown", None),
    ],
)
def test_asking_what_a_place_would_get(area: str, outcome: str, matched: str | None) -> None:
    policy = factories.policy()
    answer = client_for(factories.manager()).get(
        f"/api/v1/eligibility-policies/{policy.pk}/check/", {"area": area}
    )
    assert answer.status_code == 200
    assert (answer.json()["outcome"], answer.json()["matched_area"]) == (outcome, matched)
    assert answer.json()["reason"]


def test_asking_about_no_place_is_bad_input() -> None:
    policy = factories.policy()
    answer = client_for(factories.manager()).get(
        f"/api/v1/eligibility-policies/{policy.pk}/check/", {"area": "Texas"}
    )
    assert answer.status_code == 400


def test_lists_of_policies_take_the_same_queries_however_many(
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    policies = [factories.policy() for _ in range(4)]
    services.publish_policy_version(policy=policies[0], rows=[("CA", "allow")], actor=None)
    client = client_for(factories.manager())
    with django_assert_num_queries(4):  # token, policies, latest versions, their rows
        rows = client.get("/api/v1/eligibility-policies/").json()["results"]
    assert [row["latest_version"]["number"] for row in rows] == [1, 1, 1, 2]
    with django_assert_num_queries(3):  # token, versions, their rows
        client.get(f"/api/v1/eligibility-policies/{policies[0].pk}/versions/")
