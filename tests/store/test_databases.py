"""What goes wrong around a store in a server, done for real: killed servers, two servers of one store, settings that lose data."""

import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest

from edgewise.errors import DataError, StoreBusyError, StoreError
from edgewise.store import DeadLetter, Erased, Event, EventStore, StoreConfig, StoreFolder, open_events
from edgewise.store.postgres_store import PostgresStore
from edgewise.store.redis_store import RedisStore
from edgewise.testing.store_contract import event
from tests.soak.kill_store_writers import run_round
from tests.store.servers import DatabaseServer, PostgresServer, RedisServer

SERVERS: dict[str, type[PostgresServer] | type[RedisServer]] = {"postgres": PostgresServer, "redis": RedisServer}
every_server = pytest.mark.parametrize("kind", SERVERS)


@pytest.fixture
def server(kind: str) -> Iterator[DatabaseServer]:
    """Give a server of this test's own, which may be killed."""
    found = SERVERS[kind]()
    try:
        found.start()
        yield found
    finally:
        found.remove()


@pytest.fixture
def shared(kind: str, request: pytest.FixtureRequest) -> DatabaseServer:
    found: DatabaseServer = request.getfixturevalue({"postgres": "postgres", "redis": "redis_server"}[kind])
    return found


def opened(server: DatabaseServer, name: str = "edgewise") -> EventStore:
    kind = PostgresStore if isinstance(server, PostgresServer) else RedisStore
    return kind(server.url, **{"schema" if kind is PostgresStore else "prefix": name})  # type: ignore[arg-type]


def some_name() -> str:
    return f"s{uuid.uuid4().hex}"


