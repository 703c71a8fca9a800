"""The manager's library of videos: what is in it, what machines found, what is to be done."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

from django.contrib import messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from annotation_platform.api.problems import Problem
from contractors.models import User
from tasks.models import Project, Task
from tasks.queries import video_ids_of
from tasks.services import change_project, create_tasks
from tasks.services import open_tasks as open_them
from videos import links, queries, services
from videos.models import Video, VideoJob
from videos.screening import JUDGED, Thresholds
from web.access import caller, for_roles, show
from web.frame import with_media_from
from web.pages import page_of

WARNINGS = sorted(JUDGED | {"damaged", "near_duplicate", "truncated"})
STATES = [str(state) for state in Video.State.values]
STAGES = [str(stage) for stage in VideoJob.Stage.values]
JOB_STATES = [str(state) for state in VideoJob.State.values]
PER_PAGE = 20
MOST_AT_ONCE = 500


@dataclass(frozen=True)
class Row:
    """One video in the list: its pictures, its jobs, and what it is warned of."""

    video: Video
    pictures: list[dict[str, Any]]
    warnings: list[dict[str, Any]]

    @property
    def unfinished(self) -> list[VideoJob]:
        """The jobs that somebody may have to look at."""
        return [job for job in self.video.jobs.all() if job.state != VideoJob.State.DONE]

    @property
    def done(self) -> int:
        """How many jobs are done."""
        return len(self.video.jobs.all()) - len(self.unfinished)


@for_roles("manager")
@require_GET
def videos(request: HttpRequest) -> HttpResponse:
    """The library, newest first, by state, warning, job, project and title."""
    chosen = {name: str(value) for name, value in request.GET.items() if value}
    project = _project(chosen.get("project"))
    page = page_of(request, _filtered(chosen, project), per_page=PER_PAGE)
    thresholds = project.screening_thresholds if project else None
    person = caller(request)
    rows = [
        Row(video, _pictures(video, person)[:6], queries.warnings(video, thresholds))
        for video in page
    ]
    context = {
        "page": page,
        "rows": rows,
        "chosen": chosen,
        "project": project,
        "projects": Project.objects.order_by("name", "pk").only("name"),
        "states": STATES,
        "stages": STAGES,
        "warnings": WARNINGS,
        "job_states": JOB_STATES,
    }
    response = show(request, "videos.html", context)
    return with_media_from(response, next((r.pictures[0]["url"] for r in rows if r.pictures), ""))


def _filtered(chosen: dict[str, str], project: Project | None) -> QuerySet[Video]:
    found = queries.library().order_by("-pk")
    if chosen.get("state") in STATES:
        found = found.filter(state=chosen["state"])
    if text := chosen.get("text"):
        found = found.filter(title__icontains=text)
    if project is not None:
        found = found.filter(pk__in=video_ids_of(project))
    if chosen.get("job") in JOB_STATES:
        found = found.filter(pk__in=VideoJob.objects.filter(state=chosen["job"]).values("video"))
    if chosen.get("warning") in WARNINGS:
        thresholds = project.screening_thresholds if project else None
        found = queries.warned_of(found, chosen["warning"], thresholds)
    return found


def _project(pk: str | None) -> Project | None:
    return Project.objects.filter(pk=pk).first() if pk and pk.isdecimal() else None


def _pictures(video: Video, person: User) -> list[dict[str, Any]]:
    try:
        return links.sample_frames(video, user=person)
    except Problem:  # not screened yet
        return []


@for_roles("manager")
@require_GET
def video(request: HttpRequest, pk: int) -> HttpResponse:
    """One video: player, filmstrip, jobs, the screening's report, where it is used."""
    found = get_object_or_404(Video.objects.prefetch_related("jobs"), pk=pk)
    person = caller(request)
    pictures = {p["frame"]: p["url"] for p in _pictures(found, person)}
    tasks = Task.objects.filter(video=found).select_related("project").order_by("-pk")
    own = {t.project_id: t.project for t in tasks if t.project.screening_thresholds}
    warnings = queries.warnings(found)
    strip = None
    if any(job.stage == "filmstrip" and job.result for job in found.jobs.all()):
        strip = links.filmstrip(found, user=person)
    media = links.playable(found, user=person)
    screened = next((j.result for j in found.jobs.all() if j.stage == "screen" and j.result), None)
    context = {
        "video": found,
        "media": media,
        "strip": strip,
        "pictures": sorted(pictures.items()),
        "warnings": [(w, pictures.get(w["frame"])) for w in warnings],
        "summary": screened["summary"] if screened else {},
        "by_project": [
            (project, queries.warnings(found, project.screening_thresholds))
            for project in own.values()
        ],
        "tasks": tasks,
        "stages": STAGES,
        "projects": Project.objects.order_by("name", "pk").only("name"),
    }
    return with_media_from(show(request, "video.html", context), media["url"])


