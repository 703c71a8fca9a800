"""Who may open which page, and what every page's answer carries."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import wraps
from typing import Any

from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext_lazy as _

from contractors.models import Role, User

# Where each role works, in the order of the navigation; a person's first one is their home. The
# area's name is its home's, and the first part of the address of each of its pages.
AREAS: tuple[tuple[str, str, Any], ...] = (
    (Role.MANAGER, "projects", _("Projects")),
    (Role.MANAGER, "videos", _("Videos")),
    (Role.REVIEWER, "reviews", _("Reviews")),
    (Role.FINANCE, "money", _("Money")),
    (Role.CONTRACTOR, "work", _("Work")),
)
# The second line of the navigation, by area.
SUBPAGES: dict[str, tuple[tuple[str, Any], ...]] = {
    "projects": (
        ("projects", _("All projects")),
        ("tasks", _("Tasks")),
        ("submissions", _("Submissions")),
        ("all-reviews", _("All reviews")),
        ("people", _("Contractors")),
    ),
    "work": (
        ("work", _("Home")),
        ("results", _("Results")),
        ("earnings", _("Earnings")),
        ("statements", _("Statements")),
        ("payout-details", _("Payout details")),
        ("residence", _("Residence")),
        ("tax-form", _("Tax form")),
        ("restrictions", _("Restrictions")),
    ),
    "money": (
        ("money", _("Projects")),
        ("payout-runs", _("Payout runs")),
        ("waiting-payouts", _("Lost answers")),
        ("provider-events", _("Provider events")),
        ("owed", _("Earnings")),
        ("holds", _("Holds")),
        ("tax", _("Tax")),
    ),
}

Page = Callable[..., HttpResponse]


def caller(request: HttpRequest) -> User:
    """The signed-in person; `for_roles` has sent everybody else away."""
    assert isinstance(request.user, User)
    return request.user


def for_roles(*roles: str) -> Callable[[Page], Page]:
    """Let in people with one of these roles; send others to the log-in, or refuse them (403)."""

    def decorate(page: Page) -> Page:
        @wraps(page)
        def wrapper(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
            if not isinstance(request.user, User):
                return redirect_to_login(request.get_full_path())
            if not set(roles) & set(request.user.roles):
                raise PermissionDenied(f"This page is for people with the role {roles[0]}.")
            return page(request, *args, **kwargs)

        return wrapper

    return decorate


def show(
    request: HttpRequest,
    template: str,
    context: Mapping[str, Any] | None = None,
    *,
    status: int = 200,
) -> HttpResponse:
    """Render a page; nobody keeps a copy of it (pay and residence stay out of caches)."""
    response = render(request, f"web/{template}", dict(context or {}), status=status)
    response.headers["Cache-Control"] = "no-store"
    return response


def areas_of(user: object) -> list[tuple[str, Any]]:
    """The areas that a signed-in person has, by name and label."""
    roles = user.roles if isinstance(user, User) else []
    return [(name, label) for role, name, label in AREAS if role in roles]
