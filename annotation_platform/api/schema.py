"""The OpenAPI schema tells what every endpoint shares: sign-in, problems, idempotency keys."""

from __future__ import annotations

from typing import Any, Literal

from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, inline_serializer
from rest_framework import serializers

PROBLEM = inline_serializer(
    "Problem",
    {
        "type": serializers.CharField(help_text="/problems/<name>: stable, for programs."),
        "title": serializers.CharField(help_text="The same sentence for every such problem."),
        "status": serializers.IntegerField(),
        "detail": serializers.CharField(required=False, help_text="What is wrong this time."),
        "instance": serializers.CharField(required=False),
        "errors": serializers.ListField(
            child=inline_serializer(
                "LocatedError",
                {
                    "pointer": serializers.CharField(help_text="JSON pointer into the request."),
                    "detail": serializers.CharField(),
                    "code": serializers.CharField(required=False),
                },
            ),
            required=False,
        ),
    },
)

Direction = Literal["request", "response"]

IDEMPOTENCY_KEY = OpenApiParameter(
    "Idempotency-Key",
    str,
    OpenApiParameter.HEADER,
    description="Any unique text. Repeating the request under it returns the first answer.",
)


class TokenScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    target_class = "annotation_platform.api.authentication.TokenAuthentication"
    name = "token"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        return {
            "type": "apiKey",
            "in": "header",
            "name": "Authorization",
            "description": "`Token <token>`, from POST /api/v1/tokens/.",
        }


class ProblemAwareSchema(AutoSchema):
    """Adds the problem answer to every operation and the key header to idempotent ones."""

    def get_override_parameters(self) -> list[Any]:
        parameters = list(super().get_override_parameters())
        action = getattr(self.view, "action", None) or self.method.lower()
        method = getattr(self.view, action, None)
        if getattr(method, "is_idempotent", False):
            parameters.append(IDEMPOTENCY_KEY)
        return parameters

    def _get_response_bodies(self, direction: Direction = "response") -> dict[str, Any]:
        bodies: dict[str, Any] = super()._get_response_bodies(direction)
        bodies["default"] = self._get_response_for_code(  # type: ignore[no-untyped-call]
            OpenApiResponse(PROBLEM, description="A problem (RFC 9457)."),
            "default",
            media_types=["application/problem+json"],
            direction=direction,
        )
        return bodies
