"""Gold: hidden references, the scores against them, and what those lead to. Never pay."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db import transaction

from annotation_platform.clock import database_now
from contractors.models import Contractor, User
from contractors.services import restrict
from events.services import record
from reviews import gold_queries, queries
from reviews.measure import measure
from reviews.models import (
    GoldReference,
    GoldScore,
    GoldSettings,
    GoldSuspension,
    TaskConsensus,
)
from reviews.problems import GoldAlreadySet, GoldRetired, NotAGoldSource
from reviews.rules import in_words
from reviews.services.batch import each
from reviews.services.settings import current_scoring
from tasks.models import Project, Submission, Task
from tasks.problems import WrongTaskState
from tasks.rules import KEEPS_SLOT
from tasks.services import grant_qualification
from tasks.services.claims import lock_person
from tasks.services.work import check_timeline
from timelines.segment import Hands, Segment, Timeline

GOLD_FAILURE = "Submission %s could not be scored against gold."


@dataclass(frozen=True)
class Picked:
    """Open tasks that are to be gold: those that got a reference, and those that need one."""

    made: list[GoldReference]
    wanted: list[int]


@transaction.atomic
def change_gold_settings(
    *, actor: User | None, project: Project, changes: dict[str, Any]
) -> GoldSettings:
    """Change how much gold a project has and what its scores lead to, from now on."""
    Project.objects.select_for_update(no_key=True).get(pk=project.pk)
    row = gold_queries.gold_settings(project)
    for name, value in changes.items():
        setattr(row, name, value)
    row.save()
    record("gold.settings_changed", actor=actor, subject=project, data={"fields": sorted(changes)})
    return row


@transaction.atomic
def set_reference(
    *,
    actor: User | None,
    task: Task,
    source: str,
    submission: Submission | None = None,
    segments: Sequence[Segment] = (),
) -> GoldReference:
    """Make a task gold; nothing about the task, its claims or their pay changes.

    Arguments:
        source: "own" takes `segments`, "submission" an accepted `submission` of the task,
            "consensus" the task's consensus.

    Event: gold.set. Raises `WrongTaskState` (nobody would work on it any more), `GoldAlreadySet`,
    `NotAGoldSource`, `InvalidTimeline`.
    """
    locked = (
        Task.objects.select_for_update(no_key=True, of=("self",))
        .select_related("project", "video")
        .get(pk=task.pk)
    )
    if locked.ended_at is not None:
        raise WrongTaskState(f"Task {locked.pk} is {locked.state}: nobody works on it any more.")
    if gold_queries.live_reference(locked.pk) is not None:
        raise GoldAlreadySet(f"Task {locked.pk} has a reference; retire it first.")
    frame_count = locked.video.frame_count
    assert frame_count is not None, "only tasks with a probed video open"
    used: list[int] = []
    if source == GoldReference.Source.SUBMISSION:
        segments, used = _of_submission(locked, submission)
    elif source == GoldReference.Source.CONSENSUS:
        segments, used = _of_consensus(locked)
    check_timeline(segments, frame_count, locked.project.action_type_keys, usable=True)
    made = GoldReference.objects.create(
        task=locked,
        source=source,
        submission_ids=used,
        frame_count=frame_count,
        segments=[segment.as_dict() for segment in sorted(segments, key=_order)],
        created_by=actor,
    )
    record("gold.set", actor=actor, subject=made, data={"task_id": locked.pk, "source": source})
    return made


@transaction.atomic
def retire_reference(*, actor: User | None, reference: GoldReference, reason: str) -> GoldReference:
    """Take a reference out of use; its scores stay. Event: gold.retired. Raises `GoldRetired`."""
    row = GoldReference.objects.select_for_update(no_key=True).get(pk=reference.pk)
    if row.retired_at is not None:
        raise GoldRetired(f"It was retired on {row.retired_at:%d %B %Y}.")
    row.retired_at, row.retire_reason = database_now(), reason[:500]
    row.save(update_fields=["retired_at", "retire_reason"])
    record("gold.retired", actor=actor, subject=row, data={"reason": reason})
    return row


def pick_gold(*, actor: User | None, project: Project, limit: int = 200) -> Picked:
    """Choose the project's share of open tasks to be gold.

    By a keyed hash of the task's id: the same choice every time, spread evenly, and nobody
    outside can work it out. Where accepted work gives a reference it is set at once; the others
    wait for a manager's own timeline.

    Arguments:
        limit: how many tasks are looked at, oldest first.
    """
    share = gold_queries.gold_settings(project).share
    made: list[GoldReference] = []
    wanted: list[int] = []
    for task in gold_queries.tasks_picked(project, share, _seed(project), limit):
        reference = _set_from_accepted_work(actor, task)
        if reference is None:
            wanted.append(task.pk)
        else:
            made.append(reference)
    return Picked(made, wanted)


@transaction.atomic
def score_gold(submission_id: int) -> GoldScore | None:
    """Score a hand-in against the reference of its task and see where that leads.

    Asked about every hand-in, so that nothing tells gold from another task. None when there is
    nothing to score: no reference, a later round, a video screened as unusable, or the work that
    the reference was made of. Can run any number of times.

    Side effects: a `GoldScore`; a qualification or a restriction by the project's rule.
    """
    submission = gold_queries.scorable(submission_id)
    if submission is None:
        return None
    # The person first: their scores are looked at together.
    person = lock_person(submission.assignment.contractor_id)
    reference = gold_queries.reference_for(submission)
    if reference is None or GoldScore.objects.filter(submission=submission).exists():
        return None
    project = submission.assignment.task.project
    fps = submission.assignment.task.video.fps
    assert fps is not None, "only tasks with a probed video open"
    truth = Timeline(reference.frame_count, fps, segments_of(reference))
    work = queries.timelines([submission.pk], fps={submission.pk: fps})[submission.pk]
    found = measure(truth, work, current_scoring(project).measures)
    score = GoldScore.objects.create(
        reference=reference,
        submission=submission,
        contractor=person,
        project=project,
        findings=found["diagnosis"]["of_candidate"],
        **{
            name: found[name]
            for name in (
                "s", "rq", "sq", "tp", "fp", "fn", "mean_boundary_error_frames", "parameters",
            )
        },
    )  # fmt: skip
    _follow(person, project)
    return score


def sweep_gold(*, batch: int = 200) -> dict[str, int]:
    """Score what a lost message, or a reference set later, left behind."""
    scored, failed = each(gold_queries.submissions_due(batch), score_gold, GOLD_FAILURE)
    return {"scored": scored, "failed": failed}


def segments_of(reference: GoldReference) -> list[Segment]:
    """The reference's timeline."""
    return [Segment(**row | {"hands": Hands(row["hands"])}) for row in reference.segments]


