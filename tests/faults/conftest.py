"""Real processes against the test database: what happens when one of them dies.

All fixtures are transactional (another process sees only committed rows) and use a broker of
their own. Nothing is started by asking for `worker_process` or `web_server`: call `.start()`
when the test's scene is set, so that a test decides what runs when.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import pytest
from django.conf import settings
from django.db import connection

from annotation_platform.celery import app
from tests.faults.processes import Broker, WebServer, Worker


def _publish_to(url: str) -> None:
    """Point this process's Celery application at `url`, dropping pooled connections."""
    app.conf.update(broker_url=url)
    # What Celery itself does after a fork, to forget the connections of before.
    app._after_fork()  # type: ignore[attr-defined]


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    """A running broker of this test alone; jobs published by the test go there.

    `broker.lose()` kills it with everything queued, `broker.restart()` brings it back empty on
    the same port, `broker.restart_elsewhere()` on another one.
    """
    before = app.conf.broker_url
    valkey = Broker(tmp_path / "broker", _publish_to)
    valkey.start()
    try:
        yield valkey
    finally:
        _publish_to(before)
        valkey.stop()


@pytest.fixture
def server_environment(broker: Broker, transactional_db: None, tmp_path: Path) -> dict[str, str]:
    """Environment for a process of the platform on this test's database and broker.

    Change it before `.start()`, for example `SWEEP_SECONDS`.
    """
    parts = urlsplit(os.environ["DATABASE_URL"])
    database = urlunsplit(parts._replace(path=f"/{connection.settings_dict['NAME']}"))
    return os.environ | {
        "DATABASE_URL": database,
        "REDIS_URL": broker.url,
        "DJANGO_SETTINGS_MODULE": "annotation_platform.settings",
        "PLATFORM_TESTING": "1",
        "PYTHONUNBUFFERED": "1",
        "SWEEP_SECONDS": "1",
        "GATHER_JOBS_SECONDS": "0.2",
        "MEDIA_ROOT": str(settings.MEDIA_ROOT),
    }


@pytest.fixture
def worker_process(server_environment: dict[str, str], tmp_path: Path) -> Iterator[Worker]:
    """A Celery worker, not started: `.start()`, `.kill()` (SIGKILL), `.stop()`, `.suspend()`.

    `.with_beat = True` before the start lets it run the sweeps each second.
    """
    worker = Worker("worker", tmp_path, server_environment)
    try:
        yield worker
    finally:
        worker.stop()


@pytest.fixture
def web_server(server_environment: dict[str, str], tmp_path: Path) -> Iterator[WebServer]:
    """A granian web server, not started: `.start()`, then `.url`; `.kill()`, `.stop()`."""
    server = WebServer("web", tmp_path, server_environment)
    try:
        yield server
    finally:
        server.stop()