@for_roles("manager")
@require_POST
def act(request: HttpRequest) -> HttpResponse:
    """Do one thing to the chosen videos; each refusal is told, the others are done."""
    person = caller(request)
    back = request.POST.get("next", "")
    if not url_has_allowed_host_and_scheme(back, allowed_hosts=None):
        back = "/videos/"
    ids = [int(pk) for pk in request.POST.getlist("video") if pk.isdecimal()][:MOST_AT_ONCE]
    chosen = list(Video.objects.filter(pk__in=ids).defer("frame_times").order_by("pk"))
    what, _, stage = request.POST.get("do", "").partition(":")
    reason = request.POST.get("reason", "").strip()
    if not chosen:
        messages.error(request, "Choose at least one video.")
    elif what == "retire" and not reason:
        messages.error(request, "Say why they are to be retired.")
    elif what == "tasks":
        _make_tasks(request, person, chosen)
    elif what in ("retire", "restore") or (what == "rerun" and stage in STAGES):
        _one_by_one(request, person, chosen, what, stage=stage, reason=reason[:500])
    else:
        messages.error(request, "Choose what to do with them.")
    return redirect(back)


def _one_by_one(
    request: HttpRequest, person: User, chosen: list[Video], what: str, *, stage: str, reason: str
) -> None:
    done = 0
    for one in chosen:
        try:
            if what == "retire":
                services.retire(actor=person, video=one, reason=reason)
            elif what == "restore":
                services.restore(actor=person, video=one)
            else:
                services.rerun(actor=person, video=one, stage=stage)
            done += 1
        except Problem as problem:
            messages.error(request, f"Video {one.pk}: {problem.detail or problem.title}")
    if done:
        past = {"retire": "retired", "restore": "restored", "rerun": f"waiting for {stage}"}[what]
        messages.success(request, f"{done} of {len(chosen)} {past}.")


def _make_tasks(request: HttpRequest, person: User, chosen: list[Video]) -> None:
    project = _project(request.POST.get("project"))
    if project is None:
        messages.error(request, "Choose the project that gets the tasks.")
        return
    ready = [one for one in chosen if one.state == Video.State.READY]
    made = create_tasks(actor=person, project=project, videos=ready)
    known = len(ready) - len(made)
    messages.success(
        request,
        f"{len(made)} new tasks in {project.name}; {known} videos had one already,"
        f" {len(chosen) - len(ready)} are not ready.",
    )
    if request.POST.get("open") and made:
        try:
            open_them(actor=person, tasks=made)
        except Problem as problem:
            messages.error(request, f"They stay drafts: {problem.detail or problem.title}")


@for_roles("manager")
@require_http_methods(["GET", "POST"])
def thresholds(request: HttpRequest, pk: int) -> HttpResponse:
    """A project's own screening thresholds; an empty field keeps the default."""
    project = get_object_or_404(Project, pk=pk)
    names = [field.name for field in fields(Thresholds)]
    values: dict[str, Any] = dict(project.screening_thresholds)
    refused: dict[str, str] = {}
    if request.method == "POST":
        values = {name: v for name in names if (v := request.POST.get(name, "").strip())}
        wanted, refused = _numbers(values)
        if not refused:
            change_project(
                actor=caller(request), project=project, changes={"screening_thresholds": wanted}
            )
            messages.success(request, "Saved: the project's warnings follow them from now on.")
            return redirect("thresholds", pk=pk)
    defaults = Thresholds()
    rows = [
        (
            name,
            THRESHOLD_WORDS[name],
            values.get(name, ""),
            getattr(defaults, name),
            refused.get(name, ""),
        )
        for name in names
    ]
    context = {"project": project, "rows": rows, "refused": refused}
    return show(request, "thresholds.html", context, status=400 if refused else 200)


def _numbers(values: dict[str, str]) -> tuple[dict[str, float], dict[str, str]]:
    """The numbers that were typed, and by field what is none."""
    wanted: dict[str, float] = {}
    refused: dict[str, str] = {}
    for name, text in values.items():
        try:
            wanted[name] = float(text)
            Thresholds.of({name: wanted[name]})
        except ValueError:
            refused[name] = f"“{text[:40]}” is not a number from 0 up."
    return wanted, refused


THRESHOLD_WORDS = {
    "blurred_below": "Out of focus below (variance of the Laplacian)",
    "dark_below": "Dark below (mean brightness, 0 to 255)",
    "bright_above": "Over-exposed above (mean brightness, 0 to 255)",
    "black_share_above": "Dark above (share of black pixels)",
    "clipped_share_above": "Over-exposed above (share of white pixels)",
    "covered_share_above": "Covered above (share of samples)",
    "covered_plain_above": "A sample counts as covered above (share of plain tiles)",
    "frozen_below": "The same picture below (mean difference)",
    "frozen_seconds": "Frozen from (seconds)",
    "shaken_above": "Shaken above (per cent of the width)",
    "speech_share_above": "Speech above (share of the sound)",
}
