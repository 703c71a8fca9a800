from reviews.models.agreement import Assessment, Score, Scoring
from reviews.models.decisions import Decision, DecisionRule, Review

__all__ = ["Assessment", "Decision", "DecisionRule", "Review", "Score", "Scoring"]
