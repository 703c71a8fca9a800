"""Test session: throw-away PostgreSQL and Valkey, started before Django reads its settings.

pytest-django is told the settings module here and not in pyproject.toml: named there, it would
read the settings before this file could start the services.

Set PLATFORM_TEST_EXTERNAL=1 together with DATABASE_URL and REDIS_URL to test against services of
your own (the role must be allowed to create databases and extensions).
"""

from __future__ import annotations

import os
import signal
from pathlib import Path
from types import FrameType

import pytest

from annotation_platform.embedded.throwaway import ThrowAwayServices

PROJECT_ROOT = Path(__file__).resolve().parent.parent

_services: ThrowAwayServices | None = None


def pytest_configure(config: pytest.Config) -> None:
    """Start the services once: in the controller; xdist's workers inherit the environment."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "annotation_platform.settings")
    os.environ["PLATFORM_TESTING"] = "1"
    os.environ.pop("STORAGE_URL", None)
    _start_services(config)
    import django  # only now: the settings read the addresses of the services

    django.setup()  # before collection, which imports models


def _start_services(config: pytest.Config) -> None:
    global _services
    is_worker = hasattr(config, "workerinput")
    if is_worker or os.environ.get("PLATFORM_TEST_EXTERNAL") == "1":
        return
    if config.option.help or config.option.collectonly:
        return
    # `timeout` and CI runners end a run with SIGTERM: clean up as for Ctrl-C.
    signal.signal(signal.SIGTERM, _stop_as_for_ctrl_c)
    _services = ThrowAwayServices()
    for name in ("media", "static"):  # never the kept data of `make run`
        (_services.home / name).mkdir()
        os.environ[f"{name.upper()}_ROOT"] = str(_services.home / name)
    _services.export()


def pytest_unconfigure() -> None:
    """Stop and delete the services, whatever the outcome of the tests."""
    global _services
    services, _services = _services, None
    if services is not None:
        services.stop()


def _stop_as_for_ctrl_c(signum: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


@pytest.fixture(scope="session")
def project_root() -> Path:
    """The directory that holds manage.py."""
    return PROJECT_ROOT


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Real videos and annotations beside the project; the test is skipped where they are absent."""
    path = PROJECT_ROOT.parent / "shared" / "data"
    if not path.is_dir():
        pytest.skip("real data is not there: no ../shared/data beside the project")
    return path
