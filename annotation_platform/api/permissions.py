"""Who may call an endpoint, by role. Whose rows they see is each view's queryset."""

from __future__ import annotations

from typing import Any

from rest_framework.permissions import BasePermission
from rest_framework.request import Request


class _HasRole(BasePermission):
    roles: frozenset[str]

    def has_permission(self, request: Request, view: Any) -> bool:
        user = request.user
        return bool(user.is_authenticated and self.roles.intersection(user.roles))


def _role(*roles: str) -> type[_HasRole]:
    message = f"This is for people with the role {' or '.join(roles)}."
    name = "Is" + "Or".join(role.capitalize() for role in roles)
    return type(name, (_HasRole,), {"roles": frozenset(roles), "message": message})


IsContractor = _role("contractor")
IsReviewer = _role("reviewer")
IsManager = _role("manager")
IsFinance = _role("finance")
IsReviewerOrManager = _role("reviewer", "manager")
IsManagerOrFinance = _role("manager", "finance")
IsStaff = _role("reviewer", "manager", "finance")
