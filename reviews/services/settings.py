"""A project's scoring and decision rule: versions, followed and never edited."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.db import transaction

from contractors.models import User
from events.services import record
from reviews import queries
from reviews.measure import Measures
from reviews.models import DecisionRule, Scoring
from reviews.problems import InvalidSettings
from reviews.rules import RuleParameters
from tasks.models import Project


def current_scoring(project: Project) -> Scoring:
    """The version that applies now; the first one, of defaults, is made when there is none."""
    found = queries.newest_scoring(project)
    if found is None:
        found, _ = Scoring.objects.get_or_create(
            project=project,
            number=1,
            defaults={"parameters": Measures().as_dict(), "reason": "Defaults"},
        )
    return found


def current_rule(project: Project) -> DecisionRule:
    """The version that applies now; the first one, of defaults, is made when there is none."""
    found = queries.newest_rule(project)
    if found is None:
        found, _ = DecisionRule.objects.get_or_create(
            project=project,
            number=1,
            defaults={"parameters": RuleParameters().as_dict(), "reason": "Defaults"},
        )
    return found


@transaction.atomic
def set_scoring(
    *, actor: User | None, project: Project, parameters: dict[str, Any], reason: str
) -> Scoring:
    """Start the next scoring version; what is left out keeps its default.

    Arguments:
        parameters: `{"score": {…}, "diagnosis": {…}}`, see `reviews.measure.Measures`.

    Work scored before keeps its scores until the project is re-scored. Raises `InvalidSettings`.
    """
    Project.objects.select_for_update(no_key=True).get(pk=project.pk)
    number = current_scoring(project).number + 1
    try:
        version = {"version": str(number)}
        checked = Measures.from_dict(
            parameters
            | {part: {**parameters.get(part, {}), **version} for part in ("score", "diagnosis")}
        )
    except (TypeError, ValueError) as error:
        raise InvalidSettings(str(error)) from error
    made = Scoring.objects.create(
        project=project,
        number=number,
        parameters=checked.as_dict(),
        reason=reason,
        created_by=actor,
    )
    record("scoring.changed", actor=actor, subject=project, data={"number": number})
    return made


@transaction.atomic
def set_rule(
    *, actor: User | None, project: Project, parameters: Mapping[str, Any], reason: str
) -> DecisionRule:
    """Start the next decision rule; what is left out keeps its default.

    It reaches what is decided from now on. Raises `InvalidSettings`.
    """
    Project.objects.select_for_update(no_key=True).get(pk=project.pk)
    number = current_rule(project).number + 1
    try:
        checked = RuleParameters.from_dict(parameters)
    except (TypeError, ValueError) as error:
        raise InvalidSettings(str(error)) from error
    made = DecisionRule.objects.create(
        project=project,
        number=number,
        parameters=checked.as_dict(),
        reason=reason,
        created_by=actor,
    )
    record("decision_rule.changed", actor=actor, subject=project, data={"number": number})
    return made
