"""The stores keep the contract."""

import uuid
from pathlib import Path

import pytest

from edgewise.store import SqliteStore
from edgewise.store.postgres_store import PostgresStore
from edgewise.store.redis_store import RedisStore
from edgewise.testing.store_contract import CHECKS, Check
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
