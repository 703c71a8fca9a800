"""Logging in, and the way to one's own area."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.decorators import login_required
from django.contrib.auth.forms import AuthenticationForm
from django.contrib.auth.views import LoginView
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.decorators import method_decorator
from django.views.decorators.debug import sensitive_post_parameters

from annotation_platform.api.throttles import ScopedThrottle
from contractors.models import User
from web.access import areas_of, caller, show


class EmailForm(AuthenticationForm):
    """Email, in any case, and password."""

    def clean(self) -> dict[str, Any]:
        email = self.cleaned_data.get("username")
        known = User.objects.filter(email__iexact=email).values_list("email", flat=True).first()
        if known is not None:
            self.cleaned_data["username"] = known
        return super().clean()


@method_decorator(sensitive_post_parameters("password"), name="dispatch")
class LogIn(LoginView):
    """The log-in page; as throttled as the sign-in of programs, and together with it."""

    template_name = "web/log_in.html"
    authentication_form = EmailForm
    redirect_authenticated_user = True
    throttle_scope = "sign-in"

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        throttle = ScopedThrottle()
        if not throttle.allow_request(request, self):  # type: ignore[arg-type]  # reads META only
            wait = max(1, round(throttle.wait() or 1))
            page = show(request, "too_many.html", {"wait": wait, "back": request.path}, status=429)
            page.headers["Retry-After"] = str(wait)
            return page
        return super().post(request, *args, **kwargs)


@login_required
def home(request: HttpRequest) -> HttpResponse:
    """On to the first area of this person; administrators without any go to the admin."""
    areas = areas_of(request.user)
    if not areas and caller(request).is_staff:
        return redirect("admin:index")
    if not areas:
        raise PermissionDenied("Your account has no role yet. Ask a manager.")
    return redirect(areas[0][0])
