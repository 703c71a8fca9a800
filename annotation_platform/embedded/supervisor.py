"""Run several processes as one: their output together, one signal stops all, one death stops all.

Own instead of honcho's: that one signals whole process groups (which cuts Celery's running jobs
short) and waits for ever on a process that ignores the signal.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from types import FrameType

from annotation_platform.embedded.account import die_with_parent

_POLL_SECONDS = 0.1


class Supervisor:
    """Processes under one roof.

    Args:
        say: takes one line for the person at the terminal.
        stop_seconds: how long a process may take to end by itself before it is killed.
    """

    def __init__(self, say: Callable[[str], None], *, stop_seconds: float = 15.0) -> None:
        self._say = say
        self._stop_seconds = stop_seconds
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self._readers: list[threading.Thread] = []
        self._watched: dict[str, subprocess.Popen[bytes]] = {}
        self._signals = 0

    @property
    def stopping(self) -> bool:
        """True once SIGINT or SIGTERM arrived (after `listen`)."""
        return self._signals > 0

    @property
    def pids(self) -> dict[str, int]:
        """Process ids by name."""
        return {name: process.pid for name, process in self._processes.items()}

    def listen(self) -> None:
        """Take SIGINT, SIGTERM and SIGHUP from now on: the first stops, the second kills.

        The handler only counts. An exception out of it could hit between a fork and the moment
        its process id is noted, and leave that process behind.
        """

        def note(signum: int, frame: FrameType | None) -> None:
            self._signals += 1

        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, note)

    def stop_if_asked(self) -> None:
        """Raise KeyboardInterrupt when a signal arrived; called where stopping is safe."""
        if self.stopping:
            raise KeyboardInterrupt

    def start(self, name: str, command: str, *, env: Mapping[str, str], cwd: Path) -> None:
        """Start `command` (shell syntax, as in a Procfile) and print its lines behind `name`."""
        process = subprocess.Popen(
            ["/bin/sh", "-c", f"exec {command}"],  # exec: the signal must reach the program
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=dict(env),
            cwd=cwd,
            # Ctrl-C goes to the terminal's group; we pass it on in the right order ourselves.
            start_new_session=True,
            preexec_fn=die_with_parent(signal.SIGTERM),
        )
        self._processes[name] = process
        reader = threading.Thread(target=self._read, args=(name, process), daemon=True)
        reader.start()
        self._readers.append(reader)

    def watch(self, name: str, process: subprocess.Popen[bytes] | None) -> None:
        """End everything when `process`, which somebody else starts and stops, dies."""
        if process is not None:
            self._watched[name] = process

    def dead(self) -> str | None:
        """Name and exit status of a process that ended although nobody stopped it."""
        for name, process in {**self._watched, **self._processes}.items():
            status = process.poll()
            if status is not None:
                return f"{name} ended ({_meaning(status)})"
        return None

    def wait(self) -> str | None:
        """Block until a signal (returns None) or until a process ended (returns which)."""
        while not self.stopping:
            if ended := self.dead():
                return ended
            time.sleep(_POLL_SECONDS)
        return None

    def stop(self) -> None:
        """Ask each process to end, wait, then kill whatever is left, its children included."""
        for process in self._processes.values():
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
        deadline = time.monotonic() + self._stop_seconds
        while time.monotonic() < deadline and self._signals < 2:
            if all(process.poll() is not None for process in self._processes.values()):
                break
            time.sleep(0.02)
        for name, process in self._processes.items():
            if process.poll() is None:
                self._say(f"{name} did not stop in time and is killed")
            # The group is empty when the process ended in order; otherwise its children go too.
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        for reader in self._readers:
            reader.join(1)

    def _read(self, name: str, process: subprocess.Popen[bytes]) -> None:
        assert process.stdout is not None
        for line in process.stdout:
            if text := line.decode(errors="replace").rstrip():
                self._say(f"{name:>6} | {text}")


def _meaning(status: int) -> str:
    if status < 0:
        return f"killed by {signal.Signals(-status).name}"
    return f"exit status {status}"


def read_procfile(path: Path) -> dict[str, str]:
    """`name: command` lines of a Procfile, in order."""
    commands: dict[str, str] = {}
    for line in path.read_text().splitlines():
        if line.strip() and not line.startswith("#"):
            name, _, command = line.partition(":")
            commands[name.strip()] = command.strip()
    return commands
