"""Addresses of videos."""

from django.urls import URLPattern, URLResolver, path
from rest_framework.routers import SimpleRouter

from videos.media_view import media
from videos.views import RegistrationViewSet, UploadViewSet, VideoViewSet

router = SimpleRouter()
router.register("videos/uploads", UploadViewSet, basename="video-upload")
router.register("videos/registrations", RegistrationViewSet, basename="video-registration")
router.register("videos", VideoViewSet, basename="video")

urlpatterns: list[URLPattern | URLResolver] = [
    *router.urls,
    path("media/<str:token>", media, name="media"),
]
