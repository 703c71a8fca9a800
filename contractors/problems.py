"""Why something about people, residence, policies or restrictions was refused."""

from __future__ import annotations

from annotation_platform.api.problems import Problem


class EmailTaken(Problem):
    slug, status, title = "email-taken", 409, "Somebody with this email is registered already."


class WrongCredentials(Problem):
    slug, status, title = "wrong-credentials", 401, "Email and password do not belong together."


class WrongContractorState(Problem):
    slug, status = "wrong-contractor-state", 409
    title = "The contractor is not at the stage for this step."


class NotAContractor(Problem):
    slug, status, title = "not-a-contractor", 404, "You have no contractor's account."


class UnknownArea(Problem):
    slug, status = "unknown-area", 400
    title = "This is not a full ISO 3166 code such as US-TX or CA-QC."


class ResidenceInTheFuture(Problem):
    slug, status = "residence-in-the-future", 409
    title = "A residence can be declared from the day you live there."


class ResidenceUnchanged(Problem):
    slug, status, title = "residence-unchanged", 409, "You declared this place already."


class ResidenceDeclaredForThatDay(Problem):
    slug, status = "residence-declared-for-that-day", 409
    title = "There is a residence from that very day already."


class ResidenceBeforeHistory(Problem):
    slug, status = "residence-before-history", 409
    title = "What was declared for earlier days is not changed afterwards."


class PolicyNameTaken(Problem):
    slug, status, title = "policy-name-taken", 409, "A policy of this name exists already."


class PolicyRowsInvalid(Problem):
    slug, status, title = "policy-rows-invalid", 400, "The rows of the policy are not valid."


class PolicyInThePast(Problem):
    slug, status = "policy-in-the-past", 409
    title = "A policy version cannot take effect in the past."


class RestrictionOver(Problem):
    slug, status, title = "restriction-over", 409, "The restriction is over already."


class RestrictionEndsBeforeItStarts(Problem):
    slug, status = "restriction-ends-before-it-starts", 400
    title = "A restriction must end after it starts."


class AppealTooLate(Problem):
    slug, status, title = "appeal-too-late", 409, "The days in which to appeal are over."


class AppealedAlready(Problem):
    slug, status, title = "appealed-already", 409, "This restriction was appealed once already."


class NoOpenAppeal(Problem):
    slug, status, title = "no-open-appeal", 409, "There is no open appeal to decide."


class AppealNeedsSomebodyElse(Problem):
    slug, status = "appeal-needs-somebody-else", 403
    title = "Whoever restricted cannot decide the appeal."
