"""`make run`: everything on one machine, from an empty directory to the printed address."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import http.client
import json
import os
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TextIO

from annotation_platform.embedded import fingerprints
from annotation_platform.embedded.account import die_with_parent, postgres_account
from annotation_platform.embedded.failures import StartFailed
from annotation_platform.embedded.ports import is_free
from annotation_platform.embedded.postgres import KEPT_SETTINGS, Postgres
from annotation_platform.embedded.supervisor import Supervisor, read_procfile
from annotation_platform.embedded.valkey import Valkey

PROJECT_ROOT = Path(__file__).resolve().parents[2]
_WEB_SECONDS = 60.0
_NEEDED_BYTES = 300 * 1024 * 1024
_LOOPBACK = {"127.0.0.1", "localhost", "::1"}


@dataclass
class Options:
    """What can be chosen from outside, all of it by environment variables."""

    run_dir: Path
    host: str
    port: int
    environment: dict[str, str] = field(default_factory=dict)

    @classmethod
    def from_environment(cls, environment: dict[str, str]) -> Options:
        """Read HOST, PORT and RUN_DIR.

        Raises:
            StartFailed: PORT is not a port number.
        """
        text = environment.get("PORT") or "8000"
        if not text.isdigit() or not 0 < int(text) < 65536:
            raise StartFailed(f"PORT={text} is not a port number.", "Try: make run PORT=8001")
        run_dir = Path(environment.get("RUN_DIR") or PROJECT_ROOT / ".run")
        return cls(
            run_dir=run_dir.absolute(),
            host=environment.get("HOST") or "127.0.0.1",
            port=int(text),
            environment=dict(environment),
        )

    @property
    def address(self) -> str:
        """Where a browser on this machine finds the platform."""
        host = "127.0.0.1" if self.host in {"0.0.0.0", "::"} else self.host
        return f"http://{f'[{host}]' if ':' in host else host}:{self.port}"


def run(options: Options, *, out: TextIO | None = None) -> int:
    """Start everything, wait for a signal, stop everything.

    Returns:
        Exit status: 0 after Ctrl-C or SIGTERM, 1 when a step failed or a process died.
    """
    stream = out or sys.stdout

    def say(line: str) -> None:
        with contextlib.suppress(OSError, ValueError):  # the terminal may be gone: keep going
            stream.write(line + "\n")
            stream.flush()

    return _Run(options, say).main()


class _Run:
    def __init__(self, options: Options, say: Callable[[str], None]) -> None:
        self.options = options
        self.say = say
        self.supervisor = Supervisor(say)
        self.postgres: Postgres | None = None
        self.valkey: Valkey | None = None
        self.env = dict(options.environment)
        self.demo = ""

    def main(self) -> int:
        began = time.monotonic()
        try:
            self.supervisor.listen()
            _check_disk(self.options.run_dir)
            with _only_instance(self.options):
                try:
                    self._start()
                    self._greet(time.monotonic() - began)
                    ended = self.supervisor.wait()
                finally:
                    self._stop()
        except KeyboardInterrupt:
            self.say("Stopped.")
            return 0
        except StartFailed as failure:
            self.say(f"\nFAILED: {failure.what}\n        {failure.do}")
            return 1
        if ended is not None:
            self.say(
                f"\nFAILED: {ended}.\n        Its last lines above say why; then `make run` again."
            )
            return 1
        self.say("Stopped.")
        return 0

    def _start(self) -> None:
        self._defaults()
        if "DATABASE_URL" not in self.env:
            # The demo's password is published: never put it into somebody's own database unasked.
            self.env.setdefault("PLATFORM_DEMO", "1")
            with self._step("PostgreSQL"):
                self.postgres = Postgres(
                    postgres_home(self.options.run_dir), settings=KEPT_SETTINGS
                )
                self.env["DATABASE_URL"] = self.postgres.start()
                self.supervisor.watch("PostgreSQL", self.postgres.process)
        if "REDIS_URL" not in self.env:
            with self._step("Valkey"):
                self.valkey = Valkey(self.options.run_dir / "valkey", durable=True)
                self.env["REDIS_URL"] = self.valkey.start()
                self.supervisor.watch("Valkey", self.valkey.process)
        self._collect_static()
        self._fill_database()
        commands = read_procfile(PROJECT_ROOT / "Procfile")
        with self._step(f"Web server on port {self.options.port}"):
            self._launch("web", commands.pop("web"))
            self._wait_for_web()
        for name, command in commands.items():
            self._launch(name, command)

    def _launch(self, name: str, command: str) -> None:
        self.supervisor.start(name, command, env=self.env, cwd=PROJECT_ROOT)

    def _stop(self) -> None:
        self.say("\nStopping …")
        # A second Ctrl-C is counted by the supervisor and must not cut this short.
        self.supervisor.stop()
        if self.valkey is not None:
            self.valkey.stop()
        if self.postgres is not None:
            self.postgres.stop()

    def _greet(self, seconds: float) -> None:
        self.say(f"\nReady after {seconds:.1f} s:  {self.options.address}/\n")
        if self.demo:
            self.say(self.demo)
        self.say("Ctrl-C stops everything; the data stays for the next start.\n")

    def _defaults(self) -> None:
        """Fill in what settings.py wants, unless it was set from outside."""
        run_dir, options = self.options.run_dir, self.options
        hosts = "localhost,127.0.0.1,[::1]"
        if options.host not in _LOOPBACK:
            hosts = "*"
            self.say(
                f"Listening on {options.host}: others on the network can reach the demo log-ins."
            )
        scripts = str(Path(sys.executable).parent)
        self.env["PATH"] = scripts + os.pathsep + self.env.get("PATH", os.defpath)
        self.env["PYTHONUNBUFFERED"] = "1"
        self.env["HOST"], self.env["PORT"] = options.host, str(options.port)
        for key, value in {
            "SECRET_KEY": _kept_secret(run_dir / "secret-key"),
            "FIELD_ENCRYPTION_KEYS": _kept_secret(run_dir / "field-key", size=32) + "=",
            "ALLOWED_HOSTS": hosts,
            "SITE_URL": options.address,
            "MEDIA_ROOT": str(run_dir / "media"),
            "STATIC_ROOT": str(run_dir / "static"),
            "BEAT_FILE": str(run_dir / "beat"),
            "LOG_LEVEL": "WARNING",
        }.items():
            self.env.setdefault(key, value)

    def _fill_database(self) -> None:
        """Apply migrations and make the demo, unless this very code did so on these very data."""
        stamp = self.options.run_dir / "database-filled"
        if self.postgres is not None and stamp.exists():
            kept = json.loads(stamp.read_text())
            if kept["state"] == self._database_state(self.postgres):
                self.demo = kept["demo"]
                return
        with self._step("Database schema"):
            self._manage("migrate", "--no-input", "--verbosity=0")
        if self.env.get("PLATFORM_DEMO") == "1":
            with self._step("Demo project"):
                self.demo = self._manage("demo_setup")
        if self.postgres is not None:
            state = self._database_state(self.postgres)
            stamp.write_text(json.dumps({"state": state, "demo": self.demo}))

    def _database_state(self, postgres: Postgres) -> str:
        """Our code, the cluster's identity, its applied migrations, and that there are people.

        Asked of the database, not remembered: it may have been flushed, restored or migrated
        back by hand since.
        """
        found = postgres.query(
            "SELECT system_identifier FROM pg_control_system();"
            "SELECT app, name FROM django_migrations ORDER BY app, name;"
            "SELECT EXISTS (SELECT FROM contractors_user)"
        )
        media = (self.options.run_dir / "media").exists()
        demo = self.env.get("PLATFORM_DEMO")
        return f"{fingerprints.sources(PROJECT_ROOT)} media={media} demo={demo}\n{found}"

    def _collect_static(self) -> None:
        """Collect static files, unless those in place were made from the same sources."""
        stamp = self.options.run_dir / "static-collected"
        current = fingerprints.static_files(PROJECT_ROOT)
        if stamp.exists() and stamp.read_text() == current:
            return
        with self._step("Static files"):
            self._manage("collectstatic", "--no-input", "--clear", "--verbosity=0")
            stamp.write_text(current)

    def _manage(self, *arguments: str) -> str:
        """Run manage.py; returns what it printed.

        Raises:
            StartFailed: with the last lines of its output.
        """
        with tempfile.TemporaryFile("w+", errors="replace") as output:
            process = subprocess.Popen(
                [sys.executable, str(PROJECT_ROOT / "manage.py"), *arguments],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=self.env,
                cwd=PROJECT_ROOT,
                start_new_session=True,
                preexec_fn=die_with_parent(signal.SIGTERM),
            )
            try:
                while process.poll() is None:
                    self.supervisor.stop_if_asked()
                    time.sleep(0.02)
            finally:
                process.kill()  # nothing when it ended; each command can be run again
                process.wait()
            output.seek(0)
            said = output.read()
        if process.returncode != 0:
            tail = "\n        ".join(said.strip().splitlines()[-15:])
            raise StartFailed(
                f"`manage.py {arguments[0]}` ended with status {process.returncode}:"
                f"\n        {tail}",
                "Mend that, or move the kept data "
                f"({self.options.run_dir}) away to start with an empty database.",
            )
        return said

    def _wait_for_web(self) -> None:
        host = "127.0.0.1" if self.options.host in {"0.0.0.0", "::"} else self.options.host
        deadline = time.monotonic() + _WEB_SECONDS
        while time.monotonic() < deadline:
            self.supervisor.stop_if_asked()
            if ended := self.supervisor.dead():
                raise StartFailed(f"{ended} while starting.", "Its last lines above say why.")
            with (
                contextlib.suppress(OSError, http.client.HTTPException),
                contextlib.closing(
                    http.client.HTTPConnection(host, self.options.port, timeout=5)
                ) as connection,
            ):
                connection.request("GET", "/", headers={"Host": "localhost"})
                if connection.getresponse().status < 500:
                    return
                raise StartFailed(
                    "The web server answers with an error.", "Its lines above say why."
                )
            time.sleep(0.05)
        raise StartFailed(
            f"The web server did not answer within {_WEB_SECONDS:.0f} seconds.",
            "Its lines above may say why; a busy machine may need a second try.",
        )

    @contextlib.contextmanager
    def _step(self, name: str) -> Iterator[None]:
        self.supervisor.stop_if_asked()
        self.say(f"… {name}")
        began = time.monotonic()
        yield
        self.say(f"  {name} ready ({time.monotonic() - began:.1f} s)")


def postgres_home(run_dir: Path) -> Path:
    """Where the kept cluster lives: below `run_dir` whenever PostgreSQL can get there.

    As root, PostgreSQL runs under another account, which cannot enter a checkout below /root or
    another 0700 directory. Then the cluster goes to /var/lib/annotation-platform/<hash of
    run_dir>, and `run_dir/postgres.location` says so.
    """
    run_dir.mkdir(parents=True, exist_ok=True)
    home = run_dir / "postgres"
    account = postgres_account(home / "data")
    if account.can_enter(run_dir):
        return home
    name = hashlib.sha256(os.fsencode(run_dir.resolve())).hexdigest()[:12]
    home = Path("/var/lib/annotation-platform") / name
    home.mkdir(parents=True, exist_ok=True)
    (run_dir / "postgres.location").write_text(f"{home}\n")
    return home


def _check_disk(run_dir: Path) -> None:
    place = run_dir
    while not place.exists():
        place = place.parent
    if shutil.disk_usage(place).free < _NEEDED_BYTES:
        raise StartFailed(
            f"Less than {_NEEDED_BYTES // 2**20} MB are free for {run_dir}.",
            "Free some space, or choose another disk with RUN_DIR=/some/path.",
        )


@contextlib.contextmanager
def _only_instance(options: Options) -> Iterator[None]:
    """Hold the lock on the run directory; the kernel lets go of it however we end."""
    try:
        options.run_dir.mkdir(parents=True, exist_ok=True)
        lock = (options.run_dir / "lock").open("a+")
    except OSError as error:
        raise StartFailed(
            f"{options.run_dir} cannot be written ({error.strerror}).",
            "Choose another directory with RUN_DIR=/some/path.",
        ) from error
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            lock.seek(0)
            raise StartFailed(
                f"It already runs from this directory: {lock.read().strip()}.",
                "Use that one, stop it with Ctrl-C, or start a second one with "
                "RUN_DIR=/some/path PORT=8001.",
            ) from error
        if not is_free(options.host, options.port):
            raise StartFailed(
                f"Port {options.port} on {options.host} is in use by another program.",
                f"Choose another one: make run PORT={_next_free(options)}",
            )
        lock.truncate(0)
        lock.write(f"{options.address} (process {os.getpid()})")
        lock.flush()
        yield


def _next_free(options: Options) -> int:
    candidates = range(options.port + 1, min(options.port + 50, 65536))
    return next((port for port in candidates if is_free(options.host, port)), 8888)


def _kept_secret(path: Path, size: int = 48) -> str:
    """URL-safe text of `size` random bytes, made once and kept where only this user reads it."""
    with contextlib.suppress(FileNotFoundError):
        if kept := path.read_text().strip():
            return kept
    fresh = secrets.token_urlsafe(size)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(fresh)
    return fresh
