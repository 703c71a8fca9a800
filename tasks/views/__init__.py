from tasks.views.assignments import AssignmentViewSet, SubmissionViewSet
from tasks.views.fundings import FundingViewSet
from tasks.views.offers import FairnessView, OfferList
from tasks.views.projects import GuidelineViewSet, ProjectViewSet
from tasks.views.qualifications import QualificationViewSet
from tasks.views.tasks import TaskViewSet

__all__ = [
    "AssignmentViewSet",
    "FairnessView",
    "FundingViewSet",
    "GuidelineViewSet",
    "OfferList",
    "ProjectViewSet",
    "QualificationViewSet",
    "SubmissionViewSet",
    "TaskViewSet",
]
