"""Sign-in, and the way from application to work."""

from __future__ import annotations

from typing import Any

from django.contrib.auth import authenticate
from django.contrib.auth.models import update_last_login
from django.db import IntegrityError, transaction
from knox.models import get_token_model

from annotation_platform.clock import database_now
from contractors.models import Contractor, Role, User
from contractors.problems import EmailTaken, WrongContractorState, WrongCredentials
from contractors.services.locks import locked
from events.services import record

TOKENS_KEPT = 20

State = Contractor.State


def sign_in(*, email: str, password: str) -> tuple[User, str]:
    """A new token for the person with this email (any case) and password.

    Takes the same time whether or not the email is known (Django hashes the password anyway).
    Keeps the newest TOKENS_KEPT tokens of the person, deletes the others.

    Errors: `WrongCredentials`, the same for an unknown email, a wrong password and an account
    that was closed.
    """
    known = User.objects.filter(email__iexact=email).values_list("email", flat=True).first()
    user = authenticate(username=known or email, password=password)
    if not isinstance(user, User):
        raise WrongCredentials(headers={"WWW-Authenticate": "Token"})
    with transaction.atomic():
        _, token = get_token_model().objects.create(user)
        tokens = get_token_model().objects.filter(user=user)
        kept = tokens.order_by("-created").values_list("pk", flat=True)[:TOKENS_KEPT]
        tokens.exclude(pk__in=list(kept)).delete()
        update_last_login(sender=User, user=user)
    return user, token


@transaction.atomic
def rename(*, user: User, name: str) -> None:
    """Set one's own name. Event: user.renamed."""
    before, user.name = user.name, name
    user.save(update_fields=["name"])
    record("user.renamed", actor=user, subject=user, data={"from": before, "to": name})


@transaction.atomic
def register_contractor(
    *, email: str, password: str, name: str = "", actor: User | None = None
) -> Contractor:
    """Make a person with the role contractor, at the stage "applied".

    Event: contractor.applied. Errors: `EmailTaken`.
    """
    try:
        with transaction.atomic():
            user = User.objects.create_user(email, password, name=name, roles=[Role.CONTRACTOR])
    except IntegrityError as error:
        raise EmailTaken() from error
    contractor = Contractor.objects.create(user=user)
    record("contractor.applied", actor=actor or user, subject=contractor)
    return contractor


def start_interview(*, contractor: Contractor, actor: User | None) -> Contractor:
    """applied → interviewing. Event: contractor.interviewing."""
    return _move(contractor, {State.APPLIED}, State.INTERVIEWING, actor)


def start_quiz(*, contractor: Contractor, actor: User | None) -> Contractor:
    """interviewing → quizzing. Event: contractor.quizzing."""
    return _move(contractor, {State.INTERVIEWING}, State.QUIZZING, actor)


def make_offer(*, contractor: Contractor, actor: User | None) -> Contractor:
    """quizzing → offered. Event: contractor.offered."""
    return _move(contractor, {State.QUIZZING}, State.OFFERED, actor)


def activate(*, contractor: Contractor, actor: User | None) -> Contractor:
    """offered → active: from now on the contractor can claim. Event: contractor.activated."""
    return _move(
        contractor,
        {State.OFFERED},
        State.ACTIVE,
        actor,
        event="contractor.activated",
        activated_at=database_now(),
    )


def decline(*, contractor: Contractor, reason: str, actor: User | None) -> Contractor:
    """Any stage before active → declined, with the reason. Event: contractor.declined."""
    stages = {State.APPLIED, State.INTERVIEWING, State.QUIZZING, State.OFFERED}
    return _move(contractor, stages, State.DECLINED, actor, data={"reason": reason})


@transaction.atomic
def _move(
    contractor: Contractor,
    sources: set[Contractor.State],
    target: Contractor.State,
    actor: User | None,
    *,
    event: str = "",
    data: dict[str, Any] | None = None,
    **changes: Any,
) -> Contractor:
    row = locked(contractor)
    if row.state not in sources:
        wanted = " or ".join(sorted(sources))
        raise WrongContractorState(
            f"This contractor is {row.state}; the step is for one who is {wanted}.",
            state=row.state,
        )
    before, row.state = row.state, target
    for field, value in changes.items():
        setattr(row, field, value)
    row.save(update_fields=["state", *changes])
    record(
        event or f"contractor.{target}",
        actor=actor,
        subject=row,
        data={"from": before, "to": str(target)} | (data or {}),
    )
    return row
