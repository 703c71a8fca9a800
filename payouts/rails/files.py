"""File rails: a CSV for a bank's or Wise's batch upload, and a NACHA file."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from datetime import date

from achkit import AchFile, validate
from django.conf import settings

from payouts.problems import InvalidPayoutDetails
from payouts.rails import Payment

# A spreadsheet runs a cell that begins so; a name must not (OWASP, CSV injection).
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


class CsvFile:
    """One line per payment: name, account, amount with two decimals, currency, our reference."""

    name = "file"

    def render(self, payments: Iterable[Payment], *, run: int, day: date) -> tuple[str, bytes]:
        out = io.StringIO(newline="")
        writer = csv.writer(out, lineterminator="\r\n")
        writer.writerow(
            ["name", "account", "routing", "amount", "currency", "reference", "payment_date"]
        )
        for payment in payments:
            units, cents = divmod(payment.amount_cents, 100)
            writer.writerow(
                [
                    _text(payment.name),
                    _text(str(payment.details["account"])),
                    _text(str(payment.details.get("routing", ""))),
                    f"{units}.{cents:02d}",
                    payment.currency,
                    payment.reference,
                    day.isoformat(),
                ]
            )
        return f"payouts-{run}-{day:%Y%m%d}.csv", out.getvalue().encode()


class NachaFile:
    """A NACHA (ACH) file of PPD credits, validated before anybody can download it.

    Entry hash, totals and blocking are achkit's; it checks ABA routing numbers as well.
    """

    name = "nacha"

    def render(self, payments: Iterable[Payment], *, run: int, day: date) -> tuple[str, bytes]:
        file = AchFile.create(
            origin_dfi=settings.NACHA_ORIGIN_ROUTING, company_id=settings.NACHA_COMPANY_ID
        )
        batch = file.batch(sec="PPD", description="ANNOTATE", effective_date=day.isoformat())
        for payment in payments:
            if payment.currency != "USD":
                raise InvalidPayoutDetails(f"{payment.reference}: ACH moves US dollars only.")
            batch.credit(
                name=payment.name[:22],
                routing=str(payment.details["routing"]),
                account=str(payment.details["account"]),
                amount_cents=payment.amount_cents,
                id_number=payment.reference,
            )
        content = str(file.render())
        result = validate(content)
        if not result["ok"]:
            said = "; ".join(error["message"] for error in result["errors"][:3])
            raise InvalidPayoutDetails(f"The ACH file is not valid: {said}")
        return f"payouts-{run}-{day:%Y%m%d}.ach", content.encode("ascii")


def _text(value: str) -> str:
    return f"'{value}" if value.startswith(_FORMULA) else value
