"""The verbs of money. Each is one transaction; accounts are locked last (contractor → task →
assignment → account)."""

from payouts.services.adopting import decide_found
from payouts.services.checks import check_ledger, credit_decided
from payouts.services.credits import credit, credit_assignment, pay_bonus
from payouts.services.following import ask_to_follow, follow_report, unfinished_reports
from payouts.services.holds import end_holds, hold_payable, lift_hold
from payouts.services.methods import require_password, rotate_secrets, set_payout_method
from payouts.services.outcomes import return_payout, settle_payout
from payouts.services.reconciling import (
    handle_event,
    receive_event,
    refresh_payout,
    sweep_payouts,
)
from payouts.services.releasing import release_claim
from payouts.services.reports import (
    compare_report,
    decide_file_payout,
    take_report,
)
from payouts.services.runs import approve_run, cancel_run, lock_run, prepare_run, run_totals
from payouts.services.sending import (
    decide_unknown,
    hand_out_file,
    send_payout,
    send_run,
    write_files,
)
from payouts.services.statements import make_statement, make_statements
from payouts.services.tax import full_tin, permit_full_export, state_tax_form

__all__ = [
    "approve_run",
    "ask_to_follow",
    "cancel_run",
    "check_ledger",
    "compare_report",
    "credit",
    "credit_assignment",
    "credit_decided",
    "decide_file_payout",
    "decide_found",
    "decide_unknown",
    "end_holds",
    "follow_report",
    "full_tin",
    "hand_out_file",
    "handle_event",
    "hold_payable",
    "lift_hold",
    "lock_run",
    "make_statement",
    "make_statements",
    "pay_bonus",
    "permit_full_export",
    "prepare_run",
    "receive_event",
    "refresh_payout",
    "release_claim",
    "require_password",
    "return_payout",
    "rotate_secrets",
    "run_totals",
    "send_payout",
    "send_run",
    "set_payout_method",
    "settle_payout",
    "state_tax_form",
    "sweep_payouts",
    "take_report",
    "unfinished_reports",
    "write_files",
]
