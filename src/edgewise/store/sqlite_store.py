"""The store in one SQLite file: write-ahead log, one transaction a call, flushed to the disk before the call returns.

Readers never wait for writers. Writers wait for each other, also those of other processes (a consumer beside the service):
SQLite's lock of the file is the only one that counts, the lock in here merely keeps threads from polling for it.
"""

import contextlib
import mmap
import sqlite3
import threading
import time
from collections import deque
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from edgewise.errors import DataError, StoreBusyError, StoreError
from edgewise.files import sync
from edgewise.store.event import Event
from edgewise.store.protocol import MAX_DEAD_LETTERS
from edgewise.store.sql_store import EVENT, LAST_SEQ, Session, SqlStore, row_of

FORMAT = 2
"""The number of the tables' layout: a file of format 1 is brought up to it, one of another number refused."""

_APPLICATION = 0x45445745  # "EDWE" in the file's header: another program's SQLite file is not taken for ours
_WAIT_S = 10.0

# What an event costs is the pages it touches: each goes into the write-ahead log whole, and later into the file. Ids are
# spread over the whole index, so pages are small, and the log is long enough for pages to be touched again before it is
# brought into the file. Who writes keeps many of them
# in memory: in the third round of benchmarks/kafka.py an event takes the consumer 39 µs, and took 48 with a fifth of this cache.
_PAGE = 1024
_LOG_PAGES = 65_536
_WRITER_CACHE_KB, _READER_CACHE_KB = 160_000, 4_000

_TABLES = """
CREATE TABLE events (
  seq INTEGER PRIMARY KEY, event_id TEXT NOT NULL UNIQUE, user_id TEXT NOT NULL, item_id TEXT, type TEXT NOT NULL,
  value REAL NOT NULL, timestamp INTEGER NOT NULL, session_id TEXT, target_user_id TEXT
) STRICT;
CREATE INDEX events_of_user ON events (user_id, timestamp);
CREATE TABLE item_events (
  item_id TEXT NOT NULL, timestamp INTEGER NOT NULL, seq INTEGER NOT NULL, PRIMARY KEY (item_id, timestamp, seq)
) STRICT, WITHOUT ROWID;
CREATE TABLE indexed (items_up_to INTEGER NOT NULL) STRICT;
INSERT INTO indexed VALUES (0);
CREATE INDEX events_about_user ON events (target_user_id) WHERE target_user_id IS NOT NULL;
CREATE TABLE erased (
  seq INTEGER PRIMARY KEY, kind TEXT NOT NULL, subject TEXT NOT NULL, at INTEGER NOT NULL, item TEXT, type TEXT
) STRICT;
CREATE TABLE users (
  user_id TEXT PRIMARY KEY, labels TEXT NOT NULL DEFAULT 'null', subscribe TEXT NOT NULL DEFAULT '[]',
  comment TEXT NOT NULL DEFAULT ''
) STRICT, WITHOUT ROWID;
CREATE TABLE items (
  item_id TEXT PRIMARY KEY, is_hidden INTEGER NOT NULL DEFAULT 0, categories TEXT NOT NULL DEFAULT '[]', timestamp INTEGER,
  labels TEXT NOT NULL DEFAULT 'null', comment TEXT NOT NULL DEFAULT ''
) STRICT, WITHOUT ROWID;
CREATE TABLE offsets (
  group_id TEXT NOT NULL, topic TEXT NOT NULL, partition INTEGER NOT NULL, next INTEGER NOT NULL,
  PRIMARY KEY (group_id, topic, partition)
) STRICT, WITHOUT ROWID;
CREATE TABLE dead_letters (
  seq INTEGER PRIMARY KEY AUTOINCREMENT, source TEXT NOT NULL, reason TEXT NOT NULL, payload BLOB NOT NULL, at INTEGER NOT NULL
) STRICT;
CREATE INDEX dead_letters_of_source ON dead_letters (source);
"""

