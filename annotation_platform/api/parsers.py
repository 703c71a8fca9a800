"""Reading JSON that PostgreSQL can keep."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from typing import IO, Any

from rest_framework.exceptions import ParseError
from rest_framework.parsers import JSONParser

# Escapes of NUL and of surrogates. Only when one is there is the text looked at again.
_SUSPECT = re.compile(rb"\\u(0000|[dD][89a-fA-F])")


class StorableJSONParser(JSONParser):
    """DRF's JSON parser, refusing what would end as an error of the database or of Python.

    That is: NUL characters and halves of surrogate pairs (neither fits into text or jsonb),
    numbers beyond the floating-point range, nesting too deep to read, and text that is not UTF-8.
    """

    def parse(
        self,
        stream: IO[Any],
        media_type: str | None = None,
        parser_context: Mapping[str, Any] | None = None,
    ) -> Any:
        try:
            return storable_json(stream.read())
        except RecursionError:
            raise ParseError("The JSON is nested too deeply.") from None
        except ValueError as error:  # json and Unicode errors are among them
            raise ParseError(f"This is not usable JSON: {error}") from None


def storable_json(raw: bytes) -> Any:
    """JSON that PostgreSQL can keep. Raises `ValueError`, or `RecursionError` when it is deep."""
    data = json.loads(raw.decode(), parse_constant=_no_constant, parse_float=_finite)
    if _SUSPECT.search(raw):
        _check(data)
    return data


def _check(data: Any) -> None:
    text = json.dumps(data, ensure_ascii=False)
    text.encode()  # refuses a lone surrogate
    # json.dumps escapes NUL as \u0000, and a backslash of the text itself as \\.
    if "\\u0000" in text.replace("\\\\", ""):
        raise ValueError("NUL characters cannot be stored.")


def _no_constant(name: str) -> float:
    raise ValueError(f"{name} is not JSON.")


def _finite(text: str) -> float:
    number = float(text)
    if math.isinf(number):
        raise ValueError(f"{text[:40]} is too large.")
    return number
