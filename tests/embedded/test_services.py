"""The throw-away services of this very session."""

from __future__ import annotations

import os

import psycopg
import redis


def test_postgres_is_the_version_we_ship_and_can_build_our_constraints() -> None:
    with psycopg.connect(os.environ["DATABASE_URL"], autocommit=True) as connection:
        version = connection.execute("SHOW server_version_num").fetchone()
        assert version is not None
        assert 180000 <= int(version[0]) < 190000
        assert connection.execute("SHOW TimeZone").fetchone() == ("UTC",)
        row = connection.execute(
            "SELECT 1 FROM pg_available_extensions WHERE name = 'btree_gist'"
        ).fetchone()
        assert row == (1,)


def test_valkey_answers_only_with_the_password() -> None:
    url = os.environ["REDIS_URL"]
    assert redis.Redis.from_url(url).ping() is True
    without = redis.Redis.from_url("redis://" + url.rsplit("@", 1)[1])
    try:
        without.ping()
    except redis.AuthenticationError:
        pass
    else:
        raise AssertionError("Valkey answered without a password")
