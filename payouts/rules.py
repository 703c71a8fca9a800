"""Pure rules of money: no database, no clock.

Amounts are integers in minor units (cents). In the ledger a positive entry is a credit and a
negative one a debit, so that money flows visibly from the account that goes down to the account
that goes up: expense → payable → in transit → cash.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta

# What a transaction of each kind may touch. The database enforces the same table
# (migrations/0002_ledger_refusals.py); a test compares the two.
ACCOUNT_KINDS_BY_TRANSACTION_KIND: dict[str, frozenset[str]] = {
    "earn": frozenset({"project_expense", "contractor_payable"}),
    "reserve": frozenset({"contractor_payable", "contractor_in_transit"}),
    "settle": frozenset({"contractor_in_transit", "cash"}),
    "fail": frozenset({"contractor_in_transit", "contractor_payable"}),
    "return": frozenset({"cash", "contractor_in_transit"}),
    "exchange": frozenset({"contractor_payable", "exchange"}),
}
MAY_DECREASE_PAYABLE = frozenset({"reserve", "exchange"})

# Kinds of a payable that pay the whole price pinned at the claim.
FULL_PRICE_KINDS = frozenset({"accepted", "auto_accepted", "accepted_with_fixes", "paid_unused"})
# Kinds that settle an assignment: it gets exactly one of them, whatever rounds there were.
EARNING_KINDS = FULL_PRICE_KINDS | {"screening_fee", "partial"}
ASSIGNMENT_KINDS = EARNING_KINDS | {"dispute"}

# What a decision about a submission pays, by its outcome.
PAYING_OUTCOMES = {
    "accepted": "accepted",
    "accepted_with_fixes": "accepted_with_fixes",
    "auto_accepted": "auto_accepted",
    "paid_unused": "paid_unused",
    "unusable_confirmed": "screening_fee",
}

MAX_BONUS_CENTS = 100_000

WHOLE = 10_000  # basis points
PACE_DAYS = 14
FORECAST_DAYS = 3650

WHY = {
    "accepted": "Your submission was accepted.",
    "auto_accepted": "No reviewer decided in time, so it was decided for you.",
    "accepted_with_fixes": "Your submission was accepted; a reviewer made small fixes. Full pay.",
    "paid_unused": "Your work was done in good faith; it is paid although the data is not used.",
    "screening_fee": "The video was unusable; your screening is paid.",
    "partial": "Your claim was ended early; the work you had saved is paid.",
    "bonus": "A bonus.",
    "dispute": "Your dispute was decided in your favour.",
}


# How a payout moves. The database enforces the same table (migrations/0004).
PAYOUT_MOVES: dict[str, frozenset[str]] = {
    "draft": frozenset({"locked", "cancelled"}),
    "locked": frozenset({"approved", "cancelled"}),
    "approved": frozenset({"sending", "submitted"}),
    "sending": frozenset({"submitted", "unknown", "failed"}),
    "unknown": frozenset({"submitted", "failed"}),
    "submitted": frozenset({"settled", "failed"}),
    "settled": frozenset({"returned"}),
}
MINIMUM_PAYOUT_CENTS = 100
MAX_HOLD = timedelta(days=7)
METHOD_CHANGE_HOLD = timedelta(days=1)

# The weekly run is made on Monday (UTC) and pays what was earned until that day began: the week
# that a statement covers.
RUN_WEEKDAY = 0
# Working days from the run until a rail's money is there.
RAIL_DAYS = {"stripe": 0, "nacha": 2, "file": 2}


def earning_key(assignment_id: int) -> str:
    """The source key under which an assignment is paid: once, whatever rounds there were."""
    return f"assignment:{assignment_id}:earning"


def dispute_key(assignment_id: int) -> str:
    """The source key of what a dispute adds to an assignment's earning: at most once."""
    return f"assignment:{assignment_id}:dispute"


def money(amount_cents: int, currency: str = "USD") -> str:
    """An amount as people write it: `$16.00`, `-$0.05`, `16.00 CAD`.

    Every currency in use has two decimals; one with another number would need a table here.
    """
    sign = "-" if amount_cents < 0 else ""
    units, cents = divmod(abs(amount_cents), 100)
    number = f"{units:,}.{cents:02d}"
    return f"{sign}${number}" if currency == "USD" else f"{sign}{number} {currency}"


