from tasks.models.projects import (
    Guideline,
    GuidelineAcknowledgement,
    PriceVersion,
    Project,
)
from tasks.models.queue import Assignment, Task
from tasks.models.work import Draft, Segment, Submission

__all__ = [
    "Assignment",
    "Draft",
    "Guideline",
    "GuidelineAcknowledgement",
    "PriceVersion",
    "Project",
    "Segment",
    "Submission",
    "Task",
]
