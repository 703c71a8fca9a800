"""Registering videos from a browser: files, a prefix of storage, or a manifest."""

from __future__ import annotations

import csv
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from itertools import islice
from pathlib import Path
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_GET, require_http_methods

from annotation_platform.api.problems import Problem
from contractors.models import User
from videos import manifests, services, storage
from videos.problems import InvalidManifest
from videos.rules import VIDEO_SUFFIXES
from videos.serializers import MAX_ROWS
from web.access import caller, for_roles, show

SESSION_KEY = "registered_videos"
MANIFEST_BYTES = 1024 * 1024


@for_roles("manager")
@require_http_methods(["GET", "POST"])
def register(request: HttpRequest) -> HttpResponse:
    """The three ways in, and what became of the last one, every refused row with its reason."""
    error = ""
    if request.method == "POST":
        try:
            report = _register(request, caller(request))
        except Problem as problem:
            error = problem.detail or problem.title
        else:
            request.session[SESSION_KEY] = report
            return redirect("register-videos")
    context = {
        "report": request.session.get(SESSION_KEY),
        "error": error,
        "most": MAX_ROWS,
        "suffixes": ",".join(sorted(VIDEO_SUFFIXES)),
    }
    return show(request, "register_videos.html", context, status=400 if error else 200)


@for_roles("manager")
@require_GET
def refused_rows(request: HttpRequest) -> HttpResponse:
    """The refused rows of the last registration as CSV: correct them and send them again."""
    report = request.session.get(SESSION_KEY) or {"refused": []}
    response = HttpResponse(content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = 'attachment; filename="refused.csv"'
    out = csv.writer(response)
    out.writerow(["row", "key", "problem", "detail"])
    for row in report["refused"]:
        out.writerow([row["row"], _plain(row["name"]), row["problem"], _plain(row["detail"])])
    return response


def _plain(text: str) -> str:
    # A spreadsheet would run what begins like a formula.
    return f"'{text}" if text[:1] in ("=", "+", "-", "@") else text


def _register(request: HttpRequest, person: User) -> dict[str, Any]:
    if files := request.FILES.getlist("files"):
        return _files(person, files)
    if manifest := request.FILES.get("manifest"):
        if (manifest.size or 0) > MANIFEST_BYTES:
            raise InvalidManifest("The manifest is larger than 1 MB; use the command line.")
        suffix = Path(manifest.name or "").suffix.lower()
        with tempfile.TemporaryDirectory(prefix="manifest-") as folder:
            path = Path(folder) / f"manifest{suffix}"
            path.write_bytes(manifest.read())
            return _rows(person, manifests.read_manifest(path))
    prefix = request.POST.get("prefix", "").strip()
    if not prefix:
        raise InvalidManifest("Choose files, a manifest, or name a folder of the storage.")
    keys = (k for k in storage.keys_under(prefix) if Path(k).suffix.lower() in VIDEO_SUFFIXES)
    return _rows(person, ({"key": key} for key in keys))


def _rows(person: User, rows: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    some = list(islice(rows, MAX_ROWS + 1))
    if len(some) > MAX_ROWS:
        raise InvalidManifest(f"More than {MAX_ROWS} rows; use the command line for so many.")
    if not some:
        raise InvalidManifest("There is no video in it.")
    outcome = services.register_manifest(actor=person, rows=some)
    return {
        "registered": [[video.pk, video.title] for video in outcome.registered],
        "refused": [asdict(row) for row in outcome.refused],
    }


def _files(person: User, files: list[Any]) -> dict[str, Any]:
    report: dict[str, Any] = {"registered": [], "refused": []}
    for number, file in enumerate(files, start=1):
        try:
            video = services.register_video(actor=person, file=file)
            report["registered"].append([video.pk, video.title])
        except Problem as problem:
            why = problem.detail or problem.title
            row = services.RefusedRow(number, str(file.name), problem.slug, why)
            report["refused"].append(asdict(row))
    return report
