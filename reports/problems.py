"""The refusals of reports, each with a name."""

from __future__ import annotations

from annotation_platform.api.problems import InvalidInput


def invalid(parameter: str, detail: str) -> InvalidInput:
    """A query parameter that can't be used."""
    return InvalidInput(detail, errors=[{"pointer": f"/{parameter}", "detail": detail}])
