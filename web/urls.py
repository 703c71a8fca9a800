"""Addresses of the pages."""

from django.contrib.auth.views import LogoutView
from django.urls import URLPattern, URLResolver, path

from web.frame import choose_theme
from web.views import contractor, managing, reviewer, sign_in, workbench

urlpatterns: list[URLPattern | URLResolver] = [
    path("", sign_in.home, name="home"),
    path("log-in/", sign_in.LogIn.as_view(), name="log-in"),
    path("log-out/", LogoutView.as_view(), name="log-out"),
    path("theme/", choose_theme, name="theme"),
    path("work/", contractor.work, name="work"),
    path("work/claim/", contractor.claim, name="claim"),
    path("work/assignments/<int:pk>/", workbench.workbench, name="workbench"),
    path("work/results/", contractor.results, name="results"),
    path("work/earnings/", contractor.earnings, name="earnings"),
    path("work/guidelines/<int:project_id>/", contractor.guideline, name="guideline"),
    path("reviews/", reviewer.reviews, name="reviews"),
    path("reviews/next/", reviewer.take_next, name="take-review"),
    path("reviews/<int:pk>/", reviewer.review, name="review"),
    path("projects/", managing.projects, name="projects"),
    path("projects/<int:pk>/", managing.project, name="project"),
    path("money/", managing.money, name="money"),
]
