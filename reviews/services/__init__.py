"""The verbs of reviewing. Each is one transaction and takes its locks in the order
contractor → task → (review) → assignment → account."""

from reviews.services.deadlines import auto_accept
from reviews.services.decisions import accept, decide_work
from reviews.services.reviewing import (
    claim_next_review,
    decide,
    expire_leases,
    release,
    renew_lease,
)
from reviews.services.scoring import score_task, sweep_scores
from reviews.services.settings import current_rule, current_scoring, set_rule, set_scoring

__all__ = [
    "accept",
    "auto_accept",
    "claim_next_review",
    "current_rule",
    "current_scoring",
    "decide",
    "decide_work",
    "expire_leases",
    "release",
    "renew_lease",
    "score_task",
    "set_rule",
    "set_scoring",
    "sweep_scores",
]
