"""The lives of a registration and of an upload, as data (see `annotation_platform.states`)."""

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

UPLOAD = Machine(
    name="Upload",
    meaning="One file sent straight to storage, part by part, until it is a video.",
    states={
        "open": "parts are still to be sent; nobody has looked at what arrived",
        "registering": "everything arrived; a registration of one row reads its checksum",
        "completed": "it is a video",
        "refused": "its row says why; the content is deleted",
        "abandoned": "given up, or not of the announced size; the content is deleted",
    },
    transitions=(
        Transition(NEW, "open", "manager", "size and checksum are announced"),
        Transition("open", "registering", "manager", "everything was sent, of the announced size"),
        Transition("open", "abandoned", "manager", "given up, or not of the announced size"),
        Transition("open", "abandoned", "system", "nobody completed it within 7 days"),
        Transition("registering", "completed", "system", "its content is the announced, and new"),
        Transition("registering", "refused", "system", "its content is other, or known already"),
    ),
)

MACHINES = (REGISTRATION, UPLOAD)
