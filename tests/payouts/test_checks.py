"""The checks that look again: they find what is wrong, and only that."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection, transaction

from payouts.jobs import check_ledger, credit_decided
from payouts.models import Payable
from payouts.services import credit
from tasks.models import Submission
from tasks.services import record_decision
from tests import factories


def decided(outcome: str, *, credited: bool) -> Submission:
    project = factories.project()
    factories.open_tasks(project)
    work = factories.submitted(factories.claimed(project))
    with transaction.atomic():
        work = record_decision(submission=work, outcome=outcome, actor=None)
        if credited:
            credit(submission=work)
    return work


@pytest.mark.django_db
def test_forgotten_decisions_are_paid_once() -> None:
    forgotten = [
        decided(outcome, credited=False)
        for outcome in ("accepted", "auto_accepted", "accepted_with_fixes", "paid_unused")
    ]
    screened = decided("unusable_confirmed", credited=False)
    decided("accepted", credited=True)
    decided("rejected", credited=False)
    decided("changes_requested", credited=False)

    assert credit_decided() == 5
    assert credit_decided() == 0

    paid = {p.submission_id: (p.kind, p.amount_cents) for p in Payable.objects.all()}
    assert {work.pk: paid[work.pk] for work in forgotten} == {
        work.pk: (work.state, 1600) for work in forgotten
    }
    assert paid[screened.pk] == ("screening_fee", 200)
    assert len(paid) == 6


@pytest.mark.django_db
def test_a_sound_ledger_has_no_findings() -> None:
    decided("accepted", credited=True)
    assert check_ledger() == []


@pytest.mark.django_db
def test_a_falsified_balance_is_found_and_named(caplog: Any) -> None:
    work = decided("accepted", credited=True)
    with connection.cursor() as cursor:  # as somebody with the owner's rights could
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute("ALTER TABLE payouts_balance DISABLE TRIGGER USER")
        cursor.execute("UPDATE payouts_balance SET balance_cents = balance_cents + 1")
        cursor.execute("ALTER TABLE payouts_balance ENABLE TRIGGER USER")
    code = f"contractor:{work.assignment.contractor_id}:payable:USD"
    assert check_ledger() == [f"{code}: running balance 1601, entries say 1600"]
    assert code in caplog.text


@pytest.mark.django_db
def test_a_falsified_entry_is_found_and_named() -> None:
    decided("accepted", credited=True)
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute("ALTER TABLE payouts_entry DISABLE TRIGGER USER")
        cursor.execute("UPDATE payouts_entry SET amount_cents = -1 WHERE amount_cents < 0")
        cursor.execute("ALTER TABLE payouts_entry ENABLE TRIGGER USER")
    (finding,) = check_ledger()
    assert finding.endswith("does not sum to zero")
