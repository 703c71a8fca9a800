"""`GET /health/`: is this web process able to serve? For load balancers and container checks."""

from __future__ import annotations

from django.core.cache import cache
from django.db import OperationalError, connection
from django.http import HttpRequest, JsonResponse


def health(request: HttpRequest) -> JsonResponse:
    """Report on what the process stands on; public, names nothing but states.

    Returns:
        200 when the database answers, 503 when it does not. A lost broker or cache is reported
        but stays 200: it costs delay (the sweeps find the work), and taking every web process
        out of service for it would make things worse.
    """
    database = broker = "ok"
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except OperationalError:
        database = "lost"
    try:
        cache.get("health")
    except Exception:  # whatever the client library raises, the answer is the same
        broker = "lost"
    return JsonResponse(
        {"database": database, "broker": broker},
        status=200 if database == "ok" else 503,
        headers={"Cache-Control": "no-store"},
    )
