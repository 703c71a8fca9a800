"""The admin shows people and publishes policies; history cannot be edited there either."""

from __future__ import annotations

import pytest
from django.test import Client

from contractors.models import Contractor, EligibilityPolicyVersion, Residence, User
from contractors.services import restrict
from events.models import Event
from tests import factories

pytestmark = pytest.mark.django_db

PAGES = [
    "contractors/user/",
    "contractors/contractor/",
    "contractors/residence/",
    "contractors/restriction/",
    "contractors/eligibilitypolicy/",
    "contractors/eligibilitypolicyversion/",
    "events/event/",
]


@pytest.fixture
def admin() -> Client:
    client = Client()
    client.force_login(User.objects.create_superuser("root@example.org", factories.PASSWORD))
    return client


@pytest.mark.parametrize("page", PAGES)
def test_every_list_and_detail_opens(admin: Client, page: str) -> None:
    person = factories.contractor()
    factories.policy()
    restrict(contractor=person, cause="x", actor=None)
    model = page.split("/")[1]
    assert admin.get(f"/admin/{page}").status_code == 200
    assert admin.get(f"/admin/{page}", {"q": "1"}).status_code == 200
    pk = {
        "user": person.pk,
        "contractor": person.pk,
        "residence": person.residences.get().pk,
        "restriction": person.restrictions.get().pk,
        "eligibilitypolicy": EligibilityPolicyVersion.objects.get().policy_id,
        "eligibilitypolicyversion": EligibilityPolicyVersion.objects.get().pk,
        "event": Event.objects.get().pk,
    }[model]
    assert admin.get(f"/admin/{page}{pk}/change/").status_code == 200


@pytest.mark.parametrize("model", ["contractor", "residence", "restriction"])
def test_history_is_read_only(admin: Client, model: str) -> None:
    person = factories.contractor()
    restrict(contractor=person, cause="x", actor=None)
    assert admin.get(f"/admin/contractors/{model}/add/").status_code == 403
    for row in (person, person.residences.get(), person.restrictions.get()):
        page = f"/admin/contractors/{row._meta.model_name}/{row.pk}/"
        assert admin.post(f"{page}change/", {"area": "US-CA", "state": "active"}).status_code == 403
        assert admin.post(f"{page}delete/", {"post": "yes"}).status_code == 403
    assert Residence.objects.get().area == "US-TX"
    assert Contractor.objects.get().state == "restricted"


def test_a_person_can_be_added_and_their_roles_changed(admin: Client) -> None:
    page = "/admin/contractors/user/add/"
    assert admin.get(page).status_code == 200
    password = "a quite long password"
    admin.post(
        page,
        {
            "email": "new@example.org",
            "name": "New",
            "roles": "reviewer,manager",
            "usable_password": "true",
            "password1": password,
            "password2": password,
        },
    )
    made = User.objects.get(email="new@example.org")
    assert made.roles == ["reviewer", "manager"]
    assert made.check_password(password)
    assert admin.post(f"/admin/contractors/user/{made.pk}/delete/").status_code == 403


def publish(client: Client, policy_pk: int, area: str) -> int:
    return client.post(
        "/admin/contractors/eligibilitypolicyversion/add/",
        {
            "policy": policy_pk,
            "reason": "new law",
            "rows-TOTAL_FORMS": "2",
            "rows-INITIAL_FORMS": "0",
            "rows-0-area": area,
            "rows-0-effect": "allow",
            "rows-1-area": "",
            "rows-1-effect": "",
        },
    ).status_code


def test_publishing_a_version(admin: Client) -> None:
    policy = factories.policy()
    assert admin.get("/admin/contractors/eligibilitypolicyversion/add/").status_code == 200
    assert publish(admin, policy.pk, "US-TX") == 302
    version = policy.versions.get(number=2)
    assert list(version.rows.values_list("area", "effect")) == [("US-TX", "allow")]
    assert (version.reason, version.created_by) == ("new law", User.objects.get())
    assert Event.objects.get().type == "policy.version_published"
    page = f"/admin/contractors/eligibilitypolicyversion/{version.pk}/"
    assert admin.post(f"{page}change/", {"reason": "other"}).status_code == 403
    assert admin.post(f"{page}delete/", {"post": "yes"}).status_code == 403


def test_a_wrong_area_is_shown_on_the_form(admin: Client) -> None:
    policy = factories.policy()
    assert publish(admin, policy.pk, "Texas!") == 200
    assert publish(admin, policy.pk, "US-ZZ") == 200
    assert policy.versions.count() == 1
