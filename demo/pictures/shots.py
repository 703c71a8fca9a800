"""The list of pictures: who looks at which page, in which state of it. Plain data, no browser.

A page is a name in web/urls.py. Each is taken as it is day by day, light, dark and on a narrow
screen; empty and refused where it can be, light and dark. A test holds that none is missing.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from demo.accounts import (
    ADA,
    BEN,
    CLEO,
    FINANCE,
    FINANCE_2,
    MANAGER,
    OLGA,
    PIA,
    RAY,
    REVIEWER,
    SAM,
)
from demo.pictures import steps
from demo.pictures.steps import Step, in_turn, into, keys, on_with, opened, refused

# Names in web/urls.py that are no pages, with the reason. What only takes POST is found by asking.
NO_PAGES = {
    "home": "leads on to where one works",
    "places": "a part of the page about residence",
    "statement": "a file",
    "verifier": "a file",
    "run-file": "a file",
    "tax-csv": "a file",
    "refused-videos": "a file",
}
# Pages that always have something to show, with the reason.
NEVER_EMPTY = {
    "log-in": "a form",
    "result": "made of a row",
    "guideline": "made of a row",
    "review": "made of a row",
    "project": "made of a row",
    "task": "made of a row",
    "release-claim": "a form",
    "person": "made of a row",
    "video": "made of a row",
    "registration": "made of a row",
    "thresholds": "a form",
    "payout-run": "made of a row",
    "bank-report": "made of a row",
    "payout": "made of a row",
    "hold": "made of a row",
}
# Templates of answers that no address is for, and what their pictures are called.
ERROR_PAGES = {"404": "not-found", "403": "not-yours", "403_csrf": "old-form", "500": "broken"}
# What other floors answer with HTML, or at least to browsers.
NOT_OURS = {
    "health": "JSON",
    "schema": "JSON",
    "api-docs": "drawn by Swagger UI",
    "api-redoc": "drawn by Redoc",
}

EVERY_WAY = ("", "dark", "narrow")
BOTH = ("", "dark")
LIGHT = ("",)
# States of a page that are taken in light alone, with the reason.
LIGHT_ENOUGH = {
    "workbench-keys": "a dialog, as that of the problems",
    "workbench-submit": "the same dialog without problems",
    "workbench-guideline": "the desk with one panel more",
    "workbench-compare": "film",
    "review-decided": "film, and words for the form",
}


@dataclass(frozen=True)
class Shot:
    """One page in one state.

    Attributes:
        page: its name in web/urls.py, or what an error page is called here.
        state: what is special; empty: as it is day by day.
        email: who looks; empty: nobody is logged in.
        address: where the picture begins.
        first: what is done before the page is opened there (requests that shall fail).
        then: what is done on it.
        after: what is put right again when the picture is taken.
        ways: "" light, "dark", "narrow".
        is_empty: taken while there is nothing in the house yet.
        has_film: a video is in it, which has more colours than a page.
    """

    page: str
    state: str
    email: str
    address: str
    then: Step | None = None
    ways: tuple[str, ...] = BOTH
    first: Step | None = None
    after: Step | None = None
    is_empty: bool = False
    has_film: bool = False

    @property
    def name(self) -> str:
        """The file's name without way and suffix."""
        return "-".join(filter(None, (self.page, self.state)))

    def files(self) -> Iterator[tuple[str, str]]:
        """(way, file name) of each of its pictures."""
        for way in self.ways:
            yield way, "-".join(filter(None, (self.name, way))) + ".webp"


def day(
    page: str, email: str, address: str, then: Step | None = None, *, has_film: bool = False
) -> Shot:
    """A page as it is day by day, in every way."""
    return Shot(page, "", email, address, then, EVERY_WAY, has_film=has_film)


def empty(page: str, email: str, address: str) -> Shot:
    """The same page while there is nothing in the house."""
    return Shot(page, "empty", email, address, is_empty=True)


A, B, C, S = ADA.email, BEN.email, CLEO.email, SAM.email
IVO = "ivo@demo.example"  # has applied
R, M, F, F2 = REVIEWER.email, MANAGER.email, FINANCE.email, FINANCE_2.email
OL, PI, RA = OLGA.email, PIA.email, RAY.email

