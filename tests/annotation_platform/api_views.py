"""Views that exist for the tests of the API kit only; see the `urls` marks."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import PermissionDenied, RequestDataTooBig
from django.core.exceptions import ValidationError as DjangoValidationError
from django.http import Http404
from django.urls import include, path
from rest_framework import exceptions, serializers, status
from rest_framework.generics import ListAPIView
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from annotation_platform.api import permissions, problems
from annotation_platform.api.idempotency import idempotent
from annotation_platform.api.throttles import ScopedThrottle
from contractors.models import User

handler404 = "annotation_platform.api.handler.not_found"
handler500 = "annotation_platform.api.handler.server_error"


class Teapot(problems.Problem):
    slug, status, title = "teapot", 418, "This is a teapot."


class OutOfTea(exceptions.APIException):
    status_code = 402
    default_detail = "No tea left."


RAISES: dict[str, Any] = {
    "problem": lambda: Teapot("Short and stout.", headers={"Retry-After": "3"}, handle="left"),
    "bare-problem": lambda: Teapot(),
    "http404": lambda: Http404("No User matches the given query."),
    "not-found": lambda: exceptions.NotFound(),
    "denied": lambda: PermissionDenied("Not yours."),
    "drf-denied": lambda: exceptions.PermissionDenied("Not yours."),
    "not-authenticated": lambda: exceptions.NotAuthenticated(),
    "throttled": lambda: exceptions.Throttled(wait=0.2),
    "throttled-long": lambda: exceptions.Throttled(wait=30),
    "too-big": lambda: RequestDataTooBig(),
    "django-list": lambda: DjangoValidationError(["One.", "Two."]),
    "django-dict": lambda: DjangoValidationError({"name": ["Bad."], "__all__": ["Worse."]}),
    "drf-nested": lambda: exceptions.ValidationError(
        {
            "rows": [{}, {"area": ["Bad."]}],
            "tags": {0: ["Short."]},  # type: ignore[dict-item]  # as a ListField has it
            "a/b~c": ["Odd."],
            "non_field_errors": ["All of it."],
        }
    ),
    "drf-text": lambda: exceptions.ValidationError("Bad."),
    "unnamed": lambda: OutOfTea(),
    "bug": lambda: RuntimeError("secret detail"),
}


class Raise(APIView):
    permission_classes = [AllowAny]

    def get(self, request: Request, name: str) -> Response:
        raise RAISES[name]()


class Echo(APIView):
    permission_classes = [AllowAny]

    def post(self, request: Request) -> Response:
        return Response(request.data)


class NameSerializer(serializers.ModelSerializer[User]):
    class Meta:
        model = User
        fields = ["id", "name"]


class People(ListAPIView[User]):
    queryset = User.objects.all()
    serializer_class = NameSerializer
    filter_backends = []


class MakePerson(APIView):
    """Creates a user named as asked; how it answers is asked too."""

    runs = 0
    before_answer: Any = None

    @idempotent
    def post(self, request: Request) -> Response:
        type(self).runs += 1
        asked: Any = request.data
        name = asked["name"]
        person = User.objects.create_user(f"{name}@example.org", name=name)
        if type(self).before_answer is not None:
            type(self).before_answer()
        if asked.get("raise"):
            raise Teapot()
        if asked.get("refuse"):
            return Response({"sorry": True}, status=status.HTTP_409_CONFLICT)
        if asked.get("crash"):
            raise RuntimeError("crash")
        return Response(
            {"id": person.pk, "joined": person.date_joined},
            status=status.HTTP_201_CREATED,
            headers={"Location": f"/people/{person.pk}/", "X-Other": "not kept"},
        )


class Throttled(APIView):
    permission_classes = [AllowAny]
    throttle_classes = [ScopedThrottle]
    throttle_scope = "sign-in"

    def get(self, request: Request) -> Response:
        return Response({})


def _for_role(permission: Any) -> Any:
    class ForRole(APIView):
        permission_classes = [permission]

        def get(self, request: Request) -> Response:
            return Response({})

    return ForRole.as_view()


urlpatterns = [
    path("api/raise/<str:name>/", Raise.as_view()),
    path("api/echo/", Echo.as_view()),
    path("api/people/", People.as_view()),
    path("api/make-person/", MakePerson.as_view()),
    path("api/make-person-elsewhere/", MakePerson.as_view()),
    path("api/throttled/", Throttled.as_view()),
    *[
        path(f"api/for/{name}/", _for_role(getattr(permissions, name)))
        for name in (
            "IsContractor",
            "IsReviewer",
            "IsManager",
            "IsFinance",
            "IsReviewerOrManager",
            "IsManagerOrFinance",
            "IsStaff",
        )
    ],
    path("", include("web.urls")),  # the page that says "nothing here" links home
]
