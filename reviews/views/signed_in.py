"""Who calls."""

from __future__ import annotations

from typing import cast

from rest_framework.request import Request

from contractors.models import User


def caller(request: Request) -> User:
    """The person behind a request that a permission class has let through."""
    return cast(User, request.user)
