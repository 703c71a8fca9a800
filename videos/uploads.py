"""Uploads straight to S3: the bytes of a video never pass through a web server.

Announce (size and checksum) → send the parts with presigned requests, in any order, again after a
break → complete: the server looks (HEAD) and hands it to a registration of one row, whose worker
reads the checksum and registers the video.
"""

from __future__ import annotations

import secrets
from contextlib import suppress
from datetime import timedelta
from typing import Any

from django.contrib.auth.base_user import AbstractBaseUser
from django.db import transaction

from annotation_platform.api.problems import Problem
from annotation_platform.clock import database_now
from videos import registrations, rules, storage
from videos.models import Registration, RegistrationRow, Upload, Video
from videos.problems import (
    FileTooLarge,
    NotInStorage,
    RegistrationHasEnded,
    RegistrationIsOpen,
    UploadRefused,
    VideoAlreadyRegistered,
)

PART_BYTES = 16 * rules.MEBIBYTE
MOST_BYTES = 64 * 1024 * rules.MEBIBYTE
SINGLE_POST_BYTES = PART_BYTES
LINK_SECONDS = 3600
KEEP_DAYS = 7


class DirectUploadOff(UploadRefused):
    slug, status = "direct-upload-off", 409
    title = "Storage is local here: upload with POST /api/v1/videos/ instead."


class UploadNotOpen(UploadRefused):
    slug, status = "upload-not-open", 409
    title = "This upload is no longer open."


def begin(
    *, actor: AbstractBaseUser | None, filename: str, size_bytes: int, sha256: str, title: str = ""
) -> Upload:
    """Announce an upload of `size_bytes` bytes with the SHA-256 `sha256` (hex).

    Raises `VideoAlreadyRegistered` before a byte is sent, `FileTooLarge`, `DirectUploadOff`.
    """
    if storage.is_local():
        raise DirectUploadOff()
    if size_bytes > MOST_BYTES:
        raise FileTooLarge(f"At most {MOST_BYTES} bytes.")
    existing = Video.objects.filter(sha256=sha256).first()
    if existing is not None:
        raise VideoAlreadyRegistered(
            f"Its content is that of video {existing.pk}.", video=existing.pk
        )
    key = rules.arrival_key(secrets.token_hex(16), filename)
    upload_id = ""
    if size_bytes > SINGLE_POST_BYTES:
        answer = storage.client().create_multipart_upload(
            Bucket=_bucket(), Key=key, ContentType=rules.content_type(key)
        )
        upload_id = answer["UploadId"]
    return Upload.objects.create(
        key=key,
        upload_id=upload_id,
        title=title or rules.title_of(filename),
        sha256=sha256,
        size_bytes=size_bytes,
        part_bytes=PART_BYTES,
        created_by_id=actor.pk if actor is not None else None,
    )


def requests_for(upload: Upload) -> dict[str, Any]:
    """What is still to be sent, as presigned requests good for an hour; ask again to resume.

    A small file: `{"post": {"url", "fields"}}` for a form with the file as its last field.
    Otherwise `{"parts": [{"number", "start", "end", "url"}, …]}`: PUT bytes `[start, end)` to each.
    """
    if upload.state != Upload.State.OPEN:
        raise UploadNotOpen()
    s3 = storage.client()
    if not upload.upload_id:
        kind = rules.content_type(upload.key)
        size = upload.size_bytes
        post = s3.generate_presigned_post(
            Bucket=_bucket(),
            Key=upload.key,
            Fields={"Content-Type": kind},
            Conditions=[{"Content-Type": kind}, ["content-length-range", size, size]],
            ExpiresIn=LINK_SECONDS,
        )
        return {"post": post, "parts": []}
    there = {number for number, _, size in _parts(upload) if size == _part_size(upload, number)}
    parts = []
    for number in range(1, upload.part_count + 1):
        if number in there:
            continue
        start = (number - 1) * upload.part_bytes
        url = s3.generate_presigned_url(
            "upload_part",
            Params={
                "Bucket": _bucket(),
                "Key": upload.key,
                "UploadId": upload.upload_id,
                "PartNumber": number,
            },
            ExpiresIn=LINK_SECONDS,
        )
        parts.append(
            {
                "number": number,
                "start": start,
                "end": start + _part_size(upload, number),
                "url": url,
            }
        )
    return {"post": None, "parts": parts}


def complete(*, actor: AbstractBaseUser | None, upload: Upload) -> Upload:
    """Put the parts together, look how long the whole is, and have a worker read it. Idempotent.

    Nothing is read here. The checksum and duplicates are a worker's: the upload is `registering`
    until then, as a registration of one row, and `completed` or `refused` afterwards. Completing it
    again takes up a registration that failed or was cancelled.

    Side effects: the object; the registration and its event `registration.begun`. Storage is asked
    before any row is locked.

    Raises `UploadRefused` when parts are missing (it stays open: send them and complete again), or
    when the size differs from what was announced (the object is deleted), `NotInStorage`,
    `UploadNotOpen`.
    """
    upload = Upload.objects.get(pk=upload.pk)
    arrived = 0
    if upload.state == Upload.State.OPEN:
        try:
            arrived = _arrived(upload)
        except Problem:
            upload.refresh_from_db()
            if upload.state == Upload.State.OPEN:
                raise  # else somebody else completed it meanwhile
    with transaction.atomic():
        locked = Upload.objects.select_for_update(no_key=True).get(pk=upload.pk)
        if locked.state == Upload.State.OPEN:
            if arrived != locked.size_bytes:
                _abandon(locked)
            else:
                _hand_over(actor, locked)
    match locked.state:
        case Upload.State.COMPLETED:
            return locked
        case Upload.State.REGISTERING:
            return _taken_up(actor, locked)
    if upload.state == Upload.State.OPEN:
        raise UploadRefused(f"{arrived} bytes arrived, {locked.size_bytes} were announced.")
    raise UploadNotOpen(_row_of(locked).detail if locked.row_id else "")


