"""Real server processes under the control of one test: start, stop in order, kill."""

from __future__ import annotations

import contextlib
import http.client
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from annotation_platform.embedded.account import die_with_parent
from annotation_platform.embedded.ports import free_port
from annotation_platform.embedded.valkey import Valkey
from tests.processes import alive_in_group

PROJECT_ROOT = Path(__file__).resolve().parents[2]
_START_SECONDS = 60.0
_STOP_SECONDS = 15.0
_POLL_SECONDS = 0.05


def eventually(condition: Callable[[], bool], *, within: float = 30.0, what: str = "") -> None:
    """Poll until `condition()` is true.

    For effects of another process, which nothing in this one announces.

    Args:
        condition: cheap and without side effects.
        within: seconds after which the test fails.
        what: named in the failure.
    """
    deadline = time.monotonic() + within
    while time.monotonic() < deadline:
        if condition():
            return
        time.sleep(_POLL_SECONDS)
    raise AssertionError(f"not within {within:.0f} s: {what or condition}")


class ServerProcess:
    """One program with its own session, so that killing it takes its children along.

    Args:
        name: names the log file.
        folder: where the log goes.
        environment: the whole environment of the program.
    """

    def __init__(self, name: str, folder: Path, environment: dict[str, str]) -> None:
        self.log = folder / f"{name}.log"
        self.environment = environment
        self.process: subprocess.Popen[bytes] | None = None

    def command(self) -> list[str]:
        """Arguments, the program's path first."""
        raise NotImplementedError

    def is_ready(self) -> bool:
        """True when it can take work."""
        raise NotImplementedError

    @property
    def pid(self) -> int:
        """Process id of the running program."""
        assert self.process is not None, "not started"
        return self.process.pid

    def start(self) -> None:
        """Start the program and wait until it is ready; a new log each time."""
        assert self.process is None, "runs already"
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                self.command(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=self.environment,
                cwd=PROJECT_ROOT,
                start_new_session=True,
                preexec_fn=die_with_parent(signal.SIGTERM),
            )
        deadline = time.monotonic() + _START_SECONDS
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                break
            if self.is_ready():
                return
            time.sleep(_POLL_SECONDS)
        text = self.output()[-4000:]
        self.kill()
        raise AssertionError(f"{self.command()[0]} did not start:\n{text}")

    def output(self) -> str:
        """What it wrote since its last start."""
        return self.log.read_text(errors="replace")

    def stop(self) -> None:
        """SIGTERM, then SIGKILL for what is left. Safe to call when it does not run."""
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(_STOP_SECONDS)
        self.kill()

    def kill(self) -> None:
        """SIGKILL to the program and its children, as if the machine went away."""
        process, self.process = self.process, None
        if process is None:
            return
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        # Its children are not ours to wait for, and the kernel ends them a moment later.
        eventually(lambda: not alive_in_group(process.pid), what="the end of its children")

    def suspend(self) -> None:
        """SIGSTOP: it keeps its connections and messages but does nothing."""
        os.killpg(self.pid, signal.SIGSTOP)

    def resume(self) -> None:
        """SIGCONT after `suspend`."""
        os.killpg(self.pid, signal.SIGCONT)


class Worker(ServerProcess):
    """A Celery worker (prefork, one child) on the queues of production.

    `with_beat = True` before `start()` runs the sweeps from inside it, every SWEEP_SECONDS of
    its environment.
    """

    with_beat = False

    def command(self) -> list[str]:
        command = [sys.executable, "-m", "celery", "--app", "annotation_platform", "worker"]
        command += ["--queues", "default,video", "--concurrency", "1", "--loglevel", "INFO"]
        if self.with_beat:
            command += ["--beat", "--schedule", str(self.log.with_suffix(".schedule"))]
        return command

    def is_ready(self) -> bool:
        return " ready." in self.output()

    def received(self, job: str) -> bool:
        """True when the broker handed it a message for `job` since the last start."""
        return f"Task {job}[" in self.output()


class WebServer(ServerProcess):
    """granian with one worker process, on a free loopback port."""

    def __init__(self, name: str, folder: Path, environment: dict[str, str]) -> None:
        super().__init__(name, folder, environment)
        self.port = free_port()

    @property
    def url(self) -> str:
        """Address without a trailing slash."""
        return f"http://127.0.0.1:{self.port}"

    def command(self) -> list[str]:
        command = [sys.executable, "-m", "granian", "--interface", "wsgi", "--no-ws"]
        command += ["--port", str(self.port), "--workers", "1", "--blocking-threads", "4"]
        return [*command, "annotation_platform.wsgi:application"]

    def is_ready(self) -> bool:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
        try:
            connection.request("GET", "/api/v1/", headers={"Host": "localhost"})
            connection.getresponse()
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()
        return True


class Broker:
    """A Valkey of this test alone; losing it hurts nobody else.

    Args:
        folder: its files.
        on_move: called with the new address whenever it changed.
    """

    def __init__(self, folder: Path, on_move: Callable[[str], None]) -> None:
        self._valkey = Valkey(folder, durable=False)
        self._on_move = on_move

    @property
    def url(self) -> str:
        """REDIS_URL, valid while it runs and (same port) after a restart."""
        return self._valkey.url

    def start(self) -> None:
        """Start on a free port."""
        self._valkey = Valkey(self._valkey.home, durable=False)
        self._on_move(self._valkey.start())

    def lose(self) -> None:
        """SIGKILL: every queued message is gone, connections break."""
        self._valkey.kill()

    def restart(self) -> None:
        """Lose it and start it empty on the same port."""
        port = self._valkey.port
        self.lose()
        self._valkey = Valkey(self._valkey.home, durable=False, port=port)
        self._on_move(self._valkey.start())

    def restart_elsewhere(self) -> None:
        """Lose it and start it empty on another port; only this process learns the address."""
        self.lose()
        self.start()

    def stop(self) -> None:
        """Stop and delete it."""
        self._valkey.delete()
