from tasks.models.activity import ActiveTime, ProjectPace
from tasks.models.budget import BudgetShare, Funding
from tasks.models.projects import (
    Guideline,
    GuidelineAcknowledgement,
    PriceVersion,
    Project,
    Qualification,
    QueueOrder,
)
from tasks.models.queue import Assignment, Task
from tasks.models.work import Draft, Segment, Submission

__all__ = [
    "ActiveTime",
    "Assignment",
    "BudgetShare",
    "Draft",
    "Funding",
    "Guideline",
    "GuidelineAcknowledgement",
    "PriceVersion",
    "Project",
    "ProjectPace",
    "Qualification",
    "QueueOrder",
    "Segment",
    "Submission",
    "Task",
]
