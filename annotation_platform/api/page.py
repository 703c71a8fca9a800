"""The API as one page for people, from the same schema that programs read."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from drf_spectacular.generators import SchemaGenerator

INTRODUCTION = """# API

Written by `python manage.py draw_api`; a test keeps it equal to the code. The full schema is
[openapi.yaml](openapi.yaml); a running server shows it at `/api/docs/`.

- **Sign in**: `POST /api/v1/tokens/` with `{"email", "password"}` gives `{"token"}`; send it as
  `Authorization: Token <token>`. Pages use the session and a CSRF token.
- **Whose rows**: a contractor sees their own claims, work, pay and residence and nobody else's;
  what you may not see answers 404.
- **Problems** are `application/problem+json` (RFC 9457): `type` is stable
  (`/problems/queue-empty`), `detail` says what is wrong this time, `errors` locate it
  (`pointer`, and for timelines `segment` and `frame`).
- **Creating** calls take an `Idempotency-Key` header: repeating the request under the same key
  returns the first answer (`Idempotency-Replayed: true`), another request under it is 422, one that
  is still running 409. Refusals are not stored.
- **Lists** are cursor pages: `?page_size=50`, follow `next`.
- **Drafts** are saved with `If-Match: "<revision>"`; a stale save is 412 with the newer revision.
- **Frames** are half-open, `[start_frame, end_frame)`, counted in displayed frames. **Money** is
  integer cents. **Instants** are UTC, by the database's clock.
"""


def as_markdown() -> str:
    """Every endpoint by its first path segment: method, address and its first sentence."""
    generator = SchemaGenerator()  # type: ignore[no-untyped-call]
    schema: dict[str, Any] = generator.get_schema(request=None, public=True)  # type: ignore[no-untyped-call]
    groups: dict[str, list[str]] = defaultdict(list)
    for path, operations in sorted(schema["paths"].items()):
        group = path.removeprefix("/api/v1/").split("/")[0]
        for method, operation in operations.items():
            text = " ".join(operation.get("description", "").split("\n\n")[0].split())
            groups[group].append(f"| `{method.upper()}` | `{path}` | {text.replace('|', '/')} |")
    parts = [INTRODUCTION]
    for group, rows in groups.items():
        parts += [f"## {group}\n", "| | address | |\n|---|---|---|", *rows, ""]
    return "\n".join(parts).rstrip() + "\n"
