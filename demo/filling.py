"""What the story leaves empty: money on its way, people in every step, videos of every state.

Every page has something to show afterwards, also those that need a week of real life. All of it
through the same services as real life; where that needs a provider, one that never answers.
"""

from __future__ import annotations

import tempfile
import time
from contextlib import ExitStack
from datetime import datetime, timedelta
from pathlib import Path

from django.core.files import File
from django.db import transaction

from annotation_platform.clock import database_now
from contractors.models import Contractor, User
from contractors.services import (
    appeal,
    decline,
    default_policy,
    make_offer,
    register_contractor,
    restrict,
    start_interview,
    start_quiz,
)
from demo import guideline, timelines
from demo.accounts import (
    ADA,
    BEN,
    FILLED_IN,
    FINANCE,
    FINANCE_2,
    MANAGER,
    PASSWORD,
    PROJECT_NAME,
    REVIEWER,
)
from demo.services import add_contractor
from payouts.models import Payable, Payout, PayoutRun, Rail
from payouts.rails import Answer, Found, Payment, Reply, Status, Unreachable
from payouts.services import (
    approve_run,
    hold_payable,
    lock_run,
    make_statements,
    pay_bonus,
    prepare_run,
    receive_event,
    send_payout,
    send_run,
    set_payout_method,
    settle_payout,
    state_tax_form,
    take_report,
)
from reviews.services import claim_next_review, score_task
from tasks.models import Assignment, Project, ProjectPace
from tasks.services import (
    acknowledge_guideline,
    claim_next_task,
    create_project,
    create_tasks,
    fund,
    open_tasks,
    publish_guideline,
    return_task,
    save_draft,
    set_price,
    submit,
    write_guideline,
)
from timelines.segment import Hands, Segment
from videos.demo_clips import KINDS, write_clip
from videos.models import Video
from videos.registrations import begin_files, carry_out
from videos.services import probe

SECOND_PROJECT = "Workshop actions (demo)"
TITLE = "Workshop actions"
CLIP_SECONDS = 8
PROBE_SECONDS = 120  # at most, where another worker has taken it
CLIPS = (
    "Saws a board",
    "Sands the edge",
    "Drills two holes",
    "Glues the joint",
    "Drives six screws",
    "Oils the table top",
    "Sweeps the bench",
)
# Somebody for each step on the way in, with what has been done with them.
APPLICANTS = (
    ("ivo@demo.example", "Ivo", ()),
    ("lia@demo.example", "Lia", (start_interview,)),
    ("max@demo.example", "Max", (start_interview, start_quiz)),
    ("tess@demo.example", "Tess", (start_interview, start_quiz, make_offer)),
)
BANK = {"account": "12345678900072", "routing": "011401533"}


class SilentProvider:
    """A provider whose answers are always lost: what finance finds under "Lost answers"."""

    name = "stripe"
    key_window = timedelta(hours=23)

    def __init__(self) -> None:
        self._asked_to_pay = False

    def request(self, payment: Payment) -> bytes:
        return payment.reference.encode()

    def send(self, request: bytes, key: str) -> Reply:
        self._asked_to_pay = True
        return Reply(Answer.UNKNOWN, detail="The connection was lost.")

    def look_up(self, reference: str) -> Found | None:
        if not self._asked_to_pay:
            return None  # the question before the first request was still answered
        raise Unreachable("the connection was lost")

    def status(self, provider_reference: str) -> Status:
        raise Unreachable("the connection was lost")


def fill() -> bool:
    """Fill the demo, once, after `demo_setup`; False when it was filled already.

    Side effects: rows, clips in media storage, probed at once in this process.
    """
    if Project.objects.filter(name=SECOND_PROJECT).exists():
        return False
    manager = User.objects.get(email=MANAGER.email)
    people = _people()
    _restrictions(people, manager)
    project = _project(manager)
    _videos(manager, project)
    _work(project, people, manager)
    _money(project, people, manager)
    return True


def _people() -> dict[str, Contractor]:
    """Two at work, one restricted, and applicants in every step."""
    found = {
        account.name: Contractor.objects.get(user__email=account.email) for account in (ADA, BEN)
    }
    for email, name, steps in APPLICANTS:
        person = register_contractor(email=email, password=PASSWORD, name=name)
        for step in steps:
            step(contractor=person, actor=None)
    gone = register_contractor(email="yan@demo.example", password=PASSWORD, name="Yan")
    decline(contractor=gone, reason="Wants another kind of work", actor=None)
    for account in FILLED_IN:
        add_contractor(account)
        found[account.name] = Contractor.objects.get(user__email=account.email)
    return found