def split_by_weight(amount_cents: int, weights: Sequence[int]) -> list[int]:
    """Split an amount in proportion to weights; the parts sum to it exactly.

    Largest-remainder method (Hamilton): everybody gets the rounded-down share, the cents left
    go to the largest remainders, the earlier one first on a tie.

    Raises `ValueError` for a negative amount or weight, or when all weights are zero.
    """
    total = sum(weights)
    if amount_cents < 0 or total <= 0 or min(weights) < 0:
        raise ValueError("an amount of at least 0 and weights of which one is positive")
    shares = [amount_cents * weight // total for weight in weights]
    remainders = [amount_cents * weight % total for weight in weights]
    left = amount_cents - sum(shares)
    for index in sorted(range(len(weights)), key=lambda i: (-remainders[i], i))[:left]:
        shares[index] += 1
    return shares


def oldest_worth(amounts_cents: Sequence[int], total_cents: int) -> int:
    """How many of these amounts, from the first on, are worth exactly a total; 0: no number is."""
    worth = 0
    for count, cents in enumerate(amounts_cents, start=1):
        worth += cents
        if worth >= total_cents:
            return count if worth == total_cents else 0
    return 0


def partial_amount(price_cents: int, *, done: int, whole: int) -> int:
    """What saved work on a claim that was ended early is worth: `done` of `whole` of the price.

    Arguments:
        done, whole: any unit, e.g. frames of the video covered by the draft.

    At least one cent for any work at all, never more than the price.
    """
    if done <= 0:
        return 0
    return max(1, split_by_weight(price_cents, [min(done, whole), whole - min(done, whole)])[0])


def release_pay(
    price_cents: int, *, saved: int, whole: int, share_basis_points: int | None = None
) -> int:
    """What a manager pays who ends a live claim: the price's share that the saved work covers.

    Arguments:
        saved, whole: frames of the video that the saved work covers, of all its frames.
        share_basis_points: the manager's own share; it counts where it pays more.

    Largest remainder to the cent, at least one cent for any work at all, never more than the
    price.
    """
    measured = partial_amount(price_cents, done=saved, whole=whole)
    if share_basis_points is None:
        return measured
    return max(measured, partial_amount(price_cents, done=share_basis_points, whole=WHOLE))


def next_run_on(*, ready_at: datetime, today: date) -> date:
    """The day (UTC) of the weekly run that pays what is ready since an instant.

    Ready is what is earned, not held, and has somewhere to go. What missed its run is paid by the
    next one from `today` on.
    """
    moment = ready_at.astimezone(UTC)
    day = moment.date()
    if moment.timetz() > time(0, tzinfo=UTC):
        day += timedelta(days=1)  # the run takes what was earned before its day began
    day = max(day, today)
    return day + timedelta(days=(RUN_WEEKDAY - day.weekday()) % 7)


def arrival_on(*, sent_on: date, rail: str) -> date:
    """When money that is sent on a day should be there: `RAIL_DAYS` working days later.

    Weekends are skipped; bank holidays are not known here.
    """
    day = sent_on
    for _ in range(RAIL_DAYS[rail]):
        day += timedelta(days=1)
        while day.weekday() >= 5:
            day += timedelta(days=1)
    return day


def runs_out_on(
    *, free_cents: int, earned_cents: int, days: int, today: date
) -> tuple[int, date | None]:
    """What is earned per day, and the day on which the free budget is used up at that pace.

    Work that is reserved has its money already, so the free part lasts as long as the pace of
    earning takes to use it up. `days` (at least 1) is what `earned_cents` was earned in. No day
    when nothing was earned, or when it is more than `FORECAST_DAYS` away.
    """
    daily = earned_cents // days
    if earned_cents <= 0:
        return 0, None
    left = free_cents * days // earned_cents
    return daily, today + timedelta(days=left) if left <= FORECAST_DAYS else None
