"""Content that nobody has looked at: files of a form, stored as they arrive, and direct uploads.

The job looks at it; what is refused is deleted.

A row of a registration owns the object at its `key` while it `is_staged`. It becomes the video's
with the row's registration; a refused row's is deleted, now or by the sweep.
"""

from __future__ import annotations

import logging
import secrets
from collections.abc import Iterable
from datetime import timedelta

from django.core.files.base import File
from django.db import transaction
from django.db.models import F

from annotation_platform.clock import database_now
from videos import rules, storage
from videos.models import Registration, RegistrationRow, Upload, Video
from videos.problems import UploadGivenUp

logger = logging.getLogger(__name__)

KEEP_DAYS = 7
BATCH = 50


def row_of(filename: str) -> dict[str, str]:
    """The row for a file of this name: a key of its own, and a title for people."""
    key = rules.arrival_key(secrets.token_hex(16), filename)
    return {"key": key, "path": filename or "-", "title": rules.title_of(filename)}


def store(registration: Registration, files: Iterable[File[bytes]]) -> None:
    """Store `files` under the keys of the registration's rows, in their order. Hashes nothing."""
    for row, file in zip(registration.rows.order_by("number"), files, strict=True):
        file.seek(0)
        storage.save_as(row.key, file, file.size)


def discard(row: RegistrationRow) -> None:
    """Delete the object of a refused row. Idempotent; what fails is left to the sweep."""
    try:
        if not Video.objects.filter(key=row.key).exists():  # somebody's manifest named it
            storage.media().delete(row.key)
    except Exception:  # whatever storage raises
        logger.warning("%s of a refused row could not be deleted.", row.key, exc_info=True)
        return
    RegistrationRow.objects.filter(pk=row.pk, is_staged=True).update(is_staged=False, key="")


def settle(row: RegistrationRow) -> None:
    """Say on the upload that was handed over as `row`, if any, what became of it.

    In the transaction of the row's own verdict, after it.
    """
    handed = Upload.objects.filter(row=row, state=Upload.State.REGISTERING)
    if row.state == RegistrationRow.State.REGISTERED:
        handed.update(state=Upload.State.COMPLETED, video=row.video)
    elif row.state == RegistrationRow.State.REFUSED:
        handed.update(state=Upload.State.REFUSED)


def sweep() -> None:
    """Delete what refused rows left, and give up what nobody went on with within KEEP_DAYS."""
    staged = RegistrationRow.objects.filter(is_staged=True).select_related("registration")
    before = database_now() - timedelta(days=KEEP_DAYS)
    for row in staged.filter(
        state=RegistrationRow.State.WAITING, registration__finished_at__lt=before
    )[:BATCH]:
        _give_up(row)
    for row in staged.filter(state=RegistrationRow.State.REFUSED)[:BATCH]:
        discard(row)


def _give_up(row: RegistrationRow) -> None:
    with transaction.atomic():
        registration = Registration.objects.select_for_update(no_key=True).get(
            pk=row.registration_id
        )
        if not registration.has_ended:
            return  # somebody resumed it meanwhile
        RegistrationRow.objects.filter(pk=row.pk, state=RegistrationRow.State.WAITING).update(
            state=RegistrationRow.State.REFUSED,
            problem=UploadGivenUp.slug,
            detail=f"Nobody went on with it within {KEEP_DAYS} days.",
        )
        row.refresh_from_db()
        settle(row)
        Registration.objects.filter(pk=registration.pk).update(refused_count=F("refused_count") + 1)
