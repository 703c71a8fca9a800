"""Field-level encryption of what must not be readable in a database dump.

Fernet (AES-128-CBC with HMAC-SHA256). `FIELD_ENCRYPTION_KEYS` lists the keys: the first one
encrypts, all of them decrypt. To rotate: put a new key first, run `manage.py rotate_secrets`,
then drop the old one.
"""

from __future__ import annotations

import base64
import hashlib
import json
from typing import Any

from cryptography.fernet import Fernet, MultiFernet
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured


def _keys() -> MultiFernet:
    keys: list[str] = list(getattr(settings, "FIELD_ENCRYPTION_KEYS", []))
    if not keys:
        if not (settings.DEBUG or settings.TESTING):
            raise ImproperlyConfigured("FIELD_ENCRYPTION_KEYS is not set (see docs/money.md).")
        digest = hashlib.sha256(f"fields:{settings.SECRET_KEY}".encode()).digest()
        keys = [base64.urlsafe_b64encode(digest).decode()]
    return MultiFernet([Fernet(key) for key in keys])


def encrypt(content: bytes) -> bytes:
    return _keys().encrypt(content)


def decrypt(token: bytes | memoryview) -> bytes:
    """Raises `cryptography.fernet.InvalidToken` for a foreign key or a changed byte."""
    return _keys().decrypt(bytes(token))


def encrypt_json(value: dict[str, Any]) -> bytes:
    return encrypt(json.dumps(value, sort_keys=True).encode())


def decrypt_json(token: bytes | memoryview) -> dict[str, Any]:
    value: dict[str, Any] = json.loads(decrypt(token))
    return value


def rotate(token: bytes | memoryview) -> bytes:
    """The same content under the first key."""
    return _keys().rotate(bytes(token))
