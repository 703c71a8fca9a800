from tasks.views.assignments import AssignmentViewSet, SubmissionViewSet
from tasks.views.projects import GuidelineViewSet, ProjectViewSet
from tasks.views.tasks import TaskViewSet

__all__ = [
    "AssignmentViewSet",
    "GuidelineViewSet",
    "ProjectViewSet",
    "SubmissionViewSet",
    "TaskViewSet",
]
