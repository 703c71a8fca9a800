"""Addresses of the queue, under /api/v1/."""

from rest_framework.routers import SimpleRouter

from tasks import views

router = SimpleRouter()
router.register("projects", views.ProjectViewSet, basename="project")
router.register("guidelines", views.GuidelineViewSet, basename="guideline")
router.register("tasks", views.TaskViewSet, basename="task")
router.register("assignments", views.AssignmentViewSet, basename="assignment")
router.register("submissions", views.SubmissionViewSet, basename="submission")

urlpatterns = router.urls
