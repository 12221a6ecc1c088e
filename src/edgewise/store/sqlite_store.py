"""The store in one SQLite file: write-ahead log, one transaction a call, flushed to the disk before the call returns.

Readers never wait for writers. Writers wait for each other, also those of other processes (a consumer beside the service):
SQLite's lock of the file is the only one that counts, the lock in here merely keeps threads from polling for it.
"""

import contextlib
import json
import mmap
import sqlite3
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from edgewise.errors import DataError, StoreBusyError, StoreError
from edgewise.files import sync
from edgewise.store.event import Entry, Erased, Event, record_of, subject_of
from edgewise.store.objects import StoredItem, StoredUser, changed, packed, unpacked
from edgewise.store.protocol import MAX_PAYLOAD, DeadLetter, Offset

FORMAT = 1
"""The number of the tables' layout; a file of another number is refused, not guessed at."""

_APPLICATION = 0x45445745  # "EDWE" in the file's header: another program's SQLite file is not taken for ours
_WAIT_S = 10.0

# What an event costs is the pages it touches: each goes into the write-ahead log whole, and later into the file. Ids are
# spread over the whole index, so pages are small, and the log is long enough for pages to be touched again before it is
# brought into the file.
_PAGE = 1024
_LOG_PAGES = 65_536
_WRITER_CACHE_KB, _READER_CACHE_KB = 32_000, 4_000

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
CREATE TABLE erased (seq INTEGER PRIMARY KEY, kind TEXT NOT NULL, subject TEXT NOT NULL, at INTEGER NOT NULL) STRICT;
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
"""

_EVENT = "event_id, user_id, item_id, type, value, timestamp, session_id, target_user_id"
_INSERT = f"INSERT INTO events (seq, {_EVENT}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (event_id) DO NOTHING"
_LAST_SEQ = "SELECT max(coalesce((SELECT max(seq) FROM events), 0), coalesce((SELECT max(seq) FROM erased), 0))"
_PUT_USER = "INSERT OR REPLACE INTO users VALUES (?, ?, ?, ?)"
_PUT_ITEM = "INSERT OR REPLACE INTO items VALUES (?, ?, ?, ?, ?, ?)"
_PUT_LETTER = (
    "INSERT INTO dead_letters (source, reason, payload, at) SELECT ?, ?, ?, ? "
    "WHERE NOT EXISTS (SELECT 1 FROM dead_letters WHERE source = ?)"
)

_UNFIT = (
    *(sqlite3.IntegrityError, sqlite3.DataError, sqlite3.ProgrammingError, sqlite3.InterfaceError),
    *(OverflowError, UnicodeEncodeError),
)
"""What comes of an event that was not checked: the fault is in the event, not in the store."""

S = TypeVar("S", StoredUser, StoredItem)


class SqliteStore:
    """An `EventStore` in one file and its write-ahead log beside it.

    Deleted rows are overwritten with zeros (`secure_delete`), and erasing a user empties the log and looks for what is left,
    so that no file has the user's id in it.

    Raises:
        StoreError: if the file cannot be made or written, is damaged, of another program or another format.
    """

    def __init__(self, path: Path) -> None:
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

    def append(
        self,
        events: Sequence[Event],
        *,
        offsets: Sequence[Offset] = (),
        dead_letters: Sequence[DeadLetter] = (),
        register: bool = False,
        keep_erased_out: bool = False,
    ) -> list[bool]:
        """Store events and what belongs to them in one transaction; see `EventStore.append`."""
        with self._transaction() as connection:
            new = _insert(connection, events, _erased_at(connection) if keep_erased_out else {})
            if register:
                users = {event.user_id for event in events} | {event.target_user_id for event in events}
                items = {event.item_id for event in events}
                connection.executemany("INSERT OR IGNORE INTO users (user_id) VALUES (?)", _ids(users))
                connection.executemany("INSERT OR IGNORE INTO items (item_id) VALUES (?)", _ids(items))
            connection.executemany(
                "INSERT OR REPLACE INTO offsets VALUES (?, ?, ?, ?)",
                [(offset.group, offset.topic, offset.partition, offset.next) for offset in offsets],
            )
            connection.executemany(
                _PUT_LETTER,
                [
                    (letter.source, letter.reason, letter.payload[:MAX_PAYLOAD], letter.at, letter.source)
                    for letter in dead_letters
                ],
            )
        return new

    def since(self, seq: int, limit: int) -> list[Entry]:
        """Return up to `limit` entries after `seq`, in order."""
        with self._reader() as connection:
            connection.execute("BEGIN")  # both tables as of one moment
            try:
                rows = connection.execute(
                    f"SELECT seq, {_EVENT} FROM events WHERE seq > ? ORDER BY seq LIMIT ?", (seq, limit)
                ).fetchall()
                gone = connection.execute(
                    "SELECT seq, kind, subject, at FROM erased WHERE seq > ? ORDER BY seq LIMIT ?", (seq, limit)
                ).fetchall()
            finally:
                connection.execute("COMMIT")
        entries: list[Entry] = [(row[0], _event(row[1:])) for row in rows]
        if gone:
            entries += [(row[0], Erased(*row[1:])) for row in gone]
            entries.sort(key=lambda entry: entry[0])
        return entries[:limit]

    @property
    def last_seq(self) -> int:
        """The number of the last entry; 0 where there is none."""
        return int(self._read(_LAST_SEQ)[0][0])

    def of_user(self, user_id: str, limit: int | None = None) -> list[Event]:
        """Return a user's latest events, the oldest of them first."""
        query = f"SELECT {_EVENT} FROM events WHERE user_id = ? ORDER BY timestamp DESC, seq DESC LIMIT ?"
        return self._latest(query, user_id, limit)

    def of_item(self, item_id: str, limit: int | None = None) -> list[Event]:
        """Return an item's latest events, the oldest of them first.

        The index behind it is brought up to date here and not by `append`: few ask by item, and many events at once cost
        an index far less than each alone.
        """
        with self._reader() as connection:
            is_behind = _indexed_up_to(connection) < connection.execute(_LAST_SEQ).fetchone()[0]
        if is_behind:
            with self._transaction() as connection:
                _index_items(connection)
        columns = ", ".join(f"events.{name}" for name in _EVENT.split(", "))
        query = (
            f"SELECT {columns} FROM item_events AS found JOIN events ON events.seq = found.seq WHERE found.item_id = ? "
            "ORDER BY found.timestamp DESC, found.seq DESC LIMIT ?"
        )
        return self._latest(query, item_id, limit)

    def erase_events(self, user_id: str, item_id: str, type: str | None = None) -> int:
        """Erase what a user did with an item; returns how many events that were."""
        with self._transaction() as connection:
            seq = _next_seq(connection)
            where, values = "user_id = ? AND item_id = ?", [user_id, item_id]
            if type is not None:
                where, values = f"{where} AND type = ?", [*values, type]
            n_events = _delete(connection, where, values)
            if n_events:
                _tell_erased(connection, seq, "some", user_id)
        return n_events

    def erase_user(self, user_id: str) -> int:
        """Erase a user; returns how many events by and about them there were.

        SQLite overwrites what it deletes, and not the copies that it left when it once split a page in two. Where the file
        still has the id in it after all, it is written anew, which holds up writers for some seconds a million events.

        Raises:
            StoreBusyError: if all is erased, but a reader that does not finish keeps the old pages in the write-ahead log.
        """
        with self._transaction() as connection:
            seq = _next_seq(connection)
            n_events = _delete(connection, "user_id = ?", [user_id]) + _delete(
                connection, "target_user_id = ?", [user_id]
            )
            connection.execute("DELETE FROM users WHERE user_id = ?", (user_id,))
            letters = connection.execute("SELECT seq, payload FROM dead_letters").fetchall()
            named = [(seq,) for seq, payload in letters if _names(payload, user_id)]
            connection.executemany("DELETE FROM dead_letters WHERE seq = ?", named)
            _tell_erased(connection, seq, "user", user_id)
        self._empty_log()
        if self._has_trace(user_id):
            with self._explaining():
                self._writer.execute("VACUUM")
            self._empty_log()
        return n_events

    def erase_item(self, item_id: str) -> int:
        """Erase an item, its events and its object; returns how many events it had."""
        with self._transaction() as connection:
            seq = _next_seq(connection)
            _index_items(connection)
            n_events = _delete(connection, "seq IN (SELECT seq FROM item_events WHERE item_id = ?)", [item_id])
            connection.execute("DELETE FROM items WHERE item_id = ?", (item_id,))
            _tell_erased(connection, seq, "item", item_id)
        return n_events

    def export_user(self, user_id: str) -> dict[str, Any]:
        """Return all that is stored of a user, as JSON has it."""
        rows = self._read(
            f"SELECT {_EVENT} FROM events WHERE user_id = ? OR target_user_id = ? ORDER BY seq", (user_id, user_id)
        )
        user = self.user(user_id)
        told = None
        if user is not None:
            told = {
                "user_id": user.user_id,
                "labels": user.labels,
                "subscribe": list(user.subscribe),
                "comment": user.comment,
            }
        return {"user": told, "events": [record_of(_event(row)) for row in rows]}

    def put_users(self, users: Sequence[StoredUser]) -> None:
        """Store objects of users; one that is there is replaced."""
        rows = [packed(user) for user in users]
        with self._transaction() as connection:
            connection.executemany(_PUT_USER, rows)

    def put_items(self, items: Sequence[StoredItem]) -> None:
        """Store objects of items; one that is there is replaced."""
        rows = [packed(item) for item in items]
        with self._transaction() as connection:
            connection.executemany(_PUT_ITEM, rows)

    def user(self, user_id: str) -> StoredUser | None:
        """Return the object of a user; None where there is none."""
        rows = self._read("SELECT * FROM users WHERE user_id = ?", (user_id,))
        return unpacked(StoredUser, rows[0]) if rows else None

    def item(self, item_id: str) -> StoredItem | None:
        """Return the object of an item; None where there is none."""
        rows = self._read("SELECT * FROM items WHERE item_id = ?", (item_id,))
        return unpacked(StoredItem, rows[0]) if rows else None

    def patch_user(self, user_id: str, changes: Mapping[str, Any]) -> StoredUser | None:
        """Change parts of the object of a user; returns it as it is now, None where there is none."""
        return self._patch(self.user, _PUT_USER, user_id, changes)

    def patch_item(self, item_id: str, changes: Mapping[str, Any]) -> StoredItem | None:
        """Change parts of the object of an item; returns it as it is now, None where there is none."""
        return self._patch(self.item, _PUT_ITEM, item_id, changes)

    def users(self, after: str | None, limit: int) -> list[StoredUser]:
        """Return a page of objects in the order of ids, of those behind `after`."""
        rows = self._read("SELECT * FROM users WHERE user_id > ? ORDER BY user_id LIMIT ?", (after or "", limit))
        return [unpacked(StoredUser, row) for row in rows]

    def items(self, after: str | None, limit: int) -> list[StoredItem]:
        """Return a page of objects in the order of ids, of those behind `after`."""
        rows = self._read("SELECT * FROM items WHERE item_id > ? ORDER BY item_id LIMIT ?", (after or "", limit))
        return [unpacked(StoredItem, row) for row in rows]

    def offsets(self, group: str) -> dict[tuple[str, int], int]:
        """Return the next offset of each (topic, partition) that a group has read."""
        rows = self._read("SELECT topic, partition, next FROM offsets WHERE group_id = ?", (group,))
        return {(topic, partition): next_offset for topic, partition, next_offset in rows}

    def dead_letters(self, after: int, limit: int) -> list[tuple[int, DeadLetter]]:
        """Return up to `limit` dead letters with numbers above `after`, in order."""
        query = "SELECT seq, source, reason, payload, at FROM dead_letters WHERE seq > ? ORDER BY seq LIMIT ?"
        return [(row[0], DeadLetter(*row[1:])) for row in self._read(query, (after, limit))]

    def close(self) -> None:
        """Let go of the file; the last connection to it also empties the write-ahead log."""
        with self._lock:
            self._is_open = False
            while self._idle:
                self._idle.pop().close()
            self._writer.close()

    def _latest(self, query: str, some_id: str, limit: int | None) -> list[Event]:
        return [_event(row) for row in reversed(self._read(query, (some_id, -1 if limit is None else limit)))]

    def _patch(self, get: Callable[[str], S | None], put: str, some_id: str, changes: Mapping[str, Any]) -> S | None:
        with self._transaction() as connection:  # the file is locked for writers here, so nothing comes between
            stored = get(some_id)
            if stored is None:
                return None
            now = changed(stored, changes)
            connection.execute(put, packed(now))
        return get(some_id)

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
        if n_tables and version != FORMAT:
            raise StoreError(
                f"{self.path} has format {version}; this version of edgewise reads format {FORMAT}. Open it with the version that made it."
            )
        if not n_tables:
            connection.execute(f"PRAGMA page_size = {_PAGE}")
        mode = connection.execute("PRAGMA journal_mode = WAL").fetchone()[0]
        if mode != "wal":
            raise StoreError(
                f"{self.path} cannot have a write-ahead log (mode {mode!r}); is it on a network disk? Name a local folder."
            )
        with self._transaction():  # also shows at once whether the file can be written
            if connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0] == 0:
                for statement in _TABLES.split(";\n"):
                    connection.execute(statement)
                connection.execute(f"PRAGMA application_id = {_APPLICATION}")
                connection.execute(f"PRAGMA user_version = {FORMAT}")
            connection.execute("CREATE INDEX IF NOT EXISTS dead_letters_of_source ON dead_letters (source)")

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


