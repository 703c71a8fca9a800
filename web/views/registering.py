"""Registering videos from a browser: files, a prefix of storage, or a manifest."""

from __future__ import annotations

import csv

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from annotation_platform.api.problems import Problem
from contractors.models import User
from videos import registrations
from videos.models import Registration, RegistrationRow
from videos.problems import InvalidManifest
from videos.rules import VIDEO_SUFFIXES
from web.access import caller, for_roles, show
from web.pages import chosen, page_of

STATES = [str(state) for state in RegistrationRow.State.values]


@for_roles("manager")
@require_http_methods(["GET", "POST"])
def register(request: HttpRequest) -> HttpResponse:
    """The three ways in, and what became of the earlier ones."""
    error = ""
    if request.method == "POST":
        try:
            begun = _register(request, caller(request))
        except Problem as problem:
            error = problem.detail or problem.title
        else:
            return redirect("registration", pk=begun.pk)
    page = page_of(request, Registration.objects.select_related("created_by").order_by("-pk"))
    context = {
        "page": page,
        "error": error,
        "prefix": request.POST.get("prefix", ""),
        "most": f"{registrations.MOST_ROWS:,}",
        "suffixes": ",".join(sorted(VIDEO_SUFFIXES)),
    }
    return show(request, "register_videos.html", context, status=400 if error else 200)


@for_roles("manager")
@require_GET
def registration(request: HttpRequest, pk: int) -> HttpResponse:
    """How far a registration is, and what became of each row; it asks again until it has ended."""
    found = get_object_or_404(Registration.objects.select_related("created_by"), pk=pk)
    wanted = chosen(request, state=STATES)
    rows = found.rows.filter(**wanted).select_related("video").defer("video__frame_times")
    context = {
        "registration": found,
        "page": page_of(request, rows.order_by("number"), per_page=50),
        "chosen": wanted,
        "states": STATES,
    }
    return show(request, "registration.html", context)


@for_roles("manager")
@require_GET
def refused_rows(request: HttpRequest, pk: int) -> HttpResponse:
    """The refused rows as CSV: correct them and send them again."""
    found = get_object_or_404(Registration, pk=pk)
    refused = found.rows.filter(state=RegistrationRow.State.REFUSED).order_by("number")
    response = HttpResponse(content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="refused-{pk}.csv"'
    out = csv.writer(response)
    out.writerow(["row", "key", "title", "problem", "detail"])
    for row in refused.iterator():
        told = [row.name, row.title, row.problem, row.detail]
        out.writerow([row.number, *map(_plain, told)])
    return response


@for_roles("manager")
@require_POST
def move_registration(request: HttpRequest, pk: int, verb: str) -> HttpResponse:
    """Cancel or resume."""
    found = get_object_or_404(Registration, pk=pk)
    try:
        if verb == "cancel":
            registrations.cancel(actor=caller(request), registration=found)
        else:
            registrations.resume(actor=caller(request), registration=found)
    except Problem as problem:
        messages.error(request, problem.detail or problem.title)
    return redirect("registration", pk=pk)


def _plain(text: str) -> str:
    # A spreadsheet would run what begins like a formula.
    return f"'{text}" if text[:1] in ("=", "+", "-", "@", "\t", "\r") else text


def _register(request: HttpRequest, person: User) -> Registration:
    if files := request.FILES.getlist("files"):
        return registrations.begin_files(actor=person, files=files)
    if manifest := request.FILES.get("manifest"):
        return registrations.begin_manifest(actor=person, file=manifest)
    prefix = request.POST.get("prefix", "").strip()
    if not prefix:
        raise InvalidManifest("Choose files, a manifest, or name a folder of the storage.")
    return registrations.begin(actor=person, kind=Registration.Kind.PREFIX, name=prefix)