def _follow(person: Contractor, project: Project) -> None:
    """The rule: the mean of the newest scores qualifies, or stops new claims for a while.

    Scores that stopped somebody once are not counted again, however the appeal ended.
    """
    rule = gold_queries.gold_settings(project)
    scores = gold_queries.newest_scores(person, project, rule.last_scores)
    if len(scores) < rule.last_scores:
        return
    mean = sum(score.s for score in scores) / len(scores)
    if mean >= rule.qualify_at:
        opens = rule.qualifies_for or project
        if opens.needs_qualification:
            grant_qualification(
                actor=None,
                contractor=person,
                project=opens,
                reason=f"{_evidence(scores, mean)} At least {in_words(rule.qualify_at)} qualify.",
            )
    elif mean < rule.suspend_below and person.state in (
        Contractor.State.ACTIVE,
        Contractor.State.RESTRICTED,
    ):
        _suspend(person, project, rule, scores, mean)


def _suspend(
    person: Contractor,
    project: Project,
    rule: GoldSettings,
    scores: Sequence[GoldScore],
    mean: float,
) -> None:
    restriction = restrict(
        contractor=person,
        cause="Recent work differs too much from reference timelines",
        actor=None,
        scope=str(project.pk),
        evidence=f"{_evidence(scores, mean)} Below {in_words(rule.suspend_below)} new claims "
        f"stop for {rule.suspend_days} days. Live claims and pay are not touched.",
        ends_at=database_now() + timedelta(days=rule.suspend_days),
    )
    GoldSuspension.objects.create(
        restriction=restriction,
        project=project,
        contractor=person,
        score_ids=[score.pk for score in scores],
    )
    # The evidence names the work, as it must: those references are no secret any more.
    named = GoldReference.objects.filter(
        pk__in={score.reference_id for score in scores}, retired_at__isnull=True
    )
    for reference in named.order_by("pk"):
        retire_reference(
            actor=None, reference=reference, reason="Named in the evidence of a suspension."
        )


def _evidence(scores: Sequence[GoldScore], mean: float) -> str:
    each = ", ".join(f"submission {s.submission_id}: {in_words(s.s)}" for s in scores)
    return f"Agreement with reference timelines is {in_words(mean)} on average ({each})."


def _set_from_accepted_work(actor: User | None, task: Task) -> GoldReference | None:
    for source in (GoldReference.Source.CONSENSUS, GoldReference.Source.SUBMISSION):
        accepted = gold_queries.accepted_submission(task)
        try:
            return set_reference(actor=actor, task=task, source=source, submission=accepted)
        except NotAGoldSource:
            continue
        except (GoldAlreadySet, WrongTaskState):
            return None  # somebody was faster
    return None


def _of_submission(task: Task, submission: Submission | None) -> tuple[list[Segment], list[int]]:
    if (
        submission is None
        or submission.assignment.task_id != task.pk
        or submission.state not in KEEPS_SLOT
        or submission.segment_count == 0
    ):
        raise NotAGoldSource("Name an accepted submission of this task.")
    return queries.segments_of([submission.pk])[submission.pk], [submission.pk]


def _of_consensus(task: Task) -> tuple[list[Segment], list[int]]:
    built = TaskConsensus.objects.filter(task=task, stale=False).first()
    if built is None or not built.segments:
        raise NotAGoldSource("This task has no consensus of two people's accepted work.")
    rows = [row["segment"] for row in built.segments]
    segments = [Segment(**row | {"hands": Hands(row["hands"])}) for row in rows]
    return segments, list(built.submission_ids)


def _order(segment: Segment) -> tuple[int, int, int]:
    return (segment.start_frame, segment.end_frame, int(segment.hands))


def _seed(project: Project) -> int:
    """A 63-bit number that only this installation knows."""
    message = f"gold of project {project.pk}".encode()
    digest = hmac.new(settings.SECRET_KEY.encode(), message, hashlib.sha256).digest()
    return int.from_bytes(digest[:8], "big") >> 1
