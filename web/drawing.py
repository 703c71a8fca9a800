"""From stored submissions and scores to what `timeline_figure` draws."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from string import ascii_uppercase

from reviews.models import Score
from tasks.models import Segment as StoredSegment
from tasks.models import Submission
from timelines.segment import Hands, Segment
from web.timeline_figure import Drawn


def pure(rows: Iterable[StoredSegment]) -> list[Segment]:
    """Stored segments as the library knows them."""
    return [
        Segment(row.start_frame, row.end_frame, row.action_type, Hands(row.hands), row.description)
        for row in rows
    ]


def letters_of(submissions: Sequence[Submission]) -> dict[int, str]:
    """A, B, C … by submission, in the order given."""
    return dict(zip((s.pk for s in submissions), ascii_uppercase, strict=False))


def drawn_beside(
    submissions: Sequence[Submission],
    letters: dict[int, str],
    subject: int | None,
    best: Score | None,
) -> list[Drawn]:
    """Timelines for the figure; what the best score aligned is joined and known as matched."""
    drawn = []
    for number, submission in enumerate(submissions):
        following = submissions[number + 1].pk if number + 1 < len(submissions) else None
        pairs = _pairs(best, submission.pk)
        drawn.append(
            Drawn(
                letters[submission.pk],
                submission.pk == subject,
                pure(submission.segments.all()),
                matched=None if pairs is None else {here for here, _ in pairs},
                links=[] if pairs is None or not _compares(best, following) else pairs,
            )
        )
    return drawn


def _pairs(score: Score | None, submission_id: int) -> list[tuple[int, int]] | None:
    """(position in this submission, position in the other one) of what a score counts as the
    same action; pairs that overlap too little to count are left out."""
    if score is None or not _compares(score, submission_id):
        return None
    pairs = [
        (match["reference"], match["candidate"])
        for match in score.alignment
        if match["quality"] is not None
    ]
    if submission_id == score.candidate_id:
        return [(candidate, reference) for reference, candidate in pairs]
    return pairs


def _compares(score: Score | None, submission_id: int | None) -> bool:
    return score is not None and submission_id in (score.reference_id, score.candidate_id)
