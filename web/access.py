"""Who may open which page, and what every page's answer carries."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import wraps
from typing import Any

from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from contractors.models import Role, User

# Where each role works, in the order of the navigation; a person's first one is their home.
AREAS: tuple[tuple[str, str, str], ...] = (
    (Role.MANAGER, "projects", "Projects"),
    (Role.REVIEWER, "reviews", "Reviews"),
    (Role.FINANCE, "money", "Money"),
    (Role.CONTRACTOR, "work", "Work"),
)

# No page has inline script or style, and nothing comes from elsewhere.
CONTENT_SECURITY_POLICY = (
    "default-src 'self'; object-src 'none'; base-uri 'none'; form-action 'self'; "
    "frame-ancestors 'none'"
)

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
    """Render a page with the navigation of this person."""
    response = render(request, f"web/{template}", {**navigation(request), **(context or {})})
    response.status_code = status
    response.headers["Content-Security-Policy"] = CONTENT_SECURITY_POLICY
    response.headers["Cache-Control"] = "no-store"  # pay and residence stay out of caches
    return response


def navigation(request: HttpRequest) -> dict[str, Any]:
    """The areas that the signed-in person has."""
    user = getattr(request, "user", None)
    roles = user.roles if isinstance(user, User) else []
    areas = [(name, label) for role, name, label in AREAS if role in roles]
    here = request.resolver_match.url_name if request.resolver_match else ""
    # Each area's pages are below its address: /reviews/7/ is in /reviews/.
    return {"areas": areas, "here": here, "area": request.path.split("/")[1]}
