"""A PostgreSQL and a Valkey that live as long as one test session or benchmark."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

from annotation_platform.embedded.postgres import THROW_AWAY_SETTINGS, Postgres
from annotation_platform.embedded.valkey import Valkey


class ThrowAwayServices:
    """Start both in a fresh temporary directory; `stop()` leaves nothing behind.

    Args:
        allow_truncate: False keeps the guards of append-only tables closed, as in production.
    """

    def __init__(self, *, allow_truncate: bool = True) -> None:
        # /tmp and not $TMPDIR: short enough for a Unix socket and open to every account.
        self.home = Path(tempfile.mkdtemp(prefix="ap-test-", dir="/tmp"))
        self.home.chmod(0o711)
        settings = dict(THROW_AWAY_SETTINGS)
        if not allow_truncate:
            del settings["platform.allow_truncate"]
        self.postgres = Postgres(self.home / "postgres", settings=settings, durable=False)
        self.valkey = Valkey(self.home / "valkey", durable=False)

    def start(self) -> dict[str, str]:
        """Start both; returns DATABASE_URL and REDIS_URL. Cleans up when one fails."""
        try:
            return {"DATABASE_URL": self.postgres.start(), "REDIS_URL": self.valkey.start()}
        except BaseException:
            self.stop()
            raise

    def export(self) -> None:
        """Start both and put their addresses into this process's environment."""
        os.environ.update(self.start())

    def stop(self) -> None:
        """Stop both and delete the directory. Safe to call twice."""
        self.valkey.stop()
        self.postgres.stop()
        shutil.rmtree(self.home, ignore_errors=True)
