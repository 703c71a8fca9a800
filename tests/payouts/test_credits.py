"""What a decision about work posts: the right cents, once."""

from __future__ import annotations

import threading
from datetime import date
from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction

from contractors.services.residences import declare_residence
from events.models import Event
from payouts.models import Balance, Entry, LedgerTransaction, Payable
from payouts.problems import CreditedDifferently, InvalidAmount, SourceKeyReused
from payouts.services import credit, credit_assignment, pay_bonus
from payouts.services.ledger import post
from tasks.models import Submission
from tasks.services import set_price
from tests import factories


def submission(**settings: Any) -> Submission:
    project = factories.project(**settings)
    factories.open_tasks(project)
    return factories.submitted(factories.claimed(project))


def entries(payable: Payable) -> set[tuple[str, int, str]]:
    return set(
        Entry.objects.filter(transaction=payable.transaction_id).values_list(
            "account__code", "amount_cents", "currency"
        )
    )


def check_deferred() -> None:
    """Let the database look at what COMMIT would look at."""
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")


@pytest.mark.django_db
def test_accepted_pays_the_pinned_price_to_the_cent() -> None:
    work = submission()
    contractor, project = work.assignment.contractor, work.assignment.task.project
    reviewer = factories.reviewer()

    payable = credit(submission=work, actor=reviewer)
    check_deferred()

    assert (payable.amount_cents, payable.currency) == (1600, "USD")
    assert (payable.kind, payable.state) == ("accepted", "accrued")
    assert payable.source_key == f"assignment:{work.assignment_id}:earning"
    assert payable.price_version == work.assignment.price_version
    assert entries(payable) == {
        (f"project:{project.pk}:expense:USD", -1600, "USD"),
        (f"contractor:{contractor.pk}:payable:USD", 1600, "USD"),
    }
    assert Balance.objects.get().balance_cents == 1600
    event = Event.objects.get(type="payable.accrued")
    assert (event.actor_id, event.subject_id) == (reviewer.pk, payable.pk)
    assert event.data["amount_cents"] == 1600


@pytest.mark.django_db
def test_a_new_price_does_not_reach_a_claim_made_before() -> None:
    work = submission()
    project = work.assignment.task.project
    set_price(
        actor=None, project=project, price_cents=900, screening_fee_cents=100, reason="Shorter"
    )
    factories.open_tasks(project)
    later = factories.submitted(factories.claimed(project))

    paid = credit(submission=work), credit(submission=later)

    assert [payable.amount_cents for payable in paid] == [1600, 900]
    assert [payable.price_version and payable.price_version.number for payable in paid] == [1, 2]


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("kind", "given", "paid"),
    [
        ("accepted", None, 1600),
        ("auto_accepted", None, 1600),
        ("accepted_with_fixes", None, 1600),
        ("paid_unused", None, 1600),
        ("screening_fee", None, 200),
        ("partial", 801, 801),
        ("dispute", None, 1600),
        ("dispute", 1000, 1000),
    ],
)
def test_each_kind_pays(kind: str, given: int | None, paid: int) -> None:
    payable = credit(submission=submission(), kind=kind, amount_cents=given, reason="Because")
    check_deferred()
    assert (payable.kind, payable.amount_cents, payable.reason) == (kind, paid, "Because")


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("kind", "given"),
    [
        ("accepted", 1599),
        ("accepted", 0),
        ("screening_fee", 1600),
        ("partial", None),
        ("partial", 0),
        ("partial", 1601),
        ("dispute", 1601),
        ("bonus", 100),
        ("gift", 100),
    ],
)
def test_amounts_that_no_rule_gives_write_nothing(kind: str, given: int | None) -> None:
    work = submission()
    with pytest.raises(InvalidAmount):
        credit(submission=work, kind=kind, amount_cents=given)
    assert not LedgerTransaction.objects.exists()
    assert not Payable.objects.exists()
    assert not Event.objects.filter(type="payable.accrued").exists()


@pytest.mark.django_db
def test_an_assignment_is_paid_once_whatever_is_decided_about_it_later() -> None:
    work = submission()
    first = credit(submission=work, kind="auto_accepted")
    assert credit(submission=work, kind="auto_accepted") == first
    assert credit(submission=work, kind="accepted") == first
    assert credit(submission=work, kind="screening_fee") == first  # and nothing is taken back
    assert credit(submission=work, kind="dispute") == first
    assert Payable.objects.count() == LedgerTransaction.objects.count() == 1
    assert Event.objects.filter(type="payable.accrued").count() == 1


@pytest.mark.django_db
def test_a_dispute_adds_what_is_missing_and_only_once() -> None:
    work = submission()
    fee = credit(submission=work, kind="screening_fee")
    with pytest.raises(CreditedDifferently, match=r"\$2.00 was paid"):
        credit(submission=work)
    added = credit(submission=work, kind="dispute", reason="The video was usable")
    assert (fee.amount_cents, added.amount_cents) == (200, 1400)
    assert credit(submission=work, kind="dispute") == added
    assert Balance.objects.get().balance_cents == 1600


