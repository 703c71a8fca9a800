from django.apps import AppConfig


class ApiConfig(AppConfig):
    name = "annotation_platform.api"
    label = "api"
    verbose_name = "API"

    def ready(self) -> None:
        from annotation_platform.api import schema  # noqa: F401  (registers the extensions)
