"""`make run` without make: starts, refuses politely, stops without a trace, starts again."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import psycopg
import pytest

from annotation_platform.embedded.failures import StartFailed
from annotation_platform.embedded.ports import free_port
from annotation_platform.embedded.run import Options
from tests.faults.processes import eventually
from tests.processes import alive_below, still_alive

PROJECT_ROOT = Path(__file__).resolve().parents[2]
COMMAND = [sys.executable, "-m", "annotation_platform.embedded", "run"]
pytestmark = pytest.mark.faults


class Instance:
    """One `make run` on a run directory and a port."""

    def __init__(self, run_dir: Path, port: int, log: Path, project: Path = PROJECT_ROOT) -> None:
        self.log = log
        unset = {"DATABASE_URL", "REDIS_URL", "STORAGE_URL", "PLATFORM_TESTING", "MEDIA_ROOT"}
        unset |= {"STATIC_ROOT", "SECRET_KEY", "DEBUG"}
        environment = {key: value for key, value in os.environ.items() if key not in unset}
        environment |= {"RUN_DIR": str(run_dir), "PORT": str(port), "HOST": "127.0.0.1"}
        with log.open("wb") as output:
            self.process = subprocess.Popen(
                COMMAND,
                cwd=project,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        self.family: set[int] = set()

    def output(self) -> str:
        return self.log.read_text(errors="replace")

    def wait_until_ready(self) -> None:
        eventually(
            lambda: "Ready after" in self.output() or self.process.poll() is not None, within=120
        )
        assert self.process.poll() is None, self.output()
        self.family = alive_below(self.process.pid)
        names = {psutil.Process(pid).name() for pid in self.family}
        assert {"postgres", "valkey-server"} <= names

    def end(self, signal_number: signal.Signals) -> int:
        self.process.send_signal(signal_number)
        return self.process.wait(30)


@pytest.fixture
def run_dir(tmp_path: Path) -> Iterator[Path]:
    path = tmp_path / "run"
    yield path
    # As root below a closed directory, the cluster stands elsewhere.
    location = path / "postgres.location"
    if location.exists():
        home = Path(location.read_text().strip())
        assert home.parent == Path("/var/lib/annotation-platform")
        subprocess.run(["rm", "-rf", str(home)], check=True)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A copy of the project: an edit of the original during the test would count as a change."""
    ignored = shutil.ignore_patterns(".*", "__pycache__", "node_modules", "tests", "benchmarks")
    return Path(shutil.copytree(PROJECT_ROOT, tmp_path / "project", ignore=ignored))


def celery_workers(instance: Instance) -> list[int]:
    """Process ids of the programs that the supervisor started as `worker`."""
    children = psutil.Process(instance.process.pid).children()
    return [child.pid for child in children if "worker" in child.cmdline()]


def connect(run_dir: Path) -> psycopg.Connection[tuple[Any, ...]]:
    """The database of a running instance."""
    location = run_dir / "postgres.location"
    home = Path(location.read_text().strip()) if location.exists() else run_dir / "postgres"
    lines = (home / "data" / "postmaster.pid").read_text().splitlines()
    return psycopg.connect(host=lines[4], user="postgres", dbname="platform")


def people(run_dir: Path) -> int:
    """Number of users in the database of a running instance."""
    with connect(run_dir) as connection:
        assert connection.execute("SHOW fsync").fetchone() == ("on",)
        row = connection.execute("SELECT count(*) FROM contractors_user").fetchone()
        assert row is not None
        return int(row[0])


def log_ins(output: str) -> list[str]:
    """The lines of the greeting that name an address of the demo."""
    return [line for line in output.splitlines() if "@demo.example" in line]


def test_the_life_of_an_instance(run_dir: Path, tmp_path: Path, project: Path) -> None:
    port = free_port()
    first = Instance(run_dir, port, tmp_path / "first.log", project)
    try:
        first.wait_until_ready()
        assert f"http://127.0.0.1:{port}/" in first.output()
        assert "Static files" in first.output()
        count = people(run_dir)
        assert count > 0  # the demo's

        same_directory = Instance(run_dir, free_port(), tmp_path / "same-directory.log")
        assert same_directory.process.wait(30) == 1
        assert f"It already runs from this directory: http://127.0.0.1:{port}" in (
            same_directory.output()
        )
        same_port = Instance(tmp_path / "other", port, tmp_path / "same-port.log")
        assert same_port.process.wait(30) == 1
        assert re.search(
            rf"Port {port} on 127.0.0.1 is in use.*\n.*make run PORT=\d+", same_port.output()
        )
        assert not still_alive(alive_below(same_port.process.pid))
        assert people(run_dir) == count  # neither attempt disturbed the first
    finally:
        status = first.end(signal.SIGINT)
    assert status == 0, first.output()
    assert still_alive(first.family) == set()
    assert not (run_dir / "valkey" / "pid").exists()

    second = Instance(run_dir, port, tmp_path / "second.log", project)
    try:
        second.wait_until_ready()
        with connect(run_dir) as connection:  # somebody migrates back by hand
            connection.execute("DELETE FROM django_migrations WHERE app = 'sessions'")
            connection.execute("DROP TABLE django_session")
        # In place already, and what the first start said about log-ins is said again.
        for step in ("Static files", "Database schema", "Demo project"):
            assert step not in second.output()
        assert log_ins(second.output()) == log_ins(first.output()) != []
        assert people(run_dir) == count  # the data was kept and the demo not made twice
    finally:
        second.process.kill()  # as the out-of-memory killer would
        second.process.wait()
    eventually(lambda: not still_alive(second.family), what="everything ends with its supervisor")

    third = Instance(run_dir, port, tmp_path / "third.log", project)
    try:
        third.wait_until_ready()  # on data whose supervisor was killed
        assert "Database schema ready" in third.output()
        with connect(run_dir) as connection:
            assert connection.execute("SELECT count(*) FROM django_session").fetchone() == (0,)
        assert people(run_dir) == count
        eventually(lambda: celery_workers(third) != [])
        third.family = alive_below(third.process.pid)
        os.kill(celery_workers(third)[0], signal.SIGKILL)
        assert third.process.wait(30) == 1
    finally:
        if third.process.poll() is None:
            third.end(signal.SIGTERM)
    assert "FAILED: worker ended (killed by SIGKILL)" in third.output()
    assert still_alive(third.family) == set()


def test_sigterm_in_the_middle_of_a_start_leaves_nothing(run_dir: Path, tmp_path: Path) -> None:
    instance = Instance(run_dir, free_port(), tmp_path / "log")
    eventually(lambda: "… Database schema" in instance.output(), within=60)
    family = alive_below(instance.process.pid)
    assert instance.end(signal.SIGTERM) == 0
    assert "Stopped." in instance.output()
    assert still_alive(family) == set()


@pytest.mark.parametrize("port", ["eight thousand", "0", "65536", "-1"])
def test_a_port_that_is_none_is_refused_with_advice(port: str) -> None:
    with pytest.raises(StartFailed, match=r"PORT=.* is not a port number\. Try: make run PORT=80"):
        Options.from_environment({"PORT": port})


def test_a_run_directory_that_cannot_be_made_is_refused_with_advice(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    instance = Instance(tmp_path / "file" / "run", free_port(), tmp_path / "log")
    assert instance.process.wait(30) == 1
    assert "Choose another directory with RUN_DIR=" in instance.output()
