"""The scaffolding itself: processes start, work on the test's rows, die and come back."""

from __future__ import annotations

import urllib.request
from datetime import timedelta

import pytest
import redis
from django.test import Client
from django.utils import timezone
from kombu.exceptions import OperationalError

from annotation_platform.api.jobs import purge_idempotency_keys
from annotation_platform.api.models import StoredAnswer
from tests import factories
from tests.faults.processes import Broker, WebServer, Worker, eventually
from tests.processes import alive_in_group

pytestmark = pytest.mark.faults


def old_answer(key: str) -> StoredAnswer:
    """A stored answer that the job has to delete."""
    answer = StoredAnswer.objects.create(
        user=factories.user(), key=key, request_sha256="0" * 64, status=201
    )
    StoredAnswer.objects.filter(pk=answer.pk).update(created_at=timezone.now() - timedelta(days=9))
    return answer


def is_gone(answer: StoredAnswer) -> bool:
    return not StoredAnswer.objects.filter(pk=answer.pk).exists()


def test_a_killed_worker_leaves_the_queue_and_its_successor_works_it_off(
    broker: Broker, worker_process: Worker
) -> None:
    first = old_answer("first")
    worker_process.start()
    purge_idempotency_keys.delay()
    eventually(lambda: is_gone(first), what="the job of the first worker")

    pid = worker_process.pid
    assert len(alive_in_group(pid)) == 2  # the worker and its prefork child
    worker_process.kill()
    assert alive_in_group(pid) == set()
    second = old_answer("second")
    purge_idempotency_keys.delay()
    assert redis.Redis.from_url(broker.url).llen("default") == 1
    worker_process.start()
    eventually(lambda: is_gone(second), what="the job of the second worker")
    assert worker_process.received("api.purge_idempotency_keys")


@pytest.mark.django_db(transaction=True)
def test_a_lost_broker_refuses_and_comes_back_empty(broker: Broker) -> None:
    purge_idempotency_keys.delay()
    broker.restart()
    assert redis.Redis.from_url(broker.url).llen("default") == 0
    purge_idempotency_keys.delay()
    assert redis.Redis.from_url(broker.url).llen("default") == 1

    broker.lose()
    with pytest.raises(OperationalError):
        purge_idempotency_keys.delay()

    broker.restart_elsewhere()
    purge_idempotency_keys.delay()
    assert redis.Redis.from_url(broker.url).llen("default") == 1


def test_the_web_server_sees_the_rows_of_the_test(web_server: WebServer, client: Client) -> None:
    administrator = factories.user(email="who@example.org")
    administrator.is_staff = administrator.is_superuser = True
    administrator.save()
    client.force_login(administrator)
    cookie = f"sessionid={client.cookies['sessionid'].value}"
    web_server.start()
    request = urllib.request.Request(f"{web_server.url}/admin/", headers={"Cookie": cookie})
    with urllib.request.urlopen(request, timeout=10) as answer:
        assert answer.url == f"{web_server.url}/admin/"  # not sent on to the log-in
        assert b"who@example.org" in answer.read()