def _restrictions(people: dict[str, Contractor], manager: User) -> None:
    """Olga's is appealed, Pia may still appeal."""
    appealed = restrict(
        contractor=people["Olga"],
        cause="Two timelines are copies of each other",
        evidence="Submissions on two different videos have the same frames and words.",
        actor=manager,
        ends_at=database_now() + timedelta(days=30),
    )
    appeal(
        restriction=appealed,
        text="Both videos show the same recipe; I cut each of them by hand.",
        actor=people["Olga"].user,
    )
    restrict(
        contractor=people["Pia"],
        cause="Agreement with hidden references below .60",
        evidence="Three of the last five references.",
        actor=None,
        ends_at=database_now() + timedelta(days=14),
    )


def _project(manager: User) -> Project:
    """A second project: funded, with a raised price and a guideline that changed."""
    project = create_project(
        actor=manager,
        name=SECOND_PROJECT,
        description="Repairs and woodwork at a bench, cut by tool and hand.",
        policy=default_policy(),
        price_cents=1600,
        overlap=2,
    )
    first = write_guideline(actor=manager, project=project, title=TITLE, body=guideline.text())
    publish_guideline(actor=manager, guideline=first)
    for person in Contractor.objects.filter(user__email__in=[ADA.email, BEN.email]):
        acknowledge_guideline(contractor=person, guideline=first)
    fund(actor=manager, project=project, amount_cents=500_000, reason="Order 2026-118")
    project.refresh_from_db()  # it has a budget now
    set_price(
        actor=manager,
        project=project,
        price_cents=1850,
        screening_fee_cents=300,
        reason="The clips became longer",
    )
    changed = guideline.text().rstrip() + (
        "\n\n## Tools\n\nName the tool in the hand: *cut the board with a saw*.\n"
    )
    second = write_guideline(
        actor=manager,
        project=project,
        title=TITLE,
        body=changed,
        changelog="Tools are named",
    )
    publish_guideline(actor=manager, guideline=second)
    return project


def _videos(manager: User, project: Project) -> None:
    """Six clips with tasks, one without, one that nothing can read, one that is there twice."""
    with tempfile.TemporaryDirectory(prefix="demo-clips-") as name:
        folder = Path(name)
        for seed, title in enumerate(CLIPS, start=11):
            path = folder / f"{title}.mp4"
            write_clip(path, KINDS["regular"], seconds=CLIP_SECONDS, seed=seed)
        (folder / "Torn upload.mp4").write_bytes(b"\0\0\0\x18ftypmp42" + bytes(4096))
        paths = [*(folder / f"{title}.mp4" for title in CLIPS), folder / "Torn upload.mp4"]
        with ExitStack() as files:
            opened = [File(files.enter_context(p.open("rb")), p.name) for p in [*paths, paths[0]]]
            report = begin_files(actor=manager, files=opened)
    carry_out(report.pk)
    rows = report.rows.exclude(video=None).order_by("number")
    made = [_probed(row.video_id) for row in rows if row.video_id]
    with transaction.atomic():
        drafts = create_tasks(actor=manager, project=project, videos=made[:6])
    open_tasks(actor=manager, tasks=drafts)


def _probed(video_id: int) -> Video:
    """Probed here, or by a worker that was quicker to take it."""
    video = probe(video_id)
    deadline = time.monotonic() + PROBE_SECONDS
    while video.state == Video.State.REGISTERED and time.monotonic() < deadline:
        time.sleep(0.2)
        video.refresh_from_db()
    return video


def _segments(number: int, frames: int) -> list[Segment]:
    return [
        Segment(
            row["start_frame"],
            row["end_frame"],
            row["action_type"],
            Hands[row["hands"].upper()],
            row["description"],
        )
        for row in timelines.careful(number, frames)
    ]


def _work(project: Project, people: dict[str, Contractor], manager: User) -> None:
    """Two timelines that differ wait for a review; one claim was given back with a draft in it."""
    current = project.guidelines.latest("version")
    for name in ("Quin", "Ray"):
        acknowledge_guideline(contractor=people[name], guideline=current)
    claims = [claim_next_task(contractor=people[name], project=project) for name in ("Quin", "Ray")]
    frames = claims[0].task.video.frame_count or 0
    good = _segments(0, frames)
    for claim, work in zip(claims, (good, good[::2]), strict=True):
        submit(assignment=claim, segments=work, screening_verdict="usable")
    score_task(claims[0].task_id)
    claim_next_review(reviewer=User.objects.get(email=REVIEWER.email))
    _begun(PROJECT_NAME, people["Ada"])
    ProjectPace.objects.update_or_create(
        project=Project.objects.get(name=PROJECT_NAME),
        defaults={
            "samples": 24,
            "median_active_ms": 29 * 60_000,
            "cents_per_hour": 3310,
            "measured_at": database_now(),
        },
    )
    ProjectPace.objects.update_or_create(
        project=project,
        defaults={
            "samples": 31,
            "median_active_ms": 82 * 60_000,
            "cents_per_hour": 1354,
            "below_floor": True,
            "below_floor_since": database_now(),
            "measured_at": database_now(),
        },
    )


