"""The queue's refusals, each with a name."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from annotation_platform.api.problems import Problem


class AccountNotActive(Problem):
    slug, status, title = "account-not-active", 403, "Your account is not active yet."


class ResidenceUnknown(Problem):
    slug, status, title = "residence-unknown", 403, "We don't know where you live."


class NotEligible(Problem):
    slug, status = "not-eligible", 403
    title = "This project can't take work from where you live."


class GuidelineNotAcknowledged(Problem):
    slug, status = "guideline-not-acknowledged", 403
    title = "Read and acknowledge the current guideline first."


class Restricted(Problem):
    slug, status, title = "restricted", 403, "You are restricted from claiming."


class LiveClaimCapReached(Problem):
    slug, status = "live-claim-cap-reached", 409
    title = "You hold as many tasks as you may at once."


class ProjectNotOpen(Problem):
    slug, status, title = "project-not-open", 409, "This project is not giving out tasks now."


class ProjectNotReady(Problem):
    slug, status = "project-not-ready", 409
    title = "The project lacks something that claims need."


class QueueEmpty(Problem):
    slug, status, title = "queue-empty", 404, "No task is free for you right now."


class TaskNotFree(Problem):
    slug, status, title = "task-not-free", 409, "Somebody else has taken this task."


class WrongTaskState(Problem):
    slug, status, title = "wrong-task-state", 409, "The task's state does not allow this."


class VideoNotReady(Problem):
    slug, status, title = "video-not-ready", 409, "The video is not ready for annotation."


class LeaseOver(Problem):
    slug, status, title = "lease-over", 409, "Your time on this task is over."


class AlreadySubmitted(Problem):
    slug, status, title = "already-submitted", 409, "You have already submitted this task."


class StaleDraft(Problem):
    slug, status = "stale-draft", 412
    title = "A newer revision of this draft was saved elsewhere."


class RevisionRequired(Problem):
    slug, status = "revision-required", 428
    title = "Say which revision you are changing (If-Match)."


class InvalidTimeline(Problem):
    """Located segment by segment; nothing was saved."""

    slug, status, title = "invalid-timeline", 422, "The timeline can't be submitted as it is."

    def __init__(self, errors: Sequence[dict[str, Any]]) -> None:
        detail = str(errors[0]["detail"]) if errors else ""
        if len(errors) > 1:
            detail += f" (and {len(errors) - 1} more)"
        super().__init__(detail, errors=list(errors))


class AlreadyDecided(Problem):
    slug, status, title = "already-decided", 409, "This submission was already decided."


class NoRoundsLeft(Problem):
    slug, status = "no-rounds-left", 409
    title = "Changes can be asked for at most twice."


class GuidelinePublished(Problem):
    slug, status = "guideline-published", 409
    title = "A published guideline can't be changed; write the next version."


class NotQualified(Problem):
    slug, status, title = "not-qualified", 403, "You are not qualified for this project yet."


class CoolingDown(Problem):
    slug, status = "cooling-down", 429
    title = "You gave up a task a moment ago; the next one comes a little later."


class BudgetExhausted(Problem):
    slug, status, title = "budget-exhausted", 409, "The project's budget is used up."


class QualificationOver(Problem):
    slug, status, title = "qualification-over", 409, "This qualification has ended already."
