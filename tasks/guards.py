"""What must hold before a contractor may claim, in the order in which it is checked."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from annotation_platform.api.problems import Problem
from contractors import rules as contractor_rules
from contractors.models import Contractor, EligibilityPolicyVersion, Residence
from contractors.queries import (
    active_restrictions,
    current_policy_version,
    residence_on,
    verdict,
)
from tasks import problems, queries
from tasks.models import Guideline, PriceVersion, Project

# An empty queue is explained within these bounds, however much work there is elsewhere.
OTHER_PROJECTS = 5
COUNTED_TO = 1000


@dataclass(frozen=True)
class Terms:
    """What a claim made now would pin."""

    price: PriceVersion
    guideline: Guideline
    policy_version: EligibilityPolicyVersion
    residence: Residence
    eligibility: dict[str, Any]


@dataclass
class _Facts:
    person: Contractor
    project: Project
    price: PriceVersion | None = None
    guideline: Guideline | None = None
    policy_version: EligibilityPolicyVersion | None = None
    residence: Residence | None = None
    decision: dict[str, Any] | None = None


def _gather(person: Contractor, project: Project) -> _Facts:
    facts = _Facts(person, project)
    facts.price = queries.current_price(project)
    facts.guideline = queries.current_guideline(project)
    facts.policy_version = current_policy_version(project.policy)
    facts.residence = residence_on(person)
    if facts.policy_version is None:
        return facts
    if facts.residence is not None:
        facts.decision = verdict(facts.policy_version, facts.residence).decision
    else:
        facts.decision = contractor_rules.decide((), None).as_json()
    return facts


def _project_gives_work(facts: _Facts) -> Problem | None:
    if facts.project.state != Project.State.ACTIVE:
        return problems.ProjectNotOpen(f"“{facts.project}” is {facts.project.state}.")
    for name, value in (
        ("price", facts.price),
        ("published guideline", facts.guideline),
        ("eligibility policy", facts.policy_version),
    ):
        if value is None:
            return problems.ProjectNotOpen(f"“{facts.project}” has no {name} yet.")
    return None


def _account_active(facts: _Facts) -> Problem | None:
    if facts.person.state not in (Contractor.State.ACTIVE, Contractor.State.RESTRICTED):
        return problems.AccountNotActive(
            f"You are {facts.person.state}; claims start once your offer is accepted."
        )
    return None


def _residence_known(facts: _Facts) -> Problem | None:
    decision = facts.decision
    if decision is not None and decision["outcome"] == "unknown":
        return problems.ResidenceUnknown(decision["reason"], area=decision["area"])
    return None


def _policy_allows(facts: _Facts) -> Problem | None:
    decision = facts.decision
    if decision is not None and decision["outcome"] == "deny":
        return problems.NotEligible(decision["reason"], area=decision["area"])
    return None


def _qualified(facts: _Facts) -> Problem | None:
    if facts.project.needs_qualification and not queries.is_qualified(facts.person, facts.project):
        return problems.NotQualified(f"“{facts.project}” is for people who qualified for it.")
    return None


def _guideline_acknowledged(facts: _Facts) -> Problem | None:
    guideline = facts.guideline
    if guideline is not None and not queries.has_acknowledged(facts.person, guideline):
        return problems.GuidelineNotAcknowledged(
            f"Version {guideline.version} of “{guideline.title}” is waiting for you.",
            guideline=guideline.pk,
        )
    return None


def _not_restricted(facts: _Facts) -> Problem | None:
    restriction = active_restrictions(facts.person, str(facts.project.pk)).first()
    if restriction is None:
        return None
    until = f" until {restriction.ends_at:%d %B %Y}" if restriction.ends_at else ""
    return problems.Restricted(f"{restriction.cause}{until}. You can appeal.", id=restriction.pk)


def _below_cap(facts: _Facts) -> Problem | None:
    held = list(queries.live_assignment_ids(facts.person, facts.project))
    if len(held) >= facts.project.live_claim_cap:
        return problems.LiveClaimCapReached(
            f"You hold {len(held)} of at most {facts.project.live_claim_cap}: "
            "submit or give back one of them first.",
            assignments=held,
        )
    return None


def _cool_down_over(facts: _Facts) -> Problem | None:
    seconds = queries.cool_down_left(facts.person, facts.project)
    if seconds <= 0:
        return None
    return problems.CoolingDown(
        f"You can claim again in {-(-seconds // 60)} minutes.",
        headers={"Retry-After": str(seconds)},
    )


def _budget_left(facts: _Facts) -> Problem | None:
    free = queries.free_budget_cents(facts.project)
    if free is None or facts.price is None or free >= facts.price.price_cents:
        return None
    return problems.BudgetExhausted(
        f"“{facts.project}” has no money left for a further task. The manager can see this."
    )


GUARDS: tuple[Callable[[_Facts], Problem | None], ...] = (
    _project_gives_work,
    _account_active,
    _residence_known,
    _policy_allows,
    _qualified,
    _guideline_acknowledged,
    _not_restricted,
    _below_cap,
    _cool_down_over,
    _budget_left,
)


def refusals(person: Contractor, project: Project) -> Iterator[Problem]:
    """Every reason why this person may not claim from this project now, in guard order."""
    facts = _gather(person, project)
    for guard in GUARDS:
        problem = guard(facts)
        if problem is not None:
            yield problem


def out_of_reach(person: Contractor, project: Project) -> dict[str, int]:
    """How many open tasks this person can't take, by the slug of the guard that stands before them.

    Of `project`, whose queue is empty for them, the tasks that they have had already
    (`already-worked-on`); of the newest other active projects (at most `OTHER_PROJECTS`) all,
    under the first guard that refuses. Each project is counted to `COUNTED_TO`. Writes nothing.
    """
    others = list(
        Project.objects.filter(state=Project.State.ACTIVE)
        .exclude(pk=project.pk)
        .select_related("policy")
        .order_by("-pk")[:OTHER_PROJECTS]
    )
    counts = queries.open_task_counts([project.pk, *(p.pk for p in others)], up_to=COUNTED_TO)
    found = Counter({"already-worked-on": counts.get(project.pk, 0)})
    for other in others:
        if counts.get(other.pk):
            refusal = next(refusals(person, other), None)
            if refusal is not None:
                found[refusal.slug] += counts[other.pk]
    return dict(+found)


def require(person: Contractor, project: Project) -> Terms:
    """What a claim pins; raises the first guard's problem. The person's row must be locked."""
    facts = _gather(person, project)
    for guard in GUARDS:
        problem = guard(facts)
        if problem is not None:
            raise problem
    # The guards above refuse a claim that lacks any of them; this only tells the type checker.
    assert facts.price is not None
    assert facts.guideline is not None
    assert facts.policy_version is not None
    assert facts.residence is not None
    assert facts.decision is not None
    return Terms(
        facts.price,
        facts.guideline,
        facts.policy_version,
        facts.residence,
        facts.decision,
    )
