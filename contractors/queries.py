"""Reads across people, residences, policies and restrictions. "Now" is the database's clock."""

from __future__ import annotations

from datetime import date, datetime

from django.db.models import DateField, OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import Cast, Now

from contractors.models import (
    Contractor,
    EligibilityPolicy,
    EligibilityPolicyVersion,
    Residence,
    Restriction,
    RestrictionQuerySet,
    Verdict,
)
from contractors.rules import Decision, decide


def residence_on(contractor: Contractor, day: date | None = None) -> Residence | None:
    """Where the contractor lived on `day` (UTC; today by default), None when undeclared."""
    wanted = Cast(Now(), DateField()) if day is None else day
    return Residence.objects.filter(contractor=contractor, valid__contains=wanted).first()


def with_area_today(contractors: QuerySet[Contractor]) -> QuerySet[Contractor]:
    """Adds `area_today`: the area of each one's residence today (UTC), None when undeclared."""
    today = Residence.objects.filter(
        contractor=OuterRef("pk"), valid__contains=Cast(Now(), DateField())
    )
    return contractors.annotate(area_today=Subquery(today.values("area")[:1]))


def current_policy_version(
    policy: EligibilityPolicy, at: datetime | None = None
) -> EligibilityPolicyVersion | None:
    """The version in effect at an instant (now by default), its rows prefetched.

    Of the versions that have come into effect the one published last, so that publishing also
    replaces what was scheduled before it.
    """
    return (
        EligibilityPolicyVersion.objects.filter(
            policy=policy, effective_at__lte=Now() if at is None else at
        )
        .order_by("-number")
        .prefetch_related("rows")
        .first()
    )


def decide_for(policy: EligibilityPolicy, area: str | None) -> Decision:
    """What the policy answers now to somebody who lives in `area`; denies without a version."""
    version = current_policy_version(policy)
    rows = [] if version is None else [(row.area, row.effect) for row in version.rows.all()]
    return decide(rows, area)


def verdict(version: EligibilityPolicyVersion, residence: Residence) -> Verdict:
    """The policy version's answer to this residence; worked out and stored the first time."""
    known = Verdict.objects.filter(policy_version=version, residence=residence).first()
    if known is not None:
        return known
    decision = decide([(row.area, row.effect) for row in version.rows.all()], residence.area)
    answer, _ = Verdict.objects.get_or_create(
        policy_version=version,
        residence=residence,
        defaults={
            "outcome": decision.outcome,
            "decision": {**decision.as_json(), "policy_version": version.number},
        },
    )
    return answer


def active_restrictions(contractor: Contractor, scope: str) -> RestrictionQuerySet:
    """Restrictions in force now that stop new claims in `scope` (a project's id), oldest first.

    One with the scope "all" stops every project; asking for "all" answers only those.
    """
    return (
        Restriction.objects.in_force()
        .filter(Q(scope=Restriction.ALL) | Q(scope=scope), contractor=contractor)
        .order_by("pk")
    )
