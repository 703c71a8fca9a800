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
