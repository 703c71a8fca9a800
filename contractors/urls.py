"""Addresses of contractors."""

from typing import Any

from django.urls import URLPattern, URLResolver, path
from rest_framework.routers import SimpleRouter

from contractors.views import account, management

router = SimpleRouter()
router.register("contractors", management.Contractors, basename="contractor")
router.register("eligibility-policies", management.Policies, basename="policy")

LIST_AND_CREATE: dict[str, Any] = {"get": "list", "post": "create"}

urlpatterns: list[URLPattern | URLResolver] = [
    path("tokens/", account.Tokens.as_view(), name="tokens"),
    path("tokens/current/", account.CurrentToken.as_view(), name="current-token"),
    path("me/", account.Me.as_view(), name="me"),
    path("me/residences/", account.OwnResidences.as_view(), name="own-residences"),
    path("me/restrictions/", account.OwnRestrictions.as_view(), name="own-restrictions"),
    path("me/restrictions/<int:pk>/appeal/", account.OwnAppeal.as_view(), name="own-appeal"),
    path("places/", account.Places.as_view(), name="places"),
    path(
        "contractors/<int:contractor_pk>/restrictions/",
        management.ContractorRestrictions.as_view(LIST_AND_CREATE),
        name="contractor-restrictions",
    ),
    path(
        "restrictions/<int:pk>/lift/", management.LiftRestriction.as_view(), name="lift-restriction"
    ),
    path(
        "restrictions/<int:pk>/decide-appeal/",
        management.DecideAppeal.as_view(),
        name="decide-appeal",
    ),
    path(
        "eligibility-policies/<int:policy_pk>/versions/",
        management.PolicyVersions.as_view(LIST_AND_CREATE),
        name="policy-versions",
    ),
    *router.urls,
]
