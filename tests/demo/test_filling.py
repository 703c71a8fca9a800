"""`demo_fill`: something on every page, once, and nothing of it outside of a demo."""

from __future__ import annotations

from collections import Counter
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from pytest_django import Settings

from contractors.models import Contractor, Restriction
from demo import filling, services
from payouts.models import BankReport, Hold, Payout, PayoutRun, Statement, TaxForm
from payouts.services import check_ledger, compare_report
from reviews.models import Review
from tasks.models import Assignment, Draft
from videos.models import Video


@pytest.fixture
def filled(settings: Settings, monkeypatch: pytest.MonkeyPatch, transactional_db: None) -> None:
    settings.PLATFORM_DEMO = True
    monkeypatch.setattr(services, "CLIP_SECONDS", 1)
    monkeypatch.setattr(filling, "CLIP_SECONDS", 1)
    call_command("demo_setup", stdout=StringIO())
    call_command("demo_fill", stdout=StringIO())


def test_every_state_that_a_page_tells_apart_is_there_once(filled: None) -> None:
    assert Counter(Payout.objects.values_list("state", "needs_person")) == {
        ("settled", False): 1,
        ("submitted", False): 3,
        ("unknown", True): 1,
        ("locked", False): 1,
    }
    assert list(PayoutRun.objects.order_by("pk").values_list("state", flat=True)) == [
        "approved",
        "approved",
        "locked",
    ]
    found = compare_report(BankReport.objects.get())
    kinds = ("matched", "unchanged", "different", "unexpected", "missing")
    assert [len(getattr(found, kind)) for kind in kinds] == [1, 1, 1, 1, 1]
    assert Hold.objects.get(lifted_at=None).payable.state == "held"
    assert set(TaxForm.objects.values_list("kind", flat=True)) == {"w8ben", "w9"}
    assert Statement.objects.count() == 5
    assert list(Review.objects.values_list("state", flat=True).distinct()) != []
    assert set(Contractor.objects.values_list("state", flat=True)) >= {
        "applied", "interviewing", "quizzing", "offered", "active", "restricted", "declined",
    }  # fmt: skip
    assert set(Restriction.objects.values_list("appeal_state", flat=True)) == {"none", "open"}
    assert "unreadable" in Video.objects.values_list("state", flat=True)
    mine = Assignment.objects.filter(contractor__user__name="Ada")
    assert Counter(mine.values_list("state", flat=True)) == {"returned": 1, "active": 1}
    assert Draft.objects.get().task_id == mine.get(state="returned").task_id
    assert check_ledger() == []


def test_a_second_time_changes_nothing(filled: None) -> None:
    before = (Payout.objects.count(), Video.objects.count(), Contractor.objects.count())
    out = StringIO()
    call_command("demo_fill", stdout=out)
    assert "already" in out.getvalue()
    assert (Payout.objects.count(), Video.objects.count(), Contractor.objects.count()) == before


@pytest.mark.django_db
def test_not_outside_of_a_demo(settings: Settings) -> None:
    settings.DEBUG = settings.PLATFORM_DEMO = False
    with pytest.raises(CommandError, match="not a demo"):
        call_command("demo_fill", stdout=StringIO())
    assert not Contractor.objects.exists()