@pytest.mark.django_db
def test_moving_to_an_excluded_region_does_not_touch_pay() -> None:
    work = submission()
    person = work.assignment.contractor
    declare_residence(contractor=person, area="US-CA", from_date=date.today(), actor=person.user)
    assert credit(submission=work).amount_cents == 1600


@pytest.mark.django_db
def test_partial_pay_needs_no_submission() -> None:
    project = factories.project()
    factories.open_tasks(project)
    claim = factories.claimed(project)
    payable = credit_assignment(assignment=claim, kind="partial", amount_cents=534)
    assert (payable.amount_cents, payable.submission) == (534, None)


@pytest.mark.django_db
def test_bonus_once_per_key() -> None:
    project, person, boss = factories.project(), factories.contractor(), factories.manager()
    terms = {"contractor": person, "project": project, "actor": boss, "reason": "Spotless"}
    first = pay_bonus(amount_cents=2500, key="k", **terms)  # type: ignore[arg-type]
    assert pay_bonus(amount_cents=2500, key="k", **terms) == first  # type: ignore[arg-type]
    with pytest.raises(SourceKeyReused):
        pay_bonus(amount_cents=2501, key="k", **terms)  # type: ignore[arg-type]
    check_deferred()
    assert Payable.objects.get().amount_cents == 2500
    assert entries(first) == {
        (f"project:{project.pk}:expense:USD", -2500, "USD"),
        (f"contractor:{person.pk}:payable:USD", 2500, "USD"),
    }


@pytest.mark.django_db
@pytest.mark.parametrize(("cents", "reason"), [(0, "x"), (-1, "x"), (100_001, "x"), (100, " ")])
def test_bonus_refused(cents: int, reason: str) -> None:
    with pytest.raises(InvalidAmount):
        pay_bonus(
            contractor=factories.contractor(),
            project=factories.project(),
            actor=factories.manager(),
            amount_cents=cents,
            reason=reason,
            key="k",
        )
    assert not LedgerTransaction.objects.exists()


@pytest.mark.django_db
def test_no_bonus_to_oneself() -> None:
    person = factories.contractor()
    with pytest.raises(InvalidAmount, match="themselves"):
        pay_bonus(
            contractor=person,
            project=factories.project(),
            actor=person.user,
            amount_cents=100,
            reason="Me",
            key="k",
        )


@pytest.mark.django_db(transaction=True)
def test_a_refused_decision_posts_nothing() -> None:
    """credit() lives and dies with the caller's transaction."""
    work = submission()
    with pytest.raises(ZeroDivisionError), transaction.atomic():  # noqa: PT012
        credit(submission=work)
        _ = 1 / 0
    assert not LedgerTransaction.objects.exists()
    assert not Balance.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_posting_outside_a_transaction() -> None:
    with pytest.raises(IntegrityError, match="one transaction"):
        post(kind="earn", key="k", postings=[])


@pytest.mark.django_db(transaction=True)
def test_twenty_acceptors_at_once_post_once() -> None:
    """Each in its own connection, started together; all get the same payable."""
    work = submission()
    start = threading.Barrier(20)
    results: list[object] = []

    def accept() -> None:
        try:
            mine = Submission.objects.select_related("assignment__task").get(pk=work.pk)
            with transaction.atomic():
                start.wait(timeout=30)
                results.append(credit(submission=mine).pk)
        except Exception as error:
            results.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=accept) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)

    payable = Payable.objects.get()
    assert results == [payable.pk] * 20
    assert LedgerTransaction.objects.count() == 1
    assert sorted(Entry.objects.values_list("amount_cents", flat=True)) == [-1600, 1600]
    assert Balance.objects.get().balance_cents == 1600
    assert Event.objects.filter(type="payable.accrued").count() == 1


@pytest.mark.django_db(transaction=True)
def test_twenty_first_earnings_of_one_person_at_once() -> None:
    """Twenty postings that all have to open the same accounts, and all count."""
    project, person, boss = factories.project(), factories.contractor(), factories.manager()
    start = threading.Barrier(20)
    errors: list[Exception] = []

    def pay(number: int) -> None:
        try:
            with transaction.atomic():
                start.wait(timeout=30)
                pay_bonus(
                    contractor=person,
                    project=project,
                    amount_cents=100 + number,
                    reason="Race",
                    actor=boss,
                    key=str(number),
                )
        except Exception as error:
            errors.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=pay, args=[number]) for number in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)

    assert errors == []
    assert Payable.objects.count() == 20
    assert Balance.objects.get().balance_cents == sum(range(100, 120))
