"""The life of a registration, as data (see `annotation_platform.states`)."""

from __future__ import annotations

from annotation_platform.states import NEW, Machine, Transition

REGISTRATION = Machine(
    name="Registration",
    meaning="Many videos to be registered, row by row; a refused row does not stop the others.",
    states={
        "queued": "waits for a worker, perhaps until `due_at` after a failure",
        "running": "somebody has it until the lease ends; goes on at the first waiting row",
        "done": "every row is registered, or refused with a reason",
        "failed": "the same row broke several times in a row; the error says how",
        "cancelled": "a manager stopped it; what is registered stays",
    },
    transitions=(
        Transition(
            NEW, "queued", "manager", "rows, a prefix or a folder are named, files are sent"
        ),
        Transition("queued", "running", "system", "it is due"),
        Transition(
            "running", "queued", "system", "a passing failure, or others have to have a turn"
        ),
        Transition("running", "done", "system", "no row is left"),
        Transition("running", "failed", "system", "the same row keeps breaking"),
        Transition("queued", "cancelled", "manager", "not wanted any more"),
        Transition("running", "cancelled", "manager", "not wanted any more"),
        Transition("failed", "queued", "manager", "tried again"),
        Transition("cancelled", "queued", "manager", "wanted after all"),
    ),
)

MACHINES = (REGISTRATION,)