def _insert(connection: sqlite3.Connection, events: Sequence[Event], erased_at: Mapping[str, int]) -> list[bool]:
    """Insert the events that are new, and number them without gaps."""
    seq = _next_seq(connection)
    new = []
    for event in events:
        if erased_at and event.timestamp <= max(
            erased_at.get(subject_of(some_id), -1)
            for some_id in (event.user_id, event.target_user_id)
            if some_id is not None
        ):
            new.append(False)
            continue
        row = (seq, event.event_id, event.user_id, event.item_id, event.type, event.value)
        is_new = (
            connection.execute(_INSERT, (*row, event.timestamp, event.session_id, event.target_user_id)).rowcount > 0
        )
        seq += is_new
        new.append(is_new)
    return new


def _delete(connection: sqlite3.Connection, where: str, values: Sequence[str]) -> int:
    """Delete events, in the index of items too; returns how many."""
    keys = connection.execute(f"SELECT item_id, timestamp, seq FROM events WHERE {where}", values).fetchall()
    connection.executemany("DELETE FROM item_events WHERE item_id = ? AND timestamp = ? AND seq = ?", keys)
    connection.executemany("DELETE FROM events WHERE seq = ?", [(seq,) for _, _, seq in keys])
    return len(keys)


def _indexed_up_to(connection: sqlite3.Connection) -> int:
    return int(connection.execute("SELECT items_up_to FROM indexed").fetchone()[0])


