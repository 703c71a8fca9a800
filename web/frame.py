"""What surrounds every page: navigation, theme, and the rules that its browser is told."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any
from urllib.parse import urlsplit

from django.contrib.staticfiles import finders
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.http import require_POST

from web.access import SUBPAGES, areas_of

# No page has inline script or style, and nothing comes from elsewhere. A page that needs more
# (the workbench's media) sets a header of its own.
CONTENT_SECURITY_POLICY = (
    "default-src 'self'; object-src 'none'; base-uri 'none'; form-action 'self'; "
    "frame-ancestors 'none'"
)
# Third parties' pages, with inline parts of their own.
NOT_OURS = ("/admin/", "/api/")

THEMES = ("auto", "light", "dark")
THEME_COOKIE = "theme"
YEAR_SECONDS = 365 * 24 * 3600


class PageHeaders:
    """Middleware: the content security policy of every page, those about errors included."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        if not request.path.startswith(NOT_OURS):
            response.headers.setdefault("Content-Security-Policy", CONTENT_SECURITY_POLICY)
        return response


def surroundings(request: HttpRequest) -> dict[str, Any]:
    """Context processor: where one is, where one can go, and the chosen theme."""
    here = request.resolver_match.url_name if request.resolver_match else ""
    area = request.path.split("/")[1]
    areas = areas_of(getattr(request, "user", None))
    return {
        "areas": areas,
        "area": area,
        "here": here,
        "subpages": SUBPAGES.get(area, ()) if area in dict(areas) else (),
        "theme": theme_of(request),
        "themes": THEMES,
        "has_htmx": _has_htmx(),
    }


def theme_of(request: HttpRequest) -> str:
    """What the person chose; "auto" (the system's) until they do."""
    chosen = request.COOKIES.get(THEME_COOKIE, "auto")
    return chosen if chosen in THEMES else "auto"


@require_POST
def choose_theme(request: HttpRequest) -> HttpResponse:
    """Keep the chosen theme in a cookie, and go back to the page."""
    wanted, back = request.POST.get("theme", ""), request.headers.get("Referer", "")
    if not url_has_allowed_host_and_scheme(
        back, {request.get_host()}, require_https=request.is_secure()
    ):
        back = "/"
    response = HttpResponseRedirect(back)
    if wanted in THEMES:
        response.set_cookie(
            THEME_COOKIE,
            wanted,
            max_age=YEAR_SECONDS,
            samesite="Lax",
            secure=request.is_secure(),
        )
    return response


@cache
def _has_htmx() -> bool:
    """Whether Node built it; every page works without."""
    return finders.find("web/built/htmx.min.js") is not None


def with_media_from(response: HttpResponse, url: str) -> HttpResponse:
    """Let the page play, show and fetch media from where this link leads, and from nowhere else.

    Nothing to say when it is this site. Scripts and styles stay this site's own.
    """
    parts = urlsplit(url)
    if parts.netloc:
        origin = f"{parts.scheme}://{parts.netloc}"
        response.headers["Content-Security-Policy"] = CONTENT_SECURITY_POLICY + "".join(
            f"; {kind} 'self' {origin}" for kind in ("media-src", "img-src", "connect-src")
        )
    return response
