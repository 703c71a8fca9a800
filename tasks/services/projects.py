"""Projects, their prices and their guidelines."""

from __future__ import annotations

from typing import Any

from django.db import transaction

from annotation_platform.clock import database_now
from contractors.models import Contractor, EligibilityPolicy, User
from events.services import record
from tasks.models import Guideline, GuidelineAcknowledgement, PriceVersion, Project
from tasks.problems import GuidelinePublished
from tasks.rules import DEFAULT_PRICE_CENTS, DEFAULT_SCREENING_FEE_CENTS


@transaction.atomic
def create_project(
    *,
    actor: User | None,
    name: str,
    policy: EligibilityPolicy,
    price_cents: int = DEFAULT_PRICE_CENTS,
    screening_fee_cents: int = DEFAULT_SCREENING_FEE_CENTS,
    currency: str = "USD",
    **settings: Any,
) -> Project:
    """Create a project with its first price version.

    Arguments:
        price_cents: what one accepted task pays, in cents of `currency`.
        settings: further fields of `Project` (overlap, lease_seconds, …).
    """
    project = Project.objects.create(name=name, policy=policy, created_by=actor, **settings)
    record("project.created", actor=actor, subject=project, data={"name": name})
    set_price(
        actor=actor,
        project=project,
        price_cents=price_cents,
        screening_fee_cents=screening_fee_cents,
        currency=currency,
        reason="First price",
    )
    return project


@transaction.atomic
def change_project(*, actor: User | None, project: Project, changes: dict[str, Any]) -> Project:
    """Change settings of a project; live claims keep what they pinned."""
    locked = Project.objects.select_for_update(no_key=True).get(pk=project.pk)
    for name, value in changes.items():
        setattr(locked, name, value)
    locked.save(update_fields=list(changes))
    record("project.changed", actor=actor, subject=locked, data={"fields": sorted(changes)})
    return locked


@transaction.atomic
def set_price(
    *,
    actor: User | None,
    project: Project,
    price_cents: int,
    screening_fee_cents: int,
    reason: str,
    currency: str = "USD",
) -> PriceVersion:
    """Start the next price version. It reaches new claims only: live ones keep their own."""
    Project.objects.select_for_update(no_key=True).get(pk=project.pk)
    last = project.price_versions.order_by("-number").first()
    version = PriceVersion.objects.create(
        project=project,
        number=last.number + 1 if last else 1,
        price_cents=price_cents,
        screening_fee_cents=screening_fee_cents,
        currency=currency,
        reason=reason,
        created_by=actor,
    )
    record(
        "project.repriced",
        actor=actor,
        subject=project,
        data={"number": version.number, "price_cents": price_cents, "currency": currency},
    )
    return version


@transaction.atomic
def write_guideline(
    *, actor: User | None, project: Project, title: str, body: str, changelog: str = ""
) -> Guideline:
    """Start the next version of the guideline, or rewrite it while it is not published."""
    Project.objects.select_for_update(no_key=True).get(pk=project.pk)
    last = project.guidelines.order_by("-version").first()
    if last is not None and last.published_at is None:
        last.title, last.body, last.changelog = title, body, changelog
        last.save(update_fields=["title", "body", "changelog"])
        return last
    return Guideline.objects.create(
        project=project,
        version=last.version + 1 if last else 1,
        title=title,
        body=body,
        changelog=changelog or ("First version" if last is None else ""),
    )


@transaction.atomic
def publish_guideline(*, actor: User | None, guideline: Guideline) -> Guideline:
    """Publish a version: contractors must acknowledge it before their next claim.

    Raises `GuidelinePublished` when it already is. Without a changelog the database refuses it.
    """
    locked = Guideline.objects.select_for_update(no_key=True).get(pk=guideline.pk)
    if locked.published_at is not None:
        raise GuidelinePublished(f"Version {locked.version} is already published.")
    locked.published_at = database_now()
    locked.published_by = actor
    locked.save(update_fields=["published_at", "published_by"])
    record(
        "guideline.published",
        actor=actor,
        subject=locked,
        data={"project_id": locked.project_id, "version": locked.version},
    )
    return locked


@transaction.atomic
def acknowledge_guideline(*, contractor: Contractor, guideline: Guideline) -> None:
    """Note that the contractor has read this version. Doing it twice changes nothing."""
    _, created = GuidelineAcknowledgement.objects.get_or_create(
        contractor=contractor, guideline=guideline
    )
    if created:
        record(
            "guideline.acknowledged",
            actor=contractor.user,
            subject=guideline,
            data={"contractor_id": contractor.pk, "version": guideline.version},
        )
