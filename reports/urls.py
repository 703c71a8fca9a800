"""Addresses of reports, under /api/v1/."""

from django.urls import URLPattern, URLResolver, path

from reports import views

urlpatterns: list[URLPattern | URLResolver] = [
    path(
        "projects/<int:project_id>/throughput/",
        views.ProjectThroughput.as_view(),
        name="project-throughput",
    ),
    path("throughput/", views.Throughput.as_view(), name="throughput"),
]
