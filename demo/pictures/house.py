"""A platform of its own for the pictures: throw-away data, a free port, first empty, then full."""

from __future__ import annotations

import os
import secrets
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from annotation_platform.embedded.ports import free_port
from annotation_platform.embedded.throwaway import ThrowAwayServices

ROOT = Path(__file__).resolve().parents[2]
START_SECONDS = 180
JOBS_SECONDS = 180


class HouseFailed(Exception):
    """The platform did not come up, or did not get as full as it should."""


@dataclass
class House:
    """Everything that `make run` starts, on data of its own. A context manager.

    Side effects: PostgreSQL, Valkey, web server and workers as children, a directory for media;
    all gone afterwards.
    """

    url: str = ""

    def __enter__(self) -> Self:
        self._services = ThrowAwayServices()
        self._folder = tempfile.TemporaryDirectory(prefix="pictures-")
        self._process: subprocess.Popen[bytes] | None = None
        try:
            self._start()
        except BaseException:
            self._stop()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stop()

    def _start(self) -> None:
        folder, port = Path(self._folder.name), free_port()
        self.url = f"http://127.0.0.1:{port}"
        self.env = {
            **os.environ,
            **self._services.start(),
            "RUN_DIR": str(folder),
            "HOST": "127.0.0.1",
            "PORT": str(port),
            "SITE_URL": self.url,
            "ALLOWED_HOSTS": "127.0.0.1",
            "SECRET_KEY": secrets.token_urlsafe(48),
            "FIELD_ENCRYPTION_KEYS": secrets.token_urlsafe(32) + "=",
            "MEDIA_ROOT": str(folder / "media"),
            "STATIC_ROOT": str(folder / "static"),
            "BEAT_FILE": str(folder / "beat"),
            "LOG_LEVEL": "ERROR",
            "DEBUG": "0",
        }
        self.env.pop("PLATFORM_DEMO", None)  # the demo comes when the empty pages are taken
        log = folder / "run.log"
        with log.open("wb") as out:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "annotation_platform.embedded", "run"],
                cwd=ROOT,
                env=self.env,
                stdout=out,
            )
        deadline = time.monotonic() + START_SECONDS
        while "Ready after" not in (said := log.read_text(errors="replace")):
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise HouseFailed("The platform did not start:\n" + said[-2000:])
            time.sleep(0.2)
        self.env["PLATFORM_DEMO"] = "1"
        self.manage("demo_setup", "--people-only")

    def fill(self) -> None:
        """The demo, its story, and what the story leaves empty; until no job waits."""
        self.manage("demo_setup")
        self._run("-m", "demo.story", "--url", self.url)
        self.manage("demo_fill")
        self.manage("process_videos")

    def manage(self, *arguments: str) -> None:
        """Run manage.py on these data. Raises `HouseFailed` with what it said."""
        self._run("manage.py", *arguments)

    def _run(self, *arguments: str) -> None:
        done = subprocess.run(
            [sys.executable, *arguments],
            cwd=ROOT,
            env=self.env,
            capture_output=True,
            text=True,
            check=False,
            timeout=JOBS_SECONDS * 2,
        )
        if done.returncode:
            tail = (done.stdout + done.stderr)[-3000:]
            raise HouseFailed(f"{' '.join(arguments)} ended with {done.returncode}:\n{tail}")

    def _stop(self) -> None:
        if self._process is not None:
            self._process.send_signal(signal.SIGINT)
            try:
                self._process.wait(30)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        self._services.stop()
        self._folder.cleanup()
