"""Types of the fixtures in conftest.py."""

from __future__ import annotations

from collections.abc import Callable

# (person, into=another browser context)
SignIn = Callable[..., None]
