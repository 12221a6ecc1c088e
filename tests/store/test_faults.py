"""What goes wrong around a store, done for real: killed writers, full disks, torn and damaged files, no permission."""

import os
import random
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from edgewise.errors import StoreBusyError, StoreError
from edgewise.store import Erased, Event, SqliteStore, StoreFolder
from edgewise.testing.store_contract import event
from tests.soak.kill_store_writers import run_round


def run(code: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    """Run a piece of Python in a process of its own."""
    return subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)], capture_output=True, text=True, timeout=120, check=True
    )


def stored(path: Path) -> list[str]:
    """Open a store and list the ids in its log."""
    store = SqliteStore(path)
    try:
        return [entry.event_id for _, entry in store.since(0, 10**6) if isinstance(entry, Event)]
    finally:
        store.close()


@pytest.mark.parametrize("n_rounds", [2, pytest.param(10, marks=pytest.mark.slow)])
def test_killed_writers_lose_nothing_acknowledged_and_count_nothing_twice(n_rounds: int, tmp_path: Path) -> None:
    for seed in range(n_rounds):
        print(f"seed {seed}")  # noqa: T201 - shown where the test fails
        run_round(tmp_path, seed)


FILL = """
import resource, sys
from pathlib import Path
from edgewise.errors import StoreError
from edgewise.store import SqliteStore
from edgewise.testing.store_contract import event
store = SqliteStore(Path(sys.argv[1]))
resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))
n = 0
try:
    while True:
        store.append([event(n + place) for place in range(10)])
        n += 10
except StoreError as error:
    print(error)
assert len(store.since(0, 10**6)) == n, "reading goes on"
print(n)
"""