@every_server
@pytest.mark.slow
def test_killed_servers_and_writers_lose_nothing_acknowledged_and_count_nothing_twice(
    server: DatabaseServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EDGEWISE_STORE_URL", server.url)
    for seed in range(2):
        print(f"seed {seed}")  # noqa: T201 - shown where the test fails
        run_round(tmp_path, seed, server)


@every_server
def test_a_server_that_is_gone_is_told_and_one_that_is_back_is_used_again(server: DatabaseServer) -> None:
    store = opened(server)
    assert store.append([event(1)]) == [True]
    for end in (server.stop, server.kill):
        end()
        acts: tuple[Callable[[], object], ...] = (
            lambda: store.append([event(2)]),
            lambda: store.since(0, 10),
            lambda: store.of_user("u"),
        )
        for act in acts * 2:
            with pytest.raises(StoreBusyError, match="cannot be reached"):
                act()
        server.start()
        assert [entry for _, entry in store.since(0, 10)] == [event(1)]
        assert store.append([event(1)]) == [False]
    assert store.append([event(2)]) == [True]
    store.close()


WRITE = """
import os, sys
from pathlib import Path
from edgewise.store import StoreConfig, StoreFolder, open_events
from edgewise.testing.store_contract import event
store = open_events(StoreFolder.open(Path(sys.argv[1])), StoreConfig(name=sys.argv[2]))
print("ready", flush=True)
sys.stdin.readline()
for number in range(99):
    store.append([event(100_000 * int(sys.argv[3]) + 10 * number + place) for place in range(number % 3 + 1)])
"""


@pytest.mark.slow
@every_server
def test_a_follower_misses_nothing_of_several_processes_that_write_at_once(
    shared: DatabaseServer, tmp_path: Path
) -> None:
    name = some_name()
    follower = opened(shared, name)
    environment = os.environ | {"EDGEWISE_STORE_URL": shared.url}
    writers = [
        subprocess.Popen(
            [sys.executable, "-c", WRITE, str(tmp_path / "store"), name, str(number)],
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for number in range(2)
    ]
    for writer in writers:
        assert writer.stdout is not None
        assert writer.stdout.readline() == "ready\n"
    for writer in writers:
        assert writer.stdin is not None
        writer.stdin.write("\n")
        writer.stdin.flush()
    followed: list[str] = []
    seq = 0
    while True:
        were_writing = any(writer.poll() is None for writer in writers)
        for number, entry in follower.since(seq, 50):
            assert number == seq + 1, "an entry was passed over, or came late"
            assert isinstance(entry, Event)
            followed.append(entry.event_id)
            seq = number
        if not were_writing and follower.last_seq == seq:
            break
    for writer in writers:
        writer.communicate(timeout=30)
        assert writer.returncode == 0
    sent = {
        f"e{100_000 * writer + 10 * number + place}"
        for writer in range(2)
        for number in range(99)
        for place in range(number % 3 + 1)
    }
    assert len(followed) == len(sent) == 2 * 198
    assert set(followed) == sent
    follower.close()


HOLD = """
import sys, time
from pathlib import Path
from edgewise.store import redis_store
redis_store._LASTS_MS, redis_store._KEEP_S = 1500, 0.3
from edgewise.store import StoreConfig, StoreFolder, open_events
store = open_events(StoreFolder.open(Path(sys.argv[1])), StoreConfig(name=sys.argv[2]))
with store.lock():
    print("held", flush=True)
    time.sleep(600)
"""


@every_server
def test_a_second_server_is_refused_with_the_first_ones_process_and_let_in_after_its_death(
    shared: DatabaseServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edgewise.store.redis_store._LASTS_MS", 1500)
    name = some_name()
    store = opened(shared, name)
    environment = os.environ | {"EDGEWISE_STORE_URL": shared.url}
    command = [sys.executable, "-c", HOLD, str(tmp_path / "elsewhere"), name]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as first:
        try:
            assert first.stdout is not None
            assert first.stdout.readline() == "held\n"
            with pytest.raises(StoreBusyError, match=f"is served by process {first.pid} on .* already, and one server"):
                store.lock().__enter__()
            assert store.append([event(1)]) == [True], "consumers write beside it"
        finally:
            first.kill()
    with store.lock():
        assert store.append([event(2)]) == [True]
    with store.lock():
        pass
    with opened(shared, some_name()).lock():  # another store of the same server is another
        pass
    store.close()


@every_server
def test_a_server_of_the_store_keeps_it_over_a_restart_of_the_database(
    server: DatabaseServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in ("postgres_store", "redis_store"):
        monkeypatch.setattr(f"edgewise.store.{module}._KEEP_S", 0.1)
    store, other = opened(server), opened(server)
    with store.lock():
        server.kill()
        server.start()
        time.sleep(0.8)
        assert store.append([event(1)]) == [True]
        with pytest.raises(StoreBusyError, match="is served by"):
            other.lock().__enter__()
    store.close()
    other.close()


@every_server
def test_a_server_that_lost_the_store_to_another_may_not_write_any_more(
    server: DatabaseServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in ("postgres_store", "redis_store"):
        monkeypatch.setattr(f"edgewise.store.{module}._KEEP_S", 600.0)  # it sleeps, as a machine may that is suspended
    monkeypatch.setattr("edgewise.store.redis_store._LASTS_MS", 300)
    store, other = opened(server), opened(server)
    lock, others = store.lock(), other.lock()
    with lock:
        server.kill()
        server.start()
        time.sleep(0.4)
        with others:
            assert other.append([event(1)]) == [True]
            for act in (lambda: store.append([event(2)]), lambda: store.erase_item("i")):
                with pytest.raises(StoreError, match="another server has taken over"):
                    act()
            assert [entry for _, entry in store.since(0, 10)] == [event(1)]
    store.close()
    other.close()


def test_a_redis_that_loses_what_it_confirms_is_refused_unless_that_is_accepted() -> None:
    for settings, told in (
        (("--save", ""), "runs with appendonly no and appendfsync everysec: what it confirms can be lost"),
        (("--appendonly", "yes", "--save", ""), "runs with appendfsync everysec"),
        (("--appendonly", "yes", "--save", "", "--rename-command", "CONFIG", ""), "does not tell its settings"),
        (
            (
                "--appendonly",
                "yes",
                "--appendfsync",
                "always",
                "--maxmemory",
                "50mb",
                "--maxmemory-policy",
                "allkeys-lru",
            ),
            "runs with maxmemory-policy allkeys-lru",
        ),
    ):
        server = RedisServer(*settings)
        try:
            server.start()
            with pytest.raises(StoreError, match=told):
                RedisStore(server.url)
            store = RedisStore(server.url, accept_loss=True)
            assert store.append([event(1)]) == [True]
            store.close()
        finally:
            server.remove()


def test_an_answer_that_does_not_come_is_told_and_what_is_sent_again_counts_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("edgewise.store.redis_store._WAIT_S", 0.3)
    server = RedisServer()
    try:
        server.start()
        store = RedisStore(server.url)
        store.append([event(1)])
        assert server.process is not None
        server.process.send_signal(signal.SIGSTOP)
        with pytest.raises(StoreBusyError, match="cannot be reached"):
            store.append([event(2)])
        server.process.send_signal(signal.SIGCONT)
        assert store.append([event(2), event(3)]) == [False, True], "the first had arrived"
        assert [entry for _, entry in store.since(0, 10)] == [event(1), event(2), event(3)]
        store.close()
    finally:
        server.remove()


def test_a_redis_that_comes_back_with_other_settings_is_not_written() -> None:
    server = RedisServer()
    try:
        server.start()
        store = RedisStore(server.url)
        store.append([event(1)])
        server.stop()
        server.command = [word if word != "always" else "no" for word in server.command]
        server.start()
        for _ in range(2):
            with pytest.raises(StoreError, match="appendfsync no"):
                store.append([event(2)])
        store.close()
    finally:
        server.remove()


def test_a_full_redis_says_so_and_goes_on_reading() -> None:
    server = RedisServer("--appendonly", "yes", "--appendfsync", "always", "--save", "", "--maxmemory", "3mb")
    try:
        server.start()
        store = RedisStore(server.url)
        n = 0
        with pytest.raises(StoreError, match=r"memory of .* is full .*nothing of this call was stored"):
            for n in range(0, 100_000, 100):
                store.append([event(n + place, session_id="x" * 200) for place in range(100)])
        assert len(store.since(0, 10**6)) == n > 0
        store.close()
    finally:
        server.remove()


def test_an_erased_user_is_in_no_file_of_redis() -> None:
    server = RedisServer("--appendonly", "yes", "--appendfsync", "always", "--save", "3600", "1")
    try:
        server.start()
        store = RedisStore(server.url)
        for batch in range(20):
            store.append(
                [event(50 * batch + place, f"person-{place:03d}") for place in range(50)],
                dead_letters=[DeadLetter("t/0/1", "why", b'{"user_id": "person-003"}', 7)],
                register=True,
            )

        def on_disk() -> bytes:
            return b"".join(path.read_bytes() for path in server.folder.rglob("*") if path.is_file())

        assert b"person-003" in on_disk()
        assert store.erase_user("person-003") == 20
        assert b"person-003" not in on_disk()
        assert store.of_user("person-004")
        server.kill()
        server.start()
        assert store.of_user("person-003") == []
        assert isinstance(store.since(1000, 10)[-1][1], Erased)
        store.close()
    finally:
        server.remove()


def test_after_the_clean_up_that_the_docs_name_an_erased_user_is_in_no_table_file_of_postgres() -> None:
    server = PostgresServer()
    try:
        server.start()
        store = PostgresStore(server.url)
        for batch in range(20):
            store.append([event(50 * batch + place, f"person-{place:03d}") for place in range(50)], register=True)
        with psycopg.connect(server.url, autocommit=True) as connection:
            connection.execute("ANALYZE")
            connection.execute("CHECKPOINT")

            def in_tables(some_id: bytes) -> bool:
                files = [path for path in (server.data / "base").rglob("*") if path.is_file()]
                return any(some_id in path.read_bytes() for path in files)

            assert in_tables(b"person-003")
            assert store.erase_user("person-003") == 20
            page = (Path(__file__).parents[2] / "docs" / "stores.md").read_text(encoding="utf-8")
            statements = page.partition("`VACUUM (")[2].partition("`")[0]
            for statement in f"VACUUM ({statements}".split(";"):
                if statement.strip():
                    connection.execute(statement.encode())
        assert not in_tables(b"person-003")
        assert in_tables(b"person-004")
        store.close()
    finally:
        server.remove()


def test_a_postgres_that_does_not_flush_is_refused_unless_that_is_accepted() -> None:
    server = PostgresServer("fsync=off")
    try:
        server.start()
        with pytest.raises(StoreError, match="runs with fsync = off: what it confirms can be lost"):
            PostgresStore(server.url)
        store = PostgresStore(server.url, accept_loss=True)
        assert store.append([event(1)]) == [True]
        store.close()
        server.stop()
        server.command, careless = (
            [word if word != "fsync=off" else "fsync=on" for word in server.command],
            server.command,
        )
        server.start()
        store = PostgresStore(server.url)
        assert store.append([event(2)]) == [True]
        server.stop()
        server.command = careless
        server.start()
        with pytest.raises(StoreError, match="runs with fsync = off"):
            store.append([event(3)])
        store.close()
    finally:
        server.remove()


def test_a_schema_of_another_program_and_another_format_are_refused(postgres: PostgresServer) -> None:
    foreign, newer = some_name(), some_name()
    PostgresStore(postgres.url, schema=newer).close()
    with psycopg.connect(postgres.url, autocommit=True) as connection:
        connection.execute(f"CREATE SCHEMA {foreign}".encode())
        connection.execute(f"CREATE TABLE {foreign}.theirs (x int)".encode())
        connection.execute(f"UPDATE {newer}.about SET format = 9".encode())
    with pytest.raises(StoreError, match=r"tables of another program \(theirs\); it was left alone"):
        PostgresStore(postgres.url, schema=foreign)
    with pytest.raises(StoreError, match="has format 9; this version of edgewise reads format 1"):
        PostgresStore(postgres.url, schema=newer)


def test_a_user_who_may_not_make_a_schema_can_be_given_one(postgres: PostgresServer) -> None:
    name = some_name()
    with psycopg.connect(postgres.url, autocommit=True) as connection:
        connection.execute(f"CREATE ROLE {name} LOGIN".encode())
        connection.execute(f"CREATE SCHEMA {name} AUTHORIZATION {name}".encode())
    url = postgres.url.replace("edgewise@", f"{name}@")
    with pytest.raises(StoreError, match=r"cannot be written \(permission denied for database"):
        PostgresStore(url, schema=some_name())
    store = PostgresStore(url, schema=name)
    assert store.append([event(1)]) == [True]
    with pytest.raises(DataError, match="cannot hold") as refused:
        store.append([event(2, "someone private", value=None)])
    assert "someone private" not in str(refused.value)
    store.close()


def test_confirmed_means_flushed_even_where_the_database_says_otherwise(postgres: PostgresServer) -> None:
    store = PostgresStore(postgres.url + "&options=-c%20synchronous_commit%3Doff", schema=some_name())
    assert store._read("SELECT current_setting('synchronous_commit')") == [("on",)]
    store.close()


def test_a_writer_that_holds_the_lock_makes_others_wait_then_say_so(
    postgres: PostgresServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(
        __import__("edgewise.store.postgres_store").store.postgres_store._SETTINGS, "lock_timeout", "100ms"
    )
    name = some_name()
    store, other = PostgresStore(postgres.url, schema=name), PostgresStore(postgres.url, schema=name)
    with other._transaction():
        with pytest.raises(StoreBusyError, match=r"is busy .*nothing of this call was stored"):
            store.append([event(1)])
        assert store.last_seq == 0
    assert store.append([event(1)]) == [True]
    store.close()
    other.close()


def test_the_folder_keeps_models_and_the_server_events(postgres: PostgresServer, tmp_path: Path) -> None:
    folder, name = StoreFolder.open(tmp_path / "store"), some_name()
    store = open_events(folder, StoreConfig(url=postgres.url, name=name), {})
    store.append([event(1)])
    assert isinstance(store, PostgresStore)
    assert [path.name for path in folder.path.iterdir()] == ["store.json"]
    again = open_events(folder, StoreConfig(name=name), {"EDGEWISE_STORE_URL": postgres.url})
    assert again.last_seq == 1
    store.close()
    again.close()


def test_a_password_is_used_and_never_shown(tmp_path: Path) -> None:
    server = RedisServer("--appendonly", "yes", "--appendfsync", "always", "--save", "", "--requirepass", "geh3im")
    folder = StoreFolder.open(tmp_path / "store")
    (tmp_path / "password").write_text("geh3im\n")
    place = server.url.removeprefix("redis://")
    try:
        server.start()
        for settings, environment in (
            (StoreConfig(url=server.url, password_file=str(tmp_path / "password")), {}),
            (StoreConfig(), {"EDGEWISE_STORE_URL": f"redis://:geh3im@{place}"}),
        ):
            store = open_events(folder, settings, environment)
            store.append([event(1)])
            assert "geh3im" not in repr(vars(store).get("where"))
            store.close()
        with pytest.raises(StoreError, match="refuses this user") as refused:
            open_events(folder, StoreConfig(), {"EDGEWISE_STORE_URL": f"redis://:geh4im@{place}"})
        assert "geh4im" not in str(refused.value)
    finally:
        server.remove()


def test_redis_tells_one_moment_of_an_erasure(redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """A clock that is read twice would tell two, and a replay leave out what came between."""
    ticks = iter(range(1000, 9000))
    monkeypatch.setattr("edgewise.store.redis_store._now", lambda: next(ticks))
    store = RedisStore(redis_server.url, prefix="one-moment")
    store.erase_user("gone")
    told = store.since(0, 10)[-1][1]
    assert isinstance(told, Erased)
    later = Event("e", "gone", "i", type="view", timestamp=told.at + 1)
    assert store.append([later], keep_erased_out=True) == [True]
    store.close()
