"""Where people may live to work on a project."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime

from django.db import IntegrityError, transaction

from annotation_platform.clock import database_now
from contractors import rules
from contractors.models import EligibilityPolicy, EligibilityPolicyVersion, EligibilityRow, User
from contractors.problems import PolicyInThePast, PolicyNameTaken, PolicyRowsInvalid
from events.services import record

DEFAULT_NAME = "United States and Canada"
DEFAULT_ROWS: tuple[tuple[str, str], ...] = (
    ("US", "allow"),
    ("US-CA", "deny"),
    ("US-NY", "deny"),
    ("US-CT", "deny"),
    ("US-WA", "deny"),
    ("US-DC", "deny"),
    # Denied anyway until a row names them (rules.decide); said here so that a reader sees it.
    ("US-AS", "deny"),
    ("US-GU", "deny"),
    ("US-MP", "deny"),
    ("US-PR", "deny"),
    ("US-UM", "deny"),
    ("US-VI", "deny"),
    ("CA", "allow"),  # Canada
)


@transaction.atomic
def create_policy(
    *, name: str, rows: Sequence[tuple[str, str]], reason: str = "", actor: User | None
) -> EligibilityPolicy:
    """Make a policy whose version 1, with these (area, effect) rows, is in effect at once.

    Events: policy.created, policy.version_published.
    Errors: `PolicyNameTaken`, `PolicyRowsInvalid`.
    """
    try:
        with transaction.atomic():
            policy = EligibilityPolicy.objects.create(name=name)
    except IntegrityError as error:
        raise PolicyNameTaken() from error
    record("policy.created", actor=actor, subject=policy, data={"name": name})
    publish_policy_version(policy=policy, rows=rows, reason=reason, actor=actor)
    return policy


@transaction.atomic
def publish_policy_version(
    *,
    policy: EligibilityPolicy,
    rows: Sequence[tuple[str, str]],
    reason: str = "",
    effective_at: datetime | None = None,
    actor: User | None,
) -> EligibilityPolicyVersion:
    """Follow the policy's last version by one with these (area, "allow" | "deny") rows.

    New claims are decided by it from `effective_at` (at once by default) on; claims already made
    keep the version that they pinned. It also replaces a version scheduled earlier. No rows at
    all is allowed: nobody may claim.

    Event: policy.version_published. Errors: `PolicyRowsInvalid`, `PolicyInThePast`.
    """
    _check(rows)
    # The one lock on the policy: two versions published at once get different numbers.
    locked = EligibilityPolicy.objects.select_for_update(no_key=True).get(pk=policy.pk)
    now = database_now()
    if effective_at is not None and effective_at < now:
        raise PolicyInThePast("Leave the instant out to publish at once.")
    last = locked.versions.order_by("-number").first()
    version = EligibilityPolicyVersion.objects.create(
        policy=locked,
        number=1 if last is None else last.number + 1,
        effective_at=effective_at or now,
        reason=reason,
        created_by=actor,
    )
    EligibilityRow.objects.bulk_create(
        EligibilityRow(version=version, area=area, effect=effect) for area, effect in rows
    )
    record(
        "policy.version_published",
        actor=actor,
        subject=locked,
        data={
            "version": version.pk,
            "number": version.number,
            "effective_at": version.effective_at.isoformat(),
            "rows": [list(row) for row in rows],
            "reason": reason,
        },
    )
    return version


def default_policy(*, actor: User | None = None) -> EligibilityPolicy:
    """The project's own policy, made when it does not exist yet: the US without five, Canada."""
    found = EligibilityPolicy.objects.filter(name=DEFAULT_NAME).first()
    if found is not None:
        return found
    return create_policy(
        name=DEFAULT_NAME, rows=DEFAULT_ROWS, reason="The default of new projects.", actor=actor
    )


def _check(rows: Sequence[tuple[str, str]]) -> None:
    times = Counter(area for area, _ in rows)
    errors = []
    for index, (area, effect) in enumerate(rows):
        if not rules.is_area(area):
            errors.append(
                {"pointer": f"/rows/{index}/area", "detail": f"“{area}” is not an ISO 3166 code."}
            )
        elif times[area] > 1:
            errors.append({"pointer": f"/rows/{index}/area", "detail": f"{area} is there twice."})
        if effect not in EligibilityRow.Effect.values:
            errors.append({"pointer": f"/rows/{index}/effect", "detail": "Choose allow or deny."})
    if errors:
        raise PolicyRowsInvalid(errors[0]["detail"], errors=errors)
