"""The page on which a contractor annotates; what happens on it is in web/workbench/."""

from __future__ import annotations

from django.contrib.staticfiles import finders
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.views.decorators.csrf import ensure_csrf_cookie
from django.views.decorators.http import require_GET

from tasks.models import Assignment
from tasks.permissions import visible_assignments
from videos import storage
from web.access import caller, for_roles, show
from web.frame import with_media_from

BUNDLE = "web/built/workbench.js"


@for_roles("contractor")
@require_GET
@ensure_csrf_cookie  # the workbench writes through the API with the session's token
def workbench(request: HttpRequest, pk: int) -> HttpResponse:
    """One's own claim in the workbench; it reads and writes through the public API only."""
    assignment: Assignment = get_object_or_404(
        visible_assignments(caller(request)).filter(contractor_id=caller(request).pk), pk=pk
    )
    context = {"assignment": assignment, "is_built": finders.find(BUNDLE) is not None}
    return with_media_from(show(request, "workbench.html", context), storage.any_link())
