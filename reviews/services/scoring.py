"""Scoring a task, and what the project's rule makes of the scores."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

from django.db import transaction

from annotation_platform.clock import database_now
from events.services import record
from reviews import queries
from reviews.measure import measure
from reviews.models import Assessment, Review, Score, Scoring
from reviews.rules import Action, Judgement, RuleParameters, Standing, judge
from reviews.services.batch import each
from reviews.services.decisions import accept, queue_review
from reviews.services.gold import GOLD_FAILURE, score_gold
from reviews.services.settings import current_rule, current_scoring
from tasks.models import Submission, Task
from tasks.rules import KEEPS_SLOT
from tasks.services import mark_adjudicating, mark_in_review, note_agreement, raise_overlap

_FAILURE = "Task %s could not be scored."


@transaction.atomic
def score_task(task_id: int) -> Assessment | None:
    """Score every pair of a task's submissions and carry out what the project's rule says.

    Can run any number of times and at once in several workers: the task's row is locked, stored
    scores are kept, and submissions already assessed together are not judged again. None while
    there is nothing to compare.

    Side effects: scores; decisions with pay; reviews; the task's overlap; `task.assessed`.
    """
    task = (
        Task.objects.select_for_update(no_key=True, of=("self",))
        .select_related("project", "video")
        .defer("video__frame_times")
        .get(pk=task_id)
    )
    submissions = queries.comparable_submissions(task)
    if len(submissions) < 2 and (task.overlap > 1 or not submissions):
        return None
    ids = sorted(submission.pk for submission in submissions)
    before = Assessment.objects.filter(task=task).first()
    if before is not None and before.submission_ids == ids:
        return before

    scoring = current_scoring(task.project)
    rule = current_rule(task.project)
    scores = score_pairs(task, submissions, scoring)
    if scores:
        note_agreement(task=task, agreement=sum(score.s for score in scores) / len(scores))
    judgements = _judge_all(task, submissions, scores, rule.values)
    _carry_out(task, submissions, scores, judgements)
    assessment, _ = Assessment.objects.update_or_create(
        task=task,
        defaults={
            "submission_ids": ids,
            "scoring": scoring,
            "rule": rule,
            "outcomes": {
                str(pk): {"action": judged.action.value, "explanation": judged.explanation}
                for pk, judged in judgements.items()
            },
            "assessed_at": database_now(),
        },
    )
    record(
        "task.assessed",
        actor=None,
        subject=task,
        data={
            "submission_ids": ids,
            "rule": rule.number,
            "scoring": scoring.number,
            "actions": {str(pk): judged.action.value for pk, judged in judgements.items()},
        },
    )
    return assessment


def score_handed_in(handed_in: Sequence[tuple[int, int]]) -> dict[str, int]:
    """Score what was just handed in: pairs of a task's and a submission's id.

    The task's submissions against each other, this one against the task's reference. One failing
    does not stop the others; the sweeps come back to it.
    """
    scored, failed = each(dict.fromkeys(task_id for task_id, _ in handed_in), score_task, _FAILURE)
    _, gold_failed = each(
        (submission_id for _, submission_id in handed_in), score_gold, GOLD_FAILURE
    )
    return {"scored": scored, "failed": failed + gold_failed}


def sweep_scores(*, batch: int = 200) -> dict[str, int]:
    """Score what a lost message left behind. One task failing does not stop the others."""
    scored, failed = each(queries.tasks_due_for_scoring(batch), score_task, _FAILURE)
    return {"scored": scored, "failed": failed}


def score_pairs(task: Task, submissions: Sequence[Submission], scoring: Scoring) -> list[Score]:
    """The scores of all pairs under a scoring version, the missing ones computed and stored.

    Arguments:
        submissions: of one task, in slot order; the first of a pair becomes its reference.
    """
    ids = [submission.pk for submission in submissions]
    known = queries.scores_among(ids, scoring)
    have = {frozenset((score.reference_id, score.candidate_id)) for score in known}
    missing = [pair for pair in combinations(ids, 2) if frozenset(pair) not in have]
    if not missing:
        return known
    fps = task.video.fps
    assert fps is not None, "only tasks with a probed video open"
    timelines = queries.timelines(ids, fps=dict.fromkeys(ids, fps))
    measures = scoring.measures
    Score.objects.bulk_create(
        [
            Score(
                task=task,
                scoring=scoring,
                reference_id=one,
                candidate_id=other,
                **measure(timelines[one], timelines[other], measures),
            )
            for one, other in missing
        ],
        ignore_conflicts=True,  # a re-scoring run may have been faster with the same numbers
    )
    return queries.scores_among(ids, scoring)


def _judge_all(
    task: Task, submissions: Sequence[Submission], scores: Sequence[Score], rule: RuleParameters
) -> dict[int, Judgement]:
    """What the rule says about each submission that nobody has looked at yet.

    Work that waits for a reviewer is judged again, now that there is more to compare it with, as
    long as no reviewer has begun: it can only be accepted by that.
    """
    unusable = any(
        submission.screening_verdict == Submission.Verdict.UNUSABLE for submission in submissions
    )

    def judged(submission: Submission, *, settled: bool) -> Judgement:
        best = _best(submission, scores)
        return judge(
            rule,
            Standing(
                s=best[0].s if best else None,
                rq=best[0].rq if best else None,
                wanted=task.overlap,
                complete=len(submissions) >= task.overlap,
                may_raise=task.overlap < task.max_overlap,
                settled=settled,
                screened_unusable=unusable,
            ),
        )

    # Payable accounts are locked in the order of contractors, the same in every task.
    in_review = [each for each in submissions if each.state == Submission.State.IN_REVIEW]
    untouched = queries.untouched_by_reviewers(in_review) if in_review else set()
    waiting = sorted(
        (
            each
            for each in submissions
            if each.state == Submission.State.SUBMITTED or each.pk in untouched
        ),
        key=lambda submission: submission.assignment.contractor_id,
    )
    accepted = sum(submission.state in KEEPS_SLOT for submission in submissions)
    first = {each.pk: judged(each, settled=False) for each in waiting}
    accepted += sum(judgement.action == Action.ACCEPT for judgement in first.values())
    final = {each.pk: judged(each, settled=accepted >= 2) for each in waiting}
    return {
        pk: judgement
        for pk, judgement in final.items()
        if pk not in untouched or judgement.action == Action.ACCEPT
    }


def _carry_out(
    task: Task,
    submissions: Sequence[Submission],
    scores: Sequence[Score],
    judgements: dict[int, Judgement],
) -> None:
    by_id = {submission.pk: submission for submission in submissions}
    if any(judged.action == Action.ADJUDICATE for judged in judgements.values()):
        mark_adjudicating(task=task)
    for pk, judged in judgements.items():
        submission = by_id[pk]
        match judged.action:
            case Action.ACCEPT:
                accept(
                    submission=submission,
                    explanation=judged.explanation,
                    scores=_best(submission, scores),
                )
            case Action.REVIEW | Action.ADJUDICATE:
                mark_in_review(submission=submission)
                queue_review(
                    submission=submission,
                    kind=Review.Kind.DECISION,
                    reason=judged.explanation,
                )
            case Action.RAISE_OVERLAP | Action.WAIT:
                pass
    if any(judged.action == Action.RAISE_OVERLAP for judged in judgements.values()):
        raise_overlap(task=task)


def _best(submission: Submission, scores: Sequence[Score]) -> list[Score]:
    """The submission's scores, the best first."""
    own = [s for s in scores if submission.pk in (s.reference_id, s.candidate_id)]
    return sorted(own, key=lambda score: (-score.s, -score.rq, score.pk))
