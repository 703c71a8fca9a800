"""Rows that tests need, made with as little ceremony as possible. Plain functions; add yours.

Each makes a distinct row on every call; keyword arguments override what matters to the test.
"""

from __future__ import annotations

from datetime import date
from itertools import count

from django.db.backends.postgresql.psycopg_any import DateRange
from django.utils import timezone
from knox.models import get_token_model
from rest_framework.test import APIClient

from contractors.models import (
    Contractor,
    EligibilityPolicy,
    EligibilityPolicyVersion,
    EligibilityRow,
    Residence,
    Role,
    User,
)

PASSWORD = "correct horse battery staple"

# What the project's own policy says (money.md): the default of `policy()`.
PROJECT_POLICY = (
    ("US", "allow"),
    ("US-CA", "deny"),
    ("US-NY", "deny"),
    ("US-CT", "deny"),
    ("US-WA", "deny"),
    ("US-DC", "deny"),
    ("CA", "allow"),
)

_numbers = count(1)


def user(*roles: str, email: str = "", name: str = "", password: str = PASSWORD) -> User:
    """Somebody who can sign in, with these roles."""
    number = next(_numbers)
    return User.objects.create_user(
        email or f"{'-'.join(roles) or 'nobody'}-{number}@example.org",
        password,
        name=name or f"Person {number}",
        roles=list(roles),
    )


def manager() -> User:
    return user(Role.MANAGER)


def reviewer() -> User:
    return user(Role.REVIEWER)


def finance() -> User:
    return user(Role.FINANCE)


def contractor(
    *,
    area: str | None = "US-TX",
    state: str = Contractor.State.ACTIVE,
    since: date = date(2020, 1, 1),
    name: str = "",
) -> Contractor:
    """A contractor who has lived in `area` since a day long past (None: no residence declared)."""
    person = Contractor.objects.create(
        user=user(Role.CONTRACTOR, name=name),
        state=state,
        activated_at=timezone.now() if state in ("active", "restricted") else None,
    )
    if area is not None:
        Residence.objects.create(contractor=person, area=area, valid=DateRange(since, None))
    return person


def policy(
    rows: tuple[tuple[str, str], ...] = PROJECT_POLICY, *, name: str = ""
) -> EligibilityPolicy:
    """An eligibility policy with version 1 of these (area, effect) rows in effect."""
    made = EligibilityPolicy.objects.create(name=name or f"Policy {next(_numbers)}")
    version = EligibilityPolicyVersion.objects.create(policy=made, number=1)
    EligibilityRow.objects.bulk_create(
        EligibilityRow(version=version, area=area, effect=effect) for area, effect in rows
    )
    return made


def client_for(person: User | Contractor | None) -> APIClient:
    """An API client signed in with a real token header; None: nobody."""
    client = APIClient()
    if person is not None:
        account = person.user if isinstance(person, Contractor) else person
        _, token = get_token_model().objects.create(account)
        client.credentials(HTTP_AUTHORIZATION=f"Token {token}")
    return client
