from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import time_machine
from django.core import signing
from django.test import Client

from contractors.models import User
from tests.videos.files import named
from videos import links, services
from videos.models import Video
from videos.problems import NotAvailable
from videos.ranges import NotSatisfiable, wanted_range

BODY = bytes(range(256)) * 4


@pytest.fixture
def video(manager_user: User) -> Video:
    return services.register_video(actor=manager_user, file=named(BODY))


@pytest.fixture
def get(video: Video, manager_user: User, client: Client) -> Callable[..., Any]:
    url = links.media_url(video, user=manager_user)

    def _get(method: str = "get", **headers: str) -> Any:
        response = getattr(client, method)(url, headers=headers)
        response.body = b"" if method == "head" else response.getvalue()
        return response

    return _get


def test_the_whole_file(get: Callable[..., Any]) -> None:
    response = get()
    assert response.status_code == 200
    assert response.body == BODY
    assert response["Content-Length"] == "1024"
    assert response["Accept-Ranges"] == "bytes"
    assert response["Content-Type"] == "video/mp4"
    assert response["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize(
    ("asked", "part", "content_range"),
    [
        ("bytes=0-0", BODY[:1], "bytes 0-0/1024"),
        ("bytes=0-", BODY, "bytes 0-1023/1024"),
        ("bytes=100-199", BODY[100:200], "bytes 100-199/1024"),
        ("bytes=1000-9999", BODY[1000:], "bytes 1000-1023/1024"),
        ("bytes=-24", BODY[-24:], "bytes 1000-1023/1024"),
        ("bytes=-9999", BODY, "bytes 0-1023/1024"),
        ("Bytes=1023-1023", BODY[1023:], "bytes 1023-1023/1024"),
    ],
)
def test_a_range_gets_206(
    get: Callable[..., Any], asked: str, part: bytes, content_range: str
) -> None:
    response = get(range=asked)
    assert response.status_code == 206
    assert response.body == part
    assert response["Content-Range"] == content_range
    assert response["Content-Length"] == str(len(part))


@pytest.mark.parametrize("asked", ["bytes=1024-", "bytes=5000-6000", "bytes=-0"])
def test_a_range_outside_gets_416(get: Callable[..., Any], asked: str) -> None:
    response = get(range=asked)
    assert response.status_code == 416
    assert response["Content-Range"] == "bytes */1024"
    assert response.body == b""


@pytest.mark.parametrize(
    "asked", ["items=0-1", "bytes=5-2", "bytes=", "bytes=-", "bytes=0-1,4-5", "bytes=a-b"]
)
def test_what_is_no_single_range_gets_the_whole(get: Callable[..., Any], asked: str) -> None:
    response = get(range=asked)
    assert (response.status_code, response.body) == (200, BODY)


def test_if_range_guards_against_a_changed_file(get: Callable[..., Any]) -> None:
    first = get()
    for value, status in [
        (first["ETag"], 206),
        (first["Last-Modified"], 206),
        ('"other"', 200),
        ("Thu, 01 Jan 1970 00:00:00 GMT", 200),
        ("W/" + first["ETag"], 200),  # a weak tag never matches
    ]:
        response = get(range="bytes=10-19", **{"if-range": value})
        assert response.status_code == status, value
        assert response.body == (BODY[10:20] if status == 206 else BODY)


def test_head_has_the_headers_of_get_and_no_body(get: Callable[..., Any]) -> None:
    for headers in ({}, {"range": "bytes=-24"}):
        head, full = get("head", **headers), get(**headers)
        assert head.status_code == full.status_code
        assert head.content == b""
        for name in ("Content-Length", "ETag", "Accept-Ranges"):
            assert head[name] == full[name]


def test_an_unchanged_file_is_not_sent_again(get: Callable[..., Any]) -> None:
    etag = get()["ETag"]
    assert get(**{"if-none-match": etag}).status_code == 304
    assert get(**{"if-none-match": f'"x", W/{etag}'}).status_code == 304
    assert get(**{"if-none-match": '"x"'}).status_code == 200


def test_writing_methods_are_refused(get: Callable[..., Any]) -> None:
    for method in ("post", "put", "delete"):
        assert get(method).status_code == 405


def test_forged_and_expired_links_get_403(video: Video, manager_user: User, client: Client) -> None:
    url = links.media_url(video, user=manager_user, seconds=60)
    token = url.rsplit("/", 1)[1]
    swapped = token[:-1] + ("A" if token[-1] != "A" else "B")
    other_purpose = signing.dumps({"k": video.key, "u": 1, "e": 2**40}, salt="something.else")
    for bad in (swapped, "nonsense", other_purpose):
        response = client.get(f"/api/v1/media/{bad}")
        assert response.status_code == 403
        assert response.json()["type"] == "/problems/link-not-valid"
    assert client.get(url).status_code == 200
    with time_machine.travel(datetime.now(UTC) + timedelta(seconds=62)):
        assert client.get(url).status_code == 403


def test_a_vanished_file_gets_404(
    video: Video, manager_user: User, client: Client, media_root: Path
) -> None:
    url = links.media_url(video, user=manager_user)
    (media_root / video.key).unlink()
    assert client.get(url).status_code == 404


def test_names_do_not_make_a_page(manager_user: User, client: Client) -> None:
    page = services.register_video(actor=manager_user, file=named(b"<script>", "evil.html"))
    response = client.get(links.media_url(page, user=manager_user))
    assert response["Content-Type"] == "application/octet-stream"
    assert "sandbox" in response["Content-Security-Policy"]


def test_what_is_not_made_has_no_link(video: Video, manager_user: User) -> None:
    for kind in ("proxy", "peaks", "../../etc/passwd"):
        with pytest.raises(NotAvailable):
            links.media_url(video, user=manager_user, kind=kind)
    assert links.playable(video, user=manager_user)["kind"] == "source"


def test_an_empty_file_has_no_satisfiable_range() -> None:
    with pytest.raises(NotSatisfiable):
        wanted_range("bytes=0-", 0)
    with pytest.raises(NotSatisfiable):
        wanted_range("bytes=-5", 0)
    with pytest.raises(NotSatisfiable):
        wanted_range("bytes=" + "9" * 40 + "-", 100)