def _index_items(connection: sqlite3.Connection) -> None:
    """Bring the index of items up to the last event, in the order of the index."""
    connection.execute(
        "INSERT INTO item_events SELECT item_id, timestamp, seq FROM events WHERE seq > ? AND item_id IS NOT NULL "
        "ORDER BY item_id, timestamp, seq",
        (_indexed_up_to(connection),),
    )
    connection.execute(f"UPDATE indexed SET items_up_to = ({_LAST_SEQ})")


def _erased_at(connection: sqlite3.Connection) -> dict[str, int]:
    return dict(
        connection.execute("SELECT subject, max(at) FROM erased WHERE kind = 'user' GROUP BY subject").fetchall()
    )


def _tell_erased(connection: sqlite3.Connection, seq: int, kind: str, some_id: str) -> None:
    row = (seq, kind, subject_of(some_id), time.time_ns() // 1_000_000)
    connection.execute("INSERT INTO erased VALUES (?, ?, ?, ?)", row)


def _next_seq(connection: sqlite3.Connection) -> int:
    """Return the number after the last; to be asked before deleting, since the last entry may be among the deleted."""
    return int(connection.execute(_LAST_SEQ).fetchone()[0]) + 1


def _event(row: tuple[Any, ...]) -> Event:
    event_id, user_id, item_id, kind, value, timestamp, session_id, target = row
    return Event(
        event_id,
        user_id,
        item_id,
        timestamp=timestamp,
        type=kind,
        value=value,
        session_id=session_id,
        target_user_id=target,
    )


def _ids(some_ids: set[str] | set[str | None]) -> list[tuple[str]]:
    return [(some_id,) for some_id in sorted(some_id for some_id in some_ids if some_id is not None)]


def _names(payload: bytes, user_id: str) -> bool:
    """Whether a message that could not be read is about a user: by its key, or by the id in quotes anywhere."""
    quoted = (json.dumps(user_id).encode(), json.dumps(user_id, ensure_ascii=False).encode())
    if any(text in payload for text in quoted):
        return True
    try:
        record = json.loads(payload)
    except (ValueError, RecursionError):
        return False
    return isinstance(record, dict) and user_id in (str(record.get("user_id")), str(record.get("target_user_id")))


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
