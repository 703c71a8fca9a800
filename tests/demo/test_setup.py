"""`demo_setup`: complete, repeatable, healing, and never in production by accident."""

from __future__ import annotations

from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from pytest_django import Settings

from contractors.models import Contractor, EligibilityPolicy, Residence, User
from demo import accounts, services
from events.models import Event
from tasks import guards
from tasks.models import Guideline, PriceVersion, Project, Task
from tests import factories
from videos.models import Video, VideoJob

pytestmark = pytest.mark.django_db


@pytest.fixture
def demo(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.PLATFORM_DEMO = True
    monkeypatch.setattr(services, "CLIP_SECONDS", 1)  # drawing is what takes long


def set_up() -> str:
    out = StringIO()
    call_command("demo_setup", stdout=out)
    return out.getvalue()


def counts() -> dict[str, int]:
    models = (User, Contractor, Residence, EligibilityPolicy, Project, PriceVersion, Guideline)
    return {m.__name__: m.objects.count() for m in (*models, Task, Video, VideoJob, Event)}


def test_everything_is_there_and_a_second_run_changes_nothing(demo: None) -> None:
    printed = set_up()
    project = Project.objects.get()
    assert (project.name, project.overlap) == (accounts.PROJECT_NAME, 2)
    assert project.price_versions.get().price_cents == 1600
    guideline = project.guidelines.get()
    assert guideline.published_at is not None
    assert "Cut on contact" in guideline.body
    assert set(project.tasks.values_list("state", flat=True)) == {"open"}
    assert project.tasks.count() == 4
    assert set(Video.objects.values_list("state", flat=True)) == {"ready"}
    for account in (*accounts.STAFF, *accounts.CONTRACTORS):
        assert account.email in printed
        user = User.objects.get(email=account.email)
        assert user.roles == [account.role]
        assert user.check_password(accounts.PASSWORD)
        assert not user.is_superuser
    assert accounts.PASSWORD in printed

    before = counts()
    assert set_up() == printed
    assert counts() == before


def test_who_may_claim_and_who_is_refused_for_which_reason(demo: None) -> None:
    set_up()
    project = Project.objects.get()
    refused = {
        person.user.name: [problem.slug for problem in guards.refusals(person, project)]
        for person in Contractor.objects.select_related("user")
    }
    unread = "guideline-not-acknowledged"  # everybody reads it first
    assert refused == {
        "Ada": [unread],
        "Ben": [unread],
        "Cleo": ["not-eligible", unread],
        "Noor": ["not-eligible", unread],
        "Sam": ["residence-unknown", unread],
    }


def test_what_is_missing_is_completed(demo: None) -> None:
    """As after a first start that was interrupted between two steps."""
    manager = factories.user("manager", email=accounts.MANAGER.email)
    factories.project(name=accounts.PROJECT_NAME, guideline=False)
    set_up()
    project = Project.objects.get()
    assert project.guidelines.get().published_at is not None
    assert project.tasks.filter(state="open").count() == 4
    assert User.objects.get(email=accounts.MANAGER.email).pk == manager.pk


def test_production_is_refused_and_nothing_is_written(settings: Settings) -> None:
    settings.DEBUG = settings.PLATFORM_DEMO = False
    with pytest.raises(CommandError, match="published password"):
        set_up()
    assert set(counts().values()) == {0}