_FROM_1_TO_2 = """
ALTER TABLE erased ADD COLUMN item TEXT;
ALTER TABLE erased ADD COLUMN type TEXT;
CREATE INDEX IF NOT EXISTS dead_letters_of_source ON dead_letters (source);
"""

_INSERT = f"INSERT INTO events (seq, {EVENT}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (event_id) DO NOTHING"

_UNFIT = (
    *(sqlite3.IntegrityError, sqlite3.DataError, sqlite3.ProgrammingError, sqlite3.InterfaceError),
    *(OverflowError, UnicodeEncodeError),
)
"""What comes of an event that was not checked: the fault is in the event, not in the store."""


class SqliteStore(SqlStore):
    """An `EventStore` in one file and its write-ahead log beside it.

    Deleted rows are overwritten with zeros (`secure_delete`), and erasing a user empties the log and looks for what is left,
    so that no file has the user's id in it.

    Raises:
        StoreError: if the file cannot be made or written, is damaged, of another program or another format.
    """

    def __init__(self, path: Path, *, max_dead_letters: int = MAX_DEAD_LETTERS) -> None:
        super().__init__(max_dead_letters)
        self.path = path
        self._lock = threading.RLock()
        self._idle: deque[sqlite3.Connection] = deque()
        self._is_open = True
        try:
            is_new = not path.exists()
            self._writer = self._connect(_WRITER_CACHE_KB)
            try:
                self._set_up()
            except BaseException:
                self._writer.close()
                raise
            if is_new:
                sync(path.parent)  # SQLite flushes the file, not its name
        except (sqlite3.Error, OSError) as error:
            raise _explained(error, path) from error

    def of_item(self, item_id: str, limit: int | None = None) -> list[Event]:
        """Return an item's latest events, the oldest of them first.

        The index behind it is brought up to date here and not by `append`: few ask by item, and many events at once cost
        an index far less than each alone.
        """
        with self._reader() as connection:
            is_behind = _indexed_up_to(connection) < connection.execute(LAST_SEQ).fetchone()[0]
        if is_behind:
            with self._transaction() as connection:
                _index_items(connection)
        columns = ", ".join(f"events.{name}" for name in EVENT.split(", "))
        query = (
            f"SELECT {columns} FROM item_events AS found JOIN events ON events.seq = found.seq WHERE found.item_id = ? "
            "ORDER BY found.timestamp DESC, found.seq DESC LIMIT ?"
        )
        return self._latest(query, (item_id,), limit)

    def erase_user(self, user_id: str) -> int:
        """Erase a user; returns how many events by and about them there were.

        SQLite overwrites what it deletes, and not the copies that it left when it once split a page in two. Where the file
        still has the id in it after all, it is written anew, which holds up writers for some seconds a million events.

        Raises:
            StoreBusyError: if all is erased, but a reader that does not finish keeps the old pages in the write-ahead log.
        """
        n_events = super().erase_user(user_id)
        self._empty_log()
        if self._has_trace(user_id):
            with self._explaining():
                self._writer.execute("VACUUM")
            self._empty_log()
        return n_events

    @property
    def is_empty(self) -> bool:
        """Whether nothing was ever stored, or nothing is left that anybody could miss."""
        tables = ("events", "erased", "users", "items", "offsets", "dead_letters")
        found = self._read("SELECT " + " OR ".join(f"EXISTS (SELECT 1 FROM {table})" for table in tables))
        return not found[0][0]

    def lock(self) -> contextlib.AbstractContextManager[None]:
        """Do nothing: the lock of the folder holds for the file in it."""
        return contextlib.nullcontext()

    def close(self) -> None:
        """Let go of the file; the last connection to it also empties the write-ahead log."""
        with self._lock:
            self._is_open = False
            while self._idle:
                self._idle.pop().close()
            self._writer.close()

    def _insert(self, session: Session, events: Sequence[Event], seq: int) -> list[bool]:
        new = []
        for event in events:
            is_new = session.execute(_INSERT, (seq, *row_of(event))).rowcount > 0
            seq += is_new
            new.append(is_new)
        return new

    def _delete(self, session: Session, where: str, values: Sequence[str]) -> int:
        keys = session.execute(f"SELECT item_id, timestamp, seq FROM events WHERE {where}", values).fetchall()
        session.executemany("DELETE FROM item_events WHERE item_id = ? AND timestamp = ? AND seq = ?", keys)
        session.executemany("DELETE FROM events WHERE seq = ?", [(seq,) for _, _, seq in keys])
        return len(keys)

    def _delete_of_item(self, session: Session, item_id: str) -> int:
        _index_items(session)
        return self._delete(session, "seq IN (SELECT seq FROM item_events WHERE item_id = ?)", [item_id])

    def _read(self, query: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        with self._reader() as connection:
            return connection.execute(query, values).fetchall()

    @contextlib.contextmanager
    def _reader(self) -> Iterator[sqlite3.Connection]:
        """Lend a connection for reading: as many as are in use at once are opened, and then used again."""
        self._check_open()
        connection = None
        try:
            try:
                connection = self._idle.pop()
            except IndexError:
                connection = self._connect(_READER_CACHE_KB)
            yield connection
        except sqlite3.Error as error:
            if connection is not None:
                connection.close()
                connection = None
            raise _explained(error, self.path) from error
        finally:
            if connection is not None:
                self._idle.append(connection)
                if not self._is_open:  # closed while this read was under way
                    self.close()

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        """Lend the connection for writing: all or nothing, and on the disk when the block has ended."""
        with self._lock:
            self._check_open()
            try:
                self._writer.execute("BEGIN IMMEDIATE")
                yield self._writer
                self._writer.execute("COMMIT")
            except _UNFIT as error:
                self._roll_back()
                raise DataError(
                    f"{self.path} cannot hold what was given, and stored nothing of it: {error}."
                ) from error
            except sqlite3.Error as error:
                self._roll_back()
                raise _explained(error, self.path) from error
            except BaseException:
                self._roll_back()
                raise

    def _roll_back(self) -> None:
        try:
            if self._writer.in_transaction:
                self._writer.execute("ROLLBACK")
        except sqlite3.Error:
            self._writer.close()
            self._writer = self._connect(_WRITER_CACHE_KB)

    def _check_open(self) -> None:
        if not self._is_open:
            raise StoreError(f"the store {self.path} is closed; open it again.")

    def _connect(self, cache_kb: int) -> sqlite3.Connection:
        # Between threads a connection is lent, never shared at one moment.
        connection = sqlite3.connect(self.path, timeout=_WAIT_S, isolation_level=None, check_same_thread=False)
        try:
            connection.execute("PRAGMA synchronous = FULL")  # in WAL mode: the log is flushed at each commit
            connection.execute("PRAGMA secure_delete = ON")
            connection.execute(f"PRAGMA cache_size = -{cache_kb}")
            connection.execute(f"PRAGMA wal_autocheckpoint = {_LOG_PAGES}")
        except BaseException:
            connection.close()
            raise
        return connection

    def _set_up(self) -> None:
        """Make the tables of a new file, and check those of an old one."""
        connection = self._writer
        application, version = (
            connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("application_id", "user_version")
        )
        n_tables = connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0]
        if n_tables and application != _APPLICATION:
            raise StoreError(
                f"{self.path} is a SQLite file of another program; it was left alone. Name another folder."
            )
        if n_tables and version not in (1, FORMAT):
            raise StoreError(
                f"{self.path} has format {version}; this version of edgewise reads format {FORMAT}. Open it with the version that made it."
            )
        if not n_tables:
            connection.execute(f"PRAGMA page_size = {_PAGE}")
        mode = _logged(connection)
        if mode != "wal":
            raise StoreError(
                f"{self.path} cannot have a write-ahead log (mode {mode!r}); is it on a network disk? Name a local folder."
            )
        with self._transaction():  # also shows at once whether the file can be written
            if connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0] == 0:
                for statement in _TABLES.split(";\n"):
                    connection.execute(statement)
                connection.execute(f"PRAGMA application_id = {_APPLICATION}")
            elif connection.execute("PRAGMA user_version").fetchone()[0] == 1:
                for statement in _FROM_1_TO_2.split(";\n"):
                    connection.execute(statement)
            connection.execute(f"PRAGMA user_version = {FORMAT}")

    def _empty_log(self) -> None:
        """Bring the write-ahead log into the file and cut it to nothing: old pages of it hold what was erased."""
        with self._explaining():
            is_busy = self._writer.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
        if is_busy:
            raise StoreBusyError(
                f"erased from {self.path}, but a reader held the write-ahead log for {_WAIT_S:.0f} s, and old pages of it still "
                "hold what was erased. Repeat the erasure."
            )

    def _has_trace(self, some_id: str) -> bool:
        with self.path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
            return content.find(some_id.encode()) >= 0

    @contextlib.contextmanager
    def _explaining(self) -> Iterator[None]:
        """Have the connection for writing to oneself, outside of a transaction."""
        with self._lock:
            self._check_open()
            try:
                yield
            except sqlite3.Error as error:
                raise _explained(error, self.path) from error