def test_a_file_that_may_not_grow_is_told_and_what_was_acknowledged_is_there(tmp_path: Path) -> None:
    told, n = run(FILL, tmp_path / "events.db").stdout.splitlines()
    assert "nothing of this call was stored" in told
    assert stored(tmp_path / "events.db") == [f"e{number}" for number in range(int(n))]
    assert int(n) > 0


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A real file system of one megabyte."""
    place = tmp_path / "disk"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "none", str(place)]
    if os.geteuid() or subprocess.run(mount, check=False, capture_output=True).returncode:
        pytest.skip("only root can mount a small disk, and not in every container")
    yield place
    subprocess.run(["umount", place], check=True)


def test_a_full_disk_is_told_and_goes_on_when_there_is_space(small_disk: Path) -> None:
    (small_disk / "ballast").write_bytes(b"x" * 300_000)
    store = SqliteStore(small_disk / "events.db")
    n = 0
    with pytest.raises(StoreError, match=r"is full; nothing of this call was stored\. Free some space"):
        for n in range(0, 100_000, 10):
            store.append([event(n + place) for place in range(10)])
    assert len(store.since(0, 10**6)) == n > 0
    (small_disk / "ballast").unlink()
    store.append([event(n + place) for place in range(10)])
    store.close()
    assert stored(small_disk / "events.db") == [f"e{number}" for number in range(n + 10)]


def test_a_new_store_on_a_full_disk_is_refused_in_words(small_disk: Path) -> None:
    (small_disk / "ballast").write_bytes(b"x" * (1024 * 1024 - 8192))
    with pytest.raises(StoreError):
        StoreFolder.open(small_disk / "store").events()


def crashed(place: Path, n_batches: int) -> Path:
    """Make a store as a crash leaves it: its last batches are in the write-ahead log alone."""
    (place / "live").mkdir()
    store = SqliteStore(place / "live" / "events.db")
    for batch in range(n_batches):
        store.append([event(10 * batch + number) for number in range(10)])
    (place / "crash").mkdir()
    for name in ("events.db", "events.db-wal"):
        shutil.copyfile(place / "live" / name, place / "crash" / name)
    store.close()
    return place / "crash" / "events.db"


@pytest.mark.parametrize(
    "damage", ["cut in the last record", "cut anywhere", "a byte of the last record", "zeros at the end"]
)
def test_a_torn_last_record_costs_at_most_what_stands_in_it(damage: str, tmp_path: Path) -> None:
    path, moments = crashed(tmp_path, 20), random.Random(0)
    log = path.with_name("events.db-wal")
    whole = log.read_bytes()
    frame = 1024 + 24
    for _ in range(5):
        cut = (
            len(whole) - moments.randrange(1, frame)
            if damage == "cut in the last record"
            else moments.randrange(len(whole))
        )
        place = len(whole) - moments.randrange(1, frame)
        torn = {
            "a byte of the last record": whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :],
            "zeros at the end": whole + bytes(10_000),
        }.get(damage, whole[:cut])
        copy = Path(tempfile.mkdtemp(dir=tmp_path)) / "events.db"
        shutil.copyfile(path, copy)
        copy.with_name("events.db-wal").write_bytes(torn)
        if damage == "cut anywhere" and cut < frame * 3:
            continue  # the tables themselves were in it: then the store is new
        found = stored(copy)
        assert found == [f"e{number}" for number in range(len(found))]
        assert len(found) % 10 == 0, "a transaction is whole or not there"
        expected = {"zeros at the end": 200, "cut anywhere": None}.get(damage, 190)
        assert expected is None or len(found) == expected
        store = SqliteStore(copy)
        assert store.append([event(1000)]) == [True]
        store.close()
        with sqlite3.connect(copy) as connection:
            assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        connection.close()


def test_a_damaged_file_is_told_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "events.db"
    store = SqliteStore(path)
    store.append([event(number) for number in range(2000)])
    store.close()
    whole = path.read_bytes()
    path.write_bytes(b"no SQLite file" + bytes(10_000))
    with pytest.raises(StoreError, match="is damaged"):
        SqliteStore(path)
    path.write_bytes(whole[:4096] + b"\x07" * (len(whole) - 4096))
    with pytest.raises(StoreError, match="is damaged"):
        store = SqliteStore(path)
        try:
            store.append([event(1)])
        finally:
            store.close()


def test_another_programs_file_and_another_format_are_refused(tmp_path: Path) -> None:
    foreign, newer = tmp_path / "foreign.db", tmp_path / "newer.db"
    SqliteStore(newer).close()
    for path, statement in ((foreign, "CREATE TABLE t (x)"), (newer, "PRAGMA user_version = 3")):
        connection = sqlite3.connect(path)
        connection.execute(statement)
        connection.close()
    before = foreign.read_bytes()
    with pytest.raises(StoreError, match="SQLite file of another program; it was left alone"):
        SqliteStore(foreign)
    assert foreign.read_bytes() == before
    with pytest.raises(StoreError, match="has format 3; this version of edgewise reads format 2"):
        SqliteStore(newer)


def test_a_file_of_the_first_format_is_brought_up_to_this_one(tmp_path: Path) -> None:
    path = tmp_path / "events.db"
    store = SqliteStore(path)
    store.append([event(1), event(2, "v")])
    store.erase_user("v")
    store.close()
    connection = sqlite3.connect(path)
    for statement in ("DROP INDEX dead_letters_of_source", "ALTER TABLE erased DROP COLUMN item"):
        connection.execute(statement)
    connection.execute("ALTER TABLE erased DROP COLUMN type")
    connection.execute("PRAGMA user_version = 1")
    connection.close()
    for _ in range(2):
        store = SqliteStore(path)
        assert [type(entry) for _, entry in store.since(0, 10)] == [Event, Erased]
        store.close()
    store = SqliteStore(path)
    store.erase_events("u", "i")
    told = store.since(3, 10)[0][1]
    assert isinstance(told, Erased)
    assert told.item is not None
    store.close()


UNPRIVILEGED = """
import os, sys
from pathlib import Path
from edgewise.errors import StoreError
from edgewise.store import ModelRegistry, StoreFolder
if os.geteuid() == 0:
    os.setgid(65534)
    os.setuid(65534)
