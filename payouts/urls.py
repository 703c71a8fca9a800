"""Addresses of money, under /api/v1/."""

from django.urls import path
from rest_framework.routers import SimpleRouter

from payouts import finance_views, payout_views, tax_views, views, webhooks

router = SimpleRouter()
router.register("earnings", views.EarningViewSet, basename="earning")
router.register("payouts", payout_views.PayoutViewSet, basename="payout")
router.register("statements", payout_views.StatementViewSet, basename="statement")
router.register("payout-runs", payout_views.PayoutRunViewSet, basename="payout-run")
router.register("payables", finance_views.PayableViewSet, basename="payable")
router.register("holds", finance_views.HoldViewSet, basename="hold")
router.register("run-payouts", finance_views.RunPayoutViewSet, basename="run-payout")
router.register("bank-reports", finance_views.BankReportViewSet, basename="bank-report")
router.register("provider-events", finance_views.ProviderEventViewSet, basename="provider-event")

urlpatterns = [
    *router.urls,
    path("projects/<int:project_id>/budget/", views.BudgetView.as_view(), name="project-budget"),
    path("projects/<int:project_id>/money/", views.ProjectMoneyView.as_view()),
    path("assignments/<int:assignment_id>/release/", views.ReleaseView.as_view()),
    path("bonuses/", views.BonusView.as_view()),
    path("payout-method/", payout_views.PayoutMethodView.as_view()),
    path("tax-form/", tax_views.TaxFormView.as_view()),
    path("tax-years/<int:year>/", tax_views.TaxYearView.as_view()),
    path("tax-years/<int:year>/export/", tax_views.TaxExportView.as_view()),
    path("time-to-pay/", payout_views.TimeToPayView.as_view()),
    path("webhooks/stripe/", webhooks.StripeWebhookView.as_view()),
]
