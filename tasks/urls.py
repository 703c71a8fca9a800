"""Addresses of the queue, under /api/v1/."""

from django.urls import path
from rest_framework.routers import SimpleRouter

from tasks import views

router = SimpleRouter()
router.register("projects", views.ProjectViewSet, basename="project")
router.register("guidelines", views.GuidelineViewSet, basename="guideline")
router.register("tasks", views.TaskViewSet, basename="task")
router.register("assignments", views.AssignmentViewSet, basename="assignment")
router.register("submissions", views.SubmissionViewSet, basename="submission")
router.register(r"projects/(?P<project_id>\d+)/fundings", views.FundingViewSet, "funding")
router.register(
    r"projects/(?P<project_id>\d+)/qualifications", views.QualificationViewSet, "qualification"
)

urlpatterns = [
    *router.urls,
    path("offers/", views.OfferList.as_view(), name="offers"),
    path(
        "projects/<int:project_id>/fairness/",
        views.FairnessView.as_view(),
        name="project-fairness",
    ),
]