def _begun(name: str, person: Contractor) -> Assignment:
    """A claim in hand, and one given back whose draft is kept."""
    project = Project.objects.get(name=name)
    acknowledge_guideline(contractor=person, guideline=project.guidelines.latest("version"))
    dropped = claim_next_task(contractor=person, project=project)
    save_draft(
        assignment=dropped,
        body={"segments": timelines.careful(0, dropped.task.video.frame_count or 0)[:3]},
        expected_revision=0,
    )
    return_task(assignment=dropped)
    return claim_next_task(contractor=person, project=project)


def _money(project: Project, people: dict[str, Contractor], manager: User) -> None:
    """One run paid and reported about, one whose answers were lost, one waiting for approval."""
    finance = User.objects.get(email=FINANCE.email)
    second = User.objects.get(email=FINANCE_2.email)
    for name in ("Ada", "Ben", "Quin", "Pia"):
        set_payout_method(contractor=people[name], rail=Rail.FILE, details=BANK, password=PASSWORD)
    set_payout_method(
        contractor=people["Ray"],
        rail=Rail.STRIPE,
        details={"account": "acct_1NqDemoWorkshop"},
        password=PASSWORD,
    )
    for name, kind, country, tin in (("Ben", "w8ben", "CA", ""), ("Ray", "w9", "US", "078051120")):
        state_tax_form(
            contractor=people[name],
            kind=kind,
            name=name,
            address="1 Demo Street",
            country=country,
            tin_kind="ssn" if tin else "",
            tin=tin,
            signature=name,
            password=PASSWORD,
        )

    def bonus(name: str, cents: int, reason: str) -> Payable:
        return pay_bonus(
            contractor=people[name],
            project=project,
            amount_cents=cents,
            reason=reason,
            actor=manager,
            key=f"demo:{name}:{reason}",
        )

    for name in ("Ada", "Ben", "Quin", "Pia"):
        bonus(name, 2500, "For the first week")
    paid = _approved(finance, second)
    send_run(actor=finance, run=paid)
    _report(paid, finance)
    bonus("Ray", 1200, "For the test of the drill clips")
    lost = _approved(finance, second)
    for payout in lost.payouts.all():
        _lose(payout)
    receive_event(
        provider="stripe",
        event_id="evt_demo_1",
        kind="transfer.created",
        reference="tr_demo_1",
        our_reference="",
    )
    bonus("Ben", 900, "For a careful question about the guideline")
    bonus("Ada", 1100, "For the second week")
    lock_run(actor=finance, run=prepare_run(actor=finance))
    held = bonus("Quin", 700, "For the third week")
    hold_payable(
        actor=finance,
        payable=held,
        case="F-12",
        reason="The bank asked whether the name on the account is yours.",
        ends_at=database_now() + timedelta(days=5),
    )
    make_statements(period_end=_tomorrow(database_now()))
    bonus("Ada", 500, "For the third week")


def _tomorrow(now: datetime) -> datetime:
    return now.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)


def _approved(one: User, other: User) -> PayoutRun:
    run = lock_run(actor=one, run=prepare_run(actor=one))
    return approve_run(
        actor=other, run=run, payout_count=run.payout_count, total_cents=run.total_cents
    )


def _report(run: PayoutRun, finance: User) -> None:
    """The bank tells of two paid, one of them known; of another amount, and of one not ours."""
    payouts = list(run.payouts.order_by("pk"))
    settle_payout(payout_id=payouts[0].pk)
    lines = ["reference,amount,currency,status"]
    for payout, odd in zip(payouts[:3], (0, 100, 0), strict=True):
        units, cents = divmod(payout.amount_cents + odd, 100)
        lines.append(f"{payout.our_reference},{units}.{cents:02d},{payout.currency},paid")
    lines.append("AP-0000000000000000,42.00,USD,paid")
    content = "\n".join(lines).encode()
    take_report(actor=finance, run=run, name="bank-report.csv", content=content)


def _lose(payout: Payout) -> None:
    """Send it to the silent provider, and give up on it once its key has run out."""
    provider = SilentProvider()
    send_payout(payout_id=payout.pk, rail=provider)
    send_payout(payout_id=payout.pk, rail=provider, now=database_now() + timedelta(days=1))