def _arrived(upload: Upload) -> int:
    if upload.upload_id:
        _join(upload)
    return _head(upload)


def _hand_over(actor: AbstractBaseUser | None, upload: Upload) -> None:
    registration = registrations.begin(
        actor=actor,
        kind=Registration.Kind.UPLOAD,
        name=upload.title,
        rows=[
            {
                "key": upload.key,
                "path": upload.title,
                "title": upload.title,
                "sha256": upload.sha256,
            }
        ],
    )
    upload.state, upload.row = Upload.State.REGISTERING, registration.rows.get()
    upload.save(update_fields=["state", "row"])


def _taken_up(actor: AbstractBaseUser | None, upload: Upload) -> Upload:
    registration = _row_of(upload).registration
    if registration.state in (Registration.State.FAILED, Registration.State.CANCELLED):
        with suppress(RegistrationHasEnded, RegistrationIsOpen):  # somebody else did
            registrations.resume(actor=actor, registration=registration)
    return Upload.objects.get(pk=upload.pk)


def _row_of(upload: Upload) -> RegistrationRow:
    return RegistrationRow.objects.select_related("registration").get(upload=upload)


def abandon(*, actor: AbstractBaseUser | None, upload: Upload) -> None:
    """Give an open upload up and remove what arrived of it. Idempotent.

    Raises `UploadNotOpen` once it is handed over: its registration can be cancelled then.
    """
    with transaction.atomic():
        locked = Upload.objects.select_for_update(no_key=True).get(pk=upload.pk)
        if locked.state == Upload.State.OPEN:
            _abandon(locked)
        elif locked.state == Upload.State.REGISTERING:
            which = _row_of(locked).registration_id
            raise UploadNotOpen(f"Its content is being looked at: cancel registration {which}.")


def abandon_old(limit: int = 20) -> int:
    """Give up uploads that nobody completed within KEEP_DAYS. Part of the sweep."""
    before = database_now() - timedelta(days=KEEP_DAYS)
    old = Upload.objects.filter(state=Upload.State.OPEN, created_at__lt=before)[:limit]
    for upload in old:
        abandon(actor=None, upload=upload)
    return len(old)


def _abandon(upload: Upload) -> None:
    if upload.upload_id:
        s3 = storage.client()
        with suppress(s3.exceptions.ClientError):  # it was completed, or is gone already
            s3.abort_multipart_upload(Bucket=_bucket(), Key=upload.key, UploadId=upload.upload_id)
    storage.media().delete(upload.key)
    upload.state = Upload.State.ABANDONED
    upload.save(update_fields=["state"])


def _join(upload: Upload) -> None:
    parts = list(_parts(upload))
    if not parts and storage.media().exists(upload.key):
        return  # joined before we crashed
    wrong = [
        n
        for n in range(1, upload.part_count + 1)
        if (n, _part_size(upload, n)) not in {(number, size) for number, _, size in parts}
    ]
    if wrong:
        raise UploadRefused(f"{len(wrong)} parts are missing or of a wrong size.", parts=wrong)
    s3 = storage.client()
    try:
        s3.complete_multipart_upload(
            Bucket=_bucket(),
            Key=upload.key,
            UploadId=upload.upload_id,
            MultipartUpload={"Parts": [{"PartNumber": n, "ETag": etag} for n, etag, _ in parts]},
        )
    except s3.exceptions.ClientError as error:
        if error.response["Error"]["Code"] != "NoSuchUpload":  # else somebody joined them just now
            raise


def _parts(upload: Upload) -> list[tuple[int, str, int]]:
    """(number, ETag, size) of the parts that storage has."""
    s3 = storage.client()
    try:
        pages = s3.get_paginator("list_parts").paginate(
            Bucket=_bucket(), Key=upload.key, UploadId=upload.upload_id
        )
        return [
            (part["PartNumber"], part["ETag"], part["Size"])
            for page in pages
            for part in page.get("Parts", [])
        ]
    except s3.exceptions.ClientError as error:
        if error.response["Error"]["Code"] == "NoSuchUpload":
            return []
        raise


def _head(upload: Upload) -> int:
    s3 = storage.client()
    try:
        return int(s3.head_object(Bucket=_bucket(), Key=upload.key)["ContentLength"])
    except s3.exceptions.ClientError as error:
        raise NotInStorage("Nothing has arrived yet.") from error


def _part_size(upload: Upload, number: int) -> int:
    if number < upload.part_count:
        return upload.part_bytes
    return upload.size_bytes - upload.part_bytes * (upload.part_count - 1)


def _bucket() -> str:
    return str(storage.media().bucket_name)  # type: ignore[attr-defined]
