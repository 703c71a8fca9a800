"""Short-lived links to media, and what they grant.

Who may have a link is decided by whoever hands it out (the holder of a live assignment, its
reviewer, a manager). The link itself is a bearer token: signed, for one object, good for at most
an hour by default. It works without cookies, because a `<video>` element of another origin, a
download tool and S3 work that way; whoever it was made for is in it, and so in the access log.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, cast

from django.contrib.auth.base_user import AbstractBaseUser
from django.core import signing
from django.db.models import Prefetch, prefetch_related_objects
from django.urls import reverse

from videos import rules, storage
from videos.filmstrip import Filmstrip, webvtt
from videos.models import Video, VideoJob
from videos.problems import LinkNotValid, NotAvailable

SALT = "videos.media"
DEFAULT_SECONDS = 3600
KINDS = ("source", "proxy", "peaks", "large")
# What a page that plays the video needs; the other stages' results are long and not for it.
PLAYED = ("proxy", "filmstrip", "peaks", "large")


@dataclass(frozen=True)
class Grant:
    """What a local link allows: reading one object until `expires` (Unix seconds)."""

    key: str
    user_id: int
    expires: int


def media_url(
    video: Video, *, user: AbstractBaseUser, kind: str = "source", seconds: int = DEFAULT_SECONDS
) -> str:
    """A link to the video's `source`, `proxy` or `peaks` for `user`, good for `seconds`.

    Asked for a proxy that has not been made yet, raises `NotAvailable` (see `playable`).
    The caller has decided that `user` may see the video. Local storage gives a path on this
    site, S3 a presigned GET.
    """
    return object_url(key_of(video, kind), user=user, seconds=seconds)


def playable(
    video: Video, *, user: AbstractBaseUser, seconds: int = DEFAULT_SECONDS
) -> dict[str, Any]:
    """What a browser plays: the proxy, or the source while there is no proxy.

    Returns `{"url", "kind", "zero_seconds", "expires_at"}`: frame `i` is on screen at
    `times.seconds(i) - zero_seconds` of that file's own clock (a proxy starts at zero).
    """
    expires_at = datetime.fromtimestamp(int(time.time()) + seconds, UTC)
    try:
        url, kind = media_url(video, user=user, kind="proxy", seconds=seconds), "proxy"
    except NotAvailable:
        url, kind = media_url(video, user=user, kind="source", seconds=seconds), "source"
    zero = float(video.times.seconds(0)) if kind == "proxy" and video.frame_times else 0.0
    return {"url": url, "kind": kind, "zero_seconds": zero, "expires_at": expires_at}


def whole_media(
    video: Video, *, user: AbstractBaseUser, seconds: int = DEFAULT_SECONDS
) -> dict[str, Any]:
    """All that a workbench plays and draws, in one query, every link good until `expires_at`.

    `playable`, and beside it `filmstrip` (as :func:`filmstrip`), `peaks` (a link) and `large`
    (`{"state", "url"}`, the 720p proxy, see `services.want_large`); each None while there is none.
    The caller has decided that `user` may see the video.
    """
    prefetch_related_objects(
        [video],
        Prefetch("jobs", VideoJob.objects.filter(stage__in=PLAYED), to_attr="played_jobs"),
    )
    large = next((j for j in _jobs(video) if j.stage == VideoJob.Stage.LARGE), None)
    return {
        **playable(video, user=user, seconds=seconds),
        "filmstrip": _or_none(lambda: filmstrip(video, user=user, seconds=seconds)),
        "peaks": _or_none(lambda: media_url(video, user=user, kind="peaks", seconds=seconds)),
        "large": large
        and {
            "state": large.state,
            "url": _or_none(lambda: media_url(video, user=user, kind="large", seconds=seconds)),
        },
    }


def _or_none(make: Callable[[], Any]) -> Any:
    try:
        return make()
    except NotAvailable:
        return None


def filmstrip(
    video: Video, *, user: AbstractBaseUser, seconds: int = DEFAULT_SECONDS
) -> dict[str, Any]:
    """The filmstrip: which frame each tile shows, its geometry, and a link to each sheet.

    `{"tile_width", "tile_height", "columns", "rows", "frames": [...], "sheets": [url, ...]}`:
    tile `n` is in sheet `n // (columns * rows)`, row by row. Raises `NotAvailable`.
    """
    result = _result(video, VideoJob.Stage.FILMSTRIP)
    sheets = [
        object_url(result["files"][name], user=user, seconds=seconds) for name in result["sheets"]
    ]
    names = ("tile_width", "tile_height", "columns", "rows", "frames")
    return {**{name: result[name] for name in names}, "sheets": sheets}


def sample_frames(
    video: Video, *, user: AbstractBaseUser, seconds: int = DEFAULT_SECONDS
) -> list[dict[str, Any]]:
    """Pictures that the screening kept: `[{"frame", "url"}, …]`, those of its warnings included."""
    files: dict[str, str] = _result(video, VideoJob.Stage.SCREEN)["files"]
    frames = sorted((int(name.split("-")[1].split(".")[0]), key) for name, key in files.items())
    return [
        {"frame": frame, "url": object_url(key, user=user, seconds=seconds)}
        for frame, key in frames
    ]


def filmstrip_vtt(video: Video, *, user: AbstractBaseUser, seconds: int = DEFAULT_SECONDS) -> str:
    """The filmstrip as WebVTT thumbnails with signed links. Raises `NotAvailable`."""
    strip = filmstrip(video, user=user, seconds=seconds)
    return webvtt(Filmstrip(**strip), video.times, strip["sheets"])


def key_of(video: Video, kind: str) -> str:
    """The storage key of one of KINDS. Raises `NotAvailable`."""
    if kind == "source":
        return video.key
    if kind not in KINDS:
        raise NotAvailable(f"There is nothing called {kind!r}.")
    files: dict[str, str] = _result(video, kind)["files"]
    return next(iter(files.values()))


def _result(video: Video, stage: str) -> dict[str, Any]:
    # The result stays while a stage is being run again; `all()` so that a prefetch is used.
    for job in _jobs(video):
        if job.stage == stage and job.result is not None:
            return cast("dict[str, Any]", job.result)
    raise NotAvailable(f"The {stage} of this video has not been made yet.")


def _jobs(video: Video) -> Iterable[VideoJob]:
    played: list[VideoJob] | None = getattr(video, "played_jobs", None)
    return video.jobs.all() if played is None else played


def object_url(key: str, *, user: AbstractBaseUser, seconds: int = DEFAULT_SECONDS) -> str:
    """A link to any object by its key. The caller has decided that `user` may read it."""
    return object_url_for(user.pk, key, seconds=seconds)


def object_url_for(user_id: int, key: str, *, seconds: int = DEFAULT_SECONDS) -> str:
    """`object_url` where only the person's id is known."""
    if storage.is_local():
        grant = {"k": key, "u": user_id, "e": int(time.time()) + seconds}
        return _local_address().replace("TOKEN", signing.dumps(grant, salt=SALT))
    media: Any = storage.media()
    parameters = {
        "ResponseContentType": rules.content_type(key),
        "ResponseCacheControl": f"private, max-age={seconds}",
    }
    return str(media.url(key, parameters=parameters, expire=seconds))


@lru_cache(maxsize=1)
def _local_address() -> str:
    # Looking it up costs as much as the signature, and a page has hundreds of links.
    return reverse("media", args=["TOKEN"])


def read_grant(token: str) -> Grant:
    """What a local link allows. Raises `LinkNotValid` when it is forged or has expired."""
    try:
        grant = signing.loads(token, salt=SALT)
        found = Grant(str(grant["k"]), int(grant["u"]), int(grant["e"]))
    except (signing.BadSignature, KeyError, TypeError, ValueError) as error:
        raise LinkNotValid() from error
    if found.expires < time.time():
        raise LinkNotValid("The link has expired.")
    return found
