"""Where people want their money. Details go in encrypted and never come out of the API."""

from __future__ import annotations

import re
from typing import Any

from achkit import is_valid_routing
from django.db import transaction
from django.db.models import QuerySet

from annotation_platform.clock import database_now
from contractors.models import Contractor, User
from events.services import record
from payouts.encryption import encrypt_json, rotate
from payouts.models import PayoutMethod, Rail, TaxForm
from payouts.problems import FreshSignInNeeded, InvalidPayoutDetails
from payouts.rules import METHOD_CHANGE_HOLD

_SHAPES = {
    Rail.FILE: {"account": r"[A-Za-z0-9 ]{4,34}", "routing": r"[A-Za-z0-9]{0,20}"},
    Rail.NACHA: {"account": r"\d{4,17}", "routing": r"\d{9}"},
    Rail.STRIPE: {"account": r"acct_[A-Za-z0-9]{4,60}"},
}


@transaction.atomic
def set_payout_method(
    *, contractor: Contractor, rail: str, details: dict[str, Any], password: str
) -> PayoutMethod:
    """Set where a contractor is paid. A change holds their payouts for a day, with a notice.

    The notice is the event `payout_method.changed`; whoever took over an account cannot also
    hurry the money away.

    Arguments:
        details: what the rail needs (`_SHAPES`): account, and routing where there is one.
        password: entered anew; being signed in is not enough.

    Raises `FreshSignInNeeded`, `InvalidPayoutDetails`.
    """
    require_password(contractor.user, password)
    clean = _checked(rail, details)
    Contractor.objects.select_for_update(no_key=True).get(pk=contractor.pk)
    now = database_now()
    replaced = PayoutMethod.objects.filter(contractor=contractor, retired_at=None).update(
        retired_at=now
    )
    method = PayoutMethod.objects.create(
        contractor=contractor,
        rail=rail,
        details=encrypt_json(clean),
        label=_masked(clean["account"]),
        usable_from=now + METHOD_CHANGE_HOLD if replaced else now,
    )
    record(
        "payout_method.changed" if replaced else "payout_method.set",
        actor=contractor.user,
        subject=contractor,
        data={
            "rail": rail,
            "label": method.label,
            "usable_from": method.usable_from.isoformat(),
        },
    )
    return method


def require_password(person: User, password: str) -> None:
    """Being signed in is not enough: raise `FreshSignInNeeded` unless this is their password."""
    if not person.check_password(password):
        raise FreshSignInNeeded("The password is not right.")


def rotate_secrets(*, batch: int = 500) -> int:
    """Encrypt everything stored anew under the first of FIELD_ENCRYPTION_KEYS.

    Returns how many payout methods and tax numbers. Payout files are append-only and keep the key
    they were written under: keep that key as long as the files are wanted.
    """
    return _rotate(PayoutMethod.objects.all(), "details", batch) + _rotate(
        TaxForm.objects.exclude(tin=b""), "tin", batch
    )


def _rotate(secrets: QuerySet[Any], column: str, batch: int) -> int:
    done, last = 0, 0
    while True:
        with transaction.atomic():
            rows = list(secrets.select_for_update().filter(pk__gt=last).order_by("pk")[:batch])
            for row in rows:
                setattr(row, column, rotate(getattr(row, column)))
            secrets.model._default_manager.bulk_update(rows, [column])
        if not rows:
            return done
        done, last = done + len(rows), rows[-1].pk


def _checked(rail: str, details: dict[str, Any]) -> dict[str, str]:
    shapes = _SHAPES.get(Rail(rail)) if rail in Rail.values else None
    if shapes is None:
        raise InvalidPayoutDetails(f"Choose one of {', '.join(Rail.values)}.")
    unknown = set(details) - set(shapes)
    if unknown:
        raise InvalidPayoutDetails(f"{', '.join(sorted(unknown))}: not used by this way of paying.")
    clean = {name: str(details.get(name, "")).strip() for name in shapes}
    for name, shape in shapes.items():
        if not re.fullmatch(shape, clean[name]):
            raise InvalidPayoutDetails(f"The {name} does not look right.")
    if rail == Rail.NACHA and not is_valid_routing(clean["routing"]):
        raise InvalidPayoutDetails("The routing number has a wrong check digit.")
    return clean


def _masked(account: str) -> str:
    return f"ending in {account.replace(' ', '')[-4:]}"
