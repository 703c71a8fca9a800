"""Whose claims and submissions somebody may see."""

from __future__ import annotations

from django.db.models import QuerySet

from contractors.models import Role, User
from tasks.models import Assignment, Project, Submission


def visible_projects(user: User) -> QuerySet[Project]:
    """Staff see every project, contractors those that give out work."""
    if set(user.roles) & {Role.MANAGER, Role.REVIEWER, Role.FINANCE}:
        return Project.objects.all()
    return Project.objects.filter(state=Project.State.ACTIVE)


def visible_assignments(user: User) -> QuerySet[Assignment]:
    """A manager sees every claim, a contractor their own, everybody else none.

    Reviewers get at work through their reviews only, where it carries no name.
    """
    if Role.MANAGER in user.roles:
        return Assignment.objects.all()
    return Assignment.objects.filter(contractor_id=user.pk)


def visible_submissions(user: User) -> QuerySet[Submission]:
    """The submissions of the visible claims."""
    if Role.MANAGER in user.roles:
        return Submission.objects.all()
    return Submission.objects.filter(assignment__contractor_id=user.pk)
