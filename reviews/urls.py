"""Addresses of scoring and reviewing, under /api/v1/."""

from django.urls import path
from rest_framework.routers import SimpleRouter

from reviews import views

router = SimpleRouter()
router.register("reviews", views.ReviewViewSet, basename="review")
router.register(
    r"projects/(?P<project_id>\d+)/decision-rules", views.DecisionRuleViewSet, "decision-rule"
)
router.register(r"projects/(?P<project_id>\d+)/scorings", views.ScoringViewSet, "scoring")

urlpatterns = [
    *router.urls,
    path(
        "submissions/<int:submission_id>/result/",
        views.ResultView.as_view(),
        name="submission-result",
    ),
    path("tasks/<int:task_id>/agreement/", views.AgreementView.as_view(), name="task-agreement"),
]
