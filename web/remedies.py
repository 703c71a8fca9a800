"""What would have to change for a refused claim, and where to change it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from annotation_platform.api.problems import Problem
from tasks.models import Project


@dataclass(frozen=True)
class Refusal:
    """One reason against a claim. `link` and `link_text` are empty where nothing can be done."""

    slug: str
    title: str
    detail: str
    remedy: Any
    link: str = ""
    link_text: Any = ""


# By problem: what would have to change; what the link says; the page's name.
_REMEDIES: dict[str, tuple[Any, Any, str]] = {
    "project-not-open": (_("It has to be opened by its manager; look again later."), "", ""),
    "account-not-active": (_("Whoever invited you takes the next step."), "", ""),
    "residence-unknown": (
        _("Say where you live, with its state or province."),
        _("Declare your residence"),
        "residence",
    ),
    "not-eligible": (
        _("This changes only if you move, or if the project's policy does."),
        _("Your residence"),
        "residence",
    ),
    "not-qualified": (
        _("Good work on other projects qualifies you, or a manager does."),
        "",
        "",
    ),
    "guideline-not-acknowledged": (
        _("Read what is asked for, and say so at its end."),
        _("Read the guideline"),
        "guideline",
    ),
    "restricted": (
        _("It ends by itself, or when your appeal is granted."),
        _("See why, and appeal"),
        "restrictions",
    ),
    "live-claim-cap-reached": (
        _("Hand in or return something that you hold."),
        _("What you hold"),
        "work",
    ),
    "cooling-down": (_("Nothing to do but wait."), "", ""),
    "budget-exhausted": (_("Its manager has to fund it; look again later."), "", ""),
    "queue-empty": (_("Tasks come back when somebody returns one; look again later."), "", ""),
}


def refusal(problem: Problem, project: Project) -> Refusal:
    """The guard's own sentences with the way out."""
    remedy, text, name = _REMEDIES.get(problem.slug, ("", "", ""))
    link = reverse(name, args=[project.pk] if name == "guideline" else []) if name else ""
    if name == "work":
        link += "#claims"
    return Refusal(problem.slug, str(problem.title), str(problem.detail), remedy, link, text)
