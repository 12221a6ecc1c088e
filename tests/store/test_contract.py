"""The stores keep the contract."""

import uuid
from pathlib import Path

import pytest

from edgewise.store import SqliteStore
from edgewise.store.postgres_store import PostgresStore
from edgewise.store.redis_store import RedisStore
from edgewise.testing.store_contract import CHECKS, Check, of_too_many_dead_letters_the_newest_are_kept
from tests.store.servers import PostgresServer, RedisServer

every_check = pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)


@every_check
def test_sqlite(check: Check, tmp_path: Path) -> None:
    check(lambda: SqliteStore(tmp_path / "events.db"))


@every_check
def test_postgres(check: Check, postgres: PostgresServer) -> None:
    schema = f"s{uuid.uuid4().hex}"
    check(lambda: PostgresStore(postgres.url, schema=schema))


@every_check
def test_redis(check: Check, redis_server: RedisServer) -> None:
    prefix = f"s{uuid.uuid4().hex}"
    check(lambda: RedisStore(redis_server.url, prefix=prefix))


def test_dead_letters_are_bounded_everywhere(
    tmp_path: Path, postgres: PostgresServer, redis_server: RedisServer
) -> None:
    name = f"s{uuid.uuid4().hex}"
    for open_store in (
        lambda: SqliteStore(tmp_path / "events.db", max_dead_letters=3),
        lambda: PostgresStore(postgres.url, schema=name, max_dead_letters=3),
        lambda: RedisStore(redis_server.url, prefix=name, max_dead_letters=3),
    ):
        of_too_many_dead_letters_the_newest_are_kept(open_store)
