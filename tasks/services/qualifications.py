"""Who may work on a project that asks for qualified people."""

from __future__ import annotations

from django.db import transaction

from annotation_platform.clock import database_now
from contractors.models import Contractor, User
from events.services import record
from tasks.models import Project, Qualification
from tasks.problems import QualificationOver
from tasks.services.claims import lock_person


@transaction.atomic
def grant_qualification(
    *, actor: User | None, contractor: Contractor, project: Project, reason: str
) -> Qualification:
    """Let somebody work on a project that needs a qualification; one in force stays as it is.

    Arguments:
        reason: what it rests on; the contractor may be told.

    Event: qualification.granted.
    """
    lock_person(contractor.pk)
    known = Qualification.objects.filter(
        contractor=contractor, project=project, ended_at__isnull=True
    ).first()
    if known is not None:
        return known
    made = Qualification.objects.create(
        contractor=contractor, project=project, reason=reason[:500], granted_by=actor
    )
    _tell("qualification.granted", made, actor, reason)
    return made


@transaction.atomic
def end_qualification(
    *, actor: User | None, qualification: Qualification, reason: str
) -> Qualification:
    """End a qualification: no new claims on a project that needs it. Live claims go on.

    Event: qualification.ended. Raises `QualificationOver`.
    """
    lock_person(qualification.contractor_id)
    row = Qualification.objects.select_for_update(no_key=True).get(pk=qualification.pk)
    if row.ended_at is not None:
        raise QualificationOver(f"It ended on {row.ended_at:%d %B %Y}.")
    row.ended_at, row.end_reason = database_now(), reason[:500]
    row.save(update_fields=["ended_at", "end_reason"])
    _tell("qualification.ended", row, actor, reason)
    return row


def _tell(event: str, row: Qualification, actor: User | None, reason: str) -> None:
    record(
        event,
        actor=actor,
        subject=row,
        data={
            "contractor_id": row.contractor_id,
            "project_id": row.project_id,
            "reason": reason,
        },
    )