folder = StoreFolder.open(Path(sys.argv[1]), create=False)
for use in (folder.events, lambda: folder.lock().__enter__(), lambda: StoreFolder.open(Path(sys.argv[1]) / "new")):
    try:
        use()
    except StoreError as error:
        print(error)
"""


def test_a_store_that_may_not_be_written_is_told() -> None:
    with tempfile.TemporaryDirectory() as place:  # pytest's own folders are closed to other users
        Path(place).chmod(0o755)
        folder = Path(place) / "store"
        store = StoreFolder.open(folder).events()
        store.append([event(1)])
        store.close()
        folder.chmod(0o555)
        lines = run(UNPRIVILEGED, folder).stdout.splitlines()
        folder.chmod(0o755)
    assert len(lines) == 3, lines
    assert "events.db cannot be written" in lines[0]
    assert "cannot be locked: Permission denied" in lines[1]
    assert "new cannot be opened: Permission denied" in lines[2]


HOLD = """
import sys, time
from pathlib import Path
from edgewise.store.lock import store_lock
with store_lock(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(600)
"""


def test_a_second_server_is_refused_with_the_first_ones_process_id_and_let_in_after_its_death(tmp_path: Path) -> None:
    folder = StoreFolder.open(tmp_path / "store")
    with subprocess.Popen([sys.executable, "-c", HOLD, str(folder.path)], stdout=subprocess.PIPE, text=True) as first:
        try:
            assert first.stdout is not None
            assert first.stdout.readline() == "held\n"
            with (
                pytest.raises(
                    StoreBusyError, match=f"is served by process {first.pid} already, and one server at a time may"
                ),
                folder.lock(),
            ):
                pytest.fail("two hold the lock")
        finally:
            first.kill()
    again = pytest.raises(StoreBusyError, match=f"process {os.getpid()} already")
    with folder.lock(), again, folder.lock():
        pytest.fail("two hold the lock")
    with folder.lock():
        pass


def test_a_writer_that_holds_the_file_makes_others_wait_then_say_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edgewise.store.sqlite_store._WAIT_S", 0.1)
    store = SqliteStore(tmp_path / "events.db")
    other = sqlite3.connect(tmp_path / "events.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreBusyError, match="held by another process that writes"):
        store.append([event(1)])
    assert store.last_seq == 0
    other.execute("COMMIT")
    assert store.append([event(1)]) == [True]
    other.close()
    store.close()


def test_an_erased_user_is_in_no_file(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "events.db")
    rng = random.Random(1)  # with these, a split page keeps a copy of person-017 (SQLite 3.40)

    def some_event(number: int) -> Event:
        person, item = f"person-{rng.randrange(40):03d}", f"i{rng.randrange(99)}"
        return event(number, person, item, session_id=f"visit-{number:06d}")

    for batch in range(60):
        store.append([some_event(number) for number in range(50 * batch, 50 * batch + 50)])
    for number in (3, 17, 29):
        person, before = f"person-{number:03d}", store.of_item("i1")
        assert store.erase_user(person) > 0
        content = b"".join(path.read_bytes() for path in tmp_path.iterdir())
        assert person.encode() not in content
        assert b"person-000" in content, "others can be read, so the search would find this one too"
        assert store.of_item("i1") == [found for found in before if found.user_id != person]
    store.close()


def test_erasing_while_somebody_reads_the_old_state_says_that_it_is_not_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edgewise.store.sqlite_store._WAIT_S", 0.1)
    store = SqliteStore(tmp_path / "events.db")
    store.append([event(1, "person-001")])
    other = sqlite3.connect(tmp_path / "events.db", isolation_level=None)
    other.execute("BEGIN")
    other.execute("SELECT * FROM events").fetchall()
    with pytest.raises(StoreBusyError, match="Repeat the erasure"):
        store.erase_user("person-001")
    assert store.of_user("person-001") == []
    other.execute("COMMIT")
    other.close()
    store.erase_user("person-001")
    assert not any(b"person-001" in path.read_bytes() for path in tmp_path.iterdir())
    store.close()
