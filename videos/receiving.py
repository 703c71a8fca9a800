"""Hashing a file while its request is received: no second reading of it afterwards."""

from __future__ import annotations

import hashlib
from typing import Any

from django.core.files.uploadhandler import FileUploadHandler
from rest_framework.parsers import DataAndFiles, MultiPartParser


class _Hashing(FileUploadHandler):
    """Sees each chunk before the handlers that keep it, and passes it on."""

    def __init__(self) -> None:
        super().__init__()
        self.digests: dict[str, list[str]] = {}

    def new_file(self, *args: Any, **kwargs: Any) -> None:
        super().new_file(*args, **kwargs)
        self._sha256 = hashlib.sha256()

    def receive_data_chunk(self, raw_data: bytes, start: int) -> bytes:
        self._sha256.update(raw_data)
        return raw_data

    def file_complete(self, file_size: int) -> None:
        self.digests.setdefault(str(self.field_name), []).append(self._sha256.hexdigest())


class HashingMultiPartParser(MultiPartParser):
    """Each file of the form has its `sha256` (hex) when it arrives."""

    def parse(
        self, stream: Any, media_type: str | None = None, parser_context: Any = None
    ) -> DataAndFiles[Any, Any]:
        handler = _Hashing()
        parser_context["request"].upload_handlers.insert(0, handler)
        found = super().parse(stream, media_type, parser_context)
        for name, digests in handler.digests.items():
            for file, sha256 in zip(found.files.getlist(name), digests, strict=True):
                file.sha256 = sha256
        return found
