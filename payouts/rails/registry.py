"""Which rail goes by which name."""

from __future__ import annotations

from payouts.rails import ApiRail, FileRail
from payouts.rails.files import CsvFile, NachaFile
from payouts.rails.stripe_connect import StripeConnect

FILE_RAILS = ("file", "nacha")
API_RAILS = ("stripe",)


def file_rail(name: str) -> FileRail:
    return NachaFile() if name == NachaFile.name else CsvFile()


def api_rail(name: str) -> ApiRail:
    """A client of the provider; cheap to make, not shared between threads."""
    assert name in API_RAILS, name
    return StripeConnect()
