"""The lives of tasks, assignments and submissions."""

from __future__ import annotations

from annotation_platform.states import NEW, Machine, Transition

TASK = Machine(
    "Task",
    "One video in one project. Its slots are its overlap: how many people annotate it "
    "independently.",
    {
        "draft": "being prepared; nobody can claim it",
        "open": "has a free slot",
        "filled": "every slot is held: live, submitted or accepted",
        "adjudicating": "agreement stayed low at the maximum overlap; a person decides",
        "completed": "all its work is decided and agreement is sufficient",
        "unusable": "a reviewer confirmed that the video can't be used",
        "paused": "no new claims for now; live claims go on and are paid",
        "cancelled": "not wanted any more",
    },
    (
        Transition(NEW, "draft", "manager", "created from a video"),
        Transition("draft", "open", "manager", "guideline published and video ready"),
        Transition("open", "filled", "system", "the last free slot was claimed"),
        Transition(
            "filled",
            "open",
            "system",
            "a slot came back (returned, expired, released, rejected), or the overlap was raised",
        ),
        Transition("filled", "completed", "system", "every slot's work is accepted"),
        Transition("filled", "adjudicating", "system", "agreement low at the maximum overlap"),
        Transition("adjudicating", "filled", "system", "work that was decided is being replaced"),
        Transition("adjudicating", "open", "system", "a slot came back"),
        Transition("adjudicating", "completed", "adjudicator", "every slot's work is accepted"),
        Transition("open", "unusable", "reviewer", "screening verdict confirmed"),
        Transition("filled", "unusable", "reviewer", "screening verdict confirmed"),
        Transition("adjudicating", "unusable", "reviewer", "screening verdict confirmed"),
        Transition("paused", "unusable", "reviewer", "screening verdict confirmed"),
        Transition("open", "paused", "manager", "with a reason"),
        Transition("filled", "paused", "manager", "with a reason"),
        Transition("paused", "open", "manager", "resumed with a free slot"),
        Transition("paused", "filled", "manager", "resumed with every slot held"),
        Transition("draft", "cancelled", "manager", "with a reason"),
        Transition("open", "cancelled", "manager", "with a reason; nobody works on it"),
        Transition("paused", "cancelled", "manager", "with a reason; nobody works on it"),
    ),
)

ASSIGNMENT = Machine(
    "Assignment",
    "A leased claim of one contractor on one slot of one task. Price, guideline version, "
    "eligibility policy and residence are pinned on it when it is claimed.",
    {
        "active": "leased; the page renews the lease while the contractor works",
        "grace": "the lease ran out; the slot is still held for a while",
        "submitted": "handed in; waiting for the decision",
        "rework": "changes were asked for; reserved to the same person until a deadline",
        "closed": "finally decided",
        "returned": "given back by the contractor; no penalty, the draft is kept",
        "expired": "lease and grace ran out; the draft is kept",
        "released": "ended by a manager, with a reason",
    },
    (
        Transition(NEW, "active", "contractor", "every guard passed and a slot was free"),
        Transition("active", "grace", "system", "the lease ran out"),
        Transition("grace", "active", "contractor", "came back and renewed"),
        Transition("grace", "expired", "system", "the grace ran out"),
        Transition("active", "submitted", "contractor", "handed in"),
        Transition("grace", "submitted", "contractor", "handed in"),
        Transition("expired", "submitted", "contractor", "handed in late, slot still free"),
        Transition("active", "returned", "contractor", "gave it back"),
        Transition("grace", "returned", "contractor", "gave it back"),
        Transition("active", "released", "manager", "with a reason"),
        Transition("grace", "released", "manager", "with a reason, or the video is unusable"),
        Transition("rework", "released", "manager", "with a reason, or the video is unusable"),
        Transition("submitted", "rework", "reviewer", "changes requested, at most twice"),
        Transition(
            "rework", "submitted", "contractor", "handed in again, or system at the deadline"
        ),
        Transition("submitted", "closed", "system", "a final decision was reached"),
    ),
)

_DECIDED = {
    "accepted": "the data is used, full pay",
    "accepted_with_fixes": "used after a reviewer's small fixes, full pay",
    "changes_requested": "sent back with located evidence",
    "paid_unused": "good-faith work, paid in full, data not used",
    "unusable_confirmed": "the video can't be used; screening fee",
    "rejected": "not used and not paid; needs grounds and a second reviewer",
    "auto_accepted": "nobody reviewed it in time: paid in full, data stays reviewable",
}

SUBMISSION = Machine(
    "Submission",
    "One handed-in timeline; its content never changes. Whether the data is used and whether the "
    "person is paid are decided apart.",
    {
        "submitted": "waiting for its score or its review",
        "in_review": "a person looks at it",
        **_DECIDED,
    },
    (
        Transition(NEW, "submitted", "contractor", "handed in"),
        Transition("submitted", "in_review", "reviewer", "claimed for review"),
        *(
            Transition("submitted", target, "system", meaning)
            for target, meaning in _DECIDED.items()
        ),
        *(
            Transition("in_review", target, "reviewer", meaning)
            for target, meaning in _DECIDED.items()
            if target != "auto_accepted"
        ),
        Transition("in_review", "auto_accepted", "system", _DECIDED["auto_accepted"]),
        Transition("in_review", "submitted", "reviewer", "the review was given back"),
    ),
)

MACHINES = (TASK, ASSIGNMENT, SUBMISSION)
