from __future__ import annotations

import pytest
from django.db import OperationalError, connection
from django.test import Client
from pytest_django.fixtures import Settings


@pytest.mark.django_db
def test_healthy_without_signing_in(client: Client) -> None:
    answer = client.get("/health/")
    assert answer.status_code == 200
    assert answer.json() == {"database": "ok", "broker": "ok"}
    assert answer["Cache-Control"] == "no-store"


@pytest.mark.django_db
def test_a_lost_database_takes_the_process_out_of_service(client: Client) -> None:
    def refuse(*arguments: object) -> None:
        raise OperationalError("gone")

    with connection.execute_wrapper(refuse):
        answer = client.get("/health/")
    assert answer.status_code == 503
    assert answer.json()["database"] == "lost"


@pytest.mark.django_db
def test_a_lost_broker_is_said_but_keeps_serving(client: Client, settings: Settings) -> None:
    broken = {**settings.CACHES["default"], "LOCATION": "redis://127.0.0.1:1/0"}
    settings.CACHES = {"default": broken}
    answer = client.get("/health/")
    assert answer.status_code == 200
    assert answer.json() == {"database": "ok", "broker": "lost"}
