from __future__ import annotations

from io import BytesIO

from django.core.files.base import File


def named(content: bytes, name: str = "clip.mp4") -> File[bytes]:
    return File(BytesIO(content), name=name)
