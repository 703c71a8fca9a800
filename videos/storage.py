"""Where files are: Django's storage `media`, local or S3. Keys are stored, never links."""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import IO, Any

from botocore.exceptions import ClientError
from django.core.files.base import File
from django.core.files.storage import FileSystemStorage, Storage, storages

from videos.problems import NotInStorage

CHUNK = 1024 * 1024


def media() -> Storage:
    """The storage of videos and of what is made from them."""
    return storages["media"]


def is_local() -> bool:
    """Whether this process serves the files itself (else presigned links do)."""
    return isinstance(media(), FileSystemStorage)


def digest(stream: IO[bytes] | File[bytes]) -> tuple[str, int]:
    """(SHA-256 in hex, size in bytes) of what is left of a stream."""
    sha256 = hashlib.sha256()
    size = 0
    while chunk := stream.read(CHUNK):
        sha256.update(chunk)
        size += len(chunk)
    return sha256.hexdigest(), size


def save_as(key: str, stream: IO[bytes] | File[bytes], size: int) -> None:
    """Store `stream` under exactly `key`, atomically: nobody can see half a file.

    A file of the right size is kept as it is (keys of sources name their content); a leftover of
    another size is replaced.
    """
    storage = media()
    if isinstance(storage, FileSystemStorage):
        target = Path(storage.path(key))
        if target.exists() and target.stat().st_size == size:
            return
        _write_atomically(target, stream)
        return
    if storage.exists(key):
        if storage.size(key) == size:
            return
        storage.delete(key)
    saved = storage.save(key, File(stream, name=key))  # S3 shows an object only when it is whole
    if saved != key or storage.size(key) != size:
        storage.delete(saved)
        raise OSError(f"{key} was not stored as announced.")


def _write_atomically(target: Path, stream: IO[bytes] | File[bytes]) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=".part-", dir=target.parent)
    try:
        with os.fdopen(handle, "wb") as out:
            shutil.copyfileobj(stream, out, CHUNK)
            out.flush()
            os.fsync(out.fileno())
        Path(name).chmod(0o644)
        Path(name).replace(target)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


@contextmanager
def local_copy(key: str) -> Iterator[Path]:
    """A path to the object's bytes: the file itself, or a download that is deleted afterwards."""
    storage = media()
    if isinstance(storage, FileSystemStorage):
        yield Path(storage.path(key))
        return
    with tempfile.TemporaryDirectory(prefix="video-") as folder:
        path = Path(folder) / ("source" + Path(key).suffix)
        with _absent_is_not_found(key):
            client().download_file(storage.bucket_name, key, str(path))  # type: ignore[attr-defined]
        yield path


@contextmanager
def _remote(key: str) -> Iterator[IO[bytes]]:
    """The object's bytes as they come: django-storages would keep all of them in memory first."""
    bucket = media().bucket_name  # type: ignore[attr-defined]
    with _absent_is_not_found(key):
        body = client().get_object(Bucket=bucket, Key=key)["Body"]
    with closing(body):
        yield body


@contextmanager
def _absent_is_not_found(key: str) -> Iterator[None]:
    try:
        yield
    except ClientError as error:
        if error.response.get("ResponseMetadata", {}).get("HTTPStatusCode") == 404:
            raise FileNotFoundError(f"{key} is not in storage.") from error
        raise


@contextmanager
def opened(key: str) -> Iterator[IO[bytes] | File[bytes]]:
    """The object's bytes, to be read once.

    Raises `NotInStorage` when it is not there or may not be read.
    What may pass (storage cannot be reached) stays the exception that it is.
    """
    storage = media()
    try:
        if not storage.exists(key):
            raise NotInStorage(f"{key} is not in storage.")
        if isinstance(storage, FileSystemStorage):
            with storage.open(key, "rb") as stored:
                yield stored
            return
        with _remote(key) as body:
            yield body
    except (FileNotFoundError, IsADirectoryError) as error:
        raise NotInStorage(f"{key} is not a file in storage.") from error
    except PermissionError as error:
        raise NotInStorage(f"{key} may not be read.") from error
    except ClientError as error:
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 500)
        if status not in (403, 404):
            raise
        why = "may not be read" if status == 403 else "is not in storage"
        raise NotInStorage(f"{key} {why}.") from error


def delete_folder(prefix: str, *, keep: str | None = None) -> None:
    """Delete every object under `prefix` except those under `prefix + keep`. Absent is fine."""
    storage = media()
    try:
        folders, files = storage.listdir(prefix)
    except FileNotFoundError:
        return
    for name in files:
        if name:
            storage.delete(f"{prefix}/{name}")
    for name in folders:
        if name and name != keep:
            delete_folder(f"{prefix}/{name}")
    if isinstance(storage, FileSystemStorage) and not keep:
        path = Path(storage.path(prefix))
        if path.is_dir() and not any(path.iterdir()):
            path.rmdir()


def keys_under(prefix: str) -> Iterator[str]:
    """Every key under a folder, depth first, by name."""
    storage = media()
    try:
        folders, files = storage.listdir(prefix)
    except (FileNotFoundError, NotADirectoryError):
        return
    lead = f"{prefix.rstrip('/')}/" if prefix.strip("/") else ""
    for name in sorted(files):
        if name and not name.startswith(".part-"):
            yield f"{lead}{name}"
    for name in sorted(folders):
        yield from keys_under(f"{lead}{name}")


def any_link() -> str:
    """A link of the kind that media have: it says from which origin they come.

    Empty when this site serves them itself. Signing asks nobody, and nothing need be there.
    """
    return "" if is_local() else media().url("any")


def client() -> Any:
    """The boto3 client behind S3 storage, for presigned requests."""
    return media().connection.meta.client  # type: ignore[attr-defined]
