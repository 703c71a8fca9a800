"""What a benchmark of the running platform needs: a cluster of its own, servers, and CPU meters."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import re
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psutil

from annotation_platform.embedded.account import die_with_parent
from annotation_platform.embedded.ports import free_port
from annotation_platform.embedded.postgres import KEPT_SETTINGS, SUPERUSER, Postgres
from annotation_platform.embedded.valkey import Valkey
from benchmarks.seed import Plan

PROJECT_ROOT = Path(__file__).resolve().parent.parent
_START_SECONDS = 90.0


class Cluster:
    """A fresh PostgreSQL with the settings of kept data (durable!) and a Valkey, thrown away after.

    Arguments:
        settings: server settings on top.
        program_root: checkout whose code is seeded and served; this one unless given.
    """

    def __init__(
        self, settings: dict[str, str] | None = None, program_root: Path = PROJECT_ROOT
    ) -> None:
        # /tmp and not $TMPDIR: short enough for a Unix socket and open to every account.
        self.home = Path(tempfile.mkdtemp(prefix="ap-bench-", dir="/tmp"))
        self.home.chmod(0o711)
        kept = KEPT_SETTINGS | {
            "max_wal_size": "8GB",
            "log_min_duration_statement": "-1",
            # Silent until `benchmarks.plans` asks; only there at all when loaded with a connection.
            "session_preload_libraries": "auto_explain",
        }
        self.postgres = Postgres(self.home / "postgres", settings=kept | (settings or {}))
        self.valkey = Valkey(self.home / "valkey", durable=False)
        self.program_root = program_root

    def __enter__(self) -> Cluster:
        try:
            self.postgres.start()
            self.valkey.start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """Stop both and delete the directory."""
        self.valkey.stop()
        self.postgres.stop()
        shutil.rmtree(self.home, ignore_errors=True)

    @property
    def socket(self) -> str:
        """Directory of the Unix socket."""
        return str(self.postgres._socket_directory)

    def url(self, database: str) -> str:
        """DATABASE_URL of one database of the cluster."""
        return f"postgresql://{SUPERUSER}@/{database}?host={quote(self.socket, safe='/')}"

    def environment(self, database: str) -> dict[str, str]:
        """Environment of a program of the platform that works on this database."""
        return os.environ | {
            "DATABASE_URL": self.url(database),
            "REDIS_URL": self.valkey.url,
            "SECRET_KEY": secrets.token_urlsafe(48),
            "MEDIA_ROOT": str(self.home / "media"),
            "STATIC_ROOT": str(self.home / "static"),
            "LOG_LEVEL": "WARNING",
            "PYTHONPATH": str(self.program_root),
        }

    def sql(self, statement: str, database: str = "postgres") -> str:
        """Run SQL through psql; returns its unaligned output."""
        return self.postgres._command(
            "psql", "-XAtq", "-v", "ON_ERROR_STOP=1", "-d", database, "-c", statement
        )

    def seeded(self, database: str, plan: Plan) -> dict[str, Any]:
        """Make and fill a database; returns what `benchmarks.seed` printed."""
        self.sql(f'CREATE DATABASE "{database}" TEMPLATE template0 ENCODING UTF8')
        self._run(database, "manage.py", "migrate", "--no-input", "--verbosity=0")
        return self.run_seed(database, plan)

    def run_seed(self, database: str, plan: Plan) -> dict[str, Any]:
        """Fill a migrated database. Raises `RuntimeError` when it is not empty."""
        said = self._run(database, "-m", "benchmarks.seed", *_options(plan))
        made: dict[str, Any] = json.loads(said.splitlines()[-1])
        return made

    def _run(self, database: str, *command: str) -> str:
        done = subprocess.run(
            [sys.executable, *command],
            env=self.environment(database),
            cwd=self.program_root,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            raise RuntimeError(f"{command} failed:\n{done.stdout}\n{done.stderr}"[-4000:])
        return done.stdout

    def pgbench(self, database: str, script: str, *, clients: int, transactions: int) -> Pgbench:
        """Run a script `transactions` times in all; prepared statements, warm connections."""
        folder = Path(tempfile.mkdtemp(prefix="ap-pgbench-", dir="/tmp"))
        folder.chmod(0o777)
        path = folder / "script.sql"
        path.write_text(script)
        path.chmod(0o644)
        try:
            before = self.cpu()
            said = self.postgres._command(
                "pgbench",
                "--no-vacuum",
                "--protocol=prepared",
                f"--client={clients}",
                f"--jobs={min(2, clients)}",
                f"--transactions={max(1, transactions // clients)}",
                f"--file={path}",
                "--log",
                f"--log-prefix={folder}/log",
                database,
            )
            spent = self.cpu() - before
            micros = [
                int(line.split()[2])
                for log in folder.glob("log*")
                for line in log.read_text().splitlines()
            ]
        finally:
            shutil.rmtree(folder, ignore_errors=True)
        rate = re.search(r"tps = ([\d.]+)", said)
        assert rate is not None, said
        return Pgbench(float(rate[1]), sorted(us / 1000 for us in micros), spent)

    def cpu(self) -> float:
        """CPU seconds that PostgreSQL has used so far, ended backends included."""
        assert self.postgres.process is not None
        return tree_cpu(self.postgres.process.pid)


def end_cleanly_on_sigterm() -> None:
    """`timeout` and CI end a run with SIGTERM: stop the servers and delete the cluster then too."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))


