"""The lives of a review and of a run, as data (see `annotation_platform.states`)."""

from __future__ import annotations

from annotation_platform.states import NEW, Machine, Transition

REVIEW = Machine(
    name="Review",
    meaning="One person's look at one submission, leased like an assignment. A `decision` decides "
    "about pay and data, a `sample` about the data only, a `concurrence` is the second look that "
    "a rejection needs.",
    states={
        "queued": "waits for a reviewer who did not work on the task",
        "claimed": "a reviewer has it until the lease ends",
        "decided": "the reviewer has written what they found; it was carried out with that",
        "superseded": "not needed any more: the submission was decided in another way",
    },
    transitions=(
        Transition(NEW, "queued", "system", "the rule or a rejection asks for a person"),
        Transition("queued", "claimed", "reviewer", "never one's own work, one at a time"),
        Transition("claimed", "queued", "reviewer", "given back"),
        Transition("claimed", "queued", "system", "the lease ran out"),
        Transition("claimed", "decided", "reviewer", "the decision is complete"),
        Transition("queued", "superseded", "system", "accepted by the rule or the deadline"),
        Transition("claimed", "superseded", "system", "the deadline passed, or the task ended"),
    ),
)

RUN = Machine(
    name="Run",
    meaning="Something computed for every task of a project, batch by batch.",
    states={
        "queued": "waits for a worker",
        "running": "some batches are done; goes on behind its cursor, whichever worker dies",
        "done": "every task was looked at; the result is there",
        "failed": "the same batch broke several times in a row; the error says how",
        "cancelled": "a manager stopped it; what it stored stays",
    },
    transitions=(
        Transition(NEW, "queued", "manager", "none of the kind is open in the project"),
        Transition("queued", "running", "system", "the first batch"),
        Transition("queued", "done", "system", "there is no task to look at"),
        Transition("running", "done", "system", "no task is left"),
        Transition("queued", "failed", "system", "the first batch keeps breaking"),
        Transition("running", "failed", "system", "a batch keeps breaking"),
        Transition("queued", "cancelled", "manager", "not wanted any more"),
        Transition("running", "cancelled", "manager", "not wanted any more"),
    ),
)

MACHINES = (REVIEW, RUN)
