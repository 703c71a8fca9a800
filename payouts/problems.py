"""Money's refusals, each with a name."""

from __future__ import annotations

from annotation_platform.api.problems import Problem


class InvalidAmount(Problem):
    slug, status, title = "invalid-amount", 400, "This amount can't be paid."


class CreditedDifferently(Problem):
    slug, status = "credited-differently", 409
    title = "This work was already paid, with another amount."


class SourceKeyReused(Problem):
    slug, status = "source-key-reused", 409
    title = "This was already paid to somebody else or with another amount."


class WrongRunState(Problem):
    slug, status, title = "wrong-run-state", 409, "The payout run's state does not allow this."


class SamePersonApproves(Problem):
    slug, status = "same-person-approves", 403
    title = "A payout run is approved by somebody other than who prepared it."


class TotalsDiffer(Problem):
    slug, status, title = "totals-differ", 409, "The totals do not match; nothing was approved."


class NothingToPay(Problem):
    slug, status, title = "nothing-to-pay", 409, "Nobody has anything to be paid now."


class WrongPayoutState(Problem):
    slug, status, title = "wrong-payout-state", 409, "The payout's state does not allow this."


class InvalidPayoutDetails(Problem):
    slug, status, title = "invalid-payout-details", 400, "These payout details can't be used."


class FreshSignInNeeded(Problem):
    slug, status = "fresh-sign-in-needed", 403
    title = "Enter your password again to do this."


class InvalidTaxForm(Problem):
    slug, status, title = "invalid-tax-form", 400, "This tax form can't be used."


class HoldTooLong(Problem):
    slug, status, title = "hold-too-long", 400, "A hold ends within seven days."


class CannotHold(Problem):
    slug, status, title = "cannot-hold", 409, "This can't be held or released now."


class UnreadableReport(Problem):
    slug, status, title = "unreadable-report", 400, "The report file can't be read."


class BadSignature(Problem):
    slug, status, title = "bad-signature", 400, "The signature does not match."


class ReportFollowed(Problem):
    slug, status, title = "report-followed", 409, "This report was followed already."


class WitnessesUnreachable(Problem):
    slug, status = "witnesses-unreachable", 503
    title = "The storage that remembers what was paid does not answer; nothing was sent."


class ProviderUnreachable(Problem):
    slug, status = "provider-unreachable", 503
    title = "A provider that may have paid some of this does not answer; nothing was sent."