EVERYBODY = (
    day("log-in", "", "/log-in/"),
    Shot("log-in", "refused", "", "/log-in/", refused("", username=A, password="wrong")),
    Shot("not-found", "", A, "/nothing/", None, EVERY_WAY),
    Shot("not-yours", "", A, "/money/", None, EVERY_WAY),
    Shot("old-form", "", "", "/log-in/", steps.old_form, EVERY_WAY),
    Shot("broken", "", "", "/broken/", None, EVERY_WAY),
    # The last one: nobody may log in from here for a minute.
    Shot("too-many", "", "", "/log-in/", steps.typed_too_often, EVERY_WAY),
)
CONTRACTOR = (
    empty("work", A, "/work/"),
    day("work", A, "/work/", steps.hold_a_task),
    Shot("work", "refused", C, "/work/"),
    Shot("work", "offline", A, "/work/", steps.offline),
    empty("results", A, "/work/results/"),
    day("results", B, "/work/results/"),
    day("result", B, "/work/results/", into("/results/", row="accepted")),
    Shot("result", "rejected", B, "/work/results/", into("/results/", row="rejected")),
    day("guideline", B, "/work/guidelines/1/"),
    Shot("guideline", "changed", B, "/work/", into("/guidelines/", row="Workshop")),
    empty("earnings", A, "/work/earnings/"),
    day("earnings", B, "/work/earnings/"),
    empty("statements", A, "/work/statements/"),
    day("statements", B, "/work/statements/"),
    empty("payout-details", A, "/work/payout-details/"),
    day("payout-details", B, "/work/payout-details/"),
    Shot(
        "payout-details",
        "refused",
        B,
        "/work/payout-details/",
        refused(":has([name=account])", account="12", password="wrong"),
    ),
    Shot("residence", "empty", IVO, "/work/residence/"),
    day("residence", A, "/work/residence/"),
    Shot("residence", "found", S, "/work/residence/?q=washington"),
    Shot(
        "residence",
        "refused",
        S,
        "/work/residence/?q=washington",
        refused("[method=post]:has([name=from_date])", from_date=""),
    ),
    empty("tax-form", A, "/work/tax-form/"),
    day("tax-form", RA, "/work/tax-form/"),
    Shot(
        "tax-form",
        "refused",
        RA,
        "/work/tax-form/",
        refused(":has([name=tin])", name="Ray", country="usa", tin="12", password="wrong"),
    ),
    empty("restrictions", A, "/work/restrictions/"),
    day("restrictions", PI, "/work/restrictions/"),
    Shot("restrictions", "appealed", OL, "/work/restrictions/"),
    Shot(
        "restrictions",
        "refused",
        PI,
        "/work/restrictions/",
        refused("[action*=appeal]", text=" "),
    ),
)
WORKBENCH = (
    Shot(
        "workbench", "loading", A, "/work/", steps.to_the_task,
        first=steps.never_answered("**/frame-times/**"),
    ),
    Shot("workbench", "empty", A, "/work/", in_turn(steps.at_the_task, steps.pause(1500)),
         has_film=True),
    Shot("workbench", "", A, "/work/", steps.cut, EVERY_WAY, has_film=True),
    Shot(
        "workbench", "keys", A, "/work/",
        in_turn(steps.cut, keys("?", until="Keys and settings")), LIGHT, has_film=True,
    ),
    Shot(
        "workbench", "guideline", A, "/work/",
        in_turn(steps.cut, keys("h", until="pinned when you claimed")), LIGHT, has_film=True,
    ),
    Shot(
        "workbench", "compare", A, "/work/",
        in_turn(steps.cut, keys("b", until="frame by frame"), steps.pause(1500)), LIGHT,
        has_film=True,
    ),
    Shot(
        "workbench", "problems", A, "/work/", in_turn(steps.cut, steps.unfinished),
        after=steps.put_back, has_film=True,
    ),
    Shot(
        "workbench", "submit", A, "/work/",
        in_turn(steps.cut, keys("Shift+Control+Enter", until="Submit this task")), LIGHT,
        has_film=True,
    ),
    Shot("workbench", "offline", A, "/work/", in_turn(steps.cut, steps.saved_here), has_film=True),
    Shot("workbench", "read-only", A, "/work/", in_turn(steps.cut, steps.second_tab),
         has_film=True),
    Shot(
        "workbench", "no-video", A, "/work/",
        in_turn(steps.to_the_task, steps.seen("can't be played")),
        first=steps.no_video, has_film=True,
    ),
    Shot(
        "workbench", "not-loaded", A, "/work/", in_turn(steps.to_the_task, steps.pause(1500)),
        first=steps.broken("**/frame-times/**"),
    ),
)  # fmt: skip
REVIEWERS = (
    empty("reviews", R, "/reviews/"),
    day("reviews", R, "/reviews/"),
    day("review", R, "/reviews/", on_with("Go on with"), has_film=True),
    Shot(
        "review",
        "refused",
        R,
        "/reviews/",
        in_turn(on_with("Go on with"), refused(":has([name=outcome])")),
        has_film=True,
    ),
    Shot(
        "review",
        "decided",
        R,
        "/reviews/",
        into("/reviews/", row="changes requested"),
        LIGHT,
        has_film=True,
    ),
)
MANAGERS = (
    empty("projects", M, "/projects/"),
    day("projects", M, "/projects/"),
    day("project", M, "/projects/", into("/projects/", row="Workshop")),
    empty("tasks", M, "/projects/tasks/"),
    day("tasks", M, "/projects/tasks/"),
    Shot("tasks", "none-found", M, "/projects/tasks/?q=nothing"),
    day("task", M, "/projects/tasks/?state=completed", into("/projects/tasks/", row="Washing")),
    Shot("task", "open", M, "/projects/tasks/?state=open", into("/projects/tasks/")),
    day("release-claim", M, "/projects/tasks/", steps.to_a_live_claim),
    empty("submissions", M, "/projects/submissions/"),
    day("submissions", M, "/projects/submissions/"),
    empty("all-reviews", M, "/projects/reviews/"),
    day("all-reviews", M, "/projects/reviews/"),
    day("people", M, "/projects/contractors/"),
    Shot("people", "none-found", M, "/projects/contractors/?q=nobody"),
    day("person", M, "/projects/contractors/?q=olga", into("/contractors/", row="Olga")),
    Shot("person", "applied", M, "/projects/contractors/?q=ivo", into("/contractors/", row="Ivo")),
    Shot(
        "person",
        "refused",
        M,
        "/projects/contractors/?q=ben",
        in_turn(into("/contractors/", row="Ben"), refused("[action$='/restrict/']", cause="")),
    ),
    empty("videos", M, "/videos/"),
    day("videos", M, "/videos/", has_film=True),
    Shot("videos", "none-found", M, "/videos/?text=nothing"),
    day("video", M, "/videos/?text=Saws", into("/videos/", row="Saws"), has_film=True),
    Shot("video", "unreadable", M, "/videos/?state=unreadable", into("/videos/", row="Torn")),
    empty("register-videos", M, "/videos/register/"),
    day("register-videos", M, "/videos/register/"),
    Shot(
        "register-videos",
        "refused",
        M,
        "/videos/register/",
        refused(":has([name=prefix])", prefix=""),
    ),
    day("registration", M, "/videos/register/", into("/registrations/")),
    day("thresholds", M, "/projects/1/thresholds/"),
    Shot(
        "thresholds", "refused", M, "/projects/1/thresholds/", refused("", dark_below="ten"),
    ),
)  # fmt: skip
MONEY = (
    empty("money", F, "/money/"),
    day("money", F, "/money/"),
    empty("payout-runs", F, "/money/runs/"),
    day("payout-runs", F, "/money/runs/"),
    Shot("payout-runs", "refused", F, "/money/runs/", refused("[action*=prepare]"),),
    day("payout-run", F2, "/money/runs/?state=locked", into("/money/runs/")),
    Shot("payout-run", "approve", F2, "/money/runs/?state=locked",
         in_turn(into("/money/runs/"), opened("Approve"))),
    Shot("payout-run", "sent", F, "/money/runs/1/"),
    day("bank-report", F, "/money/runs/1/", into("/money/reports/")),
    day("payout", F, "/money/runs/1/", into("/money/payouts/")),
    Shot("payout", "lost", F, "/money/waiting/", into("/money/payouts/")),
    empty("waiting-payouts", F, "/money/waiting/"),
    day("waiting-payouts", F, "/money/waiting/"),
    empty("provider-events", F, "/money/events/"),
    day("provider-events", F, "/money/events/"),
    empty("owed", F, "/money/earnings/"),
    day("owed", F, "/money/earnings/"),
    day("hold", F, "/money/earnings/?state=accrued", into("/money/earnings/")),
    Shot("hold", "refused", F, "/money/earnings/?state=accrued",
         in_turn(into("/money/earnings/"), refused(":has([name=case])", days="9"))),
    empty("holds", F, "/money/holds/"),
    day("holds", F, "/money/holds/"),
    empty("tax", F, "/money/tax/"),
    day("tax", F, "/money/tax/"),
)  # fmt: skip

AREAS = {
    "Contractors": CONTRACTOR,
    "The workbench": WORKBENCH,
    "Reviewers": REVIEWERS,
    "Managers": MANAGERS,
    "Finance": MONEY,
    "Everybody": EVERYBODY,
}
SHOTS = tuple(shot for shots in AREAS.values() for shot in shots)
