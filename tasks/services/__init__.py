"""The verbs of the queue. Each is one transaction, takes its locks in the order
contractor → task → assignment, and writes its event."""

from tasks.services.activity import heartbeat, measure_pace, measure_paces
from tasks.services.budget import fund, give_back, reserve, reserve_owed
from tasks.services.claims import (
    claim_next_task,
    expire_leases,
    queue_empty,
    reclaim,
    release,
    renew_lease,
    return_task,
)
from tasks.services.decisions import (
    mark_adjudicating,
    mark_in_review,
    mark_unusable,
    raise_overlap,
    record_decision,
)
from tasks.services.ordering import note_agreement, spread_queue_order
from tasks.services.projects import (
    acknowledge_guideline,
    change_project,
    create_project,
    publish_guideline,
    set_price,
    write_guideline,
)
from tasks.services.qualifications import end_qualification, grant_qualification
from tasks.services.tasks import cancel_task, create_tasks, open_tasks, pause_task, resume_task
from tasks.services.work import save_draft, submit, submit_overdue_rework

__all__ = [
    "acknowledge_guideline",
    "cancel_task",
    "change_project",
    "claim_next_task",
    "create_project",
    "create_tasks",
    "end_qualification",
    "expire_leases",
    "fund",
    "give_back",
    "grant_qualification",
    "heartbeat",
    "mark_adjudicating",
    "mark_in_review",
    "mark_unusable",
    "measure_pace",
    "measure_paces",
    "note_agreement",
    "open_tasks",
    "pause_task",
    "publish_guideline",
    "queue_empty",
    "raise_overlap",
    "reclaim",
    "record_decision",
    "release",
    "renew_lease",
    "reserve",
    "reserve_owed",
    "resume_task",
    "return_task",
    "save_draft",
    "set_price",
    "spread_queue_order",
    "submit",
    "submit_overdue_rework",
    "write_guideline",
]
