"""Addresses of money, under /api/v1/."""

from django.urls import path
from rest_framework.routers import SimpleRouter

from payouts import views, webhooks

router = SimpleRouter()
router.register("earnings", views.EarningViewSet, basename="earning")

urlpatterns = [
    *router.urls,
    path("projects/<int:project_id>/money/", views.ProjectMoneyView.as_view()),
    path("webhooks/stripe/", webhooks.StripeWebhookView.as_view()),
    path("bonuses/", views.BonusView.as_view()),
]
