from reviews.models.agreement import Assessment, Score, Scoring
from reviews.models.decisions import Decision, DecisionRule, Review
from reviews.models.gold import GoldReference, GoldScore, GoldSettings, GoldSuspension
from reviews.models.runs import Run, TaskConsensus

__all__ = [
    "Assessment",
    "Decision",
    "DecisionRule",
    "GoldReference",
    "GoldScore",
    "GoldSettings",
    "GoldSuspension",
    "Review",
    "Run",
    "Score",
    "Scoring",
    "TaskConsensus",
]
