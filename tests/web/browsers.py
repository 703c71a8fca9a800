"""Types of the fixtures in conftest.py."""

from __future__ import annotations

from collections.abc import Callable

from django.test import Client

from contractors.models import Contractor, User

LogIn = Callable[[User | Contractor], Client]