@dataclass(frozen=True)
class Pgbench:
    """Rate in transactions per second, sorted latencies in ms, CPU seconds of PostgreSQL."""

    rate: float
    latencies: list[float]
    cpu: float


def _options(plan: Plan) -> list[str]:
    return [f"--{name.replace('_', '-')}={value}" for name, value in vars(plan).items()]


def tree_cpu(pid: int) -> float:
    """CPU seconds of a process and its children, those that ended included."""
    total = 0.0
    root = psutil.Process(pid)
    for process in [root, *root.children(recursive=True)]:
        with contextlib.suppress(psutil.NoSuchProcess):
            times = process.cpu_times()
            total += times.user + times.system + times.children_user + times.children_system
    return total


def tree_memory_mb(pid: int) -> float:
    """Resident memory of a process and its children in MB (shared pages counted in each)."""
    total = 0
    root = psutil.Process(pid)
    for process in [root, *root.children(recursive=True)]:
        with contextlib.suppress(psutil.NoSuchProcess):
            total += process.memory_info().rss
    return total / 2**20


@dataclass
class Server:
    """A web server on a loopback port, started by `serving`."""

    name: str
    port: int
    process: subprocess.Popen[bytes]
    log: Path

    def cpu(self) -> float:
        """CPU seconds used so far by all its processes."""
        return tree_cpu(self.process.pid)

    def memory_mb(self) -> float:
        return tree_memory_mb(self.process.pid)


@contextlib.contextmanager
def serving(
    name: str,
    command: list[str],
    *,
    port: int,
    environment: dict[str, str],
    folder: Path,
    cwd: Path = PROJECT_ROOT,
    ready: str = "/",
) -> Iterator[Server]:
    """Start a server, wait until it answers `GET ready` with less than 500, stop it afterwards."""
    log = folder / f"{name}.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=environment,
            cwd=cwd,
            start_new_session=True,
            preexec_fn=die_with_parent(signal.SIGTERM),
        )
    server = Server(name, port, process, log)
    try:
        _wait(server, ready)
        yield server
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(10)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


@contextlib.contextmanager
def platform_server(cluster: Cluster, database: str) -> Iterator[Server]:
    """The platform as its Procfile serves it: granian, WSGI, 2 processes of 2 threads."""
    port = free_port()
    command = [sys.executable, "-m", "granian", "--interface", "wsgi", "--no-ws"]
    command += ["--port", str(port), "--workers", "2", "--blocking-threads", "2"]
    with serving(
        f"web-{database}",
        [*command, "annotation_platform.wsgi:application"],
        port=port,
        environment=cluster.environment(database),
        folder=cluster.home,
        cwd=cluster.program_root,
        ready="/health/",
    ) as server:
        yield server


def _wait(server: Server, path: str) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline and server.process.poll() is None:
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)
        try:
            connection.request("GET", path, headers={"Host": "localhost"})
            if connection.getresponse().status < 500:
                return
        except (OSError, http.client.HTTPException):
            pass
        finally:
            connection.close()
        time.sleep(0.1)
    tail = server.log.read_text(errors="replace")[-4000:]
    raise RuntimeError(f"{server.name} did not start:\n{tail}")