def _logged(connection: sqlite3.Connection) -> str:
    """Ask for a write-ahead log; returns the mode. For this SQLite itself does not wait while another process makes the same file."""
    until = time.monotonic() + _WAIT_S
    while True:
        try:
            return str(connection.execute("PRAGMA journal_mode = WAL").fetchone()[0])
        except sqlite3.OperationalError as error:
            if not error.sqlite_errorname.startswith("SQLITE_BUSY") or time.monotonic() >= until:
                raise
            time.sleep(0.02)


def _indexed_up_to(connection: Session) -> int:
    return int(connection.execute("SELECT items_up_to FROM indexed").fetchone()[0])


def _index_items(connection: Session) -> None:
    """Bring the index of items up to the last event, in the order of the index."""
    connection.execute(
        "INSERT INTO item_events SELECT item_id, timestamp, seq FROM events WHERE seq > ? AND item_id IS NOT NULL "
        "ORDER BY item_id, timestamp, seq",
        (_indexed_up_to(connection),),
    )
    connection.execute(f"UPDATE indexed SET items_up_to = ({LAST_SEQ})")


def _explained(error: sqlite3.Error | OSError, path: Path) -> StoreError:
    """Say what SQLite's error means, and what to do."""
    if isinstance(error, OSError):
        return StoreError(
            f"{path} cannot be used: {error.strerror or error}. Check the folder's permissions, or name another."
        )
    name = getattr(error, "sqlite_errorname", "") or ""
    if name.startswith(("SQLITE_BUSY", "SQLITE_LOCKED")):
        return StoreBusyError(
            f"{path} is held by another process that writes ({error}); nothing was stored. Try again."
        )
    if name == "SQLITE_FULL":
        return StoreError(
            f"the disk that holds {path} is full; nothing of this call was stored. Free some space, then send it again."
        )
    if name.startswith(("SQLITE_READONLY", "SQLITE_CANTOPEN", "SQLITE_PERM")):
        return StoreError(
            f"{path} cannot be written ({error}). Check that the folder exists and that this user may write to it."
        )
    if name.startswith("SQLITE_IOERR"):
        return StoreError(
            f"the disk refused to read or write {path} ({name}); nothing of this call was stored. Check space, limits on the "
            "size of files, and the disk's health."
        )
    if name.startswith(("SQLITE_CORRUPT", "SQLITE_NOTADB")):
        return StoreError(
            f"{path} is damaged ({error}). Restore it from a copy, or move it away and send the events again."
        )
    return StoreError(f"{path}: {error} ({name or type(error).__name__}); nothing of this call was stored.")
