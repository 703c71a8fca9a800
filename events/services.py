"""Writing the log, and telling those who listen."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from django.contrib.auth.base_user import AbstractBaseUser
from django.contrib.auth.models import AnonymousUser
from django.db import connection, models, transaction

from events.models import Event

logger = logging.getLogger(__name__)

Receiver = Callable[[int, int, dict[str, Any]], None]

_receivers: dict[str, list[Receiver]] = {}


def receives(*event_types: str) -> Callable[[Receiver], Receiver]:
    """Register a function `(event_id, subject_id, data)` to run after the event is committed.

    It should only enqueue a job. It may never run (a crash, a lost broker): the job's sweep must
    find the same work by looking at rows.
    """

    def register(receiver: Receiver) -> Receiver:
        for event_type in event_types:
            _receivers.setdefault(event_type, []).append(receiver)
        return receiver

    return register


def record(
    event_type: str,
    *,
    actor: AbstractBaseUser | AnonymousUser | None,
    subject: models.Model,
    data: dict[str, Any] | None = None,
) -> Event:
    """Append an event in the caller's transaction and tell its receivers after the commit.

    Arguments:
        event_type: past tense, `assignment.claimed`.
        actor: who did it; None when the system did.
        subject: the row it is about (saved).
        data: plain JSON: what a reader of the log needs and cannot look up later.

    Raises `TransactionManagementError` outside a transaction: an event without its change, or
    the other way round, must not exist.
    """
    if not connection.in_atomic_block:
        raise transaction.TransactionManagementError(
            f"{event_type} must be recorded in the transaction of its change."
        )
    event = Event.objects.create(
        type=event_type,
        actor_id=actor.pk if actor is not None else None,
        subject_type=subject._meta.label_lower,
        subject_id=subject.pk,
        data=data or {},
    )
    announce(event_type, event_id=event.pk, subject_id=event.subject_id, data=event.data)
    return event


def announce(event_type: str, *, event_id: int, subject_id: int, data: dict[str, Any]) -> None:
    """Tell the receivers after the commit of an event whose row the caller's own SQL appended.

    For the few writes that are hot enough to append their event in the same statement; everybody
    else calls `record`, which does both.
    """
    for receiver in _receivers.get(event_type, ()):
        _after_commit(receiver, event_id, subject_id, data)


def _after_commit(receiver: Receiver, event_id: int, subject_id: int, data: dict[str, Any]) -> None:
    def tell() -> None:
        try:
            receiver(event_id, subject_id, data)
        except Exception:
            # The row is the truth, the message a hint: the sweep will find the work.
            logger.warning(
                "%s was not told of event %s; its sweep will find it.",
                receiver,  # whatever can be called: a partial has no name
                event_id,
                exc_info=True,
            )

    transaction.on_commit(tell)
