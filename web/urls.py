"""Addresses of the pages."""

from django.contrib.auth.views import LogoutView
from django.urls import URLPattern, URLResolver, path, re_path

from web.frame import choose_theme
from web.views import account, contractor, managing, own_money, reviewer, sign_in, workbench

urlpatterns: list[URLPattern | URLResolver] = [
    path("", sign_in.home, name="home"),
    path("log-in/", sign_in.LogIn.as_view(), name="log-in"),
    path("log-out/", LogoutView.as_view(), name="log-out"),
    path("theme/", choose_theme, name="theme"),
    path("work/", contractor.work, name="work"),
    path("work/claim/", contractor.claim, name="claim"),
    path("work/assignments/<int:pk>/", workbench.workbench, name="workbench"),
    path("work/assignments/<int:pk>/return/", contractor.give_back, name="return"),
    path("work/assignments/<int:pk>/reclaim/", contractor.take_again, name="reclaim"),
    path("work/results/", contractor.results, name="results"),
    path("work/results/<int:pk>/", contractor.result, name="result"),
    path("work/guidelines/<int:project_id>/", contractor.guideline, name="guideline"),
    path("work/earnings/", own_money.earnings, name="earnings"),
    path("work/statements/", own_money.statements, name="statements"),
    path("work/statements/verify_statement.py", own_money.verifier, name="verifier"),
    re_path(
        r"^work/statements/(?P<pk>\d+)\.(?P<kind>json|csv|pdf)$",
        own_money.statement,
        name="statement",
    ),
    path("work/payout-details/", own_money.payout_details, name="payout-details"),
    path("work/residence/", account.residence, name="residence"),
    path("work/residence/places/", account.places, name="places"),
    path("work/restrictions/", account.restrictions, name="restrictions"),
    path("work/restrictions/<int:pk>/appeal/", account.appeal, name="appeal"),
    path("reviews/", reviewer.reviews, name="reviews"),
    path("reviews/next/", reviewer.take_next, name="take-review"),
    path("reviews/<int:pk>/", reviewer.review, name="review"),
    path("reviews/<int:pk>/keep/", reviewer.keep, name="keep-review"),
    path("reviews/<int:pk>/release/", reviewer.give_back, name="release-review"),
    path("projects/", managing.projects, name="projects"),
    path("projects/<int:pk>/", managing.project, name="project"),
    path("money/", managing.money, name="money"),
]
