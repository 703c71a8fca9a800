from reviews.views.results import AgreementView, ResultView
from reviews.views.reviews import ReviewViewSet
from reviews.views.settings import DecisionRuleViewSet, ScoringViewSet

__all__ = [
    "AgreementView",
    "DecisionRuleViewSet",
    "ResultView",
    "ReviewViewSet",
    "ScoringViewSet",
]
