"""moto's S3 for tests: in this process, on loopback, over a real socket."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import boto3
from botocore.config import Config
from moto.moto_server.werkzeug_app import (
    DomainDispatcherApplication,
    MotoRequestHandler,
    create_backend_app,
)
from werkzeug.serving import make_server

BUCKET, KEY, SECRET = "clips", "TESTKEY", "TESTSECRET123"

Application = Callable[..., Any]


def storage_url(endpoint: str) -> str:
    """What STORAGE_URL says of the bucket at `endpoint`."""
    where = endpoint.removeprefix("http://")
    return f"s3://{KEY}:{SECRET}@{where}/{BUCKET}?scheme=http"


def options(endpoint: str) -> dict[str, Any]:
    """As annotation_platform.settings makes them from STORAGE_URL."""
    from annotation_platform.settings import _media_storage

    return _media_storage(storage_url(endpoint))


def use(settings: Any, endpoint: str) -> None:
    settings.STORAGES = {**settings.STORAGES, "media": options(endpoint)}


def boto(endpoint: str) -> Any:
    return boto3.client(
        "s3", endpoint_url=endpoint, aws_access_key_id=KEY, aws_secret_access_key=SECRET,
        region_name="us-east-1",
        config=Config(signature_version="s3v4", s3={"addressing_style": "path"}),
    )  # fmt: skip


@contextmanager
def serve_moto(around: Callable[[Application], Application] = lambda app: app) -> Iterator[str]:
    """A running moto; its address. `around` may wrap its WSGI application."""
    app = around(DomainDispatcherApplication(create_backend_app))
    server = make_server("127.0.0.1", 0, app, threaded=True, request_handler=MotoRequestHandler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
