from reviews.models.agreement import Assessment, Score, Scoring
from reviews.models.decisions import Decision, DecisionRule, Review
from reviews.models.runs import Run, TaskConsensus

__all__ = [
    "Assessment",
    "Decision",
    "DecisionRule",
    "Review",
    "Run",
    "Score",
    "Scoring",
    "TaskConsensus",
]
