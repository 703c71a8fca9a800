"""The verbs of reviewing. Each is one transaction and takes its locks in the order
contractor → task → (review) → assignment → account."""

from reviews.services.consensus import build_task_consensus, sweep_consensus
from reviews.services.deadlines import auto_accept
from reviews.services.decisions import accept, decide_work
from reviews.services.gold import (
    change_gold_settings,
    pick_gold,
    retire_reference,
    score_gold,
    set_reference,
    sweep_gold,
)
from reviews.services.reviewing import (
    claim_next_review,
    decide,
    expire_leases,
    release,
    renew_lease,
)
from reviews.services.runs import cancel_run, idle_runs, start_run, work_on_run
from reviews.services.scoring import score_handed_in, score_task, sweep_scores
from reviews.services.settings import current_rule, current_scoring, set_rule, set_scoring

__all__ = [
    "accept",
    "auto_accept",
    "build_task_consensus",
    "cancel_run",
    "change_gold_settings",
    "claim_next_review",
    "current_rule",
    "current_scoring",
    "decide",
    "decide_work",
    "expire_leases",
    "idle_runs",
    "pick_gold",
    "release",
    "renew_lease",
    "retire_reference",
    "score_gold",
    "score_handed_in",
    "score_task",
    "set_reference",
    "set_rule",
    "set_scoring",
    "start_run",
    "sweep_consensus",
    "sweep_gold",
    "sweep_scores",
    "work_on_run",
]
