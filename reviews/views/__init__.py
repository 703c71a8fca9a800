from reviews.views.gold import GoldReferenceViewSet, GoldScoreViewSet, GoldSettingsView
from reviews.views.projects import (
    AnnotatorsView,
    ProjectRunViewSet,
    ReliabilityView,
    RunViewSet,
)
from reviews.views.results import AgreementView, ConsensusView, ResultView
from reviews.views.reviews import ReviewViewSet
from reviews.views.settings import DecisionRuleViewSet, ScoringViewSet

__all__ = [
    "AgreementView",
    "AnnotatorsView",
    "ConsensusView",
    "DecisionRuleViewSet",
    "GoldReferenceViewSet",
    "GoldScoreViewSet",
    "GoldSettingsView",
    "ProjectRunViewSet",
    "ReliabilityView",
    "ResultView",
    "ReviewViewSet",
    "RunViewSet",
    "ScoringViewSet",
]
