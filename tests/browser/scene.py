"""One person with every role and a row behind every page: what the tests of all pages look at."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime

from django.urls import URLPattern, resolve, reverse

from contractors.models import Contractor, Role
from contractors.services import appeal, restrict
from payouts.models import BankReport, Payable, Payout, PayoutRun, Statement
from payouts.services import make_statements, set_payout_method, write_files
from reviews.services import claim_next_review, score_task
from reviews.services.decisions import Grounds, decide_work
from tasks import services
from tasks.models import ProjectPace
from tests import factories
from tests.payouts.scenes import Finance, payout_of, report_of
from tests.reviews.scene import FAR, GOOD, handed_in
from videos.registrations import begin, carry_out
from web.urls import urlpatterns

EVERY_ROLE = [Role.MANAGER, Role.REVIEWER, Role.FINANCE, Role.CONTRACTOR]


@dataclass
class Scene:
    """Who looks, and the arguments of every page that has some, by the page's name."""

    person: Contractor
    arguments: dict[str, list[object]]


def everybody(person: Contractor) -> Contractor:
    """The same person with every role."""
    person.user.roles = [str(role) for role in EVERY_ROLE]
    person.user.save(update_fields=["roles"])
    return person


def full() -> Scene:
    """Something in every list, every kind of state that a page tells apart."""
    project = factories.project(name="Kitchen", description="Cut what the hands do.")
    person = everybody(factories.worker(project, name="Ada Lovelace"))
    task, (one, _) = handed_in(GOOD, FAR, project=project)
    score_task(task.pk)
    review = claim_next_review(reviewer=person.user)
    factories.open_tasks(project, 4)
    mine = factories.submitted(factories.claimed(project, person))
    decide_work(
        submission=mine,
        outcome="accepted",
        actor=factories.reviewer(),
        grounds=Grounds(explanation="All cuts are exact."),
    )
    held = factories.claimed(project, person)
    elsewhere = factories.project()
    factories.open_tasks(elsewhere, 1)
    somebody_s = factories.claimed(elsewhere)  # on a task that `person` has no part in
    dropped = factories.claimed(project, person)
    services.save_draft(assignment=dropped, body={"segments": []}, expected_revision=0)
    services.return_task(assignment=dropped)
    newer = services.write_guideline(
        actor=None,
        project=project,
        title="Kitchen actions",
        body="# Cut on contact\n\nThe hand | the thing\n--- | ---\nleft | cup\n\n> `pour` counts",
        changelog="A table of hands",
    )
    services.publish_guideline(actor=None, guideline=newer)
    ProjectPace.objects.create(
        project=project,
        samples=9,
        median_active_ms=2_000_000,
        cents_per_hour=2880,
        measured_at=mine.submitted_at,
    )
    factories.project(name="Garage", policy=factories.policy((("CA", "allow"),)))
    make_statements(period_end=datetime(2100, 1, 4, tzinfo=UTC))
    set_payout_method(
        contractor=person,
        rail="file",
        details={"account": "DE89370400440532013000"},
        password=factories.PASSWORD,
    )
    other = one.assignment.contractor
    appealed = restrict(
        contractor=other, cause="Copied work", actor=factories.manager(), evidence="Submission 7"
    )
    appeal(restriction=appealed, text="It was mine.", actor=other.user)
    restrict(contractor=person, cause="Too fast", actor=None, scope=str(project.pk))
    run, payout, report, held_back = _finance()
    registered = begin(
        actor=person.user, kind="manifest", name="november.csv", rows=[{"key": "gone.mp4"}]
    )
    carry_out(registered.pk)
    begin(actor=person.user, kind="prefix", name="raw/november")
    return Scene(
        person,
        {
            "payout-run": [run.pk],
            "run-file": [run.pk, "file"],
            "bank-report": [report.pk],
            "payout": [payout.pk],
            "hold": [held_back.pk],
            "workbench": [held.pk],
            "result": [mine.pk],
            "guideline": [project.pk],
            "statement": [Statement.objects.get(contractor=person).pk, "pdf"],
            "review": [review.pk],
            "project": [project.pk],
            "task": [task.pk],
            "release-claim": [somebody_s.pk],
            "thresholds": [project.pk],
            "video": [task.video_id],
            "registration": [registered.pk],
            "refused-videos": [registered.pk],
            "person": [other.pk],
        },
    )


def _finance() -> tuple[PayoutRun, Payout, BankReport, Payable]:
    """An approved run with its file, a payout in it, a bank's report about it, a held earning."""
    finance = Finance()
    paid, waiting = finance.payee(1600, 300), finance.payee(500, method=False)
    run = finance.approved()
    write_files(run=run)
    payout = payout_of(paid)
    report = BankReport.objects.create(
        run=run,
        name="report.csv",
        content=report_of((payout, "paid")).decode(),
        sha256="0" * 64,
        row_count=1,
        uploaded_by=finance.preparer,
    )
    earning = Payable.objects.get(contractor=waiting)
    return run, payout, report, earning


def addresses(scene: Scene) -> dict[str, str]:
    """Every address of the pages that can be looked at, by name, from the URL configuration.

    A new page with arguments has to be given a row in `full`; forgetting it fails here.
    """
    found = {}
    for pattern in urlpatterns:
        assert isinstance(pattern, URLPattern)
        assert pattern.name
        if not pattern.pattern.converters and not pattern.pattern.regex.groupindex:
            found[pattern.name] = reverse(pattern.name)
        elif pattern.name in scene.arguments:
            found[pattern.name] = reverse(pattern.name, args=scene.arguments[pattern.name])
        else:
            found[pattern.name] = ""
    return found


def guess(name: str) -> str:
    """An address of that page with 1 for every number: what only takes POST refuses it anyway."""
    (pattern,) = [p for p in urlpatterns if isinstance(p, URLPattern) and p.name == name]
    address = "/" + str(pattern.pattern).replace("^", "").replace("$", "")
    address = re.sub(r"<int:\w+>", "1", address)
    address = re.sub(r"\(\?P<pk>[^)]*\)", "1", address)
    address = re.sub(r"\(\?P<\w+>(\w+)[^)]*\)", r"\1", address)
    assert resolve(address).url_name == name
    return address
