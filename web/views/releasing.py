"""A manager ends a live claim: what it pays is on the page before it is confirmed."""

from __future__ import annotations

from django import forms
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from payouts.rules import WHOLE, money, release_pay
from payouts.services import release_claim
from reviews.queries import tasks_not_annotated_by
from tasks.models import Assignment
from tasks.queries import saved_frames
from web.access import caller, for_roles, show
from web.views.finance import attempt

# A claim that somebody still works on.
LIVE = ("active", "grace", "rework")


class ReleaseForm(forms.Form):
    reason = forms.CharField(max_length=400)
    percent = forms.IntegerField(min_value=0, max_value=100, required=False)


@for_roles("manager")
@require_http_methods(["GET", "POST"])
def release(request: HttpRequest, pk: int) -> HttpResponse:
    """What the saved work of a live claim is worth; POST ends the claim and pays that.

    404 for a claim that is over, and to a manager who annotated the task.
    """
    claim = get_object_or_404(
        Assignment.objects.filter(
            state__in=LIVE, task__in=tasks_not_annotated_by(caller(request).pk)
        )
        .select_related("task__video", "task__project", "contractor__user", "guideline")
        .defer("task__video__frame_times"),
        pk=pk,
    )
    form = ReleaseForm(request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid():
        percent = form.cleaned_data["percent"]
        done = attempt(
            request,
            lambda: release_claim(
                actor=caller(request),
                assignment=claim,
                reason=form.cleaned_data["reason"],
                share_basis_points=None if percent is None else percent * WHOLE // 100,
            ),
            _("The claim has ended; its saved work is paid."),
        )
        if done:
            return redirect("task", claim.task_id)
    saved, whole = saved_frames(claim)
    pays = release_pay(claim.price_cents, saved=saved, whole=whole)
    context = {
        "claim": claim,
        "task": claim.task,
        "project": claim.task.project,
        "saved": saved,
        "whole": whole,
        "pays": money(pays, claim.currency),
        "price": money(claim.price_cents, claim.currency),
        "form": form,
    }
    return show(request, "release.html", context)
