"""Where every floor's addresses meet."""

from django.contrib import admin
from django.urls import URLPattern, URLResolver, include, path
from drf_spectacular.views import SpectacularAPIView, SpectacularRedocView, SpectacularSwaggerView

from annotation_platform.health import health

handler404 = "annotation_platform.api.handler.not_found"
handler500 = "annotation_platform.api.handler.server_error"

api: list[URLPattern | URLResolver] = [
    path("", include("contractors.urls")),
    path("", include("videos.urls")),
    path("", include("tasks.urls")),
    path("", include("payouts.urls")),
    path("", include("reviews.urls")),
    path("", include("reports.urls")),
]

urlpatterns: list[URLPattern | URLResolver] = [
    path("health/", health, name="health"),
    path("admin/", admin.site.urls),
    path("api/schema/", SpectacularAPIView.as_view(), name="schema"),
    path("api/docs/", SpectacularSwaggerView.as_view(url_name="schema"), name="api-docs"),
    path("api/redoc/", SpectacularRedocView.as_view(url_name="schema"), name="api-redoc"),
    path("api/v1/", include(api)),
    path("", include("web.urls")),
]
