"""Fixtures of this floor. Models are imported late: this file is read before the settings are."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from pytest_django import Settings

if TYPE_CHECKING:
    from contractors.models import User
    from videos.models import Video


@pytest.fixture(autouse=True)
def media_root(tmp_path: Path, settings: Settings) -> Path:
    """Each test keeps its files to itself."""
    root = tmp_path / "media"
    root.mkdir()
    backend = "django.core.files.storage.FileSystemStorage"
    settings.STORAGES = {
        **settings.STORAGES,
        "media": {"BACKEND": backend, "OPTIONS": {"location": str(root)}},
    }
    return root


@pytest.fixture
def manager_user(db: None) -> User:
    from contractors.models import User

    return User.objects.create_user("mira@example.com", "pw", roles=["manager"], name="Mira")


@pytest.fixture
def contractor_user(db: None) -> User:
    from contractors.models import User

    return User.objects.create_user("carl@example.com", "pw", roles=["contractor"], name="Carl")


@pytest.fixture
def register(manager_user: User) -> Callable[[Path], Video]:
    """Register a file by its path."""
    from videos.services import register_video

    def _register(path: Path) -> Video:
        with path.open("rb") as file:
            return register_video(actor=manager_user, file=file)

    return _register


@pytest.fixture(scope="session")
def moto_server() -> Iterator[str]:
    from tests.s3 import serve_moto

    with serve_moto() as endpoint:
        yield endpoint


@pytest.fixture
def moto_s3(moto_server: str, settings: Settings) -> Any:
    """Storage is moto's, empty; the boto3 client of it."""
    import requests

    from tests.s3 import BUCKET, boto, use

    requests.post(f"{moto_server}/moto-api/reset", timeout=5)
    client = boto(moto_server)
    client.create_bucket(Bucket=BUCKET)
    use(settings, moto_server)
    return client
