"""Stopping somebody's new claims, for a cause, with an end and an appeal. Never touches pay."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models.functions import Now

from annotation_platform.clock import database_now
from contractors import rules
from contractors.models import Contractor, Restriction, User
from contractors.problems import (
    AppealedAlready,
    AppealNeedsSomebodyElse,
    AppealTooLate,
    NoOpenAppeal,
    RestrictionEndsBeforeItStarts,
    RestrictionOver,
    WrongContractorState,
)
from contractors.services.locks import locked
from events.services import record


@transaction.atomic
def restrict(
    *,
    contractor: Contractor,
    cause: str,
    actor: User | None,
    scope: str = Restriction.ALL,
    evidence: str = "",
    ends_at: datetime | None = None,
) -> Restriction:
    """Stop new claims from now on, in one project (`scope` is its id) or in all.

    Live claims can be finished; earned money is paid as ever. With the scope "all" the
    contractor's state becomes restricted.

    Event: contractor.restricted.
    Errors: `WrongContractorState` unless active or restricted, `RestrictionEndsBeforeItStarts`.
    """
    person = locked(contractor)
    if person.state not in (Contractor.State.ACTIVE, Contractor.State.RESTRICTED):
        raise WrongContractorState(
            f"This contractor is {person.state} and cannot claim anyway.", state=person.state
        )
    now = database_now()
    if ends_at is not None and ends_at <= now:
        raise RestrictionEndsBeforeItStarts(f"{ends_at.isoformat()} is over already.")
    restriction = Restriction.objects.create(
        contractor=person,
        scope=scope,
        cause=cause,
        evidence=evidence,
        starts_at=now,
        ends_at=ends_at,
        created_by=actor,
    )
    _follow_state(person)
    _tell("contractor.restricted", restriction, actor, {"scope": scope, "cause": cause})
    return restriction


@transaction.atomic
def lift(*, restriction: Restriction, reason: str = "", actor: User | None) -> Restriction:
    """End a restriction now. Event: contractor.restriction_lifted. Errors: `RestrictionOver`."""
    row = _locked(restriction)
    if row.lifted_at is not None:
        raise RestrictionOver()
    _end(row, actor, reason)
    return row


@transaction.atomic
def appeal(*, restriction: Restriction, text: str, actor: User) -> Restriction:
    """The contractor objects, once, within rules.APPEAL_DAYS. The restriction stays meanwhile.

    Event: contractor.restriction_appealed.
    Errors: `RestrictionOver`, `AppealedAlready`, `AppealTooLate`.
    """
    row = _locked(restriction)
    if row.appeal_state != Restriction.Appeal.NONE:
        raise AppealedAlready()
    now = database_now()
    if row.lifted_at is not None or (row.ends_at is not None and row.ends_at <= now):
        raise RestrictionOver()
    if now > row.starts_at + timedelta(days=rules.APPEAL_DAYS):
        raise AppealTooLate(f"An appeal is possible for {rules.APPEAL_DAYS} days.")
    row.appeal_state, row.appeal_text, row.appealed_at = Restriction.Appeal.OPEN, text, now
    row.save(update_fields=["appeal_state", "appeal_text", "appealed_at"])
    _tell("contractor.restriction_appealed", row, actor, {})
    return row


@transaction.atomic
def decide_appeal(
    *, restriction: Restriction, overturn: bool, answer: str, actor: User | None
) -> Restriction:
    """Answer an appeal in writing; overturning it lifts the restriction.

    The actor must not be who restricted; None is the system, which overturns what nobody
    answered in time.

    Event: contractor.restriction_appeal_decided.
    Errors: `NoOpenAppeal`, `AppealNeedsSomebodyElse`.
    """
    row = _locked(restriction)
    if row.appeal_state != Restriction.Appeal.OPEN:
        raise NoOpenAppeal()
    if actor is not None and actor.pk in (row.created_by_id, row.contractor_id):
        raise AppealNeedsSomebodyElse()
    outcome = Restriction.Appeal.OVERTURNED if overturn else Restriction.Appeal.UPHELD
    if overturn and row.lifted_at is None:
        _end(row, actor, "appeal")
    row.appeal_state, row.appeal_answer = outcome, answer
    row.appeal_decided_at, row.appeal_decided_by = database_now(), actor
    row.save(
        update_fields=[
            "appeal_state",
            "appeal_answer",
            "appeal_decided_at",
            "appeal_decided_by",
            "lifted_at",
            "lifted_by",
        ]
    )
    _tell("contractor.restriction_appeal_decided", row, actor, {"outcome": str(outcome)})
    return row


def end_restrictions() -> int:
    """The sweep: lift what has run out, overturn appeals that nobody answered in time.

    Each in its own transaction. Returns how many restrictions ended. The claim never waits for
    this: it looks at the instants themselves.
    """
    ended = 0
    for restriction in Restriction.objects.filter(lifted_at=None, ends_at__lte=Now()):
        with transaction.atomic():
            row = _locked(restriction)
            if row.lifted_at is None:
                _end(row, None, "expired")
                ended += 1
    today = database_now()
    for restriction in Restriction.objects.filter(appeal_state=Restriction.Appeal.OPEN):
        assert restriction.appealed_at is not None  # a CHECK constraint says so
        if rules.working_days_between(restriction.appealed_at, today) > rules.APPEAL_ANSWER_DAYS:
            try:
                decide_appeal(
                    restriction=restriction,
                    overturn=True,
                    answer="Nobody answered in time: decided for you.",
                    actor=None,
                )
            except NoOpenAppeal:
                continue  # somebody answered just now
            ended += 1
    return ended


def _locked(restriction: Restriction) -> Restriction:
    # Person before their restriction: the same order everywhere.
    locked(restriction.contractor)
    return Restriction.objects.select_for_update(no_key=True, of=("self",)).get(pk=restriction.pk)


def _end(row: Restriction, actor: User | None, reason: str) -> None:
    row.lifted_at, row.lifted_by = database_now(), actor
    row.save(update_fields=["lifted_at", "lifted_by"])
    _follow_state(row.contractor)
    _tell("contractor.restriction_lifted", row, actor, {"reason": reason})


def _follow_state(person: Contractor) -> None:
    """active ↔ restricted, as the restrictions of scope "all" say."""
    everywhere = Restriction.objects.in_force().filter(contractor=person, scope=Restriction.ALL)
    state = Contractor.State.RESTRICTED if everywhere.exists() else Contractor.State.ACTIVE
    if person.state != state and person.state in (
        Contractor.State.ACTIVE,
        Contractor.State.RESTRICTED,
    ):
        person.state = state
        person.save(update_fields=["state"])


def _tell(event: str, row: Restriction, actor: User | None, data: dict[str, Any]) -> None:
    record(event, actor=actor, subject=row.contractor, data={"restriction": row.pk} | data)
