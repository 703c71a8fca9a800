"""Tax forms: who states what about themselves, and taking the figures of a year away."""

from __future__ import annotations

from django.db import transaction

from annotation_platform.clock import database_now
from contractors.models import Contractor, User
from events.services import record
from payouts import tax_rules
from payouts.encryption import decrypt, encrypt
from payouts.models import TaxForm
from payouts.problems import InvalidTaxForm
from payouts.services.methods import require_password


@transaction.atomic
def state_tax_form(
    *,
    contractor: Contractor,
    kind: str,
    name: str,
    address: str,
    country: str,
    tin_kind: str,
    tin: str,
    signature: str,
    password: str,
) -> TaxForm:
    """Take a contractor's W-9 or W-8BEN; it follows the one before. Writes `tax_form.stated`.

    It counts from today (UTC), a W-8BEN until the end of the third calendar year after. The
    identification number is encrypted at once and shown by its last four characters only.

    Arguments:
        tin_kind, tin: both empty for a W-8BEN without a number.
        signature: the person's name, typed under the statement that all of it is true.
        password: entered anew; being signed in is not enough.

    Raises `FreshSignInNeeded` and `InvalidTaxForm`; nothing is stored then.
    """
    require_password(contractor.user, password)
    _check(kind, country, tin_kind, tin)
    Contractor.objects.select_for_update(no_key=True).get(pk=contractor.pk)
    now = database_now()
    TaxForm.objects.filter(contractor=contractor, replaced_at=None).update(replaced_at=now)
    number = tax_rules.clean_tin(tin_kind, tin)
    form = TaxForm.objects.create(
        contractor=contractor,
        kind=kind,
        name=name.strip(),
        address=address.strip(),
        country=country,
        tin_kind=tin_kind,
        tin=encrypt(number.encode()) if number else b"",
        tin_last4=tax_rules.last_four(number),
        signature=signature.strip(),
        signed_on=now.date(),
        expires_on=tax_rules.w8ben_expires_on(now.date()) if kind == TaxForm.Kind.W8BEN else None,
        stated_at=now,
    )
    record(
        "tax_form.stated",
        actor=contractor.user,
        subject=contractor,
        data={"form": form.pk, "kind": kind, "tin": form.masked_tin},
    )
    return form


@transaction.atomic
def permit_full_export(*, actor: User, year: int, password: str, reason: str) -> None:
    """Let somebody from finance take a year's full identification numbers away.

    Writes `tax_year.exported` with the reason. Raises `FreshSignInNeeded`.
    """
    require_password(actor, password)
    record("tax_year.exported", actor=actor, subject=actor, data={"year": year, "reason": reason})


def full_tin(form: TaxForm) -> str:
    """The number as people write it. For the export that `permit_full_export` let through."""
    if not form.tin:
        return ""
    return tax_rules.written_tin(form.tin_kind, decrypt(form.tin).decode())


def _check(kind: str, country: str, tin_kind: str, tin: str) -> None:
    if (kind == TaxForm.Kind.W9) != (country == "US"):
        raise InvalidTaxForm("A W-9 is for the US, a W-8BEN for residents of any other country.")
    if bool(tin_kind) != bool(tin.strip()):
        raise InvalidTaxForm("The identification number and its kind go together.")
    if kind == TaxForm.Kind.W9 and tin_kind not in ("ssn", "ein", "itin"):
        raise InvalidTaxForm("A W-9 needs an SSN, an EIN or an ITIN.")
    if kind == TaxForm.Kind.W8BEN and tin_kind == "ein":
        raise InvalidTaxForm("A W-8BEN is for individuals: no EIN.")
    problem = tax_rules.tin_problem(tin_kind, tin.strip()) if tin_kind else ""
    if problem:
        raise InvalidTaxForm(f"The identification number does not look right. {problem}")
