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
router.register(r"projects/(?P<project_id>\d+)/runs", views.ProjectRunViewSet, "project-run")
router.register(
    r"projects/(?P<project_id>\d+)/gold-references", views.GoldReferenceViewSet, "gold-reference"
)
router.register(r"projects/(?P<project_id>\d+)/gold-scores", views.GoldScoreViewSet, "gold-score")
router.register("runs", views.RunViewSet, "run")

urlpatterns = [
    *router.urls,
    path(
        "submissions/<int:submission_id>/result/",
        views.ResultView.as_view(),
        name="submission-result",
    ),
    path("tasks/<int:task_id>/agreement/", views.AgreementView.as_view(), name="task-agreement"),
    path("tasks/<int:task_id>/consensus/", views.ConsensusView.as_view(), name="task-consensus"),
    path(
        "projects/<int:project_id>/gold-settings/",
        views.GoldSettingsView.as_view(),
        name="project-gold-settings",
    ),
    path(
        "projects/<int:project_id>/reliability/",
        views.ReliabilityView.as_view(),
        name="project-reliability",
    ),
    path(
        "projects/<int:project_id>/annotators/",
        views.AnnotatorsView.as_view(),
        name="project-annotators",
    ),
]
