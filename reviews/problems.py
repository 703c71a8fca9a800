"""The refusals of scoring and reviewing, each with a name."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from annotation_platform.api.problems import Problem


class NothingToReview(Problem):
    slug, status, title = "nothing-to-review", 404, "No review is waiting for you right now."


class ReviewNotYours(Problem):
    slug, status, title = "review-not-yours", 409, "You do not hold this review."


class RejectionsWaiting(Problem):
    slug, status = "rejections-waiting", 409
    title = "A second person has to look at your rejections first."


class WrongOutcome(Problem):
    slug, status, title = "wrong-outcome", 422, "This review can't end like that."


class IncompleteDecision(Problem):
    """Located: what the decision lacks. Nothing was saved."""

    slug, status, title = "incomplete-decision", 422, "The decision lacks something."

    def __init__(self, errors: Sequence[dict[str, Any]]) -> None:
        detail = str(errors[0]["detail"]) if errors else ""
        if len(errors) > 1:
            detail += f" (and {len(errors) - 1} more)"
        super().__init__(detail, errors=list(errors))


class NotDecidedYet(Problem):
    slug, status, title = "not-decided-yet", 404, "This work has not been decided yet."


class InvalidSettings(Problem):
    slug, status, title = "invalid-settings", 422, "These settings can't be used."


class RunGoesOn(Problem):
    slug, status, title = "run-goes-on", 409, "Such a run is under way in this project already."


class GoldAlreadySet(Problem):
    slug, status, title = "gold-already-set", 409, "This task has a reference already."


class GoldRetired(Problem):
    slug, status, title = "gold-retired", 409, "This reference is out of use already."


class NotAGoldSource(Problem):
    slug, status, title = "not-a-gold-source", 409, "No reference can be taken from this."
